"""BrainBench's p-value: does the right matching of words do better than random ones?"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.config import ProtocolConfig

TIE = 1e-12
"""Margins up to this are ties, thus no hits: rounding must not decide between words of equal vectors."""

SUM_ROUNDING = 1e-13
"""Squared deviations that add up to less than this share of the sum of squares are rounding."""

BATCH_CELLS = 1 << 17
"""Matrix entries, of all participants, that the permutation test holds at a time (1 MB each temporary)."""


def permuted_hits(
    space_matrix: NDArray[np.float64],
    brain_matrices: Sequence[NDArray[np.float64]],
    orders: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Hits of all participants together when the words of the space are put in other orders.

    The correlations of `brainbench.two_vs_two_margins` are here differences of sums: a sum of products over
    all columns but a and b is an entry of the product of two matrices, less two terms; the moments of the
    rows without columns a and b are the same in all orders, but for their places. So an order costs one
    product of n x n matrices for each participant, and little else.

    Parameters
    ----------
    space_matrix, brain_matrices
        As in `brainbench.two_vs_two_margins`.
    orders
        Permutations of the words, shape (n_orders, n_words): word i takes the row and column of word
        ``orders[:, i]``.

    Returns
    -------
    int64, shape (n_orders,): pairs of words with a margin above `TIE`, summed over participants.
    """
    # Correlations do not change with the mean of the matrix, and small sums lose fewer digits.
    space = space_matrix - space_matrix.mean()
    brains = np.stack(brain_matrices) - np.mean(brain_matrices, axis=(1, 2), keepdims=True)
    n_words = len(space)
    space_mean, space_norm = _row_moments(space)
    # What the participants contribute to the term of row a with partner b; axes a, participant, b.
    brain_mean, brain_norm = _row_moments(brains)
    own, partner = 1 / brain_norm, 1 / brain_norm.transpose(0, 2, 1)
    diagonal = np.diagonal(brains, axis1=1, axis2=2)
    own_column = diagonal[:, :, None] * own - brains.transpose(0, 2, 1) * partner
    partner_column = brains * own - diagonal[:, None, :] * partner
    mean = (n_words - 2) * (brain_mean * own - brain_mean.transpose(0, 2, 1) * partner)
    own, partner, own_column, partner_column, mean = (
        term.transpose(1, 0, 2) for term in (own, partner, own_column, partner_column, mean)
    )
    # The transposes of all participants side by side: one product serves them all.
    transposed = brains.transpose(2, 0, 1).reshape(n_words, -1)
    word = np.arange(n_words)
    upper = np.triu(np.ones((n_words, n_words), dtype=np.bool_), k=1)[:, None, :]
    n_hits = np.empty(len(orders), dtype=np.int64)
    batch = max(1, BATCH_CELLS // brains.size)
    for start in range(0, len(orders), batch):
        rows = orders[start : start + batch, :, None]
        columns = rows.transpose(0, 2, 1)
        permuted = space[rows, columns]
        products = (permuted @ transposed).reshape(len(rows), *own.shape)
        terms = products[:, word, :, word].transpose(1, 0, 2)[..., None] * own
        terms -= products * partner
        terms -= permuted[:, word, word][:, :, None, None] * own_column
        terms -= permuted[:, :, None, :] * partner_column
        terms -= space_mean[rows, columns][:, :, None, :] * mean
        terms /= space_norm[rows, columns][:, :, None, :]
        margins = terms + terms.transpose(0, 3, 2, 1)
        n_hits[start : start + batch] = ((margins > TIE) & upper).sum(axis=(1, 2, 3))
    return n_hits


def _row_moments(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and root of the sum of squared deviations of row a without columns a and b, as entry (a, b).

    (..., n, n) -> (..., n, n) twice; the diagonal has no meaning. The second is NaN for constant rows.
    """
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)[..., None]
    n_columns = matrix.shape[-1] - 2
    mean = (matrix.sum(axis=-1, keepdims=True) - diagonal - matrix) / n_columns
    squares = (matrix**2).sum(axis=-1, keepdims=True) - diagonal**2 - matrix**2
    deviations = squares - n_columns * mean**2
    return mean, np.sqrt(np.where(deviations > SUM_ROUNDING * squares, deviations, np.nan))


def permutation_p_value(
    space_matrix: NDArray[np.float64],
    brain_matrices: Sequence[NDArray[np.float64]],
    *,
    protocol: ProtocolConfig,
    name: str,
) -> float | None:
    """How often a random matching of the words of space and brains does as well as the right one.

    The words of the space are permuted, ``protocol.n_bootstrap`` times, the same way for all participants,
    and the right order counts as one of the permutations. The pairs of words, which share words, need not
    be independent for this.

    Returns
    -------
    The one-sided p-value of the participants' mean accuracy; None when no resamples are asked for.

    References
    ----------
    Phipson & Smyth (2010), Permutation P-values should never be zero.
    """
    if not protocol.n_bootstrap:
        return None
    generator = np.random.default_rng([protocol.seed, zlib.crc32(f"{name}:permutation".encode())])
    right = np.arange(len(space_matrix))
    orders = generator.permuted(np.tile(right, (protocol.n_bootstrap, 1)), axis=1)
    n_hits = permuted_hits(space_matrix, brain_matrices, np.vstack([right, orders]))
    return float((n_hits >= n_hits[0]).mean())
