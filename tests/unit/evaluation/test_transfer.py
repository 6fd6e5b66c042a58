from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers import schedules
from lexiscope.evaluation.classifiers.schedules import CrossValidated, Tuned
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.sentence_vectors import average
from lexiscope.evaluation.tasks import TASKS
from lexiscope.evaluation.transfer import evaluate

GROUP = TASKS["transfer"]
QUICK = ProtocolConfig(n_bootstrap=20)
TYPES = ("ABBR:exp", "DESC:def", "ENTY:cremat", "HUM:ind", "LOC:city", "NUM:date")
MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
SICK_HEADER = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"


@pytest.fixture
def score(tmp_path, make_receipt):
    """Write a dataset's files, by role, and evaluate a space on it."""

    def run(key: str, space: EmbeddingSpace, files: dict[str, list[str]], protocol=QUICK):
        dataset = GROUP.dataset(key)
        paths = {}
        for role, lines in files.items():
            paths[role] = [tmp_path / f"{key}.{role}"]
            paths[role][0].write_text("".join(f"{line}\n" for line in lines))
        return evaluate(space, dataset, make_receipt(dataset.source, paths), protocol)

    return run


@pytest.fixture
def trained(monkeypatch):
    """Replace training by a rule on (train_x, train_y, test_x), and record what the schedules are given."""
    calls: list[dict] = []

    def install(rule) -> list[dict]:
        def cross_validate(features, labels, n_classes, *, config, seed):
            calls.append({"x": features, "y": labels, "n": n_classes, "config": config, "seed": seed})
            return CrossValidated(rule(features, labels, features), 0.75)

        def tune_by_folds(x, y, test_x, n_classes, *, config, seed):
            calls.append({"x": x, "y": y, "test_x": test_x, "n": n_classes, "config": config, "seed": seed})
            return Tuned(rule(x, y, test_x), 0.75, 1e-3)

        def tune_on_split(x, y, valid_x, valid_y, test_x, n_classes, *, config, seed):
            calls.append({"x": x, "y": y, "test_x": test_x, "n": n_classes, "config": config, "seed": seed})
            calls[-1] |= {"valid_x": valid_x, "valid_y": valid_y}
            return Tuned(rule(x, y, test_x), 0.75, 1e-3)

        for schedule in (cross_validate, tune_by_folds, tune_on_split):
            monkeypatch.setattr(schedules, schedule.__name__, schedule)
        return calls

    return install


def constantly(number: int):
    return lambda x, y, test_x: np.full(len(test_x), number)


# Vectors by which a sentence of a kept word can be told from any other.
WORDS = ("a", "b", "c", "d")
SPACE = EmbeddingSpace(WORDS, np.float32([[1, 0], [0, 2], [4, 4], [-1, 3]]))


def test_reviews_are_sorted_as_senteval_sorts_them(score, trained):
    files = {"positive": ["a b c", "d", "b", "a a x"], "negative": ["c c", "a", "", "b a d"]}
    calls = trained(lambda x, y, test_x: y)
    outcome = score("mr", SPACE, files)

    samples = [(line.split(), 1) for line in files["positive"]]
    samples += [(line.split(), 0) for line in files["negative"]]
    expected = sorted(samples, key=lambda sample: (len(sample[0]), sample[1]))
    (call,) = calls
    assert call["y"].tolist() == [label for _, label in expected]
    vectors = average(SPACE, [words for words, _ in expected], QUICK).vectors
    assert np.array_equal(call["x"], vectors)
    assert call["x"].dtype == np.float32
    assert (call["n"], call["seed"], call["config"].preset) == (2, 1111, "senteval_derby")
    # The answers are back in the order of the files.
    assert [answer.item for answer in outcome.answers] == [
        f"mr.{role}:{number}" for role in ("positive", "negative") for number in (1, 2, 3, 4)
    ]
    assert [answer.item_id for answer in outcome.answers] == list(range(8))
    assert [answer.gold for answer in outcome.answers] == [1.0] * 4 + [0.0] * 4
    assert [answer.prediction for answer in outcome.answers] == [1.0] * 4 + [0.0] * 4
    assert [answer.used for answer in outcome.answers] == [True] * 6 + [False, True]
    assert outcome.results[0].value == 1.0


def test_subj_has_the_objective_sentences_first_as_class_1(score, trained):
    trained(lambda x, y, test_x: y)
    outcome = score("subj", SPACE, {"subjective": ["a", "b"], "objective": ["c"]})
    assert [(answer.item, answer.gold) for answer in outcome.answers] == [
        ("subj.objective:1", 1.0),
        ("subj.subjective:1", 0.0),
        ("subj.subjective:2", 0.0),
    ]


@pytest.mark.parametrize("key", ["trec", "sst2", "sst5"])
def test_given_parts_are_sorted_each(score, trained, key):
    def line(words: str, label: int) -> str:
        return {
            "trec": f"{TYPES[label]} {words}",
            "sst2": f"{words} \t{label}",
            "sst5": f"{label} {words}",
        }[key]

    parts = {
        "train": [("a b", 1), ("c", 1), ("d", 0), ("b", 0)],
        "valid": [("a a a", 0), ("b", 1)],
        "test": [("c a", 1), ("x", 0), ("d d", 0), ("a", 1)],
    }
    files = {
        role: [line(*sample) for sample in samples]
        for role, samples in parts.items()
        if key != "trec" or role != "valid"
    }
    # The first component tells the test sentences apart.
    calls = trained(lambda x, y, test_x: np.int64(test_x[:, 0] > 0.5))
    outcome = score(key, SPACE, files)

    (call,) = calls
    for role, x, y in (("train", "x", "y"), ("valid", "valid_x", "valid_y"), ("test", "test_x", None)):
        if role in files:
            order = sorted(
                [(words.split(), label) for words, label in parts[role]],
                key=lambda sample: (len(sample[0]), sample[1]),
            )
            assert np.array_equal(call[x], average(SPACE, [words for words, _ in order], QUICK).vectors)
            assert y is None or call[y].tolist() == [label for _, label in order]
    assert call["n"] == {"trec": 6, "sst2": 2, "sst5": 5}[key]

    assert [answer.prediction for answer in outcome.answers] == [1.0, 0.0, 0.0, 1.0]
    assert [answer.used for answer in outcome.answers] == [True, False, True, True]
    test, valid = outcome.results
    assert (test.split, test.metric, test.value, test.baseline) == ("test", "accuracy", 1.0, 0.5)
    assert (test.n_used, test.n_total, test.constant) == (3, 4, False)
    assert (valid.split, valid.metric, valid.value) == ("valid", "accuracy", 0.75)
    assert (valid.ci_low, valid.ci_high, valid.baseline) == (None, None, 0.5)
    assert (valid.n_used, valid.n_total) == ((4, 4) if key == "trec" else (2, 2))


def test_pairs_have_differences_and_products_and_are_sorted_by_both_lengths(score, trained):
    train = [("a b", "c", 1), ("a", "b b", 1), ("d", "a", 1), ("b", "c", 0), ("b", "x", 0)]
    calls = trained(lambda x, y, test_x: np.int64(test_x[:, 0] > 3.5))
    lines = [MRPC_HEADER, *(f"{label}\t1\t2\t{one}\t{other}" for one, other, label in train)]
    outcome = score("mrpc", SPACE, {"train": lines, "test": lines})

    order = sorted(train, key=lambda pair: (len(pair[0].split()), len(pair[1].split()), pair[2]))
    u = average(SPACE, [one.split() for one, _, _ in order], QUICK).vectors
    v = average(SPACE, [other.split() for _, other, _ in order], QUICK).vectors
    (call,) = calls
    assert np.array_equal(call["x"], np.c_[np.abs(u - v), u * v])
    assert call["y"].tolist() == [label for _, _, label in order]
    assert [answer.item for answer in outcome.answers] == [f"mrpc.test:{line}" for line in range(2, 7)]
    assert [answer.prediction for answer in outcome.answers] == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert [answer.used for answer in outcome.answers] == [True, True, True, True, False]
    assert outcome.results[0].n_used == 4


def test_the_same_answer_to_everything_is_flagged_and_has_the_baselines_score(score, trained):
    trained(constantly(1))
    gold = [1, 1, 0, 1, 0]
    lines = [MRPC_HEADER, *(f"{label}\t1\t2\ta\tb c" for label in gold)]
    accuracy, f1, valid = score("mrpc", SPACE, {"train": lines, "test": lines}).results
    assert (accuracy.metric, accuracy.value, accuracy.baseline) == ("accuracy", 0.6, 0.6)
    assert (f1.metric, f1.value) == ("f1", pytest.approx(f1_score(gold, [1] * 5)))
    assert f1.baseline == f1.value
    assert (accuracy.constant, f1.constant, valid.constant) == (True, True, False)
    assert accuracy.ci_low <= accuracy.value <= accuracy.ci_high


def test_f1_without_any_positive_is_skipped_not_nan(score, trained):
    trained(constantly(0))
    train = [MRPC_HEADER, "1\t1\t2\ta\tb", "0\t1\t2\ta\tb"]
    test = [MRPC_HEADER, "0\t1\t2\ta\tb", "0\t1\t2\ta\tc"]
    accuracy, f1, _ = score("mrpc", SPACE, {"train": train, "test": test}).results
    assert (accuracy.status, accuracy.value) == ("ok", 1.0)
    assert (f1.status, f1.value, f1.baseline) == ("skipped", None, 0.0)
    assert "f1 is undefined" in f1.error


def test_sick_entailment(score, trained):
    calls = trained(lambda x, y, test_x: np.full(len(test_x), 2))
    judged = ("NEUTRAL", "ENTAILMENT", "CONTRADICTION")
    lines = [SICK_HEADER, *(f"{n}\ta b\tc\t3.5\t{word}" for n, word in enumerate(judged))]
    outcome = score("sick_entailment", SPACE, {"train": lines, "valid": lines, "test": lines})
    assert calls[0]["n"] == 3
    assert [answer.gold for answer in outcome.answers] == [1.0, 2.0, 0.0]
    assert outcome.results[0].value == pytest.approx(1 / 3)
    assert {result.dataset for result in outcome.results} == {"sick_entailment"}


def test_the_protocol_is_named_with_the_classifiers_settings(score, trained):
    calls = trained(constantly(1))
    protocol = ProtocolConfig(
        classifier={"preset": "senteval_fast", "n_hidden": 50}, oov="zero", n_bootstrap=0, seed=7
    )
    outcome = score("mr", SPACE, {"positive": ["a"], "negative": ["b"]}, protocol)
    assert {result.protocol for result in outcome.results} == {
        "classifier=senteval_fast(n_hidden=50) oov=zero casing=lower bootstrap=none"
    }
    assert (calls[0]["seed"], calls[0]["config"].n_hidden) == (7, 50)
    assert (outcome.results[0].ci_low, outcome.results[0].ci_high) == (None, None)


UNSCORED = {
    "no training sentence covered": (
        {"train": ["x\t1", "y\t0"], "valid": ["a\t1"], "test": ["a\t1"]},
        "no word of any training sentence",
        1,
    ),
    "no test sentence covered": (
        {"train": ["a\t1", "b\t0"], "valid": ["a\t1"], "test": ["x\t1", "x y\t0"]},
        "no word of any test sentence",
        0,
    ),
    "one class": (
        {"train": ["a\t1", "b\t1"], "valid": ["a\t1"], "test": ["a\t1"]},
        "one class only",
        1,
    ),
}


@pytest.mark.parametrize("name", UNSCORED)
def test_what_cannot_be_scored_is_skipped_with_the_reason(score, name):
    files, reason, n_used = UNSCORED[name]
    outcome = score("sst2", SPACE, files)
    (result,) = outcome.results
    assert (result.status, result.value, result.split) == ("skipped", None, "test")
    assert (result.n_used, result.n_total) == (n_used, len(files["test"]))
    assert reason in result.error
    assert [answer.prediction for answer in outcome.answers] == [None] * len(files["test"])
    assert not any(answer.used for answer in outcome.answers)


def test_too_few_of_a_class_for_the_folds_is_skipped_with_the_reason(score):
    many = ["a b"] * 30
    (result,) = score("cr", SPACE, {"positive": many, "negative": ["c"] * 3}).results
    assert result.status == "skipped"
    assert "class 0 has 3 examples" in result.error
    lines = [f"{TYPES[0]} a"] * 20 + [f"{TYPES[5]} b"]
    (result,) = score("trec", SPACE, {"train": lines, "test": lines}).results
    assert result.status == "skipped"
    assert "class 5 has 1 examples" in result.error


def test_bad_files_are_told_with_file_and_line(score):
    with pytest.raises(LexiscopeError, match=r"mr\.negative: the file has no sentences"):
        score("mr", SPACE, {"positive": ["a"], "negative": []})
    with pytest.raises(LexiscopeError, match=r"sst2\.valid:2: the label '7' is unknown"):
        score("sst2", SPACE, {"train": ["a\t1"], "valid": ["a\t1", "b\t7"], "test": ["a\t1"]})
    with pytest.raises(LexiscopeError, match="0 files for 'test'"):
        score("trec", SPACE, {"train": ["LOC:x a"]})


def told_apart(key: str) -> tuple[EmbeddingSpace, dict[str, list[str]]]:
    """A space and a dataset in which the words of a sentence give its class away."""
    generator = np.random.default_rng(5)
    n_classes = {"trec": 6, "sst5": 5, "sick_entailment": 3}.get(key, 2)
    words = [f"{name}{number}" for name in "pqrstu"[:n_classes] for number in range(8)]
    vectors = generator.normal(0, 0.3, (len(words), 12))
    vectors[np.arange(len(words)), np.arange(len(words)) // 8] += 3
    space = EmbeddingSpace(tuple(words), vectors.astype(np.float32))

    def sentence(label: int) -> str:
        chosen = generator.integers(0, 8, generator.integers(2, 6))
        return " ".join(words[8 * label + i] for i in chosen)

    def lines(size: int) -> list[str]:
        labels = [number % n_classes for number in range(size)]
        if key in ("mrpc", "sick_entailment"):
            # Sentences of one class are alike; those of different classes are not.
            pairs = [(sentence(0), sentence(label), label) for label in labels]
            if key == "mrpc":
                return [MRPC_HEADER, *(f"{label}\t1\t2\t{one}\t{other}" for one, other, label in pairs)]
            names = ("CONTRADICTION", "NEUTRAL", "ENTAILMENT")
            return [SICK_HEADER, *(f"1\t{one}\t{other}\t3\t{names[label]}" for one, other, label in pairs)]
        forms = {"trec": "{kind} {words}", "sst2": "{words}\t{label}", "sst5": "{label} {words}"}
        return [
            forms[key].format(kind=TYPES[label], words=sentence(label), label=label) for label in labels
        ]

    if key in ("mr", "cr", "mpqa", "subj"):
        roles = ("objective", "subjective") if key == "subj" else ("positive", "negative")
        return space, {
            role: [sentence(label) for _ in range(300)] for role, label in zip(roles, (1, 0), strict=True)
        }
    roles = ("train", "test") if key in ("trec", "mrpc") else ("train", "valid", "test")
    return space, {role: lines(600 if role == "train" else 60) for role in roles}


@pytest.mark.parametrize("key", [dataset.key for dataset in GROUP.datasets])
def test_every_task_is_learnt_by_real_training(score, key):
    space, files = told_apart(key)
    protocol = ProtocolConfig(
        n_bootstrap=50, classifier={"kfold": 3, "batch_size": 8, "epoch_size": 8, "l2": [1e-5, 1e-3]}
    )
    outcome = score(key, space, files, protocol)
    test, *_, valid = outcome.results
    assert test.status == valid.status == "ok"
    assert test.value > 0.9 > 0.6 >= test.baseline
    assert valid.value > 0.9
    assert test.n_used == test.n_total == len(outcome.answers)
    assert test.value == np.mean([answer.gold == answer.prediction for answer in outcome.answers])
    again = score(key, space, files, protocol)
    assert json.dumps([vars(row) for row in again.results + again.answers]) == json.dumps(
        [vars(row) for row in outcome.results + outcome.answers]
    )
