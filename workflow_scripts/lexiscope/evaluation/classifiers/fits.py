"""What is fitted, and what comes out: many classifiers on subsets of one data matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.classifiers.config import ClassifierConfig


@dataclass(frozen=True)
class Fits:
    """The fits to make on one data matrix of n rows.

    Attributes
    ----------
    train, valid
        Boolean, (n_subsets, n): the rows each subset is trained on, and those its accuracy is taken on
        (for early stopping, and for the choice of the regulariser).
    subset_of
        int, (n_fits,): the subset of each fit.
    l2
        (n_fits,): the regulariser of each fit.
    """

    train: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    subset_of: NDArray[np.int64]
    l2: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.subset_of)


class Fitted(Protocol):
    """Trained classifiers."""

    valid_accuracy: NDArray[np.float64]
    """(n_fits,): share of the validation rows that each got right; NaN for a fit without such rows."""

    def predict(
        self, features: NDArray[np.float32], which: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Class of each row by each fit (or each of ``which``): (n, d) -> (n_fits, n)."""
        ...


class Classifier(Protocol):
    """A way to make many fits."""

    holds_out_for_refit: bool
    """Whether the final fit needs validation rows of its own (SentEval holds out a random 5 %)."""

    def __call__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        n_classes: int,
        fits: Fits,
        *,
        config: ClassifierConfig,
        seed: int,
    ) -> Fitted:
        """Make all fits: (n, d) float32 features, (n,) labels in 0 … n_classes − 1."""
        ...
