"""SentEval's classifiers, trained by Adam or RMSprop with early stopping: all fits in one pass.

Every fit has a block of rows in one weight matrix. They share the order of the examples; a fit's gradient
leaves out the examples that are not its own, so a step takes one product with all weights, where SentEval
makes a step for each fit. Batches are so large that each fit sees ``batch_size`` examples of its own on
average (SentEval: exactly). Fits drop out as they stop.

They all start from SentEval's weights for the seed, which are the same for each of its fits, and the order
of the examples is SentEval's for the seed: with a single subset, and without dropout, its training is
replayed but for rounding.

With two classes SentEval learns a weight vector for each. Their gradients are each other's negative, and
weight decay soon takes away what the two have in common, which decides nothing: here W1 = −W0 throughout,
and one vector is learnt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lexiscope.evaluation.classifiers import kernels
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.fits import Fits
from lexiscope.evaluation.classifiers.kernels import Data, Layer, Rule
from lexiscope.progress import Progress

Floats = NDArray[np.float32]

MAX_PARAMETERS = 2**24
"""Of fits trained together; memory is 20 bytes for each."""
HELD_OUT = 0.05
"""Share of its rows that a final fit is stopped by."""
PREDICTED_ROWS = 4096
"""Rows classified at a time."""


class _Optimizer(NamedTuple):
    """PyTorch's defaults, which SentEval uses."""

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    corrected: bool


OPTIMIZERS = {
    "adam": _Optimizer(1e-3, 0.9, 0.999, 1e-8, corrected=True),
    "rmsprop": _Optimizer(1e-2, 0.0, 0.99, 1e-8, corrected=False),
}


@dataclass
class Networks:
    """Trained classifiers.

    Attributes
    ----------
    layers
        Weights of the layers, (n_fits, n_outputs, n_inputs + 1) each, the bias last: one layer for a
        logistic regression, two with hidden units. With two classes the last has one output, half the
        difference of the two logits.
    valid_accuracy
        (n_fits,): share of the validation rows that each got right.
    """

    layers: tuple[Floats, ...]
    valid_accuracy: NDArray[np.float64]

    def predict(
        self, features: NDArray[np.float32], which: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Class of each row by each fit (or each of ``which``): (n, d) -> (n_fits, n)."""
        fits = np.arange(len(self.valid_accuracy)) if which is None else which
        classes = np.empty((len(fits), len(features)), dtype=np.int64)
        for start in range(0, len(features), PREDICTED_ROWS):
            block = slice(start, start + PREDICTED_ROWS)
            for position, fit in enumerate(fits):
                classes[position, block] = _classify([layer[fit] for layer in self.layers], features[block])
        return classes


def _classify(layers: list[Floats], features: Floats) -> NDArray[np.int64]:
    """Class of each row by one fit."""
    values = features
    for number, layer in enumerate(layers):
        if number:
            # tanh does not overflow as exp does.
            values = 0.5 + 0.5 * np.tanh(0.5 * values)
        values = values @ layer[:, :-1].T + layer[:, -1]
    classes = values[:, 0] > 0 if values.shape[1] == 1 else values.argmax(axis=1)
    return classes.astype(np.int64)


class EarlyStoppedTraining:
    """`lexiscope.evaluation.classifiers.fits.Classifier` for ``adam`` and ``rmsprop``."""

    holds_out_for_refit = True

    def __call__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        n_classes: int,
        fits: Fits,
        *,
        config: ClassifierConfig,
        seed: int,
    ) -> Networks:
        """Make all fits: (n, d) float32 features, (n,) labels in 0 … n_classes − 1.

        A fit stops after ``tenacity`` + 1 rounds, in all, that did not better its validation accuracy; the
        weights of its best round are kept.

        Raises
        ------
        ValueError
            If a fit has no row to train on, or none to validate on, or a label is not a class.
        """
        if not fits.train.sum(axis=1)[fits.subset_of].all():
            raise ValueError("a fit has no training row")
        if not fits.valid.sum(axis=1)[fits.subset_of].all():
            raise ValueError("a fit has no validation row, without which it cannot stop")
        rows = np.flatnonzero(fits.train.sum(axis=0))
        start = initial_weights(features.shape[1], n_classes, config, seed)
        best = _no_networks(start, len(fits))
        together = max(1, MAX_PARAMETERS // sum(layer.size for layer in start))
        # The fits of a subset stand side by side, as the validation takes them.
        order = np.argsort(fits.subset_of, kind="stable")
        # The products of a batch are so small that a second thread gains nothing; where the cores are busy,
        # waiting for it takes twenty times as long as the work.
        with (
            threadpool_limits(limits=1, user_api="blas"),
            Progress(f"training {len(fits)} classifiers", total=len(fits), unit="fit") as progress,
        ):
            for begin in range(0, len(fits), together):
                chosen = order[begin : begin + together]
                run = _Run(features, labels, n_classes, fits, chosen, start, config, seed)
                run.train(best, rows, np.random.RandomState(seed), progress)
        return best


train_early_stopped = EarlyStoppedTraining()


def refit(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    part: NDArray[np.bool_],
    l2: float,
    *,
    config: ClassifierConfig,
    seed: int,
) -> Networks:
    """Make a final fit on the rows of ``part``, (n,), of which a random 5 % serve to stop it.

    They are SentEval's for the seed, as is the order of the rest. Of fewer than 20 rows they would be
    none; there one is held out.

    Raises
    ------
    ValueError
        If ``part`` has fewer than two rows.
    """
    random = np.random.RandomState(seed)
    rows = random.permutation(np.flatnonzero(part))
    if len(rows) < 2:
        raise ValueError("nothing can be held out of fewer than two rows")
    n_held_out = max(1, int(HELD_OUT * len(rows)))
    masks = np.zeros((2, 1, len(part)), dtype=np.bool_)
    masks[0, 0, rows[n_held_out:]] = True
    masks[1, 0, rows[:n_held_out]] = True
    fits = Fits(masks[0], masks[1], np.zeros(1, dtype=np.int64), np.array([l2]))
    start = initial_weights(features.shape[1], n_classes, config, seed)
    best = _no_networks(start, 1)
    run = _Run(features, labels, n_classes, fits, np.zeros(1, dtype=np.int64), start, config, seed)
    run.train(best, rows[n_held_out:], random)
    return best


def initial_weights(
    n_features: int, n_classes: int, config: ClassifierConfig, seed: int
) -> tuple[Floats, ...]:
    """The weights from which every fit starts: for each layer (n_outputs, n_inputs + 1), the bias last.

    They are those of PyTorch's ``Linear`` layers made after ``torch.manual_seed(seed)``, uniform in
    ±1 / √n_inputs; with two classes, half the difference of the two rows.
    """
    random = np.random.RandomState(seed)

    def draw(n_outputs: int, n_inputs: int) -> Floats:
        bound = np.float32(1 / math.sqrt(n_inputs))
        # PyTorch makes a float32 of the low 24 bits of each number of the same generator.
        bits = random.randint(2**32, size=n_outputs * (n_inputs + 1), dtype=np.uint32) & np.uint32(
            2**24 - 1
        )
        uniform = bits.astype(np.float32) * np.float32(2.0**-24) * (2 * bound) - bound
        split = n_outputs * n_inputs
        return np.column_stack([uniform[:split].reshape(n_outputs, n_inputs), uniform[split:]])

    layers = [draw(config.n_hidden, n_features)] if config.n_hidden else []
    last = draw(n_classes, config.n_hidden or n_features)
    if n_classes == 2:
        last = (last[1:] - last[:1]) / np.float32(2)
    return (*layers, last)


def _no_networks(start: tuple[Floats, ...], n_fits: int) -> Networks:
    """Room for the best weights of each fit, none of them found yet."""
    layers = tuple(np.empty((n_fits, *layer.shape), dtype=np.float32) for layer in start)
    return Networks(layers, np.full(n_fits, -1.0))


class _Run:
    """Fits in training together."""

    def __init__(
        self,
        features: Floats,
        labels: NDArray[np.int64],
        n_classes: int,
        fits: Fits,
        chosen: NDArray[np.int64],
        start: tuple[Floats, ...],
        config: ClassifierConfig,
        seed: int,
    ) -> None:
        optimizer = OPTIMIZERS[config.optimizer]
        self.features = np.ascontiguousarray(features, dtype=np.float32)
        self.labels = np.ascontiguousarray(labels, dtype=np.int64)
        # The compiled loops do not look where they write.
        if self.labels.min() < 0 or self.labels.max() >= n_classes:
            raise ValueError(f"labels must be in 0 … {n_classes - 1}")
        self.fits, self.config, self.seed = fits, config, seed
        self.ids = chosen
        self.scale = 2.0 if start[-1].shape[0] == 1 else 1.0
        valid = [np.flatnonzero(rows) for rows in fits.valid]
        self.n_valid = np.array([len(rows) for rows in valid])
        self.valid_rows = np.concatenate(valid)
        self.valid_starts = np.concatenate([[0], np.cumsum(self.n_valid)])
        self.layers = [_layer(weights, len(chosen)) for weights in start]
        powers = np.ones((len(chosen), 2))
        powers[:, 1] = optimizer.corrected
        self.rule = Rule(*optimizer[:4], beta_powers=powers, l2=fits.l2[chosen].astype(np.float64))
        self.failures = np.zeros(len(chosen), dtype=np.int64)

    def train(
        self,
        best: Networks,
        rows: NDArray[np.int64],
        random: np.random.RandomState,
        progress: Progress | None = None,
    ) -> None:
        """Train on ``rows``, each fit on those of its own, until all have stopped; fill in ``best``."""
        share = self.fits.train.sum(axis=1)[self.fits.subset_of].mean() / len(rows)
        n_batch = max(1, round(self.config.batch_size / share))
        data = self._data()
        n_epochs = 0
        while len(self.ids) and n_epochs <= self.config.max_epochs:
            for epoch in range(n_epochs, n_epochs + self.config.epoch_size):
                self._pass(data, rows[random.permutation(len(rows))], n_batch, epoch)
            n_epochs += self.config.epoch_size
            stopped = self._validate(best)
            if stopped.any():
                self._keep(~stopped)
                data = self._data()
            if progress is not None:
                progress.advance(int(stopped.sum()), note=f"pass {n_epochs}")
        if progress is not None:
            progress.advance(len(self.ids))

    def _data(self) -> Data:
        present, subset_of = np.unique(self.fits.subset_of[self.ids], return_inverse=True)
        return Data(self.features, self.labels, self.fits.train[present], subset_of)

    def _pass(self, data: Data, order: NDArray[np.int64], n_batch: int, epoch: int) -> None:
        if len(self.layers) == 1:
            kernels.train_linear(data, self.layers[0], self.rule, order, n_batch, self.scale)
            return
        # The order of the examples must not depend on the dropout.
        noise = np.random.SeedSequence([self.seed, epoch]).generate_state(1, dtype=np.uint64)[0]
        kernels.train_hidden(
            data,
            self.layers[0],
            self.layers[1],
            self.rule,
            order,
            n_batch,
            self.scale,
            self.config.dropout,
            noise,
        )

    def _validate(self, best: Networks) -> NDArray[np.bool_]:
        """Note which fits have become better, and return which have stopped."""
        accuracy = self._count_right() / self.n_valid[self.fits.subset_of[self.ids]]
        better = accuracy > best.valid_accuracy[self.ids]
        best.valid_accuracy[self.ids[better]] = accuracy[better]
        for kept, layer in zip(best.layers, self.layers, strict=True):
            kept[self.ids[better]] = layer.weights[better]
        stopped: NDArray[np.bool_] = ~better & (self.failures >= self.config.tenacity)
        self.failures += ~better
        return stopped

    def _count_right(self) -> NDArray[np.int64]:
        """How many of its validation rows each fit gets right."""
        subset_of = self.fits.subset_of[self.ids]
        if len(self.layers) == 1:
            right: NDArray[np.int64] = kernels.count_right(
                self.features,
                self.labels,
                self.layers[0].weights,
                self.valid_rows,
                self.valid_starts,
                subset_of,
            )
            return right
        right = np.empty(len(self.ids), dtype=np.int64)
        for fit, subset in enumerate(subset_of):
            rows = self.valid_rows[self.valid_starts[subset] : self.valid_starts[subset + 1]]
            classes = _classify([layer.weights[fit] for layer in self.layers], self.features[rows])
            right[fit] = np.count_nonzero(classes == self.labels[rows])
        return right

    def _keep(self, going: NDArray[np.bool_]) -> None:
        """Leave out the fits that have stopped."""
        self.ids, self.failures = self.ids[going], self.failures[going]
        self.layers = [Layer(*(values[going] for values in layer)) for layer in self.layers]
        self.rule = self.rule._replace(beta_powers=self.rule.beta_powers[going], l2=self.rule.l2[going])


def _layer(weights: Floats, n_fits: int) -> Layer:
    shape = (n_fits, *weights.shape)
    return Layer(
        np.broadcast_to(weights, shape).copy(),
        np.zeros(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.float32),
        np.empty(shape, dtype=np.float32),
    )
