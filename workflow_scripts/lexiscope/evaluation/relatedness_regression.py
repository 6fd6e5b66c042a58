"""SentEval's regression of how related two sentences are, in one compiled loop.

A score is spread over five bins, a softmax over the bins is fitted to it, and its mean is the prediction
(Tai, Socher and Manning 2015). The reference is SentEval's ``tools/relatedness.py`` (Conneau and Kiela
2018). The initial weights and the order of the batches are drawn as there, by the Mersenne Twisters of
PyTorch and NumPy with the same seed, so that rounding alone makes a difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

N_BINS = 5
"""The bins are the scores 1 … 5."""

BATCH_SIZE = 64
ROUND_EPOCHS = 50
"""Passes over the data between two looks at the validation part."""

MAX_EPOCHS = 1000
"""No round starts after more passes than this."""

TENACITY = 3
"""Training ends at the round after so many that did not better the validation score, one after the other
or not."""

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8

LANES = 4
"""Rows that the compiled loop takes at a time, so that each weight it loads serves them all."""


DECIMALS = 6
"""What single precision resolves on a scale of 1 to 5: equal pairs must have equal predictions."""


@dataclass(frozen=True)
class Scored:
    """Predictions of the fitted regression, on the scale of the scores.

    Attributes
    ----------
    valid, test
        float64, shapes (n_valid,) and (n_test,).
    n_epochs
        Passes over the training data.
    """

    valid: NDArray[np.float64]
    test: NDArray[np.float64]
    n_epochs: int


def pair_features(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of sentence pairs, ``[|u − v|, u · v]`` by element; (n, dim), (n, dim) -> (n, 2 dim)."""
    return np.concatenate([np.abs(first - second), first * second], axis=1)


def spread_over_bins(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Each score as a distribution over the two bins next to it; (n,) -> (n, `N_BINS`).

    A score below 1, as the STS benchmark has them, has no bin beneath it: as in SentEval, that share is
    lost, and the row sums to the score.
    """
    below = np.floor(scores)
    bins = np.arange(1, N_BINS + 1)
    share = np.where(bins == below[:, None] + 1, (scores - below)[:, None], 0.0)
    share += np.where(bins == below[:, None], (below + 1 - scores)[:, None], 0.0)
    return share.astype(np.float32)


def fit_relatedness(
    train: NDArray[np.float32],
    train_scores: NDArray[np.float64],
    valid: NDArray[np.float32],
    valid_scores: NDArray[np.float64],
    test: NDArray[np.float32],
    *,
    seed: int,
) -> Scored:
    """Fit the regression on the training part, stop by the validation part, and predict.

    Parameters
    ----------
    train, valid, test
        Features, shapes (n_train, n_features), (n_valid, n_features), (n_test, n_features).
    train_scores, valid_scores
        From 0 to 5; shapes (n_train,), (n_valid,).
    seed
        Of the initial weights and of the batches.

    Returns
    -------
    The predictions of the round with the best Pearson's r on the validation part.
    """
    weights = _initial_weights(train.shape[1], seed)
    moments = np.zeros((2, *weights.shape), dtype=np.float32)
    features, targets = _with_constant(train), spread_over_bins(train_scores)
    valid, test = _with_constant(valid), _with_constant(test)
    generator = np.random.RandomState(seed)
    best, best_weights = -1.0, weights.copy()
    n_epochs = n_worse = 0
    while n_epochs <= MAX_EPOCHS and n_worse <= TENACITY:
        orders = np.stack([generator.permutation(len(train)) for _ in range(ROUND_EPOCHS)])
        _train_epochs(features, targets, orders, weights, moments, n_epochs)
        n_epochs += ROUND_EPOCHS
        agreement = _pearson(_predict(valid, weights), valid_scores)
        if agreement > best:
            best, best_weights = agreement, weights.copy()
        else:
            n_worse += 1
    predicted_valid, predicted_test = (
        _predict(part, best_weights).round(DECIMALS) for part in (valid, test)
    )
    return Scored(predicted_valid, predicted_test, n_epochs)


def _initial_weights(n_features: int, seed: int) -> NDArray[np.float32]:
    """Uniform within ±1/√n_features, as PyTorch draws a linear layer: the weights and then the bias.

    Returns
    -------
    Shape (`N_BINS`, n_features + 1), the bias last.
    """
    drawn = np.random.RandomState(seed).randint(0, 1 << 32, N_BINS * (n_features + 1), dtype=np.uint32)
    # A float32 holds 24 bits, and PyTorch takes the lower ones.
    uniform = (drawn & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
    bound = np.float32(1 / math.sqrt(n_features))
    values = uniform * (2 * bound) - bound
    split = N_BINS * n_features
    return np.column_stack([values[:split].reshape(N_BINS, n_features), values[split:]])


def _with_constant(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features and a last one that is 1, for the bias."""
    return np.column_stack([features, np.ones(len(features), dtype=np.float32)])


def _predict(features: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of the softmax over the bins; (n, n_features + 1) -> (n,)."""
    logits = (features @ weights.T).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    mean: NDArray[np.float64] = shares @ np.arange(1, N_BINS + 1) / shares.sum(axis=1)
    return mean


def _pearson(predictions: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Pearson's r, and 0 where it is undefined: a round of equal predictions is no better than none."""
    x, y = predictions - predictions.mean(), scores - scores.mean()
    norm = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / norm if norm > 0 else 0.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _train_epochs(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    orders: NDArray[np.int64],
    weights: NDArray[np.float32],
    moments: NDArray[np.float32],
    n_epochs_before: int,
) -> None:
    """Train on the mean squared error of the bins with Adam; ``weights`` and ``moments`` are changed.

    Parameters
    ----------
    features, targets
        Shapes (n, n_features + 1), (n, `N_BINS`).
    orders
        The rows in the order of each pass, shape (n_passes, n).
    weights
        Shape (`N_BINS`, n_features + 1).
    moments
        Adam's first and second, shape (2, `N_BINS`, n_features + 1).
    n_epochs_before
        Passes made before; they count in Adam's correction.
    """
    n_rows, width = features.shape
    gradient = np.empty((N_BINS, width), np.float32)
    slopes = np.empty((LANES, N_BINS), np.float32)
    step = n_epochs_before * ((n_rows + BATCH_SIZE - 1) // BATCH_SIZE)
    for order in orders:
        for start in range(0, n_rows, BATCH_SIZE):
            end = min(start + BATCH_SIZE, n_rows)
            gradient[:] = 0
            for first in range(start, end, LANES):
                x0 = features[order[first]]
                x1 = features[order[min(first + 1, end - 1)]]
                x2 = features[order[min(first + 2, end - 1)]]
                x3 = features[order[min(first + 3, end - 1)]]
                for k in range(N_BINS):
                    w = weights[k]
                    z0 = z1 = z2 = z3 = np.float32(0)
                    for j in range(width):
                        z0 += w[j] * x0[j]
                        z1 += w[j] * x1[j]
                        z2 += w[j] * x2[j]
                        z3 += w[j] * x3[j]
                    slopes[0, k], slopes[1, k], slopes[2, k], slopes[3, k] = z0, z1, z2, z3
                for lane in range(LANES):
                    if first + lane < end:
                        _slope_of_loss(slopes[lane], targets[order[first + lane]], end - start)
                    else:  # the batch has no such row: the lane repeats its last one, without weight
                        slopes[lane] = 0
                for k in range(N_BINS):
                    s0, s1, s2, s3 = slopes[0, k], slopes[1, k], slopes[2, k], slopes[3, k]
                    g = gradient[k]
                    for j in range(width):
                        g[j] += s0 * x0[j] + s1 * x1[j] + s2 * x2[j] + s3 * x3[j]
            step += 1
            _adam_step(weights, moments, gradient, step)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _slope_of_loss(logits: NDArray[np.float32], target: NDArray[np.float32], n_rows: int) -> None:
    """Turn the logits of one row into the slope of the batch's mean squared error by each of them."""
    highest = logits.max()
    total = np.float32(0)
    for k in range(N_BINS):
        logits[k] = math.exp(logits[k] - highest)
        total += logits[k]
    mean = np.float32(0)
    for k in range(N_BINS):
        share = logits[k] / total
        mean += share * (share - target[k])
    scale = np.float32(2 / (n_rows * N_BINS))
    for k in range(N_BINS):
        share = logits[k] / total
        logits[k] = scale * share * (share - target[k] - mean)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _adam_step(
    weights: NDArray[np.float32], moments: NDArray[np.float32], gradient: NDArray[np.float32], step: int
) -> None:
    """One step of Adam (Kingma and Ba 2015), the ``step``-th."""
    rate = np.float32(LEARNING_RATE / (1 - BETA_1**step))
    unbias = np.float32(1 / math.sqrt(1 - BETA_2**step))
    keep_1, keep_2 = np.float32(BETA_1), np.float32(BETA_2)
    add_1, add_2 = np.float32(1 - BETA_1), np.float32(1 - BETA_2)
    epsilon = np.float32(EPSILON)
    for k in range(N_BINS):
        w, g, m, v = weights[k], gradient[k], moments[0, k], moments[1, k]
        for j in range(w.shape[0]):
            m[j] = keep_1 * m[j] + add_1 * g[j]
            v[j] = keep_2 * v[j] + add_2 * g[j] * g[j]
            w[j] -= rate * m[j] / (np.sqrt(v[j]) * unbias + epsilon)
