"""Spearman's rho in many bootstrap resamples at once, with ties ranked anew in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_ITEMS = 3
"""With two items every rank correlation is 1 or -1."""


@dataclass(frozen=True)
class RankedValues:
    """Values sorted once, so that they can be ranked anew in any number of resamples.

    Attributes
    ----------
    order
        Items by ascending value, shape (n_items,).
    starts
        Position in ``order`` at which each group of equal values starts, shape (n_groups,).
    group
        Group of each item, in the items' own order, shape (n_items,).
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> RankedValues:
        """Sort ``values``, shape (n_items,) and finite."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        opens = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        group = np.empty(len(values), dtype=np.int64)
        group[order] = np.cumsum(opens) - 1
        return cls(order=order, starts=np.flatnonzero(opens), group=group)

    def average_ranks(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rank of each item when item i occurs ``counts[:, i]`` times; equal values share their mean rank.

        Shapes (n_resamples, n_items) -> (n_resamples, n_items); ranks start at 1. Items that do not occur
        get a rank too, which is to be weighed by 0.
        """
        sizes = np.add.reduceat(counts[:, self.order], self.starts, axis=1)
        last = np.cumsum(sizes, axis=1)
        ranks = last - (sizes - 1) / 2
        return ranks[:, self.group]


def spearman(first: RankedValues, second: RankedValues, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Spearman's rho in each resample: Pearson's r of the average ranks, as in ``scipy.stats.spearmanr``.

    Parameters
    ----------
    first, second
        The two variables over the same items.
    counts
        How often each item occurs, shape (n_resamples, n_items).

    Returns
    -------
    float64, shape (n_resamples,); NaN where fewer than `MIN_ITEMS` items are drawn or one variable has the
    same value for all that are.
    """
    rho: NDArray[np.float64] = rank_correlations([first], second, counts)[0]
    return rho


def rank_correlations(
    systems: Sequence[RankedValues], gold: RankedValues, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`spearman` of several variables with the same one, which is then ranked only once.

    Returns
    -------
    float64, shape (n_systems, n_resamples).
    """
    drawn = counts.sum(axis=1, keepdims=True)
    # The mean rank is known, so one pass is exact: ranks are multiples of one half.
    mean = (drawn + 1) / 2
    y = gold.average_ranks(counts)
    y -= mean
    weighted = y * counts
    yy = np.einsum("ri,ri->r", weighted, y)
    weights = counts.astype(np.float64)
    rho = np.full((len(systems), len(counts)), np.nan)
    for row, system in zip(rho, systems, strict=True):
        x = system.average_ranks(counts)
        x -= mean
        xy = np.einsum("ri,ri->r", weighted, x)
        x *= x
        xx = np.einsum("ri,ri->r", x, weights)
        defined = (xx > 0) & (yy > 0) & (drawn[:, 0] >= MIN_ITEMS)
        np.divide(xy, np.sqrt(xx * yy), out=row, where=defined)
    return rho.clip(-1.0, 1.0)
