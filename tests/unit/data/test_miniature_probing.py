"""The probing tasks of SentEval and of X-Probe, read by strict readers and checked against the language."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from small_miniature import known_words, materials, word_counts

from lexiscope.data.miniature.grammar import Sentence, Tree, depth
from lexiscope.data.miniature.probing import CLASSES, DEPENDENCY_DEPTHS, DEPTHS, make_probing, make_xprobe
from lexiscope.data.miniature.probing_labels import (
    DEPTH_LENGTHS,
    LABELLERS,
    LENGTH_BINS,
    Context,
    FormParts,
    PoolSentence,
    exchangeable_forms,
)
from lexiscope.errors import LexiscopeError

TASKS = sorted(LABELLERS)
PARTS = ("tr", "va", "te")
XPROBE_CLASSES = {
    "past_present": {"Past", "Pres"},
    "subj_number": {"Sing", "Plur"},
    "obj_number": {"Sing", "Plur"},
    "odd_man_out": {"Orig", "Inv"},
    "bigram_shift": {"I", "O"},
    "coordination_inversion": {"I", "O"},
    "sentence_length": {str(i) for i in range(6)},
    "tree_depth": {str(i) for i in DEPENDENCY_DEPTHS},
}
Rows = list[tuple[str, str]]


@cache
def probing() -> dict[str, str]:
    return make_probing(materials())


@cache
def xprobe() -> dict[str, str]:
    return make_xprobe(materials())


@cache
def parts_of(task: str) -> dict[str, Rows]:
    parts: dict[str, Rows] = {part: [] for part in PARTS}
    text = probing()[f"senteval/probing/{task}.txt"]
    assert text.endswith("\n")
    order = []
    for line in text[:-1].split("\n"):
        part, label, sentence = line.split("\t")
        parts[part].append((label, sentence))
        order.append(PARTS.index(part))
    assert order == sorted(order)
    return parts


def bag_of_words_accuracy(task: str) -> float:
    train, test = parts_of(task)["tr"], parts_of(task)["te"]
    seen, unseen = word_counts([text for _, text in train], [text for _, text in test])
    model = LogisticRegression(C=0.3, max_iter=300).fit(seen, [label for label, _ in train])
    return float(model.score(unseen, [label for label, _ in test]))


def context_of(seed: int, depth_of: object = depth) -> Context:
    rng = np.random.default_rng(seed)
    truth = materials().language.truth
    ranks = exchangeable_forms(truth, materials().counts)
    targets = frozenset({"bral", "kop"})
    return Context(truth, rng, FormParts({"tr": 1}, rng), ranks, targets, depth_of)  # type: ignore[arg-type]


def test_the_files_have_the_official_names() -> None:
    assert set(probing()) == {f"senteval/probing/{task}.txt" for task in TASKS}
    assert len(TASKS) == 10
    names = {
        f"xprobe-en/{task}/{part}.txt"
        for task in TASKS
        if task != "top_constituents"
        for part in ("va", "te")
    }
    assert set(xprobe()) == names


@pytest.mark.parametrize("task", TASKS)
def test_parts_have_their_sizes_and_balanced_classes(task: str) -> None:
    config = materials().config
    sizes = {"tr": config.probing_train, "va": config.probing_heldout, "te": config.probing_heldout}
    classes = {label for label, _ in parts_of(task)["tr"]}
    expected = {"word_content": config.probing_words, "tree_depth": len(DEPTHS)}
    assert len(classes) == expected.get(task, len(CLASSES.get(task, ())))
    for part, rows in parts_of(task).items():
        counts = Counter(label for label, _ in rows)
        assert len(rows) == sizes[part]
        assert set(counts) == classes
        assert max(counts.values()) - min(counts.values()) <= 1
        # In random order within the part.
        assert len({label for label, _ in rows[: len(rows) // 2]}) == len(classes)


@pytest.mark.parametrize("task", TASKS)
def test_no_sentence_is_in_two_places(task: str) -> None:
    texts = [text for rows in parts_of(task).values() for _, text in rows]
    assert len(set(texts)) == len(texts)
    assert {word.lower() for text in texts for word in text.split(" ")} <= known_words()


def test_lengths_are_in_their_bins() -> None:
    for rows in parts_of("sentence_length").values():
        for label, text in rows:
            least, most = LENGTH_BINS[int(label)]
            assert least <= len(text.split(" ")) <= most


def test_a_sentence_has_its_word_once_and_no_other_target() -> None:
    targets = {label for label, _ in parts_of("word_content")["tr"]}
    for rows in parts_of("word_content").values():
        for label, text in rows:
            assert [word for word in text.split(" ") if word in targets] == [label]


def test_words_of_middle_frequency_are_targets() -> None:
    targets = {label for label, _ in parts_of("word_content")["tr"]}
    lemma_of, counts = materials().language.truth.lemma_of, materials().counts
    ranked = sorted(
        (word for word in counts if word in lemma_of and word.islower()), key=counts.__getitem__
    )
    assert not targets & set(ranked[-materials().config.probing_words :])
    assert min(counts[word] for word in targets) > np.median([counts[word] for word in ranked])


@pytest.mark.parametrize(("task", "column"), [("past_present", "verb"), ("subj_number", "noun")])
def test_the_form_that_decides_is_in_one_part_only(task: str, column: str) -> None:
    truth = materials().language.truth
    forms: dict[str, set[str]] = {}
    for part, rows in parts_of(task).items():
        for label, text in rows:
            words = text.split(" ")
            if len(words) > 8 or "," in words or (column == "noun" and "'s" in words):
                continue  # the form is easy to find in short sentences
            kind = "verb" if column == "verb" else "noun"
            of_kind = [w for w in words if w in truth.lemma_of]
            of_kind = [w for w in of_kind if truth.lemmas[truth.lemma_of[w]].part_of_speech == kind]
            if column == "verb":
                of_kind = [
                    w for w in of_kind if truth.lemmas[truth.lemma_of[w]].forms[0] != w or label == "PRES"
                ]
            if len(of_kind) == 1:
                forms.setdefault(part, set()).add(of_kind[0])
    assert all(forms[part] for part in PARTS)
    assert not forms["tr"] & forms["te"]
    assert not forms["tr"] & forms["va"]


def test_a_shifted_sentence_has_the_words_of_a_right_one() -> None:
    leaves_: list[Tree] = [("DT", "the"), ("NN", "bral"), ("VBD", "sat"), ("RB", "there"), (".", ".")]
    sentence = PoolSentence(Sentence(("S", tuple(leaves_)), 0, "past", "singular", None))
    made = {
        (item.label, item.text)
        for i in range(40)
        if (item := LABELLERS["bigram_shift"](sentence, context_of(i)))
    }
    assert made == {
        ("O", "The bral sat there ."),
        ("I", "The sat bral there ."),
        ("I", "The bral there sat ."),
    }


def test_an_inverted_coordination_has_its_clauses_the_other_way_round() -> None:
    first: Tree = ("S", (("NP", (("DT", "the"), ("NN", "bral"))), ("VP", (("VBD", "sat"),))))
    second: Tree = ("S", (("NP", (("NNP", "Kop"),)), ("VP", (("VBD", "fell"),))))
    joined: Tree = ("S", (first, (",", ","), ("CC", "but"), second, (".", ".")))
    sentence = PoolSentence(Sentence(joined, 0, "past", "singular", None))
    task = LABELLERS["coordination_inversion"]
    made = {(item.label, item.text) for i in range(20) if (item := task(sentence, context_of(i)))}
    assert made == {("O", "The bral sat , but Kop fell ."), ("I", "Kop fell , but the bral sat .")}
    both: Tree = ("NP", (("NP", (("NNP", "Kop"),)), ("CC", "and"), ("NP", (("NNP", "Fil"),))))
    twice: Tree = ("S", (first, (",", ","), ("CC", "but"), ("S", (both, second[1][1])), (".", ".")))  # type: ignore[arg-type]
    assert task(PoolSentence(Sentence(twice, 0, "past", "singular", None)), context_of(0)) is None


def test_the_odd_word_has_the_tag_and_about_the_frequency_of_the_one_it_replaces() -> None:
    stock, counts, truth = (
        materials().stock("test of odd words"),
        materials().counts,
        materials().language.truth,
    )
    context = context_of(1)
    ratios = []
    for _ in range(600):
        sentence = PoolSentence(stock.sentence())
        item = LABELLERS["odd_man_out"](sentence, context)
        if item is None or item.label == "O":
            continue
        changed = [
            (old, new) for old, new in zip(sentence.tokens, item.text.split(" "), strict=True) if old != new
        ]
        ((old, new),) = changed
        lemmas = [truth.lemmas[truth.lemma_of[word]] for word in (old, new)]
        assert lemmas[0] != lemmas[1]
        assert lemmas[0].part_of_speech == lemmas[1].part_of_speech
        assert lemmas[0].forms.index(old) == lemmas[1].forms.index(new)
        ratios.append(counts[old] / counts[new])
    assert len(ratios) > 200
    assert np.median(np.abs(np.log(ratios))) < 0.3
    assert {
        item.label for item in [LABELLERS["odd_man_out"](sentence, context) for _ in range(30)] if item
    } == {
        "C",
        "O",
    }


def test_number_is_that_of_the_head_of_the_subject_or_object() -> None:
    noun: Tree = ("NP", (("DT", "the"), ("NNS", "bralen")))
    of: Tree = ("PP", (("IN", "of"), ("NP", (("DT", "a"), ("NN", "kop")))))
    verb: Tree = ("VP", (("VBD", "sat"), ("NP", (("DT", "a"), ("NN", "fil")))))

    def labels(subject: Tree, predicate: Tree) -> tuple[str | None, str | None]:
        sentence = PoolSentence(
            Sentence(("S", (subject, predicate, (".", "."))), 0, "past", "plural", None)
        )
        items = [LABELLERS[task](sentence, context_of(0)) for task in ("subj_number", "obj_number")]
        first, second = (item and f"{item.label} {item.form}" for item in items)
        return first, second

    assert labels(("NP", (noun, of)), verb) == ("NNS bralen", "NN fil")
    both: Tree = ("NP", (noun, ("CC", "and"), noun))
    assert labels(both, ("VP", (("VBD", "sat"),))) == (None, None)
    assert labels(("NP", (("PRP", "they"),)), verb)[0] is None


def test_word_forms_belong_to_parts_in_proportion() -> None:
    forms = FormParts({"tr": 600, "te": 200}, np.random.default_rng(0))
    dealt = [forms.of(str(i)) for i in range(1_000)]
    assert 700 < dealt.count("tr") < 800
    assert dealt == [forms.of(str(i)) for i in range(1_000)]


@pytest.mark.parametrize("task", ["past_present", "subj_number"])
def test_tense_and_number_show_in_the_words(task: str) -> None:
    assert 0.6 < bag_of_words_accuracy(task) < 0.98


@pytest.mark.parametrize("task", ["bigram_shift", "odd_man_out", "coordination_inversion"])
def test_the_words_alone_do_not_tell_what_only_their_order_or_company_tells(task: str) -> None:
    # 240 sentences: four standard deviations around one half.
    assert 0.37 < bag_of_words_accuracy(task) < 0.63


def test_depths_are_those_asked_for_in_sentences_that_may_have_any() -> None:
    for rows in parts_of("tree_depth").values():
        assert {label for label, _ in rows} == {str(number) for number in DEPTHS}
        for _, text in rows:
            assert DEPTH_LENGTHS[0] <= len(text.split(" ")) <= DEPTH_LENGTHS[1]


@pytest.mark.parametrize("task", sorted({*XPROBE_CLASSES, "word_content"}))
def test_xprobe_has_its_own_layout_and_names_of_classes(task: str) -> None:
    config = materials().config
    texts: list[str] = []
    for part, size in (("va", config.xprobe_valid), ("te", config.xprobe_test)):
        lines = xprobe()[f"xprobe-en/{task}/{part}.txt"][:-1].split("\n")
        rows = [line.split("\t") for line in lines]
        assert {len(row) for row in rows} == {2}
        assert len(rows) == size
        counts = Counter(label for _, label in rows)
        assert max(counts.values()) - min(counts.values()) <= 1
        if task != "word_content":
            assert set(counts) == XPROBE_CLASSES[task]
        texts += [text for text, _ in rows]
    assert len(set(texts)) == len(texts)
    # Not SentEval's sentences under another name.
    assert not set(texts) & {text for rows in parts_of(task).values() for _, text in rows}


def test_a_language_too_small_for_a_task_is_told() -> None:
    few = materials()._replace(counts={})
    # Targets that no text has.
    with pytest.raises(LexiscopeError, match=r"probing task 'word_content'.*probing_train"):
        make_probing(
            few._replace(config=few.config.model_copy(update={"probing_train": 2, "probing_heldout": 1}))
        )
