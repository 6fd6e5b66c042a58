"""Approximate inverse Hessians: each class's own block, exactly or by its leading structure.

What couples the classes is left out; the search that uses them makes up for it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import lapack

from lexiscope.evaluation.classifiers.objective import Objective, add_upper_products

MAX_BLOCK_CELLS = 1 << 24
"""Up to so many numbers (64 MB in single precision) every class has its own Hessian."""

JITTER = {np.float32: 1e-6, np.float64: 1e-12}
"""Added to Hessians with a diagonal of ones: what rounding in the products of the rows may cost."""

MAX_CHANGE = 0.8
"""Of what the rows weigh in a Hessian, in the share that has not changed. To build one costs as much as ten
or twenty gradients; with older curvature the searches take a few more."""

SMALLEST_DIAGONAL = {np.float32: 1e-36, np.float64: np.finfo(np.float64).tiny}
"""Of a Hessian; the products of two scales are finite."""


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

    def suits(self, objective: Objective, coefs: NDArray[np.float64], weights: NDArray[np.float32]) -> bool:
        """Whether the curvature at these coefficients is still so near that another need not be built."""
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
        self._precision, self._step = objective.precision, step
        self._penalty = objective.design.penalty
        n_columns, dim = coefs.shape
        # In Fortran's order, so that BLAS and LAPACK work in place.
        self._curvature = [np.zeros((dim, dim), self._precision, order="F") for _ in range(n_columns)]
        # With intercepts alone, the classes' Hessians are multiples of one.
        alike = not coefs[:, :-1].any()
        spreads, squares = [], []
        for rows, spread in objective.spreads(coefs, weights, step):
            each = spread.sum(axis=0, keepdims=True) if alike else spread
            for total, weight in zip(self._curvature, each, strict=False):
                add_upper_products(total, rows * np.sqrt(weight)[:, None])
            spreads.append(spread)
            squares.append(np.einsum("nd,nd->n", rows, rows))
        self._spread = np.concatenate(spreads, axis=1)
        self._squares = np.concatenate(squares).astype(np.float64)
        if alike:
            shares = self._spread.sum(axis=1) / max(self._spread.sum(), np.finfo(np.float32).tiny)
            for total, share in zip(self._curvature[::-1], shares[::-1], strict=True):
                np.multiply(self._curvature[0], share, out=total)

    def suits(self, objective: Objective, coefs: NDArray[np.float64], weights: NDArray[np.float32]) -> bool:
        """See `Preconditioner`: what rows weigh has changed by less than `MAX_CHANGE`.

        Each row counts as one, as its squared length, and as the square of that: a few rows far from all
        others may be nearly all there is in some direction.
        """
        if objective.precision != self._precision:
            return False
        spreads = [spread for _, spread in objective.spreads(coefs, weights, self._step)]
        spread = np.concatenate(spreads, axis=1)
        counts = self._squares[:, None] ** np.arange(3)
        change = np.abs(spread - self._spread) @ counts
        both = np.minimum(spread, self._spread) @ counts
        return bool((change <= MAX_CHANGE * both).all())

    def set_l2(self, l2: float) -> None:
        """Factorise the Hessians, scaled to a diagonal of ones."""
        self._factors, self.reliable = [], True
        for curvature in self._curvature:
            diagonal = np.diagonal(curvature) + l2 * self._penalty
            scale = 1 / np.sqrt(np.maximum(diagonal, SMALLEST_DIAGONAL[self._precision]))
            factor, reliable = _factorise(curvature, scale.astype(self._precision))
            self._factors.append((factor, scale))
            self.reliable &= reliable

    def solve(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`."""
        step = np.empty_like(gradient)
        for column, (factor, scale) in enumerate(self._factors):
            scaled = (gradient[:, column] * scale).astype(self._precision)
            solved = linalg.cho_solve((factor, False), scaled.T, overwrite_b=True, check_finite=False)
            step[:, column] = solved.T * scale
        return step

    def length(self, coefs: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Preconditioner`."""
        total = np.zeros(len(coefs))
        for column, (factor, scale) in enumerate(self._factors):
            total += np.square((coefs[:, column] / scale) @ factor.T).sum(axis=1)
        return np.sqrt(total)


def _factorise(curvature: NDArray[Any], scale: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """The upper Cholesky factor of a scaled Hessian, and whether it is reliable.

    The Hessian's diagonal, scaled, is 1; its upper half is ``curvature``'s, which rounding may have left
    indefinite.
    """
    potrf = lapack.spotrf if curvature.dtype == np.float32 else lapack.dpotrf
    added = JITTER[curvature.dtype.type]
    while True:
        hessian = curvature * scale
        hessian *= scale[:, None]
        np.fill_diagonal(hessian, 1 + added)
        factor, failed = potrf(hessian, lower=False, clean=True, overwrite_a=True)
        if not failed:
            return factor, bool(np.diagonal(factor).min() ** 2 > 10 * added)
        if added > 1:
            raise linalg.LinAlgError("a Hessian is not finite")
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

    def suits(
        self,
        objective: Objective,  # noqa: ARG002
        coefs: NDArray[np.float64],  # noqa: ARG002
        weights: NDArray[np.float32],  # noqa: ARG002
    ) -> bool:
        """Never: it is worse from the start, and with many classes there is no room for what rows weigh."""
        return False

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
