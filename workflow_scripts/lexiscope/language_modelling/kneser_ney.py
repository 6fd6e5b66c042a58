"""The interpolated modified Kneser-Ney n-gram model: a floor that needs no training and no luck.

Chen & Goodman (1999), An Empirical Study of Smoothing Techniques for Language Modeling. As in SRILM's
``-kndiscount -interpolate``, a sentence begins with one ``<s>``, which is never predicted; lower orders
count the distinct words before an n-gram, but n-grams at the start of a sentence, which have nothing before
them, keep their own counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

UNSEEN = -1
DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)
"""For an order in which no n-gram occurs once or none occurs twice, so that none can be estimated."""


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order as a level of a trie.

    Attributes
    ----------
    keys
        (n_grams,), ascending: number of the n-gram's first n − 1 words in the level above, times the number
        of words, plus its last word. A position in this array is the n-gram's own number.
    share
        (n_grams,): its discounted count as a share of all counts after its context.
    left_over
        (n_contexts + 1,): the mass that each context of the level above leaves to the next lower order; 1
        for a context that nothing follows. The last entry is for the context that was never seen.
    """

    keys: Ids
    share: Floats
    left_over: Floats

    def find(self, keys: Ids) -> Ids:
        """Numbers of n-grams, `UNSEEN` for those that do not occur."""
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = 0
        return np.where(self.keys[places] == keys, places, UNSEEN)


@dataclass(frozen=True)
class KneserNey:
    """A trained model; make one with `train`."""

    n_words: int
    orders: tuple[_Order, ...]

    @classmethod
    def train(cls, tokens: Ids, *, n_words: int, eos: int, order: int = 5) -> KneserNey:
        """Count the n-grams of a text.

        Parameters
        ----------
        tokens
            Word ids below ``n_words``; each sentence ends with ``eos``.
        n_words
            Size of the vocabulary over which the model is a distribution.
        eos
            Id of the end of a sentence.
        order
            Longest n-gram.

        Raises
        ------
        LexiscopeError
            If the text is empty, does not end with ``eos``, or has other ids.
        """
        text = _Text.of(tokens, n_words, eos)
        numbers = [np.zeros(len(text.words), dtype=np.int64)]  # order 0: one empty n-gram
        keys = [np.zeros(1, dtype=np.int64)]
        for n in range(1, order + 1):
            found, number = np.unique(text.keys(numbers[-1], n), return_inverse=True)
            here = text.place >= n - 1
            numbers.append(np.where(here, number, UNSEEN))
            keys.append(found)
            if found[0] == UNSEEN:  # places too near the start of their sentence
                keys[-1], numbers[-1] = found[1:], np.where(here, number - 1, UNSEEN)
        orders = [
            _order(keys[n], _adjusted_counts(text, numbers, n, order), len(keys[n - 1]), text.n_symbols)
            for n in range(1, order + 1)
            if len(keys[n])  # no sentence may be that long
        ]
        return cls(n_words, tuple(orders))

    def log_probabilities(self, tokens: Ids, *, eos: int) -> Floats:
        """Natural logarithm of the probability of each token of a text, shape (n_tokens,).

        Raises
        ------
        LexiscopeError
            As `train`.
        """
        text = _Text.of(tokens, self.n_words, eos)
        predicted = text.place > 0
        probability = np.full(len(text.words), 1.0 / self.n_words)
        numbers = np.zeros(len(text.words), dtype=np.int64)
        for n, level in enumerate(self.orders, start=1):
            keys = text.keys(numbers, n)
            context = np.roll(numbers, 1) if n > 1 else numbers
            here = predicted & (text.place >= n - 1)
            context = np.where(here, context, UNSEEN)
            numbers = np.where(keys == UNSEEN, UNSEEN, level.find(keys))
            share = np.where(numbers == UNSEEN, 0.0, level.share[numbers])
            probability = np.where(here, share + level.left_over[context] * probability, probability)
        logarithms: Floats = np.log(probability[predicted])
        return logarithms


@dataclass(frozen=True)
class _Text:
    """Sentences, each with ``<s>`` before it.

    Attributes
    ----------
    words
        (n,): ids; ``<s>`` is ``n_words``.
    place
        (n,): how far from its sentence's ``<s>`` each word stands.
    n_symbols
        Words and ``<s>``.
    """

    words: Ids
    place: Ids
    n_symbols: int

    @classmethod
    def of(cls, tokens: Ids, n_words: int, eos: int) -> _Text:
        tokens = np.asarray(tokens, dtype=np.int64)
        if not len(tokens):
            raise LexiscopeError("an empty text has no n-grams")
        if tokens[-1] != eos:
            raise LexiscopeError("the last sentence of the text does not end")
        if tokens.min() < 0 or tokens.max() >= n_words:
            raise LexiscopeError(f"the text has ids outside the {n_words} words of the vocabulary")
        ends = np.flatnonzero(tokens == eos)
        starts = np.concatenate([[0], ends[:-1] + 1])
        words = np.insert(tokens, starts, n_words)
        first = starts + np.arange(len(starts))
        place = np.arange(len(words)) - np.repeat(first, np.diff(np.append(first, len(words))))
        return cls(words, place, n_words + 1)

    def keys(self, shorter: Ids, n: int) -> Ids:
        """Keys of the n-grams that end at each word, given the numbers of those one shorter.

        `UNSEEN` where the sentence has not begun so far back, or the words before are no known n-gram.
        """
        context = np.zeros_like(shorter) if n == 1 else np.roll(shorter, 1)
        known = (self.place >= n - 1) & (context != UNSEEN)
        return np.where(known, context * self.n_symbols + self.words, UNSEEN)


def _adjusted_counts(text: _Text, numbers: list[Ids], n: int, order: int) -> Ids:
    """What each n-gram counts for; ``<s>`` by itself, which is never predicted, for nothing."""
    number = numbers[n]
    inside = number != UNSEEN
    counts = np.bincount(number[inside])
    if n < order:
        _, first = np.unique(numbers[n + 1], return_index=True)
        first = first[numbers[n + 1][first] != UNSEEN]
        continuations = np.bincount(number[first], minlength=len(counts))
        at_start = np.zeros(len(counts), dtype=np.bool_)
        at_start[number[inside & (text.place == n - 1)]] = True
        counts = np.where(at_start, counts, continuations)
    if n == 1:
        counts[number[text.place == 0]] = 0
    return counts


def _order(keys: Ids, counts: Ids, n_contexts: int, n_symbols: int) -> _Order:
    discounts = np.array([0.0, *_discounts(counts)])
    context = keys // n_symbols
    total = np.bincount(context, weights=counts, minlength=n_contexts)
    discount = np.minimum(discounts[np.minimum(counts, 3)], counts)
    taken = np.bincount(context, weights=discount, minlength=n_contexts)
    followed = total > 0
    left_over = np.ones(n_contexts + 1)  # one more, which index UNSEEN (-1) reaches
    left_over[:-1][followed] = taken[followed] / total[followed]
    share = (counts - discount) / np.where(followed, total, 1.0)[context]
    return _Order(keys, share, left_over)


def _discounts(counts: Ids) -> tuple[float, float, float]:
    """Taken from counts of 1, 2 and 3 or more (Chen & Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not n1 or not n2:
        return DEFAULT_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    first, second = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2
    third = 3 - 4 * y * n4 / n3 if n3 else second
    # Small texts have odd counts of counts; a discount is never negative, nor more than it is taken from.
    return min(max(first, 0.0), 1.0), min(max(second, 0.0), 2.0), min(max(third, 0.0), 3.0)
