"""Inner loops of the early-stopped classifiers, compiled by numba: many fits on shared batches.

Shapes: n rows of d features, b rows in a batch, F fits of which each belongs to one of S subsets of the
rows, o outputs a fit (one for each class; a single one for two classes, see `classify`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Layer(NamedTuple):
    """A linear layer of every fit and Adam's state, each (F, n_outputs, n_inputs + 1); the bias is last."""

    weights: Floats
    first_moment: Floats
    second_moment: Floats
    gradient: Floats


class Data(NamedTuple):
    """What is learnt.

    Attributes
    ----------
    features, labels
        (n, d) and (n,).
    train
        Boolean, (S, n): the rows of each subset.
    subset_of
        (F,).
    """

    features: Floats
    labels: NDArray[np.int64]
    train: NDArray[np.bool_]
    subset_of: NDArray[np.int64]


class Rule(NamedTuple):
    """How the parameters move; RMSprop is Adam with ``beta1`` = 0 and uncorrected moments.

    Attributes
    ----------
    beta_powers
        (F, 2): both betas to the power of the steps made so far; column 1 is 0 where the second moment is
        not corrected.
    l2
        (F,): weight decay, of weights and biases.
    """

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    beta_powers: NDArray[np.float64]
    l2: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def train_linear(
    data: Data, layer: Layer, rule: Rule, order: NDArray[np.int64], n_batch: int, scale: float
) -> None:
    """Train logistic regressions through the rows of ``order``, ``n_batch`` rows a step.

    Parameters
    ----------
    order
        The rows to train on, by number.
    scale
        How many times its output the difference of the logits is where there is one output, see `classify`.
    """
    n_fits, n_outputs, width = layer.weights.shape
    weights = layer.weights.reshape(n_fits * n_outputs, width)
    gradient = layer.gradient.reshape(n_fits * n_outputs, width)
    n_batch = min(n_batch, len(order))
    batch_buffer = np.ones((n_batch, width), np.float32)
    output_buffer = np.empty(n_fits * n_outputs * n_batch, np.float32)
    active = np.empty((len(data.train), n_batch), np.float32)
    n_active = np.empty(len(data.train), np.int64)
    for start in range(0, len(order), n_batch):
        rows = order[start : start + n_batch]
        batch = batch_buffer[: len(rows)]
        outputs = output_buffer[: n_fits * n_outputs * len(rows)].reshape((n_fits * n_outputs, len(rows)))
        _gather(data, rows, batch, active, n_active)
        np.dot(weights, batch.T, outputs)
        _errors(outputs.reshape((n_fits, n_outputs, len(rows))), data, rows, active, scale)
        np.dot(outputs, batch, gradient)
        _count_step(rule, data.subset_of, n_active)
        _update(layer, rule, data.subset_of, n_active)


@njit(cache=True, nogil=True, error_model="numpy")
def train_hidden(
    data: Data,
    hidden: Layer,
    output: Layer,
    rule: Rule,
    order: NDArray[np.int64],
    n_batch: int,
    scale: float,
    dropout: float,
    seed: np.uint64,
) -> None:
    """The same for networks with a hidden layer: linear, dropout, sigmoid, linear.

    Parameters
    ----------
    seed
        Of the dropout.
    """
    n_fits, n_hidden, width = hidden.weights.shape
    n_outputs = output.weights.shape[1]
    n_batch = min(n_batch, len(order))
    batch_buffer = np.ones((n_batch, width), np.float32)
    active = np.empty((len(data.train), n_batch), np.float32)
    n_active = np.empty(len(data.train), np.int64)
    for start in range(0, len(order), n_batch):
        rows = order[start : start + n_batch]
        batch = batch_buffer[: len(rows)]
        _gather(data, rows, batch, active, n_active)
        signals = np.empty((n_fits * n_hidden, len(rows)), np.float32)
        np.dot(hidden.weights.reshape(n_fits * n_hidden, width), batch.T, signals)
        kept = signals.reshape((n_fits, n_hidden, len(rows)))
        units = np.ones((n_fits, n_hidden + 1, len(rows)), np.float32)
        seed = _drop(kept, dropout, seed, units)
        outputs = np.empty((n_fits, n_outputs, len(rows)), np.float32)
        for fit in range(n_fits):
            np.dot(output.weights[fit], units[fit], outputs[fit])
        _errors(outputs, data, rows, active, scale)
        back = np.empty((n_hidden + 1, len(rows)), np.float32)
        for fit in range(n_fits):
            np.dot(outputs[fit], units[fit].T, output.gradient[fit])
            np.dot(output.weights[fit].T, outputs[fit], back)
            _through_sigmoid(back, units[fit], scale, kept[fit])
        np.dot(signals, batch, hidden.gradient.reshape(n_fits * n_hidden, width))
        _count_step(rule, data.subset_of, n_active)
        _update(hidden, rule, data.subset_of, n_active)
        _update(output, rule, data.subset_of, n_active)


@njit(cache=True, nogil=True)
def _gather(
    data: Data,
    rows: NDArray[np.int64],
    batch: Floats,
    active: Floats,
    n_active: NDArray[np.int64],
) -> None:
    """Fill a batch, (b, d + 1) with ones last, and for each subset who takes part, (S, n_batch)."""
    for r in range(len(rows)):
        source, target = data.features[rows[r]], batch[r]
        for i in range(len(source)):
            target[i] = source[i]
    for subset in range(len(data.train)):
        count = 0
        for r in range(len(rows)):
            takes_part = data.train[subset, rows[r]]
            active[subset, r] = takes_part
            count += takes_part
        n_active[subset] = count


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _exp(value: np.float32) -> np.float32:
    """e^value to about 1e-6; unlike the library's, loops over it are vectorised."""
    value = min(max(value, np.float32(-87)), np.float32(87))
    power = np.floor(value * np.float32(1.44269504) + np.float32(0.5))
    rest = value - power * np.float32(0.693147181)
    series = np.float32(1 / 720)
    series = series * rest + np.float32(1 / 120)
    series = series * rest + np.float32(1 / 24)
    series = series * rest + np.float32(1 / 6)
    series = series * rest + np.float32(0.5)
    series = series * rest + np.float32(1)
    series = series * rest + np.float32(1)
    two_to_power: np.float32 = np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)
    result: np.float32 = series * two_to_power
    return result


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _errors(outputs: Floats, data: Data, rows: NDArray[np.int64], active: Floats, scale: float) -> None:
    """Turn outputs, (F, o, b), into the derivatives of the summed cross-entropy of the active rows."""
    n_fits, n_outputs, n_rows = outputs.shape
    labels = np.empty(n_rows, np.int64)
    targets = np.empty(n_rows, np.float32)
    for r in range(n_rows):
        labels[r] = data.labels[rows[r]]
        targets[r] = labels[r]
    if n_outputs == 1:
        factor = np.float32(-scale)
        for fit in range(n_fits):
            subset = data.subset_of[fit]
            for r in range(n_rows):
                probability = np.float32(1) / (np.float32(1) + _exp(factor * outputs[fit, 0, r]))
                outputs[fit, 0, r] = active[subset, r] * (probability - targets[r])
        return
    highest = np.empty(n_rows, np.float32)
    total = np.empty(n_rows, np.float32)
    for fit in range(n_fits):
        subset = data.subset_of[fit]
        for r in range(n_rows):
            highest[r] = outputs[fit, 0, r]
            total[r] = 0
        for c in range(1, n_outputs):
            for r in range(n_rows):
                highest[r] = max(highest[r], outputs[fit, c, r])
        for c in range(n_outputs):
            for r in range(n_rows):
                power = _exp(outputs[fit, c, r] - highest[r])
                outputs[fit, c, r] = power
                total[r] += power
        for r in range(n_rows):
            total[r] = active[subset, r] / total[r]
        for c in range(n_outputs):
            for r in range(n_rows):
                outputs[fit, c, r] *= total[r]
        for r in range(n_rows):
            outputs[fit, labels[r], r] -= active[subset, r]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _drop(kept: Floats, dropout: float, seed: np.uint64, units: Floats) -> np.uint64:
    """Hidden signals, (F, h, b), to units, (F, h + 1, b); ``kept`` becomes the factor of each signal."""
    n_fits, n_hidden, n_rows = kept.shape
    bound, factor = np.uint64(dropout * 2.0**32), np.float32(1 / (1 - dropout))
    for fit in range(n_fits):
        for unit in range(n_hidden):
            for r in range(n_rows):
                keep = factor
                if dropout > 0:
                    # Knuth's linear congruential generator (MMIX); its high bits are the random ones.
                    seed = seed * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                    keep = factor if seed >> np.uint64(32) >= bound else np.float32(0)
                signal = keep * kept[fit, unit, r]
                units[fit, unit, r] = np.float32(1) / (np.float32(1) + _exp(-signal))
                kept[fit, unit, r] = keep
    return seed


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _through_sigmoid(back: Floats, units: Floats, scale: float, kept: Floats) -> None:
    """Derivatives by the units, (h + 1, b), to those by the signals, written over ``kept``, (h, b)."""
    factor = np.float32(scale)
    for unit in range(kept.shape[0]):
        for r in range(kept.shape[1]):
            value = units[unit, r]
            kept[unit, r] *= factor * back[unit, r] * value * (np.float32(1) - value)


@njit(cache=True, nogil=True)
def _count_step(rule: Rule, subset_of: NDArray[np.int64], n_active: NDArray[np.int64]) -> None:
    """Count a step of every fit that has active rows: SentEval would make no batch without any."""
    for fit in range(len(subset_of)):
        if n_active[subset_of[fit]]:
            rule.beta_powers[fit, 0] *= rule.beta1
            rule.beta_powers[fit, 1] *= rule.beta2


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _update(layer: Layer, rule: Rule, subset_of: NDArray[np.int64], n_active: NDArray[np.int64]) -> None:
    """One step of every fit that has active rows, in one pass over the memory."""
    n_fits = len(subset_of)
    size = layer.weights.shape[1] * layer.weights.shape[2]
    weights, gradients = layer.weights.reshape(n_fits, size), layer.gradient.reshape(n_fits, size)
    first = layer.first_moment.reshape(n_fits, size)
    second = layer.second_moment.reshape(n_fits, size)
    keep1, keep2 = np.float32(rule.beta1), np.float32(rule.beta2)
    add1, add2 = np.float32(1 - rule.beta1), np.float32(1 - rule.beta2)
    epsilon = np.float32(rule.epsilon)
    for fit in range(n_fits):
        n_rows = n_active[subset_of[fit]]
        if n_rows == 0:
            continue
        decay, share = np.float32(rule.l2[fit]), np.float32(1 / n_rows)
        rate = np.float32(rule.learning_rate / (1 - rule.beta_powers[fit, 0]))
        correction = np.float32(1 / math.sqrt(1 - rule.beta_powers[fit, 1]))
        w, g, m, v = weights[fit], gradients[fit], first[fit], second[fit]
        for i in range(size):
            slope = share * g[i] + decay * w[i]
            m[i] = keep1 * m[i] + add1 * slope
            v[i] = keep2 * v[i] + add2 * slope * slope
            w[i] -= rate * m[i] / (np.sqrt(v[i]) * correction + epsilon)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def count_right(
    features: Floats,
    labels: NDArray[np.int64],
    weights: Floats,
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    subset_of: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many rows each logistic regression gets right: weights (F, o, d + 1) -> (F,).

    Parameters
    ----------
    rows, starts
        The rows for the fits of subset s are ``rows[starts[s] : starts[s + 1]]``.
    subset_of
        (F,), ascending.
    """
    n_fits, n_outputs, width = weights.shape
    flat = weights.reshape(n_fits * n_outputs, width)
    right = np.zeros(n_fits, np.int64)
    logits = np.empty(n_fits * n_outputs, np.float32)
    begin = 0
    while begin < n_fits:
        subset = subset_of[begin]
        end = begin
        while end < n_fits and subset_of[end] == subset:
            end += 1
        for row in rows[starts[subset] : starts[subset + 1]]:
            _products(flat, features[row], begin * n_outputs, end * n_outputs, logits)
            for fit in range(begin, end):
                right[fit] += classify(logits[fit * n_outputs : (fit + 1) * n_outputs]) == labels[row]
        begin = end
    return right


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _products(weights: Floats, x: Floats, begin: int, end: int, products: Floats) -> None:
    """Products of one row with several rows of weights, four at a time: x is read once for them."""
    n = len(x)
    k = begin
    while k + 4 <= end:
        a, b, c, d = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        sum_a, sum_b, sum_c, sum_d = a[n], b[n], c[n], d[n]
        for i in range(n):
            sum_a += a[i] * x[i]
            sum_b += b[i] * x[i]
            sum_c += c[i] * x[i]
            sum_d += d[i] * x[i]
        products[k], products[k + 1], products[k + 2], products[k + 3] = sum_a, sum_b, sum_c, sum_d
        k += 4
    while k < end:
        a = weights[k]
        sum_a = a[n]
        for i in range(n):
            sum_a += a[i] * x[i]
        products[k] = sum_a
        k += 1


@njit(cache=True, nogil=True)
def classify(outputs: Floats) -> int:
    """The class of one row, from (o,) outputs.

    With two classes the weights of one are kept as the negative of the other's, W1 = −W0, and one output
    is enough: half the difference of the two logits.
    """
    if len(outputs) == 1:
        return int(outputs[0] > 0)
    return int(np.argmax(outputs))
