"""Nearest neighbours of chosen words, each space beside the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.space import EmbeddingSpace

_WORDLIKE = re.compile(r"[^\W\d_]{3,}")
MOST_FREQUENT_SKIPPED = 50
"""Function words lead every frequency list, and their neighbours tell little."""


@dataclass(frozen=True)
class Neighbour:
    """A word and its cosine with the word asked for."""

    word: str
    cosine: float


def nearest_neighbours(
    space: EmbeddingSpace, words: Sequence[str], k: int
) -> dict[str, list[Neighbour] | None]:
    """The ``k`` words of highest cosine for each of ``words``, the word itself left out.

    Equal cosines keep the space's own order. A word that the space lacks, or whose vector is zero, has no
    neighbours: None. Words with a zero vector are never neighbours.
    """
    known = [word for word in words if word in space]
    found: dict[str, list[Neighbour] | None] = dict.fromkeys(words)
    if not known:
        return found
    norms = np.sqrt(np.einsum("wd,wd->w", space.vectors, space.vectors, dtype=np.float64))
    safe = np.where(norms > 0, norms, 1.0)
    rows = np.array([space.index[word] for word in known])
    queries = space.vectors[rows] / safe[rows, None].astype(np.float32)  # (n_known, dim)
    cosines = (queries @ space.vectors.T).astype(np.float64) / safe  # (n_known, n_words)
    cosines[:, norms == 0] = -np.inf
    cosines[np.arange(len(rows)), rows] = -np.inf
    for word, row, cosine in zip(known, rows, cosines, strict=True):
        if norms[row] > 0:
            found[word] = [Neighbour(space.words[i], float(cosine[i])) for i in _top(cosine, k)]
    return found


def _top(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Positions of the ``k`` largest finite values, largest first, equal ones in their order."""
    k = min(k, int(np.isfinite(values).sum()))
    if k == 0:
        return np.array([], dtype=np.intp)
    threshold = np.partition(values, len(values) - k)[len(values) - k]
    candidates = np.flatnonzero(values >= threshold)
    return candidates[np.argsort(-values[candidates], kind="stable")][:k]


def choose_words(
    spaces: Mapping[str, Sequence[str]], asked_for: Iterable[str], count: int
) -> tuple[str, ...]:
    """``count`` words that all spaces have, evenly spread over the first space's order.

    Parameters
    ----------
    spaces
        The words of each space, by descending frequency as far as the space knows it.
    asked_for
        Words that the tasks ask for. They are what people have judged, so they are preferred; where too
        few of them are known to all spaces, any word of three letters or more may be chosen.
    count
        How many words; fewer are given where fewer exist.
    """
    if not spaces:
        return ()
    first, *others = spaces.values()
    shared = set(first).intersection(*others)
    wordlike = [word for word in first if word in shared and _WORDLIKE.fullmatch(word)]
    wanted = set(asked_for)
    candidates = [word for word in wordlike if word in wanted]
    if len(candidates) < count:
        candidates = (
            wordlike[MOST_FREQUENT_SKIPPED:] if len(wordlike) > 4 * MOST_FREQUENT_SKIPPED else wordlike
        )
    if len(candidates) <= count:
        return tuple(candidates)
    # The middle of each of `count` equal stretches of the list.
    return tuple(candidates[(2 * i + 1) * len(candidates) // (2 * count)] for i in range(count))
