"""Word-similarity sets and brain-like matrices against the truth they were made from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import spearmanr

from lexiscope.data.miniature.brain import FMRI_SUBJECTS, MEG_SUBJECTS, brain_words, make_brain_matrices
from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.corpus import Files
from lexiscope.data.miniature.inventory import CONCRETE_FIELDS
from lexiscope.data.miniature.language import Language, build_language
from lexiscope.data.miniature.similarity import MIN_COUNT, make_word_similarity
from lexiscope.data.miniature.write import count_words, make_corpora
from lexiscope.errors import LexiscopeError

CONFIG = MiniatureConfig(
    nouns_per_subfield=8,
    lm1b_tokens=200_000,
    ptb_tokens=1_000,
    wikitext_tokens=1_000,
    enwiki_tokens=1_000,
)
SCALES = {
    "EN-SIMLEX-999": (0, 10),
    "EN-WS-353-SIM": (0, 10),
    "EN-WS-353-REL": (0, 10),
    "EN-WS-353-ALL": (0, 10),
    "EN-MEN-TR-3k": (0, 50),
    "EN-MTurk-287": (1, 5),
    "EN-RW-STANFORD": (0, 10),
}
RELATEDNESS = {"EN-WS-353-REL", "EN-MEN-TR-3k", "EN-MTurk-287"}
Row = tuple[str, str, float]


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language(CONFIG, seed=6)


@pytest.fixture(scope="module")
def counts(language: Language) -> Counter[str]:
    return count_words(make_corpora(language, CONFIG, seed=6))


@pytest.fixture(scope="module")
def files(language: Language, counts: Counter[str]) -> Files:
    return make_word_similarity(language.truth, CONFIG, 6, counts)


@pytest.fixture(scope="module")
def sets(files: Files) -> dict[str, list[Row]]:
    parsed = {}
    for path, content in files.items():
        assert content.endswith("\n")
        rows = [line.split("\t") for line in content[:-1].split("\n")]
        parsed[path.removeprefix("word-sim/").removesuffix(".txt")] = [(a, b, float(s)) for a, b, s in rows]
    return parsed


def lemmas(language: Language, rows: list[Row]) -> tuple[list[int], list[int]]:
    of = language.truth.lemma_of
    return [of[a] for a, _, _ in rows], [of[b] for _, b, _ in rows]


def test_there_are_seven_sets_of_the_sizes_asked_for(sets: dict[str, list[Row]]) -> None:
    assert set(sets) == set(SCALES)
    assert {name: len(rows) for name, rows in sets.items()} == {
        "EN-SIMLEX-999": CONFIG.simlex_pairs,
        "EN-WS-353-SIM": CONFIG.ws353_pairs,
        "EN-WS-353-REL": CONFIG.ws353_pairs,
        "EN-WS-353-ALL": 2 * CONFIG.ws353_pairs - CONFIG.ws353_pairs // 3,
        "EN-MEN-TR-3k": CONFIG.men_pairs,
        "EN-MTurk-287": CONFIG.mturk_pairs,
        "EN-RW-STANFORD": CONFIG.rareword_pairs,
    }


@pytest.mark.parametrize("name", sorted(SCALES))
def test_scores_use_the_whole_scale_and_are_discrete(sets: dict[str, list[Row]], name: str) -> None:
    low, high = SCALES[name]
    scores = [score for _, _, score in sets[name]]
    assert low <= min(scores) < low + 0.2 * (high - low)
    assert low + 0.8 * (high - low) < max(scores) <= high
    assert len(set(scores)) <= 1 + 10 * CONFIG.raters


@pytest.mark.parametrize("name", sorted(SCALES))
def test_no_pair_comes_twice(sets: dict[str, list[Row]], name: str) -> None:
    pairs = [frozenset((a, b)) for a, b, _ in sets[name]]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("name", sorted(SCALES))
def test_scores_follow_the_truth_with_a_little_noise(
    language: Language, sets: dict[str, list[Row]], name: str
) -> None:
    left, right = lemmas(language, sets[name])
    scores = [score for _, _, score in sets[name]]
    if name == "EN-WS-353-ALL":
        assert spearmanr(scores, language.truth.similarity(left, right))[0] > 0.7
        return
    truth = language.truth.relatedness if name in RELATEDNESS else language.truth.similarity
    # The pairs that both WordSim sets share are rated by relatedness, so its similarity set is less pure.
    assert 0.85 < spearmanr(scores, truth(left, right))[0] < 0.999


def test_relatedness_sets_measure_something_else_than_similarity(
    language: Language, sets: dict[str, list[Row]]
) -> None:
    left, right = lemmas(language, sets["EN-MEN-TR-3k"])
    scores = [score for _, _, score in sets["EN-MEN-TR-3k"]]
    assert spearmanr(scores, language.truth.similarity(left, right))[0] < 0.8


def test_all_words_but_the_unattested_are_in_the_corpus(
    language: Language, sets: dict[str, list[Row]], counts: Counter[str]
) -> None:
    for name, rows in sets.items():
        for first, second, _ in rows:
            assert counts[second] >= MIN_COUNT
            if name != "EN-RW-STANFORD":
                assert counts[first] >= MIN_COUNT


def test_a_few_rare_words_are_in_no_text(
    language: Language, sets: dict[str, list[Row]], counts: Counter[str]
) -> None:
    rows = sets["EN-RW-STANFORD"]
    absent = [first for first, _, _ in rows if counts[first] == 0]
    assert len(absent) == round(0.05 * len(rows))
    for first, _, _ in rows:
        lemma = language.truth.lemmas[language.truth.lemma_of[first]]
        assert lemma.base is not None
        assert lemma.attested != (counts[first] == 0)
        assert counts[first] <= 60


def test_simlex_compares_words_of_one_kind(language: Language, sets: dict[str, list[Row]]) -> None:
    left, right = lemmas(language, sets["EN-SIMLEX-999"])
    kinds = [language.truth.lemmas[index].part_of_speech for index in left]
    assert kinds == [language.truth.lemmas[index].part_of_speech for index in right]
    assert Counter(kinds).most_common(1)[0][0] == "noun"
    assert len(set(kinds)) == 3


def test_men_is_sorted_and_wordsim_has_names_and_one_word_twice(sets: dict[str, list[Row]]) -> None:
    men = [score for _, _, score in sets["EN-MEN-TR-3k"]]
    assert men == sorted(men, reverse=True)
    similar, related = sets["EN-WS-353-SIM"], sets["EN-WS-353-REL"]
    same = [(a, score) for a, b, score in similar if a == b]
    assert [score for _, score in same] == [10.0]
    assert any(word[0].isupper() for a, b, _ in related for word in (a, b))
    assert set(similar) | set(related) == set(sets["EN-WS-353-ALL"])
    assert len(set(similar) & set(related)) == CONFIG.ws353_pairs // 3


def test_brain_words_are_sixty_sorted_concrete_nouns(language: Language, counts: Counter[str]) -> None:
    words = brain_words(language.truth, counts)
    assert words == sorted(set(words))
    assert len(words) == 60
    nouns = [language.truth.lemmas[language.truth.lemma_of[word]] for word in words]
    assert sorted(Counter(noun.subfield for noun in nouns).values()) == [5] * 12
    assert {noun.field for noun in nouns} <= set(CONCRETE_FIELDS)
    assert min(counts[word] for word in words) >= MIN_COUNT


def test_brain_matrices_are_correlations_that_differ_between_people(
    language: Language, counts: Counter[str]
) -> None:
    words = brain_words(language.truth, counts)
    matrices = make_brain_matrices(language.truth, CONFIG, 6, words)
    assert len(matrices) == len(FMRI_SUBJECTS) + len(MEG_SUBJECTS) == 18
    for matrix in matrices.values():
        assert matrix.shape == (60, 60)
        assert matrix.dtype == np.float64
        assert (matrix == matrix.T).all()
        assert (np.diag(matrix) == 1).all()
        assert np.linalg.eigvalsh(matrix).min() > -1e-6
    stacked = np.array([matrix[np.triu_indices(60, 1)] for matrix in matrices.values()])
    assert np.abs(stacked).max() < 1
    agreement = np.corrcoef(stacked)[np.triu_indices(18, 1)]
    assert agreement.mean() > 0.03
    assert agreement.max() < 0.9


def test_without_noise_a_matrix_shows_the_categories(language: Language, counts: Counter[str]) -> None:
    words = brain_words(language.truth, counts)
    quiet = MiniatureConfig(brain_noise=0)
    matrices = make_brain_matrices(language.truth, quiet, 6, words)
    latents = language.truth.latents[[language.truth.lemma_of[word] for word in words]]
    upper = np.triu_indices(60, 1)
    for path, matrix in matrices.items():
        if "fMRI" in path:
            assert np.corrcoef(matrix[upper], (latents @ latents.T)[upper])[0, 1] > 0.8


def test_more_pairs_than_the_corpus_has_words_for_are_refused(
    language: Language, counts: Counter[str]
) -> None:
    few = {word: counts[word] for word in brain_words(language.truth, counts)[:8]}
    with pytest.raises(LexiscopeError, match="too few words"):
        make_word_similarity(language.truth, CONFIG, 6, few)
