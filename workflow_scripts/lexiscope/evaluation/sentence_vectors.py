"""Sentences as the plain mean of their words' vectors: no centring, no normalising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.vectors import MISSING, find_rows

BLOCK_CELLS = 1 << 22
"""Cells of a float64 sum held at a time (32 MB), whatever the numbers of sentences and dimensions."""


@dataclass(frozen=True)
class SentenceVectors:
    """Vectors of sentences.

    Attributes
    ----------
    vectors
        float32, shape (n_sentences, dim); zeros where ``covered`` is false.
    covered
        bool, shape (n_sentences,): whether the space has any word of the sentence.
    n_words, n_found
        Running words of all the sentences, and those among them that the space has.
    """

    vectors: NDArray[np.float32]
    covered: NDArray[np.bool_]
    n_words: int
    n_found: int


def average(
    space: EmbeddingSpace, sentences: Sequence[Sequence[str]], protocol: ProtocolConfig
) -> SentenceVectors:
    """Mean vector of each sentence's words, summed in float64.

    A word without a vector follows ``protocol.oov``: it is left out (``skip``, as in SentEval's example),
    or counts as the zero vector (``zero``, as Derby et al. 2020 had it) or as the mean vector of the
    space (``mean``). A sentence of which the space has no word, or that has no words at all, gets the zero
    vector under every policy.

    Parameters
    ----------
    space
        The word vectors, (n_space, dim).
    sentences
        The words of each sentence.
    protocol
        Gives the casing of the look-up and the OOV policy.
    """
    number_of: dict[str, int] = {}
    numbers = np.fromiter(
        (number_of.setdefault(word, len(number_of)) for word in chain.from_iterable(sentences)),
        dtype=np.int64,
    )
    lengths = np.fromiter((len(words) for words in sentences), dtype=np.int64, count=len(sentences))

    # Each distinct word is looked up once; those found are numbered anew, 0 ... n_distinct - 1.
    rows = find_rows(space, list(number_of), protocol.casing)
    known = rows != MISSING
    column_of = np.cumsum(known) - 1
    found = known[numbers]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    n_found = np.diff(np.concatenate([[0], np.cumsum(found)])[starts])

    indptr = np.concatenate([[0], np.cumsum(n_found)])
    counts = csr_array(
        (np.ones(indptr[-1]), column_of[numbers[found]], indptr),
        shape=(len(sentences), int(known.sum())),
    )
    covered = n_found > 0
    divisors = n_found if protocol.oov == "skip" else lengths
    weights = 1.0 / np.maximum(divisors, 1)
    # What a missing word adds to the sum.
    filler = np.zeros(space.dim)
    if protocol.oov == "mean" and len(space):
        filler = space.vectors.mean(axis=0, dtype=np.float64)
    words = space.vectors[rows[known]].astype(np.float64)

    vectors = np.empty((len(sentences), space.dim), dtype=np.float32)
    block = max(1, BLOCK_CELLS // max(space.dim, 1))
    for start in range(0, len(sentences), block):
        part = slice(start, start + block)
        sums = counts[part] @ words
        if protocol.oov == "mean":
            sums += (lengths - n_found)[part, None] * filler
        vectors[part] = sums * weights[part, None]
    vectors[~covered] = 0.0  # the mean vector of the space counts only beside words that the space has
    return SentenceVectors(vectors, covered, n_words=len(numbers), n_found=int(n_found.sum()))
