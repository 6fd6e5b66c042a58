"""Finding the vectors of test words: the one place where the casing and OOV policies are applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.config import CasingPolicy, OovPolicy

MISSING = -1


@dataclass(frozen=True)
class WordVectors:
    """Vectors of test words.

    Attributes
    ----------
    vectors
        float64, shape (n_words, dim); zeros where ``usable`` is false.
    usable
        bool, shape (n_words,): whether the word takes part in the test under the OOV policy.
    found
        bool, shape (n_words,): whether the space has the word.
    """

    vectors: NDArray[np.float64]
    usable: NDArray[np.bool_]
    found: NDArray[np.bool_]


def find_rows(space: EmbeddingSpace, words: Sequence[str], casing: CasingPolicy) -> NDArray[np.int64]:
    """Row of each word in the space, `MISSING` for those it lacks; shape (n_words,).

    ``fallback`` tries the word as it is, then lower-cased, then the first word of the space with the same
    lower-cased form. The rows of a space follow its lexicon, so the first is the most frequent.
    """
    if casing == "as_is":
        rows = [space.index.get(word, MISSING) for word in words]
    elif casing == "lower":
        rows = [space.index.get(word.lower(), MISSING) for word in words]
    else:
        rows = _fallback_rows(space, words)
    return np.array(rows, dtype=np.int64)


def _fallback_rows(space: EmbeddingSpace, words: Sequence[str]) -> list[int]:
    first_by_lower: dict[str, int] = {}
    for row, word in enumerate(space.words):
        first_by_lower.setdefault(word.lower(), row)

    def row_of(word: str) -> int:
        for form in (word, word.lower()):
            if form in space.index:
                return space.index[form]
        return first_by_lower.get(word.lower(), MISSING)

    return [row_of(word) for word in words]


def look_up(
    space: EmbeddingSpace, words: Sequence[str], *, casing: CasingPolicy, oov: OovPolicy
) -> WordVectors:
    """Vectors of ``words`` under the two policies (see `ProtocolConfig`)."""
    rows = find_rows(space, words, casing)
    found = rows != MISSING
    vectors = np.zeros((len(words), space.dim))
    vectors[found] = space.vectors[rows[found]]
    if oov == "mean" and len(space):
        vectors[~found] = space.vectors.mean(axis=0, dtype=np.float64)
    usable = found if oov == "skip" else np.ones(len(words), dtype=np.bool_)
    return WordVectors(vectors=vectors, usable=usable, found=found)
