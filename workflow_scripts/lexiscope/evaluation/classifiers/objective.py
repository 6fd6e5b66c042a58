"""The regularised cross-entropy of many linear classifiers on weighted rows of one data matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import blas

from lexiscope.errors import LexiscopeError

BLOCK_CELLS = 1 << 19
"""Logits held at a time (2 MB), so that they stay in the cache between the two products."""

MAX_BLOCK_ROWS = 512

Precision = type[np.float32] | type[np.float64]

COPY_CELLS = 75_000_000
"""Standardised rows are kept (300 MB at most); those of larger data are made anew in every pass."""


MAX_SPREAD = 1e30
"""Standard deviations beyond which single precision would overflow."""


class Standardiser:
    """Centres and scales columns, and adds one of ones for the intercepts.

    It does not move the optimum: the intercepts are free, and the penalty of each coefficient is divided by
    the square of its column's scale. But single precision then suffices for columns of any offset and size.

    Attributes
    ----------
    scale
        float64, (d,): what each column is divided by: its standard deviation over ``rows``; 1 where it is
        constant.

    Raises
    ------
    LexiscopeError
        If ``features`` (n, d) hold numbers that are not finite, or too large, in ``rows``.
    """

    def __init__(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            # Any centre and scale would do; these are single so that subtracting them is almost exact.
            self._centre = _mean(features, rows, lambda block: block).astype(np.float32)
            spread = np.sqrt(_mean(features, rows, lambda block: (block - self._centre) ** 2))
        if not (spread < MAX_SPREAD).all():
            raise LexiscopeError("sentence vectors hold infinite, undefined or far too large numbers")
        spread = spread.astype(np.float32)
        self._scale = np.where(spread > 0, spread, np.float32(1))
        self.scale = self._scale.astype(np.float64)

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows (m, d) as given to (m, d + 1), the last of ones."""
        block = np.ones((len(features), features.shape[1] + 1), dtype=np.float32)
        np.subtract(features, self._centre, out=block[:, :-1])
        block[:, :-1] /= self._scale
        return block

    def unscale(self, coefs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients (…, d + 1) to weights (…, d) and intercepts (…) for rows as given."""
        weights = coefs[..., :-1] / self.scale
        return weights, coefs[..., -1] - weights @ self._centre.astype(np.float64)


def _mean(
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    total = np.zeros(features.shape[1])
    for start in range(0, len(rows), MAX_BLOCK_ROWS):
        block = features[rows[start : start + MAX_BLOCK_ROWS]].astype(np.float64)
        total += of(block).sum(axis=0)
    return total / len(rows)


class Design:
    """Standardised rows of a data matrix.

    Attributes
    ----------
    standardiser
        Of these ``rows`` of ``features``.
    n, dim
        Rows, and columns with the one of the intercept, which is the last.
    penalty
        float64, (dim,): what the squared coefficients weigh in ‖W‖², 0 for the intercept.
    """

    def __init__(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        self._features, self._rows = features, rows
        self.n, self.dim = len(rows), features.shape[1] + 1
        self.standardiser = Standardiser(features, rows)
        self.penalty = np.append(self.standardiser.scale**-2.0, 0.0)
        self._copy: NDArray[np.float32] | None = None
        if self.n * self.dim <= COPY_CELLS:
            self._copy = np.empty((self.n, self.dim), dtype=np.float32)
            for start in range(0, self.n, MAX_BLOCK_ROWS):
                where = slice(start, start + MAX_BLOCK_ROWS)
                self._copy[where] = self._standardised(where)

    def _standardised(self, where: slice) -> NDArray[np.float32]:
        return self.standardiser.apply(self._features[self._rows[where]])

    def blocks(self, size: int, step: int = 1) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Every ``step``-th row, in blocks of at most ``size`` rows, each (size, dim)."""
        for start in range(0, self.n, size * step):
            where = slice(start, min(start + size * step, self.n), step)
            yield where, self._standardised(where) if self._copy is None else self._copy[where]


class Objective:
    """The gradient and curvature of mean cross-entropy + l2/2 · ‖W‖².

    With two classes a fit has one column of coefficients, the log-odds of class 1; with more, it has one
    for each class, and they sum to zero (which the penalty asks for, and intercepts are free to do).

    Parameters
    ----------
    design
        The rows.
    labels
        int, (n,): their classes.
    n_classes
        At least 2.
    precision
        Of the products with the rows, and of their sums in Hessians. Sums of gradients over blocks are in
        double precision.
    """

    def __init__(
        self,
        design: Design,
        labels: NDArray[np.int64],
        n_classes: int,
        precision: Precision = np.float32,
    ) -> None:
        self.design, self.labels, self.n_classes = design, labels, n_classes
        self.precision = precision
        self.n_columns = 1 if n_classes == 2 else n_classes
        self.shape = (self.n_columns, design.dim)
        self._basis: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._signs = (2 * labels - 1).astype(np.float32)

    def doubled(self) -> Objective:
        """The same in double precision."""
        return Objective(self.design, self.labels, self.n_classes, np.float64)

    def gradient(
        self,
        coefs: NDArray[np.float64],
        weights: NDArray[np.float32],
        l2: float,
        absent: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Gradients of several fits.

        Parameters
        ----------
        coefs
            (n_fits, n_columns, dim).
        weights
            (n_fits, n): how much each row counts; each fit's sum to 1.
        l2
            The regulariser.
        absent
            (n_fits, n_classes): classes without a row; their probability is zero.
        """
        n_fits = len(coefs)
        gradient = coefs * (l2 * self.design.penalty)
        flat = gradient.reshape(n_fits * self.n_columns, self.design.dim)
        single = coefs.reshape(flat.shape).astype(self.precision)
        size = min(max(BLOCK_CELLS // len(flat), 128), MAX_BLOCK_ROWS)
        for where, rows in self._blocks(size):
            residuals = self._residuals(single @ rows.T, weights[:, where], where, absent)
            flat += residuals @ rows
        return gradient

    def _blocks(self, size: int, step: int = 1) -> Iterator[tuple[slice, NDArray[Any]]]:
        for where, rows in self.design.blocks(size, step):
            yield where, rows.astype(self.precision, copy=False)

    def _residuals(
        self, logits: NDArray[Any], weights: NDArray[np.float32], where: slice, absent: NDArray[np.bool_]
    ) -> NDArray[Any]:
        """Weight · (probability − truth), in place of the logits.

        Where nearly all of a row's probability is on its class, what is left is summed from the others: to
        subtract it from 1 would lose it.
        """
        if self.n_columns == 1:
            signs = self._signs[where]
            logits *= signs
            with np.errstate(over="ignore"):
                np.exp(logits, out=logits)
            logits += 1
            np.divide(weights * -signs, logits, out=logits)
            return logits
        by_class = logits.reshape(len(weights), self.n_classes, -1)
        true = self.labels[where][None]
        others, total = _exponentials(by_class, absent, true)
        by_class *= (weights / total)[:, None]
        np.put_along_axis(by_class, true[:, None], (-weights * others / total)[:, None], axis=1)
        return logits

    def spreads(
        self, coefs: NDArray[np.float64], weights: NDArray[np.float32], step: int
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Go through every ``step``-th row, each for as many, at one fit (n_columns, dim).

        Yields
        ------
        Rows (size, dim), and weight · p (1 − p) of each column (n_columns, size): the rows' outer products
        with these weights sum to the Hessian of the column.
        """
        flat = coefs.astype(self.precision)
        size = min(max(BLOCK_CELLS // self.n_columns, 128), MAX_BLOCK_ROWS)
        for where, rows in self._blocks(size, step):
            counts = weights[where] * np.float32(step)
            logits = flat @ rows.T
            if self.n_columns == 1:
                np.exp(-np.abs(logits), out=logits)
                yield rows, counts * logits / (1 + logits) ** 2
            else:
                best = logits.argmax(axis=0)[None]
                others, total = _exponentials(logits[None], np.zeros((1, self.n_classes), np.bool_), best)
                logits *= (total - logits) / total
                np.put_along_axis(logits, best, others, axis=0)
                yield rows, counts * logits / total

    def eigenbasis(self, weights: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The eigenbasis of the covariance of the rows as given, in terms of the standardised ones.

        Returns
        -------
        Two matrices (dim − 1, dim − 1): coefficients are coordinates times the first's transpose, and
        coordinates are coefficients times the second. They are in units of the largest scale s of the
        columns, so ‖W‖² is their squared length over s². Computed once: ``weights`` hardly matter.
        """
        if self._basis is None:
            scale = self.design.standardiser.scale / self.design.standardiser.scale.max()
            covariance = np.zeros((len(scale), len(scale)), self.precision, order="F")
            for where, block in self._blocks(MAX_BLOCK_ROWS):
                rows = block[:, :-1] * np.sqrt(weights[where])[:, None] * scale.astype(self.precision)
                add_upper_products(covariance, rows)
            vectors = linalg.eigh(covariance.astype(np.float64), lower=False)[1]
            self._basis = scale[:, None] * vectors, vectors / scale[:, None]
        return self._basis


def add_upper_products(total: NDArray[Any], rows: NDArray[Any]) -> None:
    """Add rowsᵀ rows to the upper half of ``total``, which lies in Fortran's order."""
    syrk = blas.ssyrk if rows.dtype == np.float32 else blas.dsyrk
    syrk(1.0, rows.T, beta=1.0, c=total, overwrite_c=True)


def _exponentials(
    logits: NDArray[Any], absent: NDArray[np.bool_], apart: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Exponentials, in place of logits (n_fits, n_classes, size), up to a factor.

    Returns
    -------
    Their sum over the classes but the one ``apart`` (1, size), and over all, both (n_fits, size).
    """
    if absent.any():
        logits[absent] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    one = np.take_along_axis(logits, apart[:, None], axis=1)
    np.put_along_axis(logits, apart[:, None], 0, axis=1)
    others = logits.sum(axis=1)
    np.put_along_axis(logits, apart[:, None], one, axis=1)
    return others, others + one[:, 0]


def centre_classes(coefs: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Let coefficients sum to zero over the classes that are not absent, with zeros for those that are.

    (n_fits, n_columns, dim) and (n_fits, n_classes); a single column stays as it is.
    """
    if coefs.shape[1] == 1:
        return coefs
    present = ~absent[..., None]
    mean = coefs.sum(axis=1, keepdims=True, where=present) / present.sum(axis=1, keepdims=True)
    return np.where(present, coefs - mean, 0.0)
