from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers import schedules
from lexiscope.evaluation.classifiers.schedules import Tuned
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.probing import cut, evaluate
from lexiscope.evaluation.sentence_files import LabelledSentences, read_xprobe
from lexiscope.evaluation.tasks import TASKS, built_probe

QUICK = ProtocolConfig(n_bootstrap=20)
SPACE = EmbeddingSpace(("a", "b", "c", "d"), np.float32([[1, 0], [0, 2], [4, 4], [-1, 3]]))
TENSE = TASKS["probing"].dataset("tense")
LINES = [
    "tr\tPAST\ta b",
    "tr\tPRES\tc",
    "va\tPRES\td",
    "te\tPRES\tc c",
    "te\tPAST\tx",
    "te\tPAST\tb a",
]


@pytest.fixture
def score(tmp_path, make_receipt):
    """Write a dataset's files, by role, and evaluate a space on it."""

    def run(dataset, files: dict[str, list[str]], space=SPACE, protocol=QUICK):
        paths = {}
        for role, lines in files.items():
            paths[role] = [tmp_path / f"{role}.txt"]
            paths[role][0].write_text("".join(f"{line}\n" for line in lines))
        return evaluate(space, dataset, make_receipt(dataset.source, paths), protocol)

    return run


@pytest.fixture
def calls(monkeypatch) -> list[dict]:
    """What training is given; it answers class 0 throughout."""
    given: list[dict] = []

    def tune_on_split(x, y, valid_x, valid_y, test_x, n_classes, *, config, seed):
        given.append({"y": y, "valid_y": valid_y, "n_test": len(test_x), "n": n_classes, "config": config})
        return Tuned(np.zeros(len(test_x), dtype=np.int64), 0.5, 1e-3)

    monkeypatch.setattr(schedules, "tune_on_split", tune_on_split)
    return given


def test_sentevals_format(score, calls):
    outcome = score(TENSE, {"past_present": LINES})
    test, valid = outcome.results
    assert (test.dataset, test.split, test.metric, test.value) == ("tense", "test", "accuracy", 2 / 3)
    assert (test.n_used, test.n_total, test.constant, test.note) == (2, 3, True, "")
    assert test.baseline == 2 / 3
    assert (valid.split, valid.value, valid.n_total) == ("valid", 0.5, 1)
    assert [(a.item, a.gold, a.prediction, a.used) for a in outcome.answers] == [
        ("past_present.txt:4", 1.0, 0.0, True),
        ("past_present.txt:5", 0.0, 0.0, False),
        ("past_present.txt:6", 0.0, 0.0, True),
    ]
    # Sorted by length: "c" (PRES) before "a b" (PAST).
    assert (calls[0]["y"].tolist(), calls[0]["n"]) == ([1, 0], 2)


REPEATED = ["te\tPAST\ta b", "te\tPRES\td"]


def test_sentevals_own_sets_keep_test_sentences_of_the_other_parts_with_a_note(score, calls):
    outcome = score(TENSE, {"past_present": LINES + REPEATED})
    test = outcome.results[0]
    assert (test.n_used, test.n_total) == (4, 5)
    assert test.note == "2 of 5 test sentences also stand in the other parts and count, as in SentEval"
    assert outcome.answers[-1].used


def test_other_sets_leave_them_out(score, calls):
    outcome = score(built_probe("ewt", "tense"), {"tense": LINES + REPEATED})
    test, valid = outcome.results
    assert (test.dataset, test.value, test.n_used, test.n_total) == ("ewt/tense", 2 / 3, 2, 5)
    assert test.note == "2 of 5 test sentences also stand in the other parts and are left out"
    assert test.baseline == 2 / 3
    assert valid.note == ""
    assert [(a.prediction, a.used) for a in outcome.answers] == [
        (0.0, True),
        (0.0, False),
        (0.0, True),
        (None, False),
        (None, False),
    ]


def test_the_interval_is_that_of_the_sentences_that_count(score, monkeypatch):
    """Had the two that are left out counted, half of the answers would be wrong."""

    def all_right_but_for_the_repeated(x, y, valid_x, valid_y, test_x, n_classes, *, config, seed):
        return Tuned(np.int64(test_x[:, 0] > 1), 0.5, 1e-3)

    monkeypatch.setattr(schedules, "tune_on_split", all_right_but_for_the_repeated)
    lines = [*LINES[:3], "te\tPRES\tc c", "te\tPAST\tb a", "te\tPRES\ta b", "te\tPRES\td"]
    test = score(built_probe("ewt", "tense"), {"tense": lines}).results[0]
    assert (test.value, test.ci_low, test.ci_high, test.constant) == (1.0, 1.0, 1.0, False)


def test_a_set_whose_test_sentences_are_all_repeated_is_skipped(score):
    lines = [f"w{number} a\t{number % 2}" for number in range(40)]
    dataset = TASKS["xprobe"].dataset("xprobe_tree_depth")
    outcome = score(dataset, {"tree_depth.valid": lines, "tree_depth.test": lines})
    (test,) = outcome.results
    assert (test.status, test.value, test.n_used, test.n_total) == ("skipped", None, 0, 40)
    assert "40 of 40 test sentences also stand in the other parts" in test.error
    assert (test.dataset, test.baseline) == ("xprobe_tree_depth", None)
    assert not any(answer.used for answer in outcome.answers)


def test_xprobe_is_cut_and_never_named_like_senteval(score, calls):
    valid = [f"w{number} a\t{'Past' if number % 2 else 'Pres'}" for number in range(100)]
    test = ["a b\tPast", "b c\tPres", "w1 a\tPast"]
    dataset = TASKS["xprobe"].dataset("xprobe_tense")
    outcome = score(dataset, {"past_present.valid": valid, "past_present.test": test})
    (call,) = calls
    assert Counter(call["y"].tolist()) == {0: 45, 1: 45}
    assert Counter(call["valid_y"].tolist()) == {0: 5, 1: 5}
    assert {result.dataset for result in outcome.results} == {"xprobe_tense"}
    assert (outcome.results[0].n_used, outcome.results[0].n_total) == (2, 3)
    assert outcome.answers[0].item == "past_present.test.txt:1"


@pytest.mark.parametrize(
    ("dataset", "hidden"),
    [
        (TASKS["probing"].dataset("word_content"), 0),
        (built_probe("ewt", "word_content"), 0),
        (TASKS["probing"].dataset("bigram_shift"), 50),
    ],
)
def test_word_content_never_has_a_hidden_layer_and_its_protocol_says_so(score, calls, dataset, hidden):
    protocol = ProtocolConfig(classifier={"preset": "senteval_default", "n_hidden": 50}, n_bootstrap=0)
    outcome = score(dataset, {dataset.role: LINES}, protocol=protocol)
    assert calls[0]["config"].n_hidden == hidden
    named = "senteval_default(n_hidden=50)" if hidden else "senteval_default"
    assert {result.protocol.split()[0] for result in outcome.results} == {f"classifier={named}"}


def test_bad_files_are_told_with_file_and_line(score):
    with pytest.raises(LexiscopeError, match=r"past_present\.txt:7: the label 'FUTURE' is unknown"):
        score(TENSE, {"past_present": [*LINES, "te\tFUTURE\tc"]})
    with pytest.raises(LexiscopeError, match="0 files for 'past_present'"):
        score(TENSE, {"tense": LINES})


def test_one_class_is_skipped_with_the_reason(score):
    lines = ["tr\tA\ta", "tr\tA\tb", "va\tA\tc", "te\tA\td"]
    (test,) = score(TENSE, {"past_present": lines}).results
    assert test.status == "skipped"
    assert "one class only" in test.error


def labelled(pairs) -> LabelledSentences:
    return LabelledSentences(
        [text.split() for text, _ in pairs],
        np.array([label for _, label in pairs], dtype=np.int64),
        [f"va.txt:{number}" for number, _ in enumerate(pairs, start=1)],
    )


def texts(part: LabelledSentences) -> set[str]:
    return {" ".join(words) for words in part.sentences}


def test_the_cut_is_stratified_disjoint_and_whole():
    pairs = [(f"s{number} t", number % 3) for number in range(95)]
    pairs += [(f"s{number} t", (number + 1) % 3) for number in range(0, 90, 5)]  # again, with another label
    train, valid = cut(labelled(pairs))
    assert not texts(train) & texts(valid)
    assert Counter(train.items) + Counter(valid.items) == Counter(labelled(pairs).items)
    # Of 32, 32 and 31 distinct sentences.
    first_label = {f"s{number} t": number % 3 for number in range(95)}
    assert Counter(first_label[text] for text in texts(valid)) == {0: 3, 1: 3, 2: 3}
    for part in (train, valid):
        assert part.items == sorted(part.items, key=lambda item: int(item.split(":")[1]))


def test_the_cut_does_not_depend_on_the_order_of_the_file():
    pairs = [(f"s{number}", number % 2) for number in range(60)]
    assert texts(cut(labelled(pairs))[1]) == texts(cut(labelled(pairs[::-1]))[1])


@pytest.mark.parametrize(("size", "n_valid"), [(1, 0), (2, 1), (9, 1), (10, 1), (19, 1), (20, 2)])
def test_the_cut_of_small_classes(size, n_valid):
    train, valid = cut(labelled([(f"s{number}", 0) for number in range(size)]))
    assert (len(train), len(valid)) == (size - n_valid, n_valid)


def test_properties_that_the_words_give_away_are_learnt_by_real_training(score, random_space):
    space = random_space([f"w{number}" for number in range(30)], dim=30)
    generator = np.random.default_rng(2)
    lines = []
    for part, size in (("tr", 400), ("va", 100), ("te", 200)):
        for number in range(size):
            words = [f"w{i}" for i in generator.integers(10, 30, 4)] + [f"w{number % 3}"]
            lines.append(f"{part}\tl{number % 3}\t{' '.join(words)}")
    outcome = score(built_probe("ewt", "word_content"), {"word_content": lines}, space)
    test, valid = outcome.results
    assert test.value > 0.9
    assert valid.value > 0.9
    assert test.ci_low < test.value <= test.ci_high <= 1


@pytest.mark.mirror
@pytest.mark.parametrize("task", ["sentence_length", "odd_man_out", "word_content"])
def test_the_cut_of_real_xprobe(mirror_root, task):
    folder = mirror_root / "xprobe-en" / task
    whole, _, classes = read_xprobe(folder / "va.txt", folder / "te.txt")
    train, valid = cut(whole)
    assert not texts(train) & texts(valid)
    assert len(train) + len(valid) == len(whole)
    assert 0.08 < len(valid) / len(whole) < 0.13
    assert len(np.unique(train.labels)) == len(classes)
