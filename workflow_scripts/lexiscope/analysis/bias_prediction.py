"""How well do word vectors predict the softmax bias of their words (Derby et al. 2020, appendix)?

The paper regresses the bias on output vectors, on activation-maximisation vectors and on both, and reports
the squared error of one division into 90 % training and 10 % test words. Here the division is repeated, the
same divisions serve all predictors, and every mean comes with an interval.

The intervals are those of Nadeau & Bengio: test sets of different divisions overlap, and so do training
sets, so that the errors of J divisions are not J independent observations, and neither their percentiles
nor their standard error over √J tells how sure the mean is. The variance s² of the values is therefore
multiplied by 1/J + n_test/n_train instead of 1/J, and the interval is that of Student's t with J − 1
degrees of freedom. Differences between predictors are taken division by division before the same is done
to them.

References
----------
Nadeau & Bengio (2003), Inference for the generalization error, Machine Learning 52.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, svd
from scipy.stats import t as student_t
from threadpoolctl import threadpool_limits

from lexiscope.analysis.config import BiasPredictionConfig
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import write_json
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

Target = Literal["bias", "log_count"]

PREDICTORS = ("mean", "output", "am", "output + am")
"""``mean`` is the mean of the training words, what a regression without any vector predicts."""

COMPARISONS = (("am", "output"), ("output + am", "am"), ("am", "mean"))

RANK_TOLERANCE = float(np.finfo(np.float32).eps)
"""Directions of relative length below the precision of the vectors are rounding, not predictors."""


@stage_entry
def predict_bias(
    *, output_space: Path, am_space: Path, config: Mapping[str, Any], output: Path, seed: int
) -> None:
    """Write test error and explained variance of linear regressions of the softmax bias, as JSON.

    Without a bias in the softmax (no column ``bias``, or activation maximisation that left it out) the
    logarithm of the word's count takes its place, over the words that were seen; ``target`` says which it
    was. Without counts, or with too few words, ``status`` is ``skipped`` and ``reason`` says why.

    Parameters
    ----------
    output_space
        The space of softmax rows. Its words that ``am_space`` also has take part.
    am_space
        What activation maximisation made of it.
    config
        A `BiasPredictionConfig`, as a mapping; its own seed is not read.
    output
        The file to write.
    seed
        Of the divisions.
    """
    settings = BiasPredictionConfig.model_validate(config)
    rows, am = load_space(output_space), load_space(am_space)
    report: dict[str, Any] = {
        "space": Path(am_space).stem,
        "of": Path(output_space).stem,
        "target": None,
        "n_words": 0,
        "n_splits": settings.n_splits,
        "test_share": settings.test_share,
        "confidence": settings.confidence,
        "status": "ok",
        "reason": None,
        "rows": [],
        "differences": [],
    }
    try:
        report |= _regress(rows, am, settings, seed)
    except _SkippedError as skip:
        logger.warning("bias prediction is skipped: %s", skip)
        report |= {"status": "skipped", "reason": str(skip), **skip.facts}
    write_json(output, report)


class _SkippedError(Exception):
    """Why there is nothing to compute, and what the report can say all the same."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.facts = facts


def _regress(
    rows: EmbeddingSpace, am: EmbeddingSpace, settings: BiasPredictionConfig, seed: int
) -> dict[str, Any]:
    target, values, words = _target(rows, am)
    words, values = _sample(words, values, settings.max_words, seed)
    n_test = round(settings.test_share * len(words))
    facts = {"target": target, "n_words": len(words)}
    if n_test < 2:
        raise _SkippedError(f"{len(words)} words leave fewer than 2 for the test", **facts)
    if np.ptp(values) == 0:
        raise _SkippedError(f"the {target.replace('_', ' ')} is the same for all words", **facts)
    first, second = (space.restricted_to(words).vectors.astype(np.float64) for space in (rows, am))
    predictors = {
        "mean": np.empty((len(words), 0)),
        "output": first,
        "am": second,
        "output + am": np.hstack([first, second]),
    }
    n_train = len(words) - n_test
    largest = predictors["output + am"].shape[1]
    if n_train <= largest + 1:
        reason = f"{n_train} training words do not determine a regression on {largest} dimensions"
        raise _SkippedError(reason, **facts)
    divisions = list(random_splits(len(words), n_test, settings.n_splits, seed))
    errors: dict[str, NDArray[np.float64]] = {}
    # One thread: the sums, and so the bytes, do not depend on how many there are.
    with (
        threadpool_limits(limits=1),
        Progress("bias prediction", total=len(PREDICTORS) * len(divisions), unit="fits") as progress,
    ):
        for name in PREDICTORS:
            regression = LinearRegressions(predictors[name], values)
            squares = []
            for test in divisions:
                squares.append(float(np.mean((regression.predict_held_out(test) - values[test]) ** 2)))
                progress.advance(1)
            errors[name] = np.array(squares)
    spread = np.array([values[test].var() for test in divisions])
    ratio = n_test / n_train

    def interval(samples: NDArray[np.float64]) -> tuple[float, float, float]:
        return corrected_interval(samples, ratio, settings.confidence)

    found: dict[str, Any] = {**facts, "rows": [], "differences": []}
    for name in PREDICTORS:
        mse, mse_low, mse_high = interval(errors[name])
        row = {"predictors": name, "n_dimensions": predictors[name].shape[1]}
        row |= {"mse": mse, "mse_low": mse_low, "mse_high": mse_high}
        row |= dict.fromkeys(("r2", "r2_low", "r2_high"))
        if spread.all():
            explained = interval(1 - errors[name] / spread)
            row |= dict(zip(("r2", "r2_low", "r2_high"), explained, strict=True))
        found["rows"].append(row)
        logger.info("%s: mean squared error %.4g [%.4g, %.4g]", name, mse, mse_low, mse_high)
    for a, b in COMPARISONS:
        difference, low, high = interval(errors[a] - errors[b])
        found["differences"].append(
            {"a": a, "b": b, "mse_difference": difference, "low": low, "high": high}
        )
    return found


def _target(
    rows: EmbeddingSpace, am: EmbeddingSpace
) -> tuple[Target, NDArray[np.float64], tuple[str, ...]]:
    """What is predicted, its values, and the words that have one, in the order of the output space."""
    common = rows.restricted_to([word for word in rows.words if word in am])
    used_bias = am.provenance.get("config", {}).get("bias", True)
    target: Target
    if "bias" in rows.columns and used_bias:
        target, values = "bias", common.columns["bias"].astype(np.float64)
    else:
        target = "log_count"
        counted = common if "count" in common.columns else am.restricted_to(common.words)
        if "count" not in counted.columns:
            raise _SkippedError("the softmax has no bias, and the counts of its words are not known")
        counts = np.maximum(counted.columns["count"].astype(np.float64), 0)
        values = np.log(counts, out=np.full(len(counts), -np.inf), where=counts > 0)
    usable = np.isfinite(values)
    if not usable.all():
        logger.info("%d of %d words have no %s", (~usable).sum(), len(usable), target)
    words = tuple(word for word, use in zip(common.words, usable, strict=True) if use)
    return target, values[usable], words


def _sample(
    words: tuple[str, ...], values: NDArray[np.float64], size: int, seed: int
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """At most ``size`` of the words, drawn at random, in their order."""
    if len(words) <= size:
        return words, values
    chosen = np.sort(np.random.default_rng(seed).choice(len(words), size, replace=False))
    return tuple(words[row] for row in chosen), values[chosen]


def random_splits(n_words: int, n_test: int, n_splits: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the test words of each division, as rows, shape (n_test,), in ascending order."""
    generator = np.random.default_rng(seed)
    for _ in range(n_splits):
        yield np.sort(generator.permutation(n_words)[:n_test])


class LinearRegressions:
    """Ordinary least squares with an intercept, fitted anew without any given set of rows.

    The predictors are centred and replaced once by an orthonormal basis Q of their span, which changes no
    prediction. The Gram matrix of the rows that remain is then the identity minus that of the rows held
    out, so that a fit costs what those rows cost, and is well conditioned however collinear the predictors
    are.

    Parameters
    ----------
    X
        Predictors, float64, shape (n_rows, n_dimensions); there may be none.
    y
        What is predicted, float64, shape (n_rows,).
    """

    def __init__(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        self.basis = _orthonormal_basis(X)
        self.y = y
        self.moments = self.basis.T @ y

    def predict_held_out(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Predictions for ``rows`` of the regression fitted to all other rows.

        Directions in which the other rows do not differ have the coefficient 0.
        """
        held_out, values = self.basis[rows], self.y[rows]
        n_train = len(self.y) - len(rows)
        y_mean = (self.y.sum() - values.sum()) / n_train
        mean = -held_out.sum(axis=0) / n_train  # the columns of the basis sum to 0
        gram = np.eye(held_out.shape[1]) - held_out.T @ held_out - n_train * np.outer(mean, mean)
        moments = self.moments - held_out.T @ values - n_train * y_mean * mean
        prediction: NDArray[np.float64] = y_mean + (held_out - mean) @ _solve(gram, moments)
        return prediction


def _solve(gram: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solution, of least norm where there are many, of a positive semidefinite system."""
    tolerance = 1e-10  # eigenvalues lie between 0 and 1
    if not len(moments):
        return moments
    try:
        factor, lower = cho_factor(gram)
        if (factor.diagonal() ** 2).min() > tolerance:
            return np.asarray(cho_solve((factor, lower), moments))
    except LinAlgError:
        pass  # singular to the last digit: solved below like the nearly singular
    values, axes = np.linalg.eigh(gram)
    kept = values > tolerance
    return np.asarray(axes[:, kept] @ ((axes[:, kept].T @ moments) / values[kept]))


def _orthonormal_basis(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis, shape (n_rows, rank), of the span of the centred columns of ``X``."""
    centred = X - X.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    varying = lengths > RANK_TOLERANCE * np.linalg.norm(X, axis=0)
    if not varying.any():
        return np.empty((len(X), 0))
    Q, R = qr(centred[:, varying] / lengths[varying], mode="economic", check_finite=False)
    axes, strengths, _ = svd(R, check_finite=False)
    rank = int((strengths > RANK_TOLERANCE * strengths[0]).sum())
    basis: NDArray[np.float64] = Q @ axes[:, :rank]
    return basis


def corrected_interval(
    samples: NDArray[np.float64], ratio: float, confidence: float
) -> tuple[float, float, float]:
    """Mean of a statistic over random divisions, with its corrected resampled t interval.

    Parameters
    ----------
    samples
        One value a division, shape (n_splits,).
    ratio
        n_test / n_train.
    confidence
        Coverage aimed at.

    Returns
    -------
    Mean, low and high end. The ends of a squared error may be negative: the interval is symmetric.

    References
    ----------
    Nadeau & Bengio (2003), section 3.
    """
    if len(samples) < 2:
        raise LexiscopeError("an interval over divisions needs at least 2 of them")
    mean = float(samples.mean())
    error = float(np.sqrt((1 / len(samples) + ratio) * samples.var(ddof=1)))
    reach = float(student_t.ppf((1 + confidence) / 2, len(samples) - 1)) * error
    return mean, mean - reach, mean + reach
