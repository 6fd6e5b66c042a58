"""Pairs of sentences whose likeness is known.

The second sentence is the first one with some words exchanged for near-synonyms, strangers or an opposite
and with some modifiers left out, or another sentence altogether. How like two sentences are follows from
their words' latent vectors: each content word is compared with the one nearest to it on the other side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.grammar import COMMA, Tree, leaves
from lexiscope.data.miniature.language import Matrix, MiniatureTruth
from lexiscope.data.miniature.sentences import (
    FORM_OF_TAG,
    Materials,
    SentenceStock,
    content_lemmas,
    text_of,
    with_leaves,
)

Kind = Literal["paraphrase", "shortened", "opposite", "changed", "unrelated"]
Change = Literal["synonym", "stranger", "opposite"]

N_SYNONYMS = 3  # a word is exchanged for one of so many nearest to it
SYNONYM_SHARE = 0.35  # of the content words of a paraphrase; at least one
DROP_SHARE = 0.7  # of the modifiers of a shortened sentence; at least one if there is any
UNRELATED_LIKENESS = 0.45  # typical of two sentences that have nothing to do with each other

MODIFIERS = {"NP": ("JJ", "PP", "SBAR"), "VP": ("ADVP", "PP")}
"""Labels of what can be left out of a phrase."""


Peers = Mapping[int, NDArray[np.int64]]
"""By lemma index the indices of other lemmas."""


class SentencePair(NamedTuple):
    """Two sentences.

    Attributes
    ----------
    kind
        How the second was made from the first.
    likeness
        0 (nothing in common) to 1 (the same meaning).
    """

    first: Tree
    second: Tree
    kind: Kind
    likeness: float


class PairMaker:
    """Makes pairs.

    Parameters
    ----------
    materials
        The language.
    stock
        Where the sentences come from.
    peers
        What `peers_of_lemmas` gives.
    """

    def __init__(self, materials: Materials, stock: SentenceStock, peers: Peers) -> None:
        self._truth = materials.language.truth
        self._config: MiniatureConfig = materials.config
        self._stock = stock
        self._rng = stock.rng
        self._peers = peers

    def pair(self, kind: Kind) -> SentencePair:
        """A new pair, both sentences of which are new."""
        while True:
            first = self._stock.sentence()
            if kind == "unrelated":
                second = self._stock.sentence().tree
            elif not self._stock.claim(text_of(second := self._variant(first.tree, kind))):
                continue  # nothing could be changed, or it became a sentence that was there before
            trees = (first.tree, second)
            if kind == "paraphrase" and self._rng.random() < 0.5:
                trees = (second, first.tree)
            return SentencePair(*trees, kind, self.likeness(*trees))

    def likeness(self, first: Tree, second: Tree) -> float:
        """How like two sentences are, from 0 to 1."""
        left, right = (self._truth.latents[content_lemmas(self._truth, tree)] for tree in (first, second))
        if not len(left) or not len(right):
            return 0.0
        cosines = np.einsum("ad,bd->ab", left, right)
        mean = (float(cosines.max(axis=1).mean()) + float(cosines.max(axis=0).mean())) / 2
        return min(max((mean - UNRELATED_LIKENESS) / (1 - UNRELATED_LIKENESS), 0.0), 1.0)

    def ratings(self, pairs: Sequence[SentencePair], low: int, high: int) -> Matrix:
        """Mean ratings of all raters; each gives a whole number from ``low`` to ``high``."""
        likeness = np.array([pair.likeness for pair in pairs])
        errors = self._config.rating_noise * self._rng.standard_normal((self._config.raters, len(pairs)))
        given = np.clip(np.round(low + (high - low) * (likeness + errors)), low, high)
        means: Matrix = given.mean(axis=0)
        return means

    def _variant(self, tree: Tree, kind: Kind) -> Tree:
        places = [
            (i, tag, self._truth.lemma_of[word])
            for i, (tag, word) in enumerate(leaves(tree))
            if tag in FORM_OF_TAG and word in self._truth.lemma_of
        ]
        if not places:
            return tree
        order = [places[i] for i in self._rng.permutation(len(places))]
        n_synonyms = max(1, round(SYNONYM_SHARE * len(order)))
        if kind == "paraphrase":
            return self._exchanged(tree, order[:n_synonyms], "synonym")
        if kind == "shortened":
            return self._shortened(tree)
        if kind == "opposite":
            # What a sentence denies is what it says of its subject: a verb or an adjective.
            said = [place for place in order if place[1][0] in "VJ"]
            return self._exchanged(tree, said[:1], "opposite")
        n_changed = int(self._rng.integers(1, len(order) + 1))
        return self._exchanged(tree, order[:n_changed], "stranger")

    def _exchanged(self, tree: Tree, places: Sequence[tuple[int, str, int]], change: Change) -> Tree:
        words = {}
        for place, tag, lemma in places:
            other = self._truth.lemmas[self._other(lemma, change)]
            words[place] = other.forms[FORM_OF_TAG[tag]]
        return with_leaves(tree, words)

    def _other(self, lemma: int, change: Change) -> int:
        """Another lemma that can stand in the same place."""
        peers = self._peers[lemma]
        if change == "stranger":
            return int(peers[self._rng.integers(len(peers))])
        cosine = np.einsum("nd,d->n", self._truth.latents[peers], self._truth.latents[lemma])
        order = np.argsort(cosine, kind="stable")
        if change == "opposite":
            return int(peers[order[0]])
        nearest = order[-N_SYNONYMS:]
        return int(peers[nearest[self._rng.integers(len(nearest))]])

    def _shortened(self, tree: Tree) -> Tree:
        """Without some of its modifiers, at least one if there is any."""
        label, children = tree
        if isinstance(children, tuple) and children[1] == COMMA:
            if children[0][0] != "S":
                return (label, children[2:])  # what stands before the comma says when, where or why
            return (label, (*children[0][1], children[-1]))  # the first of two clauses
        n_modifiers = sum(1 for _ in _modifiers(tree))
        drop = self._rng.random(n_modifiers) < DROP_SHARE
        if n_modifiers and not drop.any():
            drop[0] = True
        return _without(tree, iter(drop.tolist()))


def _modifiers(tree: Tree) -> Iterator[Tree]:
    """What can be left out of a tree, the outer before the inner."""
    label, content = tree
    if isinstance(content, str):
        return
    for child in content:
        if child[0] in MODIFIERS.get(label, ()):
            yield child
        yield from _modifiers(child)


def _without(tree: Tree, drop: Iterator[bool]) -> Tree:
    """The tree without some modifiers; one flag for each, in the order of `_modifiers`."""
    label, content = tree
    if isinstance(content, str):
        return tree
    kept = []
    for child in content:
        leave_out = child[0] in MODIFIERS.get(label, ()) and next(drop)
        smaller = _without(child, drop)  # also of what is left out, so that the flags stay in step
        if not leave_out:
            kept.append(smaller)
    return (label, tuple(kept))


def peers_of_lemmas(truth: MiniatureTruth) -> Peers:
    """The lemmas that can stand in the same place: names of a field, words of a kind and frame."""
    groups: dict[tuple[str, str, bool, str], list[int]] = {}
    for lemma in truth.lemmas:
        if lemma.attested:
            groups.setdefault(_group(truth, lemma.index), []).append(lemma.index)
    return {
        lemma.index: np.array([i for i in groups[_group(truth, lemma.index)] if i != lemma.index])
        for lemma in truth.lemmas
    }


def _group(truth: MiniatureTruth, index: int) -> tuple[str, str, bool, str]:
    lemma = truth.lemmas[index]
    return lemma.part_of_speech, lemma.frame, lemma.proper, lemma.field if lemma.proper else ""
