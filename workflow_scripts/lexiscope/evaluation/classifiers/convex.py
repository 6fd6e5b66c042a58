"""The exact optimum of regularised logistic regression, for many subsets and regularisers at once.

The problems of cross-validation differ little from each other: for every regulariser, from the largest to
the smallest, one problem over the rows of all subsets is solved first. Its Hessian is then the
preconditioner, and its optimum the start, for the fits of all subsets, whose iterations are two products of
the data with all their coefficients. Three to ten iterations do. A Hessian that hardly changes from one
regulariser to the next is kept.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.fits import Classifier, Fits
from lexiscope.evaluation.classifiers.objective import (
    BLOCK_CELLS,
    Design,
    Objective,
    Standardiser,
    centre_classes,
)
from lexiscope.evaluation.classifiers.preconditioner import Preconditioner, build_preconditioner
from lexiscope.evaluation.classifiers.search import MEMORY, Minimum, minimise

TOLERANCE = 1e-5
"""Bound on √(gᵀ P⁻¹ g) / √(wᵀ P w), of the gradient g and approximate Hessian P at coefficients w.

It is about the relative error of w in the norm of the Hessian, whatever the scale of the features: that of
the logits over the rows, each weighted by p (1 − p), and of the weights under the penalty. The numerator is
never allowed more than 1e-5 either: the mean cross-entropy is about 5e-11 from its minimum then."""

TOLERANCE_FLOOR = 1e-12
"""For the numerator: features that say nothing have w = 0."""

START_TOLERANCE = 1e-2
"""The same for the problem of all subsets together: their optima differ by more."""

MAX_START_DECREMENT = 1e-2
"""And of its numerator."""

MAX_EVALUATIONS = 40
"""Gradients of a fit with the shared preconditioner."""

ROUND_EVALUATIONS = 12
"""Gradients until a fit's own preconditioner is built anew; twice as many in every further round."""

MAX_ROUNDS = 9

ABSENT_LOGIT = -1e6
"""Its exponential is zero beside that of any other class."""

WORKING_BYTES = 150_000_000
"""What the fits that are iterated together may take."""

logger = logging.getLogger("lexiscope")


@dataclass
class OptimalFits:
    """Linear classifiers at their optimum.

    Attributes
    ----------
    valid_accuracy
        See `Fitted`.
    weights, intercepts
        float64, (n_fits, n_columns, d) and (n_fits, n_columns), for features as given: of the log-odds of
        class 1 with two classes, else of each class. An infinite intercept: a class without training rows.
    decrement
        (n_fits,): what `TOLERANCE` bounds, where each fit ended.
    """

    valid_accuracy: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    decrement: NDArray[np.float64]
    _standardiser: Standardiser
    _coefs: NDArray[np.float32]

    def predict(
        self, features: NDArray[np.float32], which: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Class of each row by each fit (or each of ``which``): (n, d) -> (n_fits, n)."""
        coefs = self._coefs if which is None else self._coefs[which]
        return _predict(self._standardiser, coefs, features)


def _predict(
    standardiser: Standardiser, coefs: NDArray[np.float32], features: NDArray[np.float32]
) -> NDArray[np.int64]:
    n_fits, n_columns, dim = coefs.shape
    classes = np.empty((n_fits, len(features)), dtype=np.int64)
    size = max(BLOCK_CELLS // max(n_fits * n_columns, 1), 128)
    for start in range(0, len(features), size):
        rows = standardiser.apply(features[start : start + size])
        if not np.isfinite(rows).all():
            raise LexiscopeError("sentence vectors hold infinite, undefined or far too large numbers")
        logits = (coefs.reshape(-1, dim) @ rows.T).reshape(n_fits, n_columns, -1)
        classes[:, start : start + size] = logits[:, 0] > 0 if n_columns == 1 else logits.argmax(axis=1)
    return classes


class ConvexClassifier:
    """Fits every subset to the minimum of its mean cross-entropy + l2/2 · ‖W‖²; the intercept is free.

    With C > 2 classes it is the multinomial model; with two, that of one column of coefficients. The result
    does not depend on the seed, and validation rows only give the accuracy.

    A class without rows in a subset is never predicted by its fit: the limit that its intercept tends to.

    Raises
    ------
    LexiscopeError
        If a subset is empty, features are not finite, or a fit has not come within `TOLERANCE` of its
        optimum after `MAX_ROUNDS` preconditioners of its own.
    """

    holds_out_for_refit: bool = False

    def __call__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        n_classes: int,
        fits: Fits,
        *,
        config: ClassifierConfig,  # noqa: ARG002
        seed: int,  # noqa: ARG002
    ) -> OptimalFits:
        """Make all fits: see `Classifier`."""
        solver = _Solver(features, labels, n_classes, fits)
        solver.solve()
        standardiser = solver.design.standardiser
        weights, intercepts = standardiser.unscale(solver.coefs)
        coefs = solver.coefs.astype(np.float32)
        logger.info(
            "%d fits within %.1e of their optimum (%.1e asked for)",
            len(fits),
            solver.decrement.max(initial=0.0),
            TOLERANCE,
        )
        return OptimalFits(
            valid_accuracy=_valid_accuracy(standardiser, coefs, features, labels, fits),
            weights=weights,
            intercepts=intercepts,
            decrement=solver.decrement,
            _standardiser=standardiser,
            _coefs=coefs,
        )


solve_convex: Classifier = ConvexClassifier()


def _valid_accuracy(
    standardiser: Standardiser,
    coefs: NDArray[np.float32],
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    fits: Fits,
) -> NDArray[np.float64]:
    rows = np.flatnonzero(fits.valid[np.unique(fits.subset_of)].any(axis=0))
    right, total = np.zeros(len(fits)), np.zeros(len(fits))
    size = max(BLOCK_CELLS // max(len(fits), 1), 128)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        valid = fits.valid[:, block][fits.subset_of]
        right += ((_predict(standardiser, coefs, features[block]) == labels[block]) & valid).sum(axis=1)
        total += valid.sum(axis=1)
    accuracy = np.full(len(fits), np.nan)
    np.divide(right, total, out=accuracy, where=total > 0)
    return accuracy


class _Problems:
    """The problems of several fits: rows' weights (n_fits, n), and the classes absent from each."""

    def __init__(
        self, objective: Objective, weights: NDArray[np.float32], absent: NDArray[np.bool_]
    ) -> None:
        self.objective, self.weights, self.absent = objective, weights, absent

    def select(self, which: NDArray[np.int64], objective: Objective) -> _Problems:
        return _Problems(objective, self.weights[which], self.absent[which])

    def search(
        self,
        start: NDArray[np.float64],
        l2: float,
        shared: Preconditioner,
        tolerance: NDArray[np.float64],
        max_evaluations: int,
    ) -> Minimum:
        """Iterate all with one preconditioner."""
        return minimise(
            lambda at, which: self.objective.gradient(at, self.weights[which], l2, self.absent[which]),
            shared,
            lambda at, which: centre_classes(at, self.absent[which]),
            centre_classes(start, self.absent),
            tolerance=tolerance,
            max_evaluations=max_evaluations,
            precision=self.objective.precision,
        )

    def tolerance(self, coefs: NDArray[np.float64], shared: Preconditioner) -> NDArray[np.float64]:
        """`TOLERANCE` as it is for each fit, from where it is near."""
        return np.clip(TOLERANCE * shared.length(coefs), TOLERANCE_FLOOR, TOLERANCE)

    def intercepts(self) -> NDArray[np.float64]:
        """The optimum without features, (n_fits, n_columns, dim): log-shares of the classes."""
        objective = self.objective
        of_class = [self.weights[:, objective.labels == label] for label in range(objective.n_classes)]
        shares = np.stack([some.sum(axis=1, dtype=np.float64) for some in of_class], axis=1)
        logits = np.log(np.where(self.absent, 1.0, shares))
        coefs = np.zeros((len(shares), *objective.shape))
        coefs[..., -1] = logits if objective.n_columns > 1 else logits[:, 1:] - logits[:, :1]
        return coefs

    def precondition(self, coefs: NDArray[np.float64], l2: float, n_fits: int) -> Preconditioner:
        """The curvature of the first problem at its coefficients (1, n_columns, dim)."""
        built = build_preconditioner(self.objective, self._of_first(coefs), self.weights[0], n_fits)
        built.set_l2(l2)
        return built

    def suits(self, shared: Preconditioner, coefs: NDArray[np.float64]) -> bool:
        """Whether a preconditioner is near the curvature of the first problem at its coefficients."""
        return shared.suits(self.objective, self._of_first(coefs), self.weights[0])

    def _of_first(self, coefs: NDArray[np.float64]) -> NDArray[np.float64]:
        first: NDArray[np.float64] = coefs[0].copy()
        if len(first) > 1:
            first[self.absent[0], -1] = ABSENT_LOGIT
        return first


class _Solver:
    """The fits of one call: ``coefs`` (n_fits, n_columns, dim) for the rows of ``design``."""

    def __init__(
        self, features: NDArray[np.float32], labels: NDArray[np.int64], n_classes: int, fits: Fits
    ) -> None:
        self._l2 = fits.l2
        subsets, self._subset_of = np.unique(fits.subset_of, return_inverse=True)
        train = fits.train[subsets]
        if not train.any(axis=1).all():
            raise LexiscopeError("a classifier has no example to be trained on")
        rows = np.flatnonzero(train.any(axis=0))
        self.design = Design(features, rows)
        self._objective = Objective(self.design, labels[rows], n_classes)
        self._train = train[:, rows]
        present = [self._train[:, labels[rows] == label].any(axis=1) for label in range(n_classes)]
        self._absent = ~np.stack(present, axis=1)
        self.coefs = np.zeros((len(fits), *self._objective.shape))
        self.decrement = np.zeros(len(fits))

    def solve(self) -> None:
        """Make all fits, from the largest regulariser to the smallest."""
        pending = self._settle_single_classes()
        subsets = np.unique(self._subset_of[pending])
        if not len(subsets):
            return
        weights = self._problems(subsets).weights.mean(axis=0, keepdims=True)
        together = _Problems(self._objective, weights, np.logical_and.reduce(self._absent[subsets])[None])
        optimum = together.intercepts()
        offsets = np.zeros((len(self._train), *self._objective.shape))
        shared: Preconditioner | None = None
        for l2 in np.unique(self._l2[pending])[::-1].tolist():
            together = together.select(np.array([0]), self._objective)
            fits = pending[self._l2[pending] == l2]
            optimum, shared = self._solve_together(together, optimum, l2, shared, len(fits))
            for block in self._blocks(fits):
                of = self._subset_of[block]
                # What set a subset's optimum apart at the last regulariser mostly does so at this one.
                self._solve_block(block, optimum + offsets[of], l2, shared)
                offsets[of] = self.coefs[block] - optimum
        if self._objective.n_columns > 1:
            self.coefs[..., -1][self._absent[self._subset_of]] = -np.inf

    def _settle_single_classes(self) -> NDArray[np.int64]:
        """Two classes of which one is absent: nothing to solve. The fits that are left."""
        if self._objective.n_columns > 1:
            return np.arange(len(self._l2))
        absent = self._absent[self._subset_of]
        self.coefs[absent[:, 0], 0, -1] = np.inf
        self.coefs[absent[:, 1], 0, -1] = -np.inf
        return np.flatnonzero(~absent.any(axis=1))

    def _problems(self, subsets: NDArray[np.int64]) -> _Problems:
        train = self._train[subsets]
        weights = train.astype(np.float32) / train.sum(axis=1, keepdims=True).astype(np.float32)
        return _Problems(self._objective, weights, self._absent[subsets])

    def _blocks(self, of: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        each = 4 * (3 * MEMORY + 16) * self.coefs[0].size + 4 * self.design.n
        return np.array_split(of, min(len(of), -(-len(of) * each // WORKING_BYTES)))

    def _solve_together(
        self,
        together: _Problems,
        start: NDArray[np.float64],
        l2: float,
        shared: Preconditioner | None,
        n_fits: int,
    ) -> tuple[NDArray[np.float64], Preconditioner]:
        """The problem of all subsets, roughly, and its curvature there."""
        coefs = start
        if shared is None:
            shared = together.precondition(coefs, l2, n_fits)
        else:
            shared.set_l2(l2)
        tolerance = np.full(1, MAX_START_DECREMENT)
        for _ in range(MAX_ROUNDS):
            found = together.search(coefs, l2, shared, tolerance, ROUND_EVALUATIONS)
            coefs = found.coefs
            if not together.suits(shared, coefs):
                shared = together.precondition(coefs, l2, n_fits)
            if not shared.reliable and self._objective.precision == np.float32:
                self._objective = self._objective.doubled()
                together = together.select(np.array([0]), self._objective)
                shared = together.precondition(coefs, l2, n_fits)
            # In the new norm, which is smaller by much where the rows turned out to be separable.
            tolerance = np.minimum(START_TOLERANCE * shared.length(coefs), MAX_START_DECREMENT)
            if found.decrement[0] <= tolerance[0]:
                break
        return coefs, shared

    def _solve_block(
        self,
        fits: NDArray[np.int64],
        start: NDArray[np.float64],
        l2: float,
        shared: Preconditioner,
    ) -> None:
        """All fits to `TOLERANCE`; those that have not come so far together go on alone."""
        problems = self._problems(self._subset_of[fits])
        tolerance = problems.tolerance(start, shared)
        found = problems.search(start, l2, shared, tolerance, MAX_EVALUATIONS)
        self.coefs[fits] = found.coefs
        self.decrement[fits] = found.decrement / tolerance * TOLERANCE
        unfinished = (
            ~(found.decrement <= tolerance) if shared.reliable else np.ones(len(fits), dtype=np.bool_)
        )
        for one in np.flatnonzero(unfinished):
            self._solve_alone(problems.select(np.array([one]), self._objective), fits[one], l2)

    def _solve_alone(self, problem: _Problems, fit: np.int64, l2: float) -> None:
        """A fit that the shared preconditioner does not suit, with its own."""
        coefs, best, ratio = self.coefs[[fit]], np.inf, np.inf
        for number in range(MAX_ROUNDS):
            own = problem.precondition(coefs, l2, n_fits=1)
            is_double = problem.objective.precision == np.float64
            if own.reliable:
                tolerance = problem.tolerance(coefs, own)
                found = problem.search(coefs, l2, own, tolerance, ROUND_EVALUATIONS << number)
                coefs, ratio = found.coefs, float(found.decrement[0] / tolerance[0])
                if ratio <= 1:
                    self.coefs[fit], self.decrement[fit] = coefs[0], ratio * TOLERANCE
                    return
            elif is_double:
                break
            if not is_double and (ratio > best / 2 or not own.reliable):
                problem = problem.select(np.array([0]), problem.objective.doubled())
            best = min(best, ratio)
        raise LexiscopeError(
            f"the classifier with l2 = {l2:g} cannot be brought to its optimum: sentence vectors are too "
            "long, or nearly the same in many directions, for so small a regulariser",
            remedy="scale the vectors to a length of about 1, or give a larger l2",
        )
