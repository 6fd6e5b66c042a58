"""Bootstrap confidence intervals, with resamples that are the same for every space.

A resample of n items with replacement is kept as n counts, how often each item was drawn. Statistics that
take counts as weights then need no re-sorting and no copying, and an item that a space cannot answer simply
weighs nothing, so spaces of different coverage still share their resamples and can be compared in pairs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.config import ProtocolConfig

BLOCK_CELLS = 1 << 20
"""Counts held at a time (8 MB in each float64 temporary), whatever the numbers of items and resamples."""

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""From counts, shape (n_resamples, n_items), to one value a resample, NaN where it is undefined."""


def resample_counts(
    n_items: int,
    *,
    n_resamples: int,
    seed: int,
    name: str,
    strata: NDArray[np.int64] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of counts, shape (block, n_items), each row summing to ``n_items``.

    The draws depend on ``seed``, ``name`` (of the dataset), the sizes and the strata alone.

    Parameters
    ----------
    strata
        Stratum of each item, shape (n_items,). Each stratum is then resampled by itself, and keeps its
        number of items.
    """
    key = [seed, zlib.crc32(name.encode("utf-8"))]
    members: list[NDArray[np.int64]] | None = None
    generators = [np.random.default_rng(key)]
    if strata is not None:
        members = [np.flatnonzero(strata == label) for label in np.unique(strata)]
        # One generator each: the draws must not depend on how many resamples a block holds.
        generators = [np.random.default_rng([*key, number]) for number in range(len(members))]
    block = max(1, BLOCK_CELLS // max(n_items, 1))
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        if members is None:
            yield _draw(generators[0], size, n_items)
            continue
        counts = np.empty((size, n_items), dtype=np.int64)
        for generator, items in zip(generators, members, strict=True):
            counts[:, items] = _draw(generator, size, len(items))
        yield counts


def _draw(generator: np.random.Generator, size: int, n_items: int) -> NDArray[np.int64]:
    drawn = generator.integers(0, n_items, size=(size, n_items))
    drawn += np.arange(size)[:, None] * n_items
    return np.bincount(drawn.ravel(), minlength=size * n_items).reshape(size, n_items)


def percentile_interval(
    statistic: Statistic,
    n_items: int,
    *,
    protocol: ProtocolConfig,
    name: str,
    strata: NDArray[np.int64] | None = None,
) -> tuple[float | None, float | None]:
    """Percentile bootstrap interval of a statistic over ``n_items`` items.

    Resamples in which the statistic is undefined (too few answered items, all of them equal) are left out.
    With ``strata``, shape (n_items,), they are drawn within each stratum.

    Returns
    -------
    The two ends; None and None without resamples, or when the statistic is undefined in half of them.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if not protocol.n_bootstrap or not n_items:
        return None, None
    blocks = resample_counts(
        n_items, n_resamples=protocol.n_bootstrap, seed=protocol.seed, name=name, strata=strata
    )
    values = np.concatenate([statistic(counts) for counts in blocks])
    defined = values[np.isfinite(values)]
    if 2 * len(defined) <= len(values):
        return None, None
    tail = (1 - protocol.confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
