"""The metrics of all tasks, each in many bootstrap resamples at once, and their intervals.

A metric takes resamples as counts (see `bootstrap`), so that one function gives the value, its interval,
and the difference of two spaces on the same resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.bootstrap import percentile_interval
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.rank_correlation import MIN_ITEMS, RankedValues, rank_correlations

POSITIVE = 1
"""The class whose F1 is taken."""

VARIANCE_IS_ROUNDING = 1e-12
"""Variances below this share of the mean square are those of equal values."""

Metric = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]
"""Predictions (..., n), gold (n,) and counts (n_resamples, n) give values (..., n_resamples).

Leading axes of the predictions are systems that answered the same items. A value is NaN where it is
undefined.
"""

Combine = Literal["mean", "wmean", "all"]


def accuracy(
    predictions: NDArray[np.float64], gold: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of right answers; undefined without items. Shapes as in `Metric`."""
    n_right = _sums(predictions == gold, counts)
    return _ratio(n_right, np.broadcast_to(counts.sum(axis=1), n_right.shape))


def f1(
    predictions: NDArray[np.float64], gold: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """F1 of the class `POSITIVE`: harmonic mean of its precision and recall. Shapes as in `Metric`.

    It is 0 where the class is never predicted rightly, and undefined where it is neither predicted nor
    true of any item.
    """
    said, true = predictions == POSITIVE, gold == POSITIVE
    return _ratio(2 * _sums(said & true, counts), _sums(said, counts) + _sums(true, counts))


def pearson(
    predictions: NDArray[np.float64], gold: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Pearson's r. Shapes as in `Metric`.

    Undefined with fewer than `MIN_ITEMS` items, or where all predictions or all gold values are equal.
    """
    x, y = _standardised(predictions), _standardised(gold)
    n_drawn = counts.sum(axis=1)
    weights = counts / np.maximum(n_drawn, 1)[:, None]
    x_mean, y_mean = _sums(x, weights), _sums(y, weights)
    x_square, y_square = _sums(x * x, weights), _sums(y * y, weights)
    x_variance, y_variance = x_square - x_mean**2, y_square - y_mean**2
    defined = (
        (x_variance > VARIANCE_IS_ROUNDING * x_square)
        & (y_variance > VARIANCE_IS_ROUNDING * y_square)
        & (n_drawn >= MIN_ITEMS)
    )
    covariance = _sums(x * y, weights) - x_mean * y_mean
    scale = np.sqrt(np.where(defined, x_variance * y_variance, np.nan))
    r: NDArray[np.float64] = (covariance / scale).clip(-1.0, 1.0)
    return r


def spearman(
    predictions: NDArray[np.float64], gold: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Spearman's rho, with ties ranked anew in each resample. Shapes as in `Metric`.

    Undefined as `pearson` is.
    """
    systems = np.atleast_2d(predictions)
    if not systems.shape[-1]:
        return np.full((*predictions.shape[:-1], len(counts)), np.nan)
    rho = rank_correlations([RankedValues.of(row) for row in systems], RankedValues.of(gold), counts)
    return rho.reshape(*predictions.shape[:-1], len(counts))


def perplexity(
    predictions: NDArray[np.float64], gold: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Perplexity of a language model over sentences. Shapes as in `Metric`.

    Predictions are the sentences' total negative log-probabilities in nats, gold their numbers of tokens.
    Undefined without tokens; infinite where it is too large for a float64.
    """
    nats = _sums(predictions, counts)
    per_token = _ratio(nats, np.broadcast_to(_sums(gold, counts), nats.shape))
    with np.errstate(over="ignore"):
        return np.exp(per_token)


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "pearson": pearson,
    "perplexity": perplexity,
    "spearman": spearman,
}
"""By the name that stands in the scores."""


def _sums(
    values: NDArray[np.bool_] | NDArray[np.float64], weights: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Weighted sums in each resample: (..., n), (n_resamples, n) -> (..., n_resamples)."""
    sums: NDArray[np.float64] = values.astype(np.float64) @ weights.astype(np.float64).T
    return sums


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of mean 0 and variance 1, which makes sums of squares safe; values that are all equal become 0."""
    if not values.shape[-1]:
        return values
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = centred.std(axis=-1, keepdims=True)
    varies = np.ptp(values, axis=-1, keepdims=True) > 0
    standard: NDArray[np.float64] = np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)
    return standard


def combined(
    metric: str,
    predictions: NDArray[np.float64],
    gold: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    strata: NDArray[np.int64] | None = None,
    combine: Combine = "all",
) -> NDArray[np.float64]:
    """A metric over all items, or taken in each stratum and then averaged. Shapes as in `Metric`.

    Parameters
    ----------
    strata
        Stratum of each item, shape (n,).
    combine
        ``all``: of all items together; ``mean``: the plain mean over the strata; ``wmean``: the mean
        weighted by the strata's numbers of items (those of the sample, not of the resamples).

    Returns
    -------
    NaN where the metric is undefined in any stratum.
    """
    function = METRICS[metric]
    if combine == "all" or strata is None:
        return function(predictions, gold, counts)
    labels, sizes = np.unique(strata, return_counts=True)
    weights = sizes / len(strata) if combine == "wmean" else np.full(len(labels), 1 / max(len(labels), 1))
    total = np.full((*predictions.shape[:-1], len(counts)), 0.0 if len(labels) else np.nan)
    for label, weight in zip(labels, weights, strict=True):
        chosen = strata == label
        total += weight * function(predictions[..., chosen], gold[chosen], counts[:, chosen])
    return total


def score_with_interval(
    metric: str,
    predictions: NDArray[np.float64],
    gold: NDArray[np.float64],
    *,
    protocol: ProtocolConfig,
    name: str,
    strata: NDArray[np.int64] | None = None,
    combine: Combine = "all",
    used: NDArray[np.bool_] | None = None,
) -> tuple[float | None, float | None, float | None]:
    """A metric and its bootstrap interval over items.

    Parameters
    ----------
    metric
        A name in `METRICS`.
    predictions, gold
        Of each item, shape (n,); labels of classes may be integers.
    protocol
        Gives the number of resamples, the confidence and the seed.
    name
        Of the dataset: the same name gives every space the same resamples.
    strata
        Stratum of each item, shape (n,), such as the subset it comes from. Resamples are drawn within
        strata, each keeping its number of items.
    combine
        How the strata become one number; see `combined`.
    used
        Items that count, shape (n,), all by default. Resamples are drawn from all n items, so that spaces
        of different coverage share them; items that are not used weigh nothing.

    Returns
    -------
    Value, low and high end; the value is None where it is undefined, and the ends where there is no value,
    where no resamples are asked for, or where half of them leave the metric undefined.
    """
    kept = np.ones(len(gold), dtype=np.bool_) if used is None else used
    answers, truth = np.asarray(predictions)[kept], np.asarray(gold)[kept]
    groups = None if strata is None else strata[kept]

    def statistic(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return combined(metric, answers, truth, counts, strata=groups, combine=combine)

    value = float(statistic(np.ones((1, len(truth)), dtype=np.int64))[0])
    if not np.isfinite(value):
        return None, None, None
    low, high = percentile_interval(
        lambda counts: statistic(counts if kept.all() else counts[:, kept]),
        len(gold),
        protocol=protocol,
        name=name,
        strata=strata,
    )
    return value, low, high
