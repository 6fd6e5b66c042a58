from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers import convex, objective, preconditioner
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.convex import TOLERANCE, solve_convex
from lexiscope.evaluation.classifiers.fits import Fits

CONFIG = ClassifierConfig(preset="convex")
L2 = (1e-5, 1e-4, 1e-3, 1e-2)


def make_data(n, dim, n_classes, *, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((n, dim)).astype(np.float32)
    scores = features @ generator.standard_normal((dim, n_classes)) * 3 / np.sqrt(dim)
    labels = (scores + noise * generator.gumbel(size=scores.shape)).argmax(axis=1)
    labels[:n_classes] = np.arange(n_classes)
    return features, labels


def make_fits(n, *, n_subsets=1, l2=L2, share=0.8, seed=1):
    """Every subset with every regulariser; the first 20 rows are in all subsets."""
    train = np.random.default_rng(seed).random((n_subsets, n)) < share
    train[:, :20] = True
    return Fits(train, ~train, np.repeat(np.arange(n_subsets), len(l2)), np.tile(l2, n_subsets))


def solve(features, labels, n_classes, fits, seed=0):
    return solve_convex(features, labels, n_classes, fits, config=CONFIG, seed=seed)


def only(fits, which):
    return Fits(fits.train, fits.valid, fits.subset_of[which], fits.l2[which])


def reference(features, labels, rows, l2):
    """The same optimum by another method."""
    model = LogisticRegression(C=1 / (rows.sum() * l2), solver="newton-cholesky", tol=1e-10, max_iter=1000)
    return model.fit(features[rows].astype(np.float64), labels[rows])


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("n", "dim", "n_classes", "noise"),
    [
        pytest.param(400, 15, 2, 1.0, id="binary"),
        pytest.param(400, 15, 5, 1.0, id="multinomial"),
        pytest.param(60, 150, 2, 1.0, id="binary, more columns than rows"),
        pytest.param(60, 80, 3, 1.0, id="multinomial, more columns than rows"),
        pytest.param(300, 10, 2, 0.0, id="binary, separable"),
        pytest.param(300, 10, 4, 0.0, id="multinomial, separable"),
    ],
)
def test_it_is_the_optimum_that_newton_finds(n, dim, n_classes, noise):
    features, labels = make_data(n, dim, n_classes, noise=noise)
    fits = make_fits(n, n_subsets=2)
    fitted = solve(features, labels, n_classes, fits)
    assert fitted.decrement.max() <= TOLERANCE
    for fit, (subset, l2) in enumerate(zip(fits.subset_of, fits.l2, strict=True)):
        model = reference(features, labels, fits.train[subset], l2)
        assert relative_error(fitted.weights[fit], model.coef_) < 1e-3
        # Of more than two classes only the differences between intercepts are decided.
        found = fitted.intercepts[fit] - fitted.intercepts[fit].mean() * (n_classes > 2)
        expected = model.intercept_ - model.intercept_.mean() * (n_classes > 2)
        assert found == pytest.approx(expected, abs=2e-3 * (1 + np.abs(expected).max()))
        valid = fits.valid[subset]
        accuracy = model.score(features[valid].astype(np.float64), labels[valid])
        assert fitted.valid_accuracy[fit] == pytest.approx(accuracy, abs=2.1 / valid.sum())
    predicted = fitted.predict(features, np.array([fit]))
    assert (predicted == model.predict(features.astype(np.float64))).mean() > 0.99


@pytest.mark.parametrize("n_classes", [2, 4])
def test_columns_of_any_scale_and_offset(n_classes):
    features, labels = make_data(400, 12, n_classes)
    features *= 10.0 ** np.array([-4, -3, -2, -1, 0, 0, 0, 1, 2, 3, 4, 0], dtype=np.float32)
    features[:, 4] += 1000
    features[:, 5], features[:, 6] = 0.1, 0
    fits = make_fits(400)
    fitted = solve(features, labels, n_classes, fits)
    for fit, l2 in enumerate(fits.l2):
        model = reference(features, labels, fits.train[0], l2)
        assert relative_error(fitted.weights[fit], model.coef_) < 1e-3
    assert (fitted.weights[:, :, 5:7] == 0).all()


@pytest.mark.parametrize("scale", [1e-25, 1e-6, 1e6, 1e25])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_vectors_of_any_length_give_finite_results(scale, n_classes):
    features, labels = make_data(200, 8, n_classes)
    fitted = solve(features * np.float32(scale), labels, n_classes, make_fits(200))
    assert np.isfinite(fitted.weights).all()
    assert np.isfinite(fitted.intercepts).all()
    assert fitted.decrement.max() <= TOLERANCE


def test_features_without_information_give_the_classes_shares():
    labels = np.repeat([0, 1], [150, 50])
    train = np.ones((1, 200), dtype=bool)
    fits = Fits(train, ~train, np.zeros(1, dtype=np.int64), np.array([1e-3]))
    fitted = solve(np.full((200, 3), 0.3, dtype=np.float32), labels, 2, fits)
    assert (fitted.weights == 0).all()
    assert fitted.intercepts[0, 0] == pytest.approx(np.log(50 / 150), abs=1e-4)
    assert np.isnan(fitted.valid_accuracy[0])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_rows_outside_a_subset_do_not_matter(n_classes):
    features, labels = make_data(300, 10, n_classes)
    fits = make_fits(300, n_subsets=3)
    garbled, wrong = features.copy(), labels.copy()
    outside = ~fits.train[0]
    garbled[outside] = 50 * np.random.default_rng(3).standard_normal((outside.sum(), 10))
    wrong[outside] = (labels[outside] + 1) % n_classes
    first = fits.subset_of == 0
    clean = solve(features, labels, n_classes, fits).weights[first]
    assert relative_error(solve(garbled, wrong, n_classes, fits).weights[first], clean) < 5e-4
    # Rows of no subset are not even looked at.
    garbled[outside] = np.nan
    alone = solve(
        garbled,
        labels,
        n_classes,
        Fits(fits.train[:1], fits.train[:1], fits.subset_of[first], fits.l2[first]),
    )
    assert relative_error(alone.weights, clean) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 3])
def test_fits_made_together_are_those_made_alone(n_classes):
    features, labels = make_data(400, 10, n_classes)
    fits = make_fits(400, n_subsets=6)
    together = solve(features, labels, n_classes, fits)
    classes = together.predict(features)
    assert classes.shape == (24, 400)
    for fit in (0, 5, 10, 23):
        alone = solve(features, labels, n_classes, only(fits, [fit]))
        assert relative_error(alone.weights[0], together.weights[fit]) < 5e-5
        assert alone.valid_accuracy[0] == together.valid_accuracy[fit]
        assert (alone.predict(features)[0] == classes[fit]).all()


def test_disjoint_subsets_with_opposite_answers():
    features, labels = make_data(300, 10, 2)
    train = np.zeros((2, 300), dtype=bool)
    train[0, :150] = train[1, 150:] = True
    labels[150:] = 1 - labels[150:]
    fits = Fits(train, train, np.array([0, 1]), np.array([1e-4, 1e-4]))
    fitted = solve(features, labels, 2, fits)
    for fit in range(2):
        assert (
            relative_error(fitted.weights[fit], reference(features, labels, train[fit], 1e-4).coef_) < 1e-3
        )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_same_bytes_again_whatever_the_seed(n_classes):
    features, labels = make_data(200, 10, n_classes)
    fits = make_fits(200, n_subsets=3)
    first, second = (solve(features, labels, n_classes, fits, seed=seed) for seed in (1, 2))
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.intercepts.tobytes() == second.intercepts.tobytes()


def test_a_class_of_one_row():
    features, labels = make_data(300, 10, 3)
    labels[labels == 2] = 0
    labels[7] = 2
    fits = make_fits(300)
    fitted = solve(features, labels, 3, fits)
    for fit, l2 in enumerate(fits.l2):
        model = reference(features, labels, fits.train[0], l2)
        assert relative_error(fitted.weights[fit], model.coef_) < 1e-3


def test_a_class_that_one_subset_lacks_is_never_predicted_there():
    features, labels = make_data(300, 10, 4)
    fits = make_fits(300, n_subsets=2)
    fits.train[0, labels == 2] = False
    fitted = solve(features, labels, 4, fits)
    classes = fitted.predict(features)
    assert not (classes[fits.subset_of == 0] == 2).any()
    assert (classes[fits.subset_of == 1] == 2).any()
    present = [0, 1, 3]
    for fit in range(4):
        model = reference(features, labels, fits.train[0], fits.l2[fit])
        assert relative_error(fitted.weights[fit][present], model.coef_) < 1e-3
        assert (fitted.weights[fit][2] == 0).all()
    assert np.isneginf(fitted.intercepts[:4, 2]).all()


@pytest.mark.parametrize(("n_classes", "only_class"), [(2, 0), (2, 1), (3, 2)])
def test_one_class_alone_is_always_predicted(n_classes, only_class):
    features, labels = make_data(200, 5, n_classes)
    fits = make_fits(200, n_subsets=2)
    fits.train[1] &= labels == only_class
    fitted = solve(features, labels, n_classes, fits)
    classes = fitted.predict(features)
    assert (classes[fits.subset_of == 1] == only_class).all()
    assert (fitted.weights[fits.subset_of == 1] == 0).all()
    assert len(np.unique(classes[fits.subset_of == 0])) == n_classes


def test_many_classes_share_the_spectrum(monkeypatch):
    features, labels = make_data(500, 10, 6)
    features[:, 3] *= 100
    fits = make_fits(500)
    exact = solve(features, labels, 6, fits)
    monkeypatch.setattr(preconditioner, "MAX_BLOCK_CELLS", 0)
    assert relative_error(solve(features, labels, 6, fits).weights, exact.weights) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 3])
def test_blocks_do_not_matter(monkeypatch, n_classes):
    features, labels = make_data(400, 10, n_classes)
    fits = make_fits(400, n_subsets=4)
    whole = solve(features, labels, n_classes, fits)
    monkeypatch.setattr(objective, "COPY_CELLS", 0)
    monkeypatch.setattr(objective, "MAX_BLOCK_ROWS", 150)
    monkeypatch.setattr(convex, "WORKING_BYTES", 1)
    monkeypatch.setattr(convex, "BLOCK_CELLS", 1)
    split = solve(features, labels, n_classes, fits)
    assert relative_error(split.weights, whole.weights) < 5e-5
    assert (split.predict(features) == whole.predict(features)).all()
    assert np.array_equal(split.valid_accuracy, whole.valid_accuracy)


def test_fits_that_the_shared_curvature_does_not_suit_go_on_alone(monkeypatch):
    features, labels = make_data(300, 10, 4, noise=0.0)
    fits = make_fits(300, n_subsets=2, l2=(1e-5,))
    together = solve(features, labels, 4, fits)
    monkeypatch.setattr(convex, "MAX_EVALUATIONS", 1)
    alone = solve(features, labels, 4, fits)
    assert alone.decrement.max() <= TOLERANCE
    assert relative_error(alone.weights, together.weights) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 4])
def test_curvature_is_built_anew_only_where_it_has_changed(monkeypatch, n_classes):
    features, labels = make_data(600, 20, n_classes)
    fits = make_fits(600, n_subsets=3)
    calls = []
    build = preconditioner.build_preconditioner
    monkeypatch.setattr(convex, "build_preconditioner", lambda *args: calls.append(args) or build(*args))
    kept = solve(features, labels, n_classes, fits)
    few = len(calls)
    monkeypatch.setattr(preconditioner, "MAX_CHANGE", -1.0)
    always = solve(features, labels, n_classes, fits)
    assert few < len(L2) < len(calls) - few
    assert relative_error(kept.weights, always.weights) < 5e-5


def test_an_optimum_that_is_not_reached_is_an_error(monkeypatch):
    features, labels = make_data(300, 10, 4)
    monkeypatch.setattr(convex, "MAX_EVALUATIONS", 1)
    monkeypatch.setattr(convex, "ROUND_EVALUATIONS", 1)
    monkeypatch.setattr(convex, "MAX_ROUNDS", 1)
    with pytest.raises(LexiscopeError, match=r"l2 = 0\.01 cannot be brought to its optimum"):
        solve(features, labels, 4, make_fits(300))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_an_error(value):
    features, labels = make_data(100, 4, 2)
    features[5, 2] = value
    with pytest.raises(LexiscopeError, match="infinite, undefined"):
        solve(features, labels, 2, make_fits(100))


def test_predicting_from_features_that_are_not_finite_is_an_error():
    features, labels = make_data(100, 4, 2)
    fitted = solve(features, labels, 2, make_fits(100))
    features[5, 2] = np.nan
    with pytest.raises(LexiscopeError, match="infinite, undefined"):
        fitted.predict(features)


def objective_value(weights, intercepts, features, labels, l2):
    logits = features.astype(np.float64) @ weights.T + intercepts
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return losses.mean() + l2 / 2 * (weights**2).sum()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scale", [10, 100])
def test_long_vectors_of_too_few_rows(n_classes, scale):
    features, labels = make_data(40, 70, n_classes)
    features *= np.float32(scale)
    fits = make_fits(40, n_subsets=2, l2=(1e-5, 1e-3))
    fitted = solve(features, labels, n_classes, fits)
    for fit, (subset, l2) in enumerate(zip(fits.subset_of, fits.l2, strict=True)):
        rows = fits.train[subset]
        model = reference(features, labels, rows, l2)
        least = objective_value(model.coef_, model.intercept_, features[rows], labels[rows], l2)
        found = objective_value(
            fitted.weights[fit], fitted.intercepts[fit], features[rows], labels[rows], l2
        )
        assert found - least < 1e-10


@pytest.mark.parametrize(("n_rows", "scale"), [(1, 1e4), (5, 300), (20, 30)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_far_from_all_others(n_classes, n_rows, scale):
    features, labels = make_data(300, 10, n_classes)
    features[7 : 7 + n_rows] *= scale
    fits = make_fits(300)
    fitted = solve(features, labels, n_classes, fits)
    rows = fits.train[0]
    for fit, l2 in enumerate(fits.l2):
        model = reference(features, labels, rows, l2)
        least = objective_value(model.coef_, model.intercept_, features[rows], labels[rows], l2)
        found = objective_value(
            fitted.weights[fit], fitted.intercepts[fit], features[rows], labels[rows], l2
        )
        assert found - least < 1e-10


def test_a_curvature_lost_to_rounding_is_taken_in_double_precision(monkeypatch):
    features, labels = make_data(200, 10, 3)
    fits = make_fits(200)
    fitted = solve(features, labels, 3, fits)
    monkeypatch.setattr(preconditioner, "JITTER", {np.float32: 1.0, np.float64: 1e-12})
    assert relative_error(solve(features, labels, 3, fits).weights, fitted.weights) < 1e-4


def test_a_curvature_lost_to_rounding_is_an_error(monkeypatch):
    features, labels = make_data(200, 10, 3)
    monkeypatch.setattr(preconditioner, "JITTER", {np.float32: 1.0, np.float64: 1.0})
    with pytest.raises(LexiscopeError, match="Scale the vectors"):
        solve(features, labels, 3, make_fits(200))


def test_a_subset_without_rows_is_an_error():
    features, labels = make_data(100, 4, 2)
    fits = make_fits(100, n_subsets=2)
    fits.train[1] = False
    with pytest.raises(LexiscopeError, match="no example"):
        solve(features, labels, 2, fits)
