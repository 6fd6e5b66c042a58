"""MR, CR, MPQA, SUBJ, both SSTs and TREC, read by strict readers of the official files."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from small_miniature import known_words, materials, sentence_vectors

from lexiscope.data.miniature.opinions import CR_POSITIVE, LONGEST_PHRASE, MPQA_POSITIVE, make_opinions
from lexiscope.data.miniature.questions import TEST_FILE, TRAIN_FILE, TYPE_SHARES, make_trec

FOLDER = "senteval/downstream"
PAIRS = {
    "MR": ("MR/rt-polarity.pos", "MR/rt-polarity.neg", 0.5),
    "CR": ("CR/custrev.pos", "CR/custrev.neg", CR_POSITIVE),
    "MPQA": ("MPQA/mpqa.pos", "MPQA/mpqa.neg", MPQA_POSITIVE),
    "SUBJ": ("SUBJ/subj.subjective", "SUBJ/subj.objective", 0.5),
}
Labelled = list[tuple[str, int]]


@cache
def files() -> dict[str, str]:
    return make_opinions(materials())


def lines_of(path: str) -> list[str]:
    text = files()[f"{FOLDER}/{path}"]
    assert text.endswith("\n")
    assert text.isascii()
    assert text == text.lower()
    return text[:-1].split("\n")


def two_classes(name: str) -> tuple[list[str], list[str]]:
    return tuple([line.removesuffix(" ") for line in lines_of(path)] for path in PAIRS[name][:2])  # type: ignore[return-value]


def sst(kind: str, part: str) -> Labelled:
    rows = []
    for line in lines_of(f"SST/{kind}/sentiment-{part}"):
        if kind == "binary":
            text, label = line.split("\t")
            assert text.endswith(" ")
        else:
            label, _, text = line.partition(" ")
        rows.append((text.strip(), int(label)))
    return rows


@cache
def questions(path: str) -> list[tuple[str, str, str]]:
    rows = []
    for line in make_trec(materials())[path].decode("latin-1")[:-1].split("\n"):
        label, _, text = line.partition(" ")
        coarse, fine = label.split(":")
        rows.append((coarse, fine, text))
    return rows


def test_the_files_have_the_official_names() -> None:
    single = {f"{FOLDER}/{path}" for *paths, _ in PAIRS.values() for path in paths}
    parts = ("train", "dev", "test")
    sst_paths = {f"{FOLDER}/SST/{kind}/sentiment-{part}" for kind in ("binary", "fine") for part in parts}
    assert set(files()) == single | sst_paths
    assert set(make_trec(materials())) == {
        f"{FOLDER}/TREC/train_5500.label",
        f"{FOLDER}/TREC/TREC_10.label",
    }


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_classes_have_their_shares_and_share_no_sentence(name: str) -> None:
    first, second = two_classes(name)
    size, share = materials().config.opinion_sentences, PAIRS[name][2]
    assert (len(first), len(second)) == (round(share * size), size - round(share * size))
    assert len({*first, *second}) == size


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_every_word_is_one_of_the_language(name: str) -> None:
    for line in (*two_classes(name)[0], *two_classes(name)[1]):
        assert set(line.split(" ")) <= known_words()


def test_phrases_are_short_and_sentences_end_with_a_stop() -> None:
    assert all(1 <= len(line.split(" ")) <= LONGEST_PHRASE for part in two_classes("MPQA") for line in part)
    for name in ("MR", "CR", "SUBJ"):
        assert all(line.endswith(" .") for part in two_classes(name) for line in part)


@pytest.mark.parametrize(("kind", "n_classes"), [("binary", 2), ("fine", 5)])
def test_sst_has_all_classes_in_three_parts_without_a_common_sentence(kind: str, n_classes: int) -> None:
    config = materials().config
    parts = {part: sst(kind, part) for part in ("train", "dev", "test")}
    assert [len(rows) for rows in parts.values()] == [config.sst_train, config.sst_valid, config.sst_test]
    for rows in parts.values():
        counts = Counter(label for _, label in rows)
        assert set(counts) == set(range(n_classes))
        if kind == "binary":
            assert counts[0] == counts[1]
        # In random order: no run of one class.
        assert len({label for _, label in rows[: len(rows) // 2]}) == n_classes
    texts = [text for rows in parts.values() for text, _ in rows]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_latent_vectors_tell_the_classes(name: str) -> None:
    first, second = two_classes(name)
    labels = np.array([1] * len(first) + [0] * len(second))
    majority = max(labels.mean(), 1 - labels.mean())
    found = cross_val_score(LogisticRegression(C=10), sentence_vectors([*first, *second]), labels, cv=5)
    assert majority + 0.12 < found.mean() < 0.999


def test_the_same_words_are_good_in_films_of_both_sets() -> None:
    # MR and SST are about films: what one teaches holds for the other; CR's goods are something else.
    scores = {}
    test = sst("binary", "test")
    for name in ("MR", "CR"):
        first, second = two_classes(name)
        labels = [1] * len(first) + [0] * len(second)
        model = LogisticRegression(C=10).fit(sentence_vectors([*first, *second]), labels)
        scores[name] = model.score(sentence_vectors([text for text, _ in test]), [y for _, y in test])
    assert scores["MR"] > 0.75
    assert scores["MR"] > scores["CR"] + 0.15


def test_the_latent_vectors_tell_five_grades_better_than_the_majority() -> None:
    train, test = sst("fine", "train"), sst("fine", "test")
    vectors = sentence_vectors([text for text, _ in train + test])
    model = LogisticRegression(C=10, max_iter=300).fit(vectors[: len(train)], [y for _, y in train])
    labels = [y for _, y in test]
    majority = max(Counter(labels).values()) / len(labels)
    assert majority + 0.1 < model.score(vectors[len(train) :], labels) < 0.9


def test_questions_are_latin_1_with_a_coarse_and_a_fine_label() -> None:
    raw = make_trec(materials())[TRAIN_FILE]
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    assert make_trec(materials())[TEST_FILE].isascii()
    for path, size in (
        (TRAIN_FILE, materials().config.trec_train),
        (TEST_FILE, materials().config.trec_test),
    ):
        rows = questions(path)
        assert len(rows) == size
        assert {coarse for coarse, _, _ in rows} == set(TYPE_SHARES)
        assert all(text.endswith(" ?") and text[0].isupper() for _, _, text in rows)
    # Ten folds need ten of each type.
    assert min(Counter(coarse for coarse, _, _ in questions(TRAIN_FILE)).values()) >= 10
    train, test = ({text for _, _, text in questions(path)} for path in (TRAIN_FILE, TEST_FILE))
    assert not train & test


def test_what_asks_goes_with_the_type() -> None:
    first_words: dict[str, set[str]] = {}
    for coarse, fine, text in questions(TRAIN_FILE):
        first_words.setdefault(f"{coarse}:{fine}", set()).add(text.split(" ")[0])
    assert first_words["HUM:desc"] == {"Who"}
    assert first_words["DESC:reason"] == {"Why"}
    assert first_words["NUM:date"] == {"When"}
    assert first_words["NUM:count"] == {"How"}
    assert first_words["ENTY:animal"] == first_words["LOC:city"] == {"Which"}


def test_the_latent_vectors_tell_the_types_of_questions() -> None:
    train, test = questions(TRAIN_FILE), questions(TEST_FILE)
    vectors = sentence_vectors([text for _, _, text in train + test])
    model = LogisticRegression(C=10, max_iter=500).fit(vectors[: len(train)], [row[0] for row in train])
    labels = [row[0] for row in test]
    majority = max(Counter(labels).values()) / len(labels)
    assert majority + 0.15 < model.score(vectors[len(train) :], labels) < 0.95
