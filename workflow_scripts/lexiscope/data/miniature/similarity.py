"""Seven word-similarity sets, rated by simulated people who know the truth but not exactly.

Similarity sets (SimLex, WordSim-Sim, RareWords) rate the cosine of the latents, relatedness sets (MEN,
MTurk, WordSim-Rel) the mixture with topics. Pairs are drawn evenly over the scale. Only words with
`MIN_COUNT` occurrences in the training corpus are asked for, except in the rare word set, where a share of
`UNATTESTED_SHARE` of the first words is in no text at all: coverage below one is part of the exercise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.corpus import Files
from lexiscope.data.miniature.language import Matrix, MiniatureTruth, stream
from lexiscope.errors import LexiscopeError

MIN_COUNT = 20  # of a word in the usual sets
RARE_COUNTS = (3, 60)  # of the first word of a pair in the rare word set
UNATTESTED_SHARE = 0.05  # of the pairs of the rare word set
NAME_SHARE = 0.06  # of the words of the WordSim sets
RATING_STEPS = 10  # a rater gives a whole number from 0 to 10
POOL_FACTOR = 40  # candidate pairs looked at for one kept
UNRELATED_POOL = 8  # pairs looked at for one that is neither similar nor related
STRATA = 20

PARTS = ("noun", "verb", "adjective")

Pair = tuple[str, str]
TruthFunction = Callable[[Sequence[int], Sequence[int]], Matrix]


class RatedPairs(NamedTuple):
    """Word pairs and their mean ratings on the scale 0 to 1."""

    pairs: list[Pair]
    ratings: Matrix


class Rater:
    """Chooses pairs and rates them.

    Parameters
    ----------
    truth, config, seed
        The language.
    counts
        Occurrences of each word form in the training corpus.
    """

    def __init__(
        self, truth: MiniatureTruth, config: MiniatureConfig, seed: int, counts: Mapping[str, int]
    ) -> None:
        self._truth, self._config, self._counts = truth, config, counts
        self._rng = stream(seed, "word similarity")

    def words(self, part_of_speech: str, *, proper: bool = False) -> list[str]:
        """Dictionary forms that are common enough to be asked for."""
        return [
            lemma.stem
            for lemma in self._truth.lemmas
            if lemma.part_of_speech == part_of_speech
            and lemma.proper == proper
            and self._counts.get(lemma.stem, 0) >= MIN_COUNT
        ]

    def even_pairs(
        self, first: Sequence[str], second: Sequence[str], size: int, truth: TruthFunction, taken: set[Pair]
    ) -> list[Pair]:
        """``size`` different pairs, spread evenly over the values of ``truth`` as far as it goes.

        ``taken`` holds the pairs used before, in alphabetical order inside; the new ones are added to it.

        Raises
        ------
        LexiscopeError
            If the words do not make so many pairs.
        """
        if size == 0:
            return []
        if not first or not second:
            raise _too_small(size)
        pool = size * POOL_FACTOR
        left = self._rng.integers(len(first), size=pool)
        right = self._rng.integers(len(second), size=pool)
        values = truth([self._lemma(first[i]) for i in left], [self._lemma(second[i]) for i in right])
        stratum = np.clip((np.clip(values, 0, 1) * STRATA).astype(int), 0, STRATA - 1)
        share = 1 / np.bincount(stratum, minlength=STRATA)[stratum]
        order = self._rng.choice(pool, size=pool, replace=False, p=share / share.sum())
        chosen: list[Pair] = []
        for i in order:
            a, b = first[left[i]], second[right[i]]
            key = (a, b) if a < b else (b, a)
            if self._lemma(a) == self._lemma(b) or key in taken:
                continue
            taken.add(key)
            chosen.append((a, b))
            if len(chosen) == size:
                return chosen
        raise _too_small(size)

    def rate(self, pairs: Sequence[Pair], truth: TruthFunction) -> RatedPairs:
        """Mean ratings of all raters; each gives a whole number of ten, off by his own error."""
        values = truth([self._lemma(a) for a, _ in pairs], [self._lemma(b) for _, b in pairs])
        errors = self._config.rating_noise * self._rng.standard_normal((self._config.raters, len(pairs)))
        steps = np.round(RATING_STEPS * (0.05 + 0.9 * np.clip(values, 0, 1) + errors))
        ratings: Matrix = np.clip(steps, 0, RATING_STEPS).mean(axis=0) / RATING_STEPS
        return RatedPairs(list(pairs), ratings)

    def _lemma(self, word: str) -> int:
        return self._truth.lemma_of[word]

    def simlex(self) -> RatedPairs:
        """Similarity of nouns, verbs and adjectives, two of one kind, in the proportions of SimLex-999."""
        size, taken = self._config.simlex_pairs, set[Pair]()
        verbs, adjectives = size * 222 // 999, size * 111 // 999
        pairs: list[Pair] = []
        for kind, share in (
            ("noun", size - verbs - adjectives),
            ("verb", verbs),
            ("adjective", adjectives),
        ):
            words = self.words(kind)
            pairs += self.even_pairs(words, words, share, self._truth.similarity, taken)
        return self.rate(pairs, self._truth.similarity)

    def wordsim(self) -> tuple[RatedPairs, RatedPairs, RatedPairs]:
        """WordSim353: the similarity set, the relatedness set and both together.

        As in the real one, some words are names, one pair is a word with itself, and the two sets share
        their unrelated pairs.
        """
        size, taken = self._config.ws353_pairs, set[Pair]()
        common, names = self.words("noun"), self.words("noun", proper=True)
        n_names = max(1, round(NAME_SHARE * len(common))) if names else 0
        words = common + [names[i] for i in self._rng.permutation(len(names))[:n_names]]
        third = size // 3
        related = self.even_pairs(words, words, size - third, self._truth.relatedness, taken)
        similar = self.even_pairs(words, words, size - third - 1, self._truth.similarity, taken)
        unrelated = self._unrelated(words, third, taken)
        same = (common[0], common[0])
        similar_rated = self.rate([same, *similar], self._truth.similarity)
        related_rated = self.rate(related, self._truth.relatedness)
        unrelated_rated = self.rate(unrelated, self._truth.relatedness)
        similar_rated.ratings[0] = 1
        return (
            _joined(similar_rated, unrelated_rated),
            _joined(related_rated, unrelated_rated),
            _joined(similar_rated, related_rated, unrelated_rated),
        )

    def _unrelated(self, words: Sequence[str], size: int, taken: set[Pair]) -> list[Pair]:
        """Pairs that are neither similar nor related."""
        pool = self.even_pairs(words, words, UNRELATED_POOL * size, self._truth.relatedness, set(taken))
        left, right = ([self._lemma(pair[side]) for pair in pool] for side in (0, 1))
        value = np.maximum(self._truth.similarity(left, right), self._truth.relatedness(left, right))
        return [pool[i] for i in np.argsort(value, kind="stable")[:size]]

    def men(self) -> RatedPairs:
        """Relatedness of words of all kinds, best first as in the official file."""
        rated = self._related_words(self._config.men_pairs)
        order = np.argsort(-rated.ratings, kind="stable")
        return RatedPairs([rated.pairs[i] for i in order], rated.ratings[order])

    def mturk(self) -> RatedPairs:
        """Relatedness of words of all kinds."""
        return self._related_words(self._config.mturk_pairs)

    def _related_words(self, size: int) -> RatedPairs:
        words = [word for kind in PARTS for word in self.words(kind)]
        pairs = self.even_pairs(words, words, size, self._truth.relatedness, set())
        return self.rate(pairs, self._truth.relatedness)

    def rare_words(self) -> RatedPairs:
        """Similarity of a rare derived or inflected word to a common one of its kind."""
        size, taken = self._config.rareword_pairs, set[Pair]()
        absent = round(UNATTESTED_SHARE * size) if self._config.unattested_per_affix else 0
        pairs: list[Pair] = []
        for position, kind in enumerate(PARTS):
            common = self.words(kind)
            rare, unseen = self._rare_forms(kind)
            for words, total in ((rare, size - absent), (unseen, absent)):
                share = total // len(PARTS) + (position < total % len(PARTS))
                pairs += self.even_pairs(words, common, share, self._truth.similarity, taken)
        return self.rate([pairs[i] for i in self._rng.permutation(len(pairs))], self._truth.similarity)

    def _rare_forms(self, kind: str) -> tuple[list[str], list[str]]:
        """Forms of derived words: those that the corpus has a few times, and those that no text has."""
        lemmas = [lemma for lemma in self._truth.lemmas if lemma.part_of_speech == kind and lemma.affix]
        least, most = RARE_COUNTS
        rare = [
            form for lemma in lemmas for form in lemma.forms if least <= self._counts.get(form, 0) <= most
        ]
        return rare, [lemma.stem for lemma in lemmas if not lemma.attested]


def _too_small(size: int) -> LexiscopeError:
    return LexiscopeError(
        f"the miniature's corpus has too few words for {size} different word pairs",
        remedy="ask for fewer pairs, or for more lm1b_tokens",
    )


def _joined(*sets: RatedPairs) -> RatedPairs:
    pairs = [pair for rated in sets for pair in rated.pairs]
    return RatedPairs(pairs, np.concatenate([rated.ratings for rated in sets]))


def make_word_similarity(
    truth: MiniatureTruth, config: MiniatureConfig, seed: int, counts: Mapping[str, int]
) -> Files:
    """All seven sets: three columns with tabs between, no header, on the scales of the real sets."""
    rater = Rater(truth, config, seed, counts)
    similar, related, both = rater.wordsim()
    return {
        "word-sim/EN-SIMLEX-999.txt": _columns(rater.simlex(), lambda rating: f"{10 * rating:.3g}"),
        "word-sim/EN-WS-353-SIM.txt": _columns(similar, lambda rating: f"{10 * rating:.2f}"),
        "word-sim/EN-WS-353-REL.txt": _columns(related, lambda rating: f"{10 * rating:.2f}"),
        "word-sim/EN-WS-353-ALL.txt": _columns(both, lambda rating: f"{10 * rating:.2f}"),
        "word-sim/EN-MEN-TR-3k.txt": _columns(rater.men(), lambda rating: f"{round(50 * rating):.1f}"),
        "word-sim/EN-MTurk-287.txt": _columns(rater.mturk(), lambda rating: f"{1 + 4 * rating:.9g}"),
        "word-sim/EN-RW-STANFORD.txt": _columns(rater.rare_words(), lambda rating: f"{10 * rating:.2f}"),
    }


def _columns(rated: RatedPairs, number: Callable[[float], str]) -> str:
    rows = zip(rated.pairs, rated.ratings.tolist(), strict=True)
    return "".join(f"{a}\t{b}\t{number(rating)}\n" for (a, b), rating in rows)
