from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers import schedules
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.fits import Fits
from lexiscope.evaluation.classifiers.schedules import cross_validate, tune_by_folds, tune_on_split

L2 = (1e-4, 1e-3, 1e-2)


def settings(**changes: object) -> ClassifierConfig:
    return ClassifierConfig.model_validate({"kfold": 4, "l2": L2} | changes)


def clouds(n: int, n_classes: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Classes around centres far from each other."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, n)
    centres = 3 * np.eye(n_classes, 5)
    return (centres[labels] + 0.5 * random.standard_normal((n, 5))).astype(np.float32), labels


@dataclass
class Scripted:
    """A classifier whose accuracies are given, and whose answers are the fits' own numbers."""

    accuracy: NDArray[np.float64]
    holds_out_for_refit: bool = False

    def __post_init__(self) -> None:
        self.calls: list[Fits] = []

    def __call__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        n_classes: int,
        fits: Fits,
        *,
        config: ClassifierConfig,
        seed: int,
    ) -> Scripted:
        self.calls.append(fits)
        # Final fits, which have no held-out rows, come last.
        unscored = np.full(len(fits) - len(self.accuracy), np.nan)
        self.valid_accuracy = np.concatenate([self.accuracy, unscored])
        return self

    def predict(
        self, features: NDArray[np.float32], which: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        fits = np.arange(len(self.valid_accuracy)) if which is None else which
        return np.repeat(fits[:, None], len(features), axis=1)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    def install(accuracy: NDArray[np.float64]) -> Scripted:
        classifier = Scripted(np.asarray(accuracy, dtype=np.float64))
        monkeypatch.setattr(schedules, "choose_classifier", lambda config: classifier)
        return classifier

    return install


def test_nested_folds_are_scikit_learns(script) -> None:
    features, labels = clouds(90, 2)
    # In outer fold k, regulariser k is best, beyond the third the first again.
    accuracy = np.full((4, 4, 3), 0.5)
    for fold in range(4):
        accuracy[fold, :, fold % 3] += 0.1 * (fold + 1)
    classifier = script(accuracy.ravel())
    result = cross_validate(features, labels, 2, config=settings(), seed=5)

    (grid,) = classifier.calls
    np.testing.assert_array_equal(grid.l2, np.tile(L2, 16 + 4))
    np.testing.assert_array_equal(grid.subset_of, np.repeat(np.arange(16 + 4), 3))
    split = StratifiedKFold(n_splits=4, shuffle=True, random_state=1111)
    subset = 0
    for fold, (train, test) in enumerate(split.split(features, labels)):
        for inner_train, inner_valid in split.split(features[train], labels[train]):
            np.testing.assert_array_equal(np.flatnonzero(grid.train[subset]), train[inner_train])
            np.testing.assert_array_equal(np.flatnonzero(grid.valid[subset]), train[inner_valid])
            subset += 1
        np.testing.assert_array_equal(np.flatnonzero(grid.train[16 + fold]), train)
        assert (result.predictions[test] == 16 * 3 + 3 * fold + fold % 3).all()
    assert not grid.valid[16:].any()
    assert result.valid_accuracy == pytest.approx(0.75)  # mean of 0.6, 0.7, 0.8, 0.9


def test_folds_of_the_training_part_are_drawn_by_the_seed(script) -> None:
    features, labels = clouds(60, 2)
    accuracy = np.tile([0.5, 0.7, 0.6], 4)
    classifier = script(accuracy)
    tuned = tune_by_folds(features, labels, features[:7], 2, config=settings(), seed=5)
    (grid,) = classifier.calls
    split = StratifiedKFold(n_splits=4, shuffle=True, random_state=5)
    for subset, (train, valid) in enumerate(split.split(features, labels)):
        np.testing.assert_array_equal(np.flatnonzero(grid.train[subset]), train)
        np.testing.assert_array_equal(np.flatnonzero(grid.valid[subset]), valid)
    assert grid.train[4].all()
    assert not grid.valid[4].any()
    assert (tuned.l2, tuned.valid_accuracy) == (L2[1], pytest.approx(0.7))
    assert tuned.predictions.tolist() == [4 * 3 + 1] * 7


def test_a_split_is_fitted_once(script) -> None:
    features, labels = clouds(60, 2)
    classifier = script(np.array([0.5, 0.6, 0.7]))
    tuned = tune_on_split(
        features[:30],
        labels[:30],
        features[30:40],
        labels[30:40],
        features[40:],
        2,
        config=settings(),
        seed=1,
    )
    (grid,) = classifier.calls
    np.testing.assert_array_equal(grid.train[0], np.arange(40) < 30)
    np.testing.assert_array_equal(grid.valid[0], np.arange(40) >= 30)
    assert (tuned.l2, tuned.valid_accuracy) == (L2[2], 0.7)
    assert tuned.predictions.tolist() == [2] * 20


@pytest.mark.parametrize(
    ("accuracy", "best"),
    [
        ([0.70001, 0.70004, 0.6], 0),  # 70.00 twice
        ([0.70001, 0.70006, 0.6], 1),  # 70.00 and 70.01
        ([0.5, 0.5, 0.5], 0),
        ([0.5, 0.6, 0.6], 1),
    ],
)
def test_regularisers_are_compared_by_rounded_per_cent(script, accuracy: list[float], best: int) -> None:
    features, labels = clouds(20, 2)
    script(np.array(accuracy))
    tuned = tune_on_split(
        features[:10], labels[:10], features[10:], labels[10:], features, 2, config=settings(), seed=1
    )
    assert tuned.l2 == L2[best]
    assert tuned.valid_accuracy == accuracy[best]


@pytest.mark.parametrize("preset", ["senteval_derby", "senteval_fast"])
def test_tells_apart_what_can_be_told_apart(preset: str) -> None:
    config = settings(preset=preset, batch_size=8, epoch_size=20)
    features, labels = clouds(120, 3)
    nested = cross_validate(features, labels, 3, config=config, seed=1)
    assert (nested.predictions == labels).mean() > 0.95
    assert nested.valid_accuracy > 0.95
    test_x, test_y = clouds(50, 3, seed=1)
    tuned = tune_by_folds(features, labels, test_x, 3, config=config, seed=1)
    assert (tuned.predictions == test_y).mean() > 0.95
    tuned = tune_on_split(
        features[:80], labels[:80], features[80:], labels[80:], test_x, 3, config=config, seed=1
    )
    assert (tuned.predictions == test_y).mean() > 0.95
    assert tuned.l2 in L2


def test_answers_no_better_than_chance_where_labels_are_random() -> None:
    # A row that its own classifier had been trained on would be known.
    random = np.random.default_rng(0)
    features = random.standard_normal((120, 100)).astype(np.float32)
    labels = random.integers(0, 2, 120)
    config = settings(batch_size=8, tenacity=20)
    predictions = cross_validate(features, labels, 2, config=config, seed=1).predictions
    assert 0.3 < (predictions == labels).mean() < 0.7


def test_a_class_too_rare_for_the_folds_is_named() -> None:
    features, labels = clouds(60, 2)
    labels[:] = 0
    labels[:4] = 1
    with pytest.raises(LexiscopeError, match="class 1 has 4 examples, too few for 5 folds"):
        tune_by_folds(features, labels, features, 2, config=settings(kfold=5), seed=1)
    # One of the four falls into each outer fold, three are left for four inner ones.
    with pytest.raises(LexiscopeError, match="class 1 has 4 examples, too few for 4 folds in folds"):
        cross_validate(features, labels, 2, config=settings(), seed=1)
    labels[4:6] = 1
    cross_validate(features, labels, 2, config=settings(max_epochs=1), seed=1)


def test_one_class_or_none_is_refused() -> None:
    features, labels = clouds(30, 2)
    ones = np.ones_like(labels)
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(LexiscopeError, match="one class only, number 1"):
        cross_validate(features, ones, 2, config=settings(), seed=1)
    with pytest.raises(LexiscopeError, match="one class only, number 1"):
        tune_by_folds(features, ones, features, 2, config=settings(), seed=1)
    with pytest.raises(LexiscopeError, match="one class only, number 1"):
        tune_on_split(features, ones, features, labels, features, 2, config=settings(), seed=1)
    with pytest.raises(LexiscopeError, match="no examples"):
        tune_by_folds(features[:0], nothing, features, 2, config=settings(), seed=1)
    with pytest.raises(LexiscopeError, match="no validation examples"):
        tune_on_split(features, labels, features[:0], nothing, features, 2, config=settings(), seed=1)


def test_a_class_that_is_absent_from_the_training_part_does_not_matter() -> None:
    features, labels = clouds(80, 2)
    tuned = tune_by_folds(
        features, labels, features, 4, config=settings(batch_size=8, epoch_size=20), seed=1
    )
    assert (tuned.predictions == labels).mean() > 0.95
