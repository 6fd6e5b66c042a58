"""Minimise many convex functions at once by preconditioned L-BFGS.

Every function has its own steps and memory; an iteration evaluates the gradients of all that are not done,
in one call. Only gradients are used: along a line, the slope of a convex function tells on which side its
minimum lies, and unlike its value keeps its digits near the optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.classifiers.objective import Precision
from lexiscope.evaluation.classifiers.preconditioner import Preconditioner

MEMORY = 8
"""Pairs of steps and gradient differences kept."""

Gradient = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]
"""From points (n_active, n_columns, dim) and which functions they belong to, to gradients."""


@dataclass(frozen=True)
class Minimum:
    """Where a search ended.

    Attributes
    ----------
    coefs
        (n_fits, n_columns, dim).
    decrement
        (n_fits,): √(gᵀ P⁻¹ g) of gradient g and preconditioner P, which is scaled down to the curvature of
        the last step if it exceeds that: half its square is about what the function is above its minimum.
    """

    coefs: NDArray[np.float64]
    decrement: NDArray[np.float64]


class _Memory:
    """The last pairs of each function, as stacks (n_active, n_parameters) of numbers of one precision.

    Attributes
    ----------
    gamma
        (n_active,), or (1,) of no steps: by how much the preconditioner exceeds the curvature that the last
        step met.
    """

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self._pairs: list[tuple[NDArray[Any], ...]] = []
        self.gamma = np.ones(1)

    def add(
        self,
        step: NDArray[np.float64],
        change: NDArray[np.float64],
        solved: NDArray[np.float64],
        taken: NDArray[np.bool_],
    ) -> None:
        """Remember ``step``, the ``change`` of the gradient and P⁻¹ of it, where the step was ``taken``."""
        curvature = _dot(step, change)
        usable = taken & (curvature > 0)
        inverse = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=usable)
        ratio = curvature / np.maximum(_dot(change, solved), np.finfo(np.float64).tiny)
        self.gamma = np.where(usable, ratio, self.gamma)
        kept = (part.astype(self._precision) for part in (step, change, solved))
        self._pairs = [*self._pairs[-MEMORY + 1 :], (*kept, inverse)]

    def keep(self, which: NDArray[np.bool_]) -> None:
        self._pairs = [tuple(part[which] for part in pair) for pair in self._pairs]
        if len(self.gamma) > 1:
            self.gamma = self.gamma[which]

    def direction(self, gradient: NDArray[np.float64], solved: NDArray[np.float64]) -> NDArray[np.float64]:
        """The quasi-Newton step, by the two-loop recursion.

        P⁻¹ is linear, and known of the gradient and of every change, so it need not be applied again.
        """
        inner, result, shares = gradient.copy(), solved.copy(), []
        for step, change, of_change, inverse in reversed(self._pairs):
            share = (inverse * _dot(step, inner))[:, None]
            inner -= share * change
            result -= share * of_change
            shares.append(share)
        # Shorter where the curvature exceeds P, but no longer: the next step may not meet so little of it.
        result *= np.minimum(self.gamma, 1.0)[:, None]
        for (step, change, _, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            result += (share - (inverse * _dot(change, result))[:, None]) * step
        return -result


def minimise(
    gradient: Gradient,
    preconditioner: Preconditioner,
    project: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]],
    start: NDArray[np.float64],
    *,
    tolerance: NDArray[np.float64],
    max_evaluations: int,
    precision: Precision,
) -> Minimum:
    """Search from ``start`` until each decrement is within its tolerance, or evaluations run out.

    Parameters
    ----------
    gradient
        Of the functions.
    preconditioner
        Shared by all.
    project
        Onto the subspace in which each function is minimised, where its gradients lie too.
    start
        (n_fits, n_columns, dim).
    tolerance
        (n_fits,).
    max_evaluations
        Gradients of each function.
    precision
        In which the memory of past steps is kept.
    """
    found, decrement = start.copy(), np.full(len(start), np.inf)
    active = np.arange(len(start))
    shape = start.shape[1:]

    def evaluate(at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Rounding leaves the subspace; then the decrement could even come out negative.
        slopes = project(gradient(at.reshape(-1, *shape), active), active)
        solved = project(preconditioner.solve(slopes), active)
        return slopes.reshape(len(at), -1), solved.reshape(len(at), -1)

    point = start.reshape(len(start), -1)
    slopes, solved = evaluate(point)
    memory, direction, length = _Memory(precision), -solved, np.ones(len(point))
    for evaluation in range(1, max_evaluations + 1):
        with np.errstate(invalid="ignore"):
            size = np.sqrt(_dot(slopes, solved) * np.maximum(memory.gamma, 1.0))
        better = size < decrement[active]
        found.reshape(len(start), -1)[active[better]] = point[better]
        decrement[active[better]] = size[better]
        going = ~(size <= tolerance[active])
        if evaluation == max_evaluations or not going.any():
            break
        if not going.all():
            active, point, slopes, solved = active[going], point[going], slopes[going], solved[going]
            direction, length = direction[going], length[going]
            memory.keep(going)
        step = length[:, None] * direction
        ahead, ahead_solved = evaluate(point + step)
        slope, slope_ahead = _dot(slopes, direction), _dot(ahead, direction)
        # Not so far beyond the minimum that it goes up more than half as steeply as it went down.
        taken = slope_ahead <= -0.5 * slope
        moved = taken[:, None]
        memory.add(
            step * moved,
            np.where(moved, ahead - slopes, 0.0),
            np.where(moved, ahead_solved - solved, 0.0),
            taken,
        )
        point = np.where(moved, point + step, point)
        slopes, solved = np.where(moved, ahead, slopes), np.where(moved, ahead_solved, solved)
        turned = memory.direction(slopes, solved)
        downhill = _dot(turned, slopes) < 0
        direction = np.where(moved, np.where(downhill[:, None], turned, -solved), direction)
        with np.errstate(all="ignore"):
            shorter = np.nan_to_num(slope / (slope - slope_ahead), nan=0.1)
        length = np.where(taken, 1.0, length * np.clip(shorter, 0.1, 0.5))
    return Minimum(found, decrement)


def _dot(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.einsum("fp,fp->f", first, second, dtype=np.float64)
    return products
