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

MAX_BLOCK_ROWS = 2048

Precision = type[np.float32] | type[np.float64]

COPY_CELLS = 1 << 26
"""Standardised rows are kept (256 MB at most); those of larger data are made anew in every pass."""


class Design:
    """Rows of a data matrix, each column centred and scaled, and a column of ones for the intercepts.

    The optimum does not depend on it: the intercepts are free, and the penalty of each coefficient is
    divided by the square of its column's scale. But single precision then suffices for columns of any
    offset and size.

    Attributes
    ----------
    n, dim
        Rows, and columns with the one of the intercept, which is the last.
    scale
        float64, (dim − 1,): what the centred columns were divided by: their standard deviations.
    penalty
        float64, (dim,): what the squared coefficients weigh in ‖W‖², 0 for the intercept.
    """

    def __init__(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        self._features, self._rows = features, rows
        self.n, self.dim = len(rows), features.shape[1] + 1
        self._centre = self._mean(lambda block: block)
        spread = np.sqrt(self._mean(lambda block: (block - self._centre) ** 2))
        if not np.isfinite(spread).all():
            raise LexiscopeError("sentence vectors hold infinite, undefined or far too large numbers")
        self.scale = np.where(spread > 0, spread, 1.0)
        self.penalty = np.append(self.scale**-2.0, 0.0)
        self._copy: NDArray[np.float32] | None = None
        if self.n * self.dim <= COPY_CELLS:
            self._copy = np.empty((self.n, self.dim), dtype=np.float32)
            for start in range(0, self.n, MAX_BLOCK_ROWS):
                self._copy[start : start + MAX_BLOCK_ROWS] = self._own_rows(start, MAX_BLOCK_ROWS)

    def _mean(self, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        total = np.zeros(self.dim - 1)
        for start in range(0, self.n, MAX_BLOCK_ROWS):
            block = self._features[self._rows[start : start + MAX_BLOCK_ROWS]].astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                total += of(block).sum(axis=0)
        return total / self.n

    def _own_rows(self, start: int, size: int) -> NDArray[np.float32]:
        return self.standardise(self._features[self._rows[start : start + size]])

    def standardise(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Other rows as these are: (m, dim − 1) as given -> (m, dim)."""
        block = np.ones((len(features), self.dim), dtype=np.float32)
        block[:, :-1] = (features - self._centre) / self.scale
        return block

    def blocks(self, size: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The rows in blocks of at most ``size``, standardised, each (size, dim)."""
        for start in range(0, self.n, size):
            where = slice(start, min(start + size, self.n))
            yield where, self._own_rows(start, size) if self._copy is None else self._copy[where]

    def unscale(self, coefs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights (…, dim − 1) and intercepts (…) for the rows as they were given."""
        weights = coefs[..., :-1] / self.scale
        return weights, coefs[..., -1] - weights @ self._centre


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
    """

    def __init__(self, design: Design, labels: NDArray[np.int64], n_classes: int) -> None:
        self.design, self.labels, self.n_classes = design, labels, n_classes
        self.n_columns = 1 if n_classes == 2 else n_classes
        self.shape = (self.n_columns, design.dim)
        self._basis: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._signs = (1 - 2 * labels).astype(np.float32)

    def gradient(
        self,
        coefs: NDArray[np.float64],
        weights: NDArray[np.float32],
        l2: float,
        absent: NDArray[np.bool_],
        precision: Precision = np.float32,
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
        precision
            Of the products with the rows. Their sums over blocks are in double precision.
        """
        n_fits = len(coefs)
        gradient = coefs * (l2 * self.design.penalty)
        flat = gradient.reshape(n_fits * self.n_columns, self.design.dim)
        scaled = (coefs / 2 if self.n_columns == 1 else coefs).reshape(flat.shape).astype(precision)
        size = min(max(BLOCK_CELLS // len(flat), 128), MAX_BLOCK_ROWS)
        for where, block in self.design.blocks(size):
            rows: NDArray[Any] = block.astype(precision, copy=False)
            residuals = self._residuals(scaled @ rows.T, weights[:, where], where, absent)
            flat += residuals @ rows
        return gradient

    def _residuals(
        self, logits: NDArray[Any], weights: NDArray[np.float32], where: slice, absent: NDArray[np.bool_]
    ) -> NDArray[Any]:
        """Weight · (probability − truth), in place of the logits (halved for two classes)."""
        if self.n_columns == 1:
            # The logistic function is 1/2 + tanh(z/2)/2, which never overflows.
            np.tanh(logits, out=logits)
            logits += self._signs[where]
            logits *= weights * np.float32(0.5)
            return logits
        by_class = logits.reshape(len(weights), self.n_classes, -1)
        _softmax(by_class, absent)
        by_class *= weights[:, None]
        by_class[:, self.labels[where], np.arange(by_class.shape[2])] -= weights
        return logits

    def spreads(
        self, coefs: NDArray[np.float64], weights: NDArray[np.float32], step: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Go through every ``step``-th row, each for as many, at one fit (n_columns, dim).

        Yields
        ------
        Rows (size, dim), and weight · p (1 − p) of each column (n_columns, size): the rows' outer products
        with these weights sum to the Hessian of the column.
        """
        flat = coefs.astype(np.float32)
        size = min(max(BLOCK_CELLS // self.n_columns, 128), MAX_BLOCK_ROWS)
        for where, block in self.design.blocks(size):
            rows, counts = block[::step], weights[where][::step] * np.float32(step)
            logits = flat @ rows.T
            if self.n_columns == 1:
                np.tanh(logits / 2, out=logits)
                yield rows, counts * (1 - logits) * (1 + logits) / 4
            else:
                _softmax(logits[None], np.zeros((1, self.n_classes), dtype=np.bool_))
                yield rows, counts * logits * (1 - logits)

    def eigenbasis(self, weights: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The eigenbasis of the covariance of the rows as given, in terms of the standardised ones.

        Returns
        -------
        Two matrices (dim − 1, dim − 1): coefficients are coordinates times the first's transpose, and
        coordinates are coefficients times the second. They are in units of the largest scale s of the
        columns, so ‖W‖² is their squared length over s². Computed once: ``weights`` hardly matter.
        """
        if self._basis is None:
            scale = self.design.scale / self.design.scale.max()
            covariance = np.zeros((len(scale), len(scale)))
            for where, block in self.design.blocks(MAX_BLOCK_ROWS):
                rows = block[:, :-1] * np.sqrt(weights[where])[:, None] * scale.astype(np.float32)
                covariance += blas.ssyrk(1.0, rows.T)
            vectors = linalg.eigh(covariance, lower=False)[1]
            self._basis = scale[:, None] * vectors, vectors / scale[:, None]
        return self._basis


def _softmax(logits: NDArray[Any], absent: NDArray[np.bool_]) -> None:
    """Probabilities in place of logits (n_fits, n_classes, size), of the classes that are not absent."""
    if absent.any():
        logits[absent] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)


def centre_classes(coefs: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Let coefficients sum to zero over the classes that are not absent, with zeros for those that are.

    (n_fits, n_columns, dim) and (n_fits, n_classes); a single column stays as it is.
    """
    if coefs.shape[1] == 1:
        return coefs
    present = ~absent[..., None]
    mean = coefs.sum(axis=1, keepdims=True, where=present) / present.sum(axis=1, keepdims=True)
    return np.where(present, coefs - mean, 0.0)
