"""Approximate inverse Hessians: each class's own block, exactly or by its leading structure.

What couples the classes is left out; the search that uses them makes up for it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from lexiscope.evaluation.classifiers.objective import Objective, upper_products

MAX_BLOCK_CELLS = 1 << 24
"""Up to so many numbers (128 MB) every class has its own Hessian."""

JITTER = {np.float32: 1e-6, np.float64: 1e-12}
"""Added to Hessians with a diagonal of ones: what rounding in the products of the rows may cost."""


class Preconditioner(Protocol):
    """An approximate Hessian, for any regulariser.

    Attributes
    ----------
    reliable
        Whether it is not much larger than the Hessian in any direction, so that a small decrement means a
        near optimum.
    """

    reliable: bool

    def set_l2(self, l2: float) -> None:
        """Make ready to solve with this regulariser."""
        ...

    def solve(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse times each gradient, (n_fits, n_columns, dim) both."""
        ...

    def length(self, coefs: NDArray[np.float64]) -> NDArray[np.float64]:
        """√(wᵀ P w) of coefficients (n_fits, n_columns, dim)."""
        ...


def build_preconditioner(
    objective: Objective, coefs: NDArray[np.float64], weights: NDArray[np.float32], n_fits: int
) -> Preconditioner:
    """The curvature at one fit, of shape (n_columns, dim), for ``n_fits`` fits like it.

    The more fits it serves, the more of the rows it is taken from.
    """
    design = objective.design
    if coefs.shape[0] * design.dim**2 > MAX_BLOCK_CELLS:
        return SpectralPreconditioner(objective, coefs, weights)
    # As many as cost about two iterations of all fits, but never too few to be near.
    n_rows = max(10 * design.dim, 8 * design.n * n_fits // design.dim)
    return BlockPreconditioner(objective, coefs, weights, step=max(1, design.n // n_rows))


class BlockPreconditioner:
    """The Hessian of each class, from every ``step``-th row, factorised."""

    def __init__(
        self, objective: Objective, coefs: NDArray[np.float64], weights: NDArray[np.float32], step: int
    ) -> None:
        self._jitter = JITTER[objective.precision]
        self._penalty = objective.design.penalty
        self._curvature = np.zeros((*coefs.shape, coefs.shape[1]))
        for rows, spread in objective.spreads(coefs, weights, step):
            for total, weight in zip(self._curvature, spread, strict=True):
                scaled = rows * np.sqrt(weight)[:, None]
                total += upper_products(scaled)

    def set_l2(self, l2: float) -> None:
        """Factorise the Hessians, scaled to a diagonal of ones."""
        self._factors, self.reliable = [], True
        for curvature in self._curvature:
            diagonal = np.diagonal(curvature) + l2 * self._penalty
            scale = 1 / np.sqrt(np.maximum(diagonal, np.finfo(np.float64).tiny))
            hessian = curvature * scale * scale[:, None]
            factor, reliable = _factorise(hessian, self._jitter)
            self._factors.append((factor, scale))
            self.reliable &= reliable

    def solve(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`."""
        step = np.empty_like(gradient)
        for column, (factor, scale) in enumerate(self._factors):
            solved = linalg.cho_solve((factor, False), (gradient[:, column] * scale).T, check_finite=False)
            step[:, column] = solved.T * scale
        return step

    def length(self, coefs: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`."""
        total = np.zeros(len(coefs))
        for column, (factor, scale) in enumerate(self._factors):
            total += np.square((coefs[:, column] / scale) @ factor.T).sum(axis=1)
        return np.sqrt(total)


def _factorise(hessian: NDArray[np.float64], jitter: float) -> tuple[NDArray[np.float64], bool]:
    """The upper Cholesky factor of what rounding may have left indefinite, and whether it is reliable."""
    added = jitter
    while True:
        np.fill_diagonal(hessian, 1 + added)
        try:
            factor: NDArray[np.float64] = linalg.cholesky(hessian, check_finite=False)
            return factor, bool(np.diagonal(factor).min() ** 2 > 10 * added)
        except linalg.LinAlgError:
            if added > 1:
                raise
            added *= 10


class SpectralPreconditioner:
    """The Hessian of each class as a diagonal and its mean row, in the eigenbasis of the covariance.

    Rows x that weigh v = p (1 − p) in a class have Σ v x xᵀ = their scatter about their mean + v̄ m mᵀ. The
    scatter is taken to have the eigenvectors of all rows' covariance; the mean, which ties the weights to
    the intercept, is exact. It needs n_columns · dim numbers, where the Hessians need dim times as many.
    """

    reliable = True

    def __init__(
        self, objective: Objective, coefs: NDArray[np.float64], weights: NDArray[np.float32]
    ) -> None:
        self._basis, self._inverse_basis = objective.eigenbasis(weights)
        self._unit = objective.design.standardiser.scale.max()
        rotation = self._basis.astype(objective.precision)
        self._mass = np.zeros(len(coefs))
        self._sums = np.zeros((len(coefs), len(rotation)))
        squares = np.zeros_like(self._sums)
        for rows, spread in objective.spreads(coefs, weights, 1):
            rotated = rows[:, :-1] @ rotation
            self._mass += spread.sum(axis=1)
            self._sums += spread @ rotated
            squares += spread @ rotated**2
        self._mass = np.maximum(self._mass, np.finfo(np.float32).tiny)
        self._means = self._sums / self._mass[:, None]
        # What rounding may have left of it where nearly all weight is on one row.
        self._scatter = np.maximum(squares - self._sums * self._means, 1e-3 * squares)

    def set_l2(self, l2: float) -> None:
        """In this basis the penalty is the same for every coefficient."""
        self._diagonal = self._scatter + l2 / self._unit**2

    def solve(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`; the intercepts are eliminated."""
        by_weight, by_intercept = gradient[..., :-1] @ self._basis, gradient[..., -1]
        weights = (by_weight - self._means * by_intercept[..., None]) / self._diagonal
        intercepts = (by_intercept - (self._sums * weights).sum(axis=-1)) / self._mass
        return np.concatenate([weights @ self._basis.T, intercepts[..., None]], axis=-1)

    def length(self, coefs: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`."""
        weights = coefs[..., :-1] @ self._inverse_basis
        shifted = coefs[..., -1] + (self._means * weights).sum(axis=-1)
        squares: NDArray[np.float64] = (self._diagonal * weights**2).sum(axis=(1, 2)) + (
            self._mass * shifted**2
        ).sum(axis=1)
        return np.sqrt(squares)
