"""Sentences for benchmarks: each one new, some with a word that no text contains, and their meaning.

A benchmark draws its sentences from a stock of its own, so that a change in one leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.grammar import Sentence, SentenceGrammar, Tree, leaves
from lexiscope.data.miniature.inventory import TOPICS
from lexiscope.data.miniature.language import Language, Matrix, MiniatureTruth, stream
from lexiscope.data.miniature.preferences import Preferences

UNSEEN_SHARE = 0.05  # of the sentences: one of their words is in no corpus
FORM_OF_TAG = {"NN": 0, "NNP": 0, "NNS": 1, "VB": 0, "VBP": 0, "VBZ": 1, "VBD": 2, "JJ": 0, "RB": 1}
"""Which of a lemma's forms a tag stands for; the tags of content words."""

_PART_OF_TAG = {"N": "noun", "V": "verb", "J": "adjective", "R": "adjective"}


class Materials(NamedTuple):
    """What benchmarks are made from.

    Attributes
    ----------
    counts
        Occurrences of each word form in the training corpus.
    """

    language: Language
    preferences: Preferences
    config: MiniatureConfig
    seed: int
    counts: Mapping[str, int]

    def stock(self, purpose: str) -> SentenceStock:
        """A stock of sentences with random streams of its own."""
        return SentenceStock(self.language, self.preferences, self.seed, purpose)


class SentenceStock:
    """An endless supply of sentences, none of them twice.

    Attributes
    ----------
    rng
        For the choices that a benchmark makes besides the sentences.
    """

    def __init__(self, language: Language, preferences: Preferences, seed: int, purpose: str) -> None:
        self.rng = stream(seed, purpose)
        self.truth = language.truth
        self._grammar = SentenceGrammar(language, preferences, stream(seed, purpose + " sentences"))
        self._given: set[str] = set()
        self._unseen = {
            tag: [
                lemma.forms[form]
                for lemma in self.truth.lemmas
                if not lemma.attested and lemma.part_of_speech == _PART_OF_TAG[tag[0]]
            ]
            for tag, form in FORM_OF_TAG.items()
            if tag != "NNP"
        }

    def sentence(
        self, *, topic: int | None = None, about: int | None = None, opening: str | None = None
    ) -> Sentence:
        """A new sentence; the arguments are those of `SentenceGrammar.sentence`."""
        while True:
            drawn = int(self.rng.integers(len(TOPICS))) if topic is None else topic
            sentence = self._grammar.sentence(drawn, about, opening)
            if self.rng.random() < UNSEEN_SHARE:
                sentence = sentence._replace(tree=self._with_unseen_word(sentence.tree))
            if self.claim(text_of(sentence.tree)):
                return sentence

    def claim(self, text: str) -> bool:
        """Take a text, whatever its case, if it was not given before."""
        key = text.lower()
        if key in self._given:
            return False
        self._given.add(key)
        return True

    def _with_unseen_word(self, tree: Tree) -> Tree:
        """The tree with one content word replaced by one that no text contains, if the language has any."""
        places = [
            (i, tag)
            for i, (tag, word) in enumerate(leaves(tree))
            if word in self.truth.lemma_of and self._unseen.get(tag)
        ]
        if not places:
            return tree
        place, tag = places[int(self.rng.integers(len(places)))]
        words = self._unseen[tag]
        return with_leaves(tree, {place: words[int(self.rng.integers(len(words)))]})


def with_leaves(tree: Tree, words: Mapping[int, str]) -> Tree:
    """The tree with other words at some places; a place is the number of the leaf from the left."""
    position = -1

    def copy(node: Tree) -> Tree:
        nonlocal position
        label, content = node
        if isinstance(content, str):
            position += 1
            return (label, words.get(position, content))
        return (label, tuple(copy(child) for child in content))

    return copy(tree)


def capitalised(words: Iterable[str]) -> list[str]:
    """The words with the first letter of the first one in upper case."""
    copy = list(words)
    copy[0] = copy[0][:1].upper() + copy[0][1:]
    return copy


def text_of(tree: Tree) -> str:
    """The words with blanks between, in dictionary case."""
    return " ".join(word for _, word in leaves(tree))


def content_lemmas(truth: MiniatureTruth, tree: Tree) -> list[int]:
    """Lemma indices of the content words (family names mean nothing and are not among them)."""
    lemma_of = truth.lemma_of
    return [lemma_of[word] for _, word in leaves(tree) if word in lemma_of]


def mean_of_words(truth: MiniatureTruth, values: Matrix, trees: Sequence[Tree]) -> Matrix:
    """For each tree the mean of its content words' values; 0 where it has none.

    Parameters
    ----------
    values
        One number a lemma.
    """
    lemmas = [content_lemmas(truth, tree) for tree in trees]
    return np.array([values[found].mean() if found else 0.0 for found in lemmas])


def quotas(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers in the proportion of ``shares`` that add up to ``total``.

    >>> quotas(10, [1, 1, 1])
    [3, 4, 3]
    """
    limits = np.round(total * np.cumsum(shares) / np.sum(shares)).astype(int)
    parts: list[int] = np.diff(limits, prepend=0).tolist()
    return parts
