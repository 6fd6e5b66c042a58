"""MRPC, SICK, the STS benchmark and STS 2012-2016, read by strict readers of the official files."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.linear_model import LogisticRegression
from small_miniature import known_words, materials, sentence_vectors

from lexiscope.data.catalogue import load_catalogue
from lexiscope.data.miniature.grammar import Tree, leaves
from lexiscope.data.miniature.pairs import STS_SUBSETS, UNRATED_SHARE, make_pairs
from lexiscope.data.miniature.paraphrases import Kind, PairMaker, peers_of_lemmas
from lexiscope.data.miniature.sentences import text_of

FOLDER = "senteval/downstream"
KINDS: tuple[Kind, ...] = ("paraphrase", "shortened", "opposite", "changed", "unrelated")


@cache
def files() -> dict[str, str]:
    return make_pairs(materials())


def table(path: str, n_columns: int, ending: str = "\n") -> list[list[str]]:
    text = files()[f"{FOLDER}/{path}"]
    assert text.endswith(ending)
    rows = [line.split("\t") for line in text[: -len(ending)].split(ending)]
    assert {len(row) for row in rows} == {n_columns}
    return rows


def cosines(first: list[str], second: list[str]) -> np.ndarray:
    a, b = sentence_vectors(first), sentence_vectors(second)
    return (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-9)


@pytest.fixture
def maker() -> PairMaker:
    return PairMaker(
        materials(), materials().stock("test of pairs"), peers_of_lemmas(materials().language.truth)
    )


def test_every_file_of_the_catalogue_is_there_and_no_other() -> None:
    keys = ["mrpc", "sick", "stsbenchmark", *(f"sts{year}" for year in STS_SUBSETS)]
    catalogue = load_catalogue()
    assert set(files()) == {file.path for key in keys for file in catalogue[key].files}


def test_likeness_follows_how_the_second_sentence_was_made(maker: PairMaker) -> None:
    likeness = {kind: np.array([maker.pair(kind).likeness for _ in range(60)]) for kind in KINDS}
    means = {kind: float(values.mean()) for kind, values in likeness.items()}
    assert means["paraphrase"] > means["opposite"] > means["unrelated"]
    assert means["shortened"] > means["changed"] > means["unrelated"]
    assert means["paraphrase"] > 0.75
    assert means["unrelated"] < 0.15
    assert likeness["changed"].std() > 0.15
    for values in likeness.values():
        assert 0 <= values.min() <= values.max() <= 1


def test_likeness_is_symmetric_and_greatest_for_the_same_words(maker: PairMaker) -> None:
    for kind in KINDS:
        pair = maker.pair(kind)
        assert maker.likeness(pair.second, pair.first) == pytest.approx(pair.likeness, abs=1e-12)
        assert maker.likeness(pair.first, pair.first) == pytest.approx(1.0)
    nothing: Tree = ("NP", (("PRP", "she"),))
    assert maker.likeness(nothing, pair.first) == 0.0


def test_the_second_sentence_differs_as_its_kind_says(maker: PairMaker) -> None:
    truth = materials().language.truth
    for _ in range(60):
        short = maker.pair("shortened")
        words, rest = (Counter(word for _, word in leaves(tree)) for tree in (short.first, short.second))
        assert rest < words
        opposite = maker.pair("opposite")
        changed = [
            (old, new)
            for (_, old), (_, new) in zip(leaves(opposite.first), leaves(opposite.second), strict=True)
            if old != new
        ]
        ((old, new),) = changed
        one, two = truth.lemma_of[old], truth.lemma_of[new]
        assert truth.lemmas[one].part_of_speech == truth.lemmas[two].part_of_speech != "noun"
        peers = peers_of_lemmas(truth)[one]
        assert truth.similarity([one], [two])[0] == truth.similarity([one] * len(peers), peers).min()
        same = maker.pair("paraphrase")
        for (tag, old), (other, new) in zip(leaves(same.first), leaves(same.second), strict=True):
            assert tag == other
            if old != new:
                assert truth.similarity([truth.lemma_of[old]], [truth.lemma_of[new]])[0] > 0.4


def test_no_sentence_of_a_set_is_in_two_pairs(maker: PairMaker) -> None:
    pairs = [maker.pair(kind) for kind in KINDS for _ in range(40)]
    texts = [text_of(tree) for pair in pairs for tree in (pair.first, pair.second)]
    assert len(set(texts)) == len(texts)


def test_ratings_are_means_of_whole_numbers_on_the_scale(maker: PairMaker) -> None:
    pairs = [maker.pair(kind) for kind in KINDS for _ in range(20)]
    ratings = maker.ratings(pairs, 1, 5)
    assert 1 <= ratings.min() < 2
    assert 4 < ratings.max() <= 5
    votes = ratings * materials().config.raters
    assert np.allclose(votes, np.round(votes))
    assert spearmanr(ratings, [pair.likeness for pair in pairs])[0] > 0.9


def test_mrpc_has_a_mark_a_header_and_five_columns() -> None:
    config = materials().config
    labels: dict[str, Counter[str]] = {}
    for part, size in (("train", config.mrpc_train), ("test", config.mrpc_test)):
        header, *rows = table(f"MRPC/msr_paraphrase_{part}.txt", 5)
        assert header == ["\ufeffQuality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
        assert len(rows) == size
        labels[part] = Counter(row[0] for row in rows)
        assert set(labels[part]) == {"0", "1"}
        assert 0.6 < labels[part]["1"] / size < 0.75
        assert all(row[1].isdigit() and row[2].isdigit() for row in rows)
        assert all(row[column].split(" ")[0][0] not in "abc" for row in rows for column in (3, 4))


def test_sick_has_its_header_its_labels_and_windows_line_ends_in_the_test_part() -> None:
    config = materials().config
    numbers = []
    for name, size, ending in (
        ("SICK_train.txt", config.sick_train, "\n"),
        ("SICK_trial.txt", config.sick_valid, "\n"),
        ("SICK_test_annotated.txt", config.sick_test, "\r\n"),
    ):
        header, *rows = table(f"SICK/{name}", 5, ending)
        columns = "pair_ID sentence_A sentence_B relatedness_score entailment_judgment"
        assert header == columns.split(" ")
        assert len(rows) == size
        counts = Counter(row[4] for row in rows)
        assert set(counts) == {"NEUTRAL", "ENTAILMENT", "CONTRADICTION"}
        assert max(counts, key=lambda label: counts[label]) == "NEUTRAL"
        assert all(1 <= float(row[3]) <= 5 for row in rows)
        assert not any(mark in row[column].split(" ") for row in rows for column in (1, 2) for mark in ".,")
        numbers += [int(row[0]) for row in rows]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_sts_benchmark_has_seven_columns_in_lower_case() -> None:
    config = materials().config
    for part, size in (
        ("train", config.stsb_train),
        ("dev", config.stsb_valid),
        ("test", config.stsb_test),
    ):
        rows = table(f"STS/STSBenchmark/sts-{part}.csv", 7)
        assert len(rows) == size
        assert {row[0] for row in rows} == {"main-captions", "main-news", "main-forum"}
        for row in rows:
            assert 0 <= float(row[4]) <= 5
            for text in row[5:]:
                assert text == text.lower()
                assert set(text.split(" ")) <= known_words()


@pytest.mark.parametrize("year", sorted(STS_SUBSETS))
def test_the_sts_years_have_a_rating_or_an_empty_line_for_each_pair(year: int) -> None:
    folder = f"{FOLDER}/STS/STS{year}-en-test"
    for subset in STS_SUBSETS[year]:
        pairs = files()[f"{folder}/STS.input.{subset}.txt"][:-1].split("\n")
        gold = files()[f"{folder}/STS.gs.{subset}.txt"][:-1].split("\n")
        assert len(pairs) == len(gold)
        assert all(len(pair.split("\t")) == 2 and pair == pair.lower() for pair in pairs)
        rated = [float(line) for line in gold if line]
        assert len(rated) == materials().config.sts_pairs
        assert 0 <= min(rated) < 1
        assert 4 < max(rated) <= 5
        assert ("" in gold) == (year in UNRATED_SHARE)


def test_the_first_year_also_has_all_ratings_in_one_file() -> None:
    folder = f"{FOLDER}/STS/STS12-en-test"
    parts = [files()[f"{folder}/STS.gs.{subset}.txt"] for subset in STS_SUBSETS[12]]
    assert files()[f"{folder}/STS.gs.ALL.txt"] == "".join(parts)


def test_the_latent_vectors_follow_relatedness() -> None:
    _, *rows = table("SICK/SICK_test_annotated.txt", 5, "\r\n")
    found = cosines([row[1] for row in rows], [row[2] for row in rows])
    assert 0.6 < pearsonr(found, [float(row[3]) for row in rows])[0] < 0.98
    rows = table("STS/STSBenchmark/sts-test.csv", 7)
    found = cosines([row[5] for row in rows], [row[6] for row in rows])
    assert 0.6 < pearsonr(found, [float(row[4]) for row in rows])[0] < 0.98


@pytest.mark.parametrize("name", ["SICK", "MRPC"])
def test_the_latent_vectors_tell_entailment_and_paraphrases(name: str) -> None:
    if name == "SICK":
        parts = [table("SICK/SICK_train.txt", 5)[1:], table("SICK/SICK_test_annotated.txt", 5, "\r\n")[1:]]
        first, second, label = 1, 2, 4
    else:
        parts = [table(f"MRPC/msr_paraphrase_{part}.txt", 5)[1:] for part in ("train", "test")]
        first, second, label = 3, 4, 0
    rows = parts[0] + parts[1]
    a, b = (sentence_vectors([row[column] for row in rows]) for column in (first, second))
    features, labels = np.hstack([np.abs(a - b), a * b]), [row[label] for row in rows]
    n = len(parts[0])
    model = LogisticRegression(C=1, max_iter=500).fit(features[:n], labels[:n])
    majority = max(Counter(labels[n:]).values()) / len(labels[n:])
    assert majority + 0.07 < model.score(features[n:], labels[n:]) < 0.98


@pytest.mark.mirror
def test_the_columns_are_those_of_the_real_files(mirror_root: Path) -> None:
    for path in files():
        ours, real = files()[path], (mirror_root / path).read_bytes().decode("utf-8")
        if Path(path).name.startswith(("STS.", "sts-", "SICK", "msr")) and "LICENSE" not in path:
            assert ours.split("\n")[0].count("\t") == real.split("\n")[0].count("\t")
            assert ("\r" in ours) == ("\r" in real)
            assert ours.startswith("\ufeff") == real.startswith("\ufeff")
            # The header, where there is one.
            if ours.startswith(("\ufeff", "pair_ID")):
                assert ours.splitlines()[0] == real.splitlines()[0]
