"""SentEval's three schedules: how the regulariser is chosen, and what is trained and tested on what.

`cross_validate` is for data without a split of their own, `tune_by_folds` for those with a training and a
test part, `tune_on_split` for those with a validation part as well. Folds depend on the order of the
examples: callers sort them as SentEval does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.fits import Classifier, Fits
from lexiscope.progress import Progress

Features = NDArray[np.float32]
Labels = NDArray[np.int64]

NESTED_FOLDS_SEED = 1111
"""SentEval draws the folds of its nested cross-validation with this, whatever its seed."""
PERCENT_DECIMALS = 2
"""Decimals of the per cent to which SentEval rounds accuracies before it compares regularisers."""


@dataclass(frozen=True)
class CrossValidated:
    """What a nested cross-validation gives.

    Attributes
    ----------
    predictions
        (n,): the class of each row, by the fit of the fold in which the row is tested.
    valid_accuracy
        Accuracy of the regulariser chosen, in the inner folds, averaged over the outer ones.
    """

    predictions: Labels
    valid_accuracy: float


@dataclass(frozen=True)
class Tuned:
    """What a classifier tuned on training (and validation) data gives on test data.

    Attributes
    ----------
    predictions
        (n_test,): the class of each row.
    valid_accuracy
        Accuracy of the regulariser chosen, on validation data.
    l2
        The regulariser chosen.
    """

    predictions: Labels
    valid_accuracy: float
    l2: float


def choose_classifier(config: ClassifierConfig) -> Classifier:
    """The way to train that the settings name."""
    if config.optimizer == "exact":
        from lexiscope.evaluation.classifiers.convex import solve_convex

        return solve_convex
    # Each is imported when it is used: their compiled loops take longer to load than some tasks last.
    from lexiscope.evaluation.classifiers.adam import train_early_stopped

    return train_early_stopped


def cross_validate(
    features: Features, labels: Labels, n_classes: int, *, config: ClassifierConfig, seed: int
) -> CrossValidated:
    """Nested cross-validation (MR, CR, SUBJ, MPQA).

    In each of the ``kfold`` folds, another cross-validation on its training part chooses the regulariser; a
    fit on the training part (of which 5 % serve to stop it, where the classifier needs that) answers the
    test part. The folds are always the same, as in SentEval; ``seed`` is that of the classifiers.

    Parameters
    ----------
    features, labels
        (n, d) and (n,), labels in 0 … n_classes − 1.

    Raises
    ------
    LexiscopeError
        If a class is too rare for the folds, or there is one class only.
    """
    _check_classes(labels, n_classes, config.kfold, nested=True)
    outer = _folds(labels, config.kfold, NESTED_FOLDS_SEED)
    inner = []
    for train, _ in outer:
        rows = np.flatnonzero(train)
        for inner_train, inner_valid in _folds(labels[rows], config.kfold, NESTED_FOLDS_SEED):
            inner.append((_mask(len(labels), rows[inner_train]), _mask(len(labels), rows[inner_valid])))
    finals = [train for train, _ in outer]
    trained = _train(features, labels, n_classes, inner, finals, config, seed)
    means = trained.accuracy.reshape(config.kfold, config.kfold, len(config.l2)).mean(axis=1)
    chosen = [_choose(row) for row in means]
    answers = trained.answer([features[test] for _, test in outer], chosen)
    predictions = np.empty(len(labels), dtype=np.int64)
    for (_, test), answer in zip(outer, answers, strict=True):
        predictions[test] = answer
    valid_accuracy = np.mean([row[index] for row, index in zip(means, chosen, strict=True)])
    return CrossValidated(predictions, float(valid_accuracy))


def tune_by_folds(
    train_x: Features,
    train_y: Labels,
    test_x: Features,
    n_classes: int,
    *,
    config: ClassifierConfig,
    seed: int,
) -> Tuned:
    """Choose the regulariser by folds of the training part, refit, and answer the test (TREC, MRPC).

    The folds are drawn by ``seed``.

    Parameters
    ----------
    train_x, train_y, test_x
        (n, d), (n,) and (n_test, d); labels in 0 … n_classes − 1.

    Raises
    ------
    LexiscopeError
        If a class is too rare for the folds, or there is one class only.
    """
    _check_classes(train_y, n_classes, config.kfold)
    folds = _folds(train_y, config.kfold, seed)
    everything = np.ones(len(train_y), dtype=np.bool_)
    trained = _train(train_x, train_y, n_classes, folds, [everything], config, seed)
    means = trained.accuracy.reshape(config.kfold, len(config.l2)).mean(axis=0)
    index = _choose(means)
    (predictions,) = trained.answer([test_x], [index])
    return Tuned(predictions, float(means[index]), config.l2[index])


def tune_on_split(
    train_x: Features,
    train_y: Labels,
    valid_x: Features,
    valid_y: Labels,
    test_x: Features,
    n_classes: int,
    *,
    config: ClassifierConfig,
    seed: int,
) -> Tuned:
    """Choose the regulariser by the validation part, and answer the test (SST, SICK-E, probing).

    SentEval fits once more with the regulariser chosen, from the same seed: that is the fit already made.

    Parameters
    ----------
    train_x, train_y, valid_x, valid_y, test_x
        (n, d), (n,), (n_valid, d), (n_valid,) and (n_test, d); labels in 0 … n_classes − 1.

    Raises
    ------
    LexiscopeError
        If the training part has one class only, or the validation part is empty.
    """
    _check_classes(train_y, n_classes, 1)
    if not len(valid_y):
        raise LexiscopeError("there are no validation examples")
    features, labels = np.concatenate([train_x, valid_x]), np.concatenate([train_y, valid_y])
    train = np.arange(len(labels)) < len(train_y)
    fitted = choose_classifier(config)(
        features, labels, n_classes, _grid([(train, ~train)], config.l2), config=config, seed=seed
    )
    index = _choose(fitted.valid_accuracy)
    predictions = fitted.predict(test_x, np.array([index]))[0]
    return Tuned(predictions, float(fitted.valid_accuracy[index]), config.l2[index])


def _check_classes(labels: Labels, n_classes: int, kfold: int, *, nested: bool = False) -> None:
    counts = np.bincount(labels, minlength=n_classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        what = "no examples" if not len(present) else f"one class only, number {present[0]}"
        raise LexiscopeError(f"the training data have {what}")
    # Each class in turn: the outer fold that tests most of it leaves this many for the inner folds.
    left = counts - -(-counts // kfold) if nested else counts
    for number in present:
        if left[number] < kfold:
            raise LexiscopeError(
                f"class {number} has {counts[number]} examples, too few for {kfold} folds"
                + (" in folds" if nested else "")
            )


def _folds(labels: Labels, kfold: int, seed: int) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Training and held-out rows of each fold, as masks over all rows."""
    split = StratifiedKFold(n_splits=kfold, shuffle=True, random_state=seed)
    folds = split.split(np.zeros((len(labels), 1)), labels)
    return [(_mask(len(labels), train), _mask(len(labels), held_out)) for train, held_out in folds]


def _mask(n: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows] = True
    return mask


def _grid(subsets: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]], l2: tuple[float, ...]) -> Fits:
    """Every subset with every regulariser."""
    return Fits(
        np.array([train for train, _ in subsets]),
        np.array([valid for _, valid in subsets]),
        np.repeat(np.arange(len(subsets)), len(l2)),
        np.tile(np.array(l2, dtype=np.float64), len(subsets)),
    )


def _choose(accuracy: NDArray[np.float64]) -> int:
    """The best regulariser, by SentEval's rounded per cent; the first of equals."""
    return int(np.argmax([round(100 * value, PERCENT_DECIMALS) for value in accuracy.tolist()]))


@dataclass(frozen=True)
class _Trained:
    """Classifiers of folds, and what gives the final answers.

    Attributes
    ----------
    accuracy
        (n_folds · n_l2,): on the held-out rows of each fold, with each regulariser.
    answer
        From questions, one matrix (n, d) for each final part, and the number of the regulariser chosen for
        each, to their classes.
    """

    accuracy: NDArray[np.float64]
    answer: Callable[[list[Features], list[int]], list[Labels]]


def _train(
    features: Features,
    labels: Labels,
    n_classes: int,
    folds: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    finals: list[NDArray[np.bool_]],
    config: ClassifierConfig,
    seed: int,
) -> _Trained:
    """Fit every fold with every regulariser; the final parts too, at once or when one is chosen."""
    train_fits = choose_classifier(config)
    if not train_fits.holds_out_for_refit:
        # All together, with regularisers that nobody will choose: that costs less than a second call.
        unscored = [(part, np.zeros_like(part)) for part in finals]
        grid = _grid(folds + unscored, config.l2)
        fitted = train_fits(features, labels, n_classes, grid, config=config, seed=seed)
        n_scored = len(folds) * len(config.l2)

        def predict(questions: list[Features], chosen: list[int]) -> list[Labels]:
            which = n_scored + np.arange(len(finals)) * len(config.l2) + np.array(chosen)
            return [fitted.predict(x, one[None])[0] for x, one in zip(questions, which, strict=True)]

        return _Trained(fitted.valid_accuracy[:n_scored], predict)

    # The final fits one by one, not on shared batches: each is SentEval's own but for rounding.
    from lexiscope.evaluation.classifiers.adam import refit

    def refit_all(questions: list[Features], chosen: list[int]) -> list[Labels]:
        answers = []
        with Progress("final fits", total=len(finals), unit="fit") as progress:
            for x, part, index in zip(questions, finals, chosen, strict=True):
                final = refit(features, labels, n_classes, part, config.l2[index], config=config, seed=seed)
                answers.append(final.predict(x)[0])
                progress.advance()
        return answers

    grid = _grid(folds, config.l2)
    fitted = train_fits(features, labels, n_classes, grid, config=config, seed=seed)
    return _Trained(fitted.valid_accuracy, refit_all)
