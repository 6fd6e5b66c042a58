"""Regression of the softmax bias, against scikit-learn and against what is known of made-up layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_1samp
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error, r2_score

from lexiscope.analysis.bias_prediction import (
    COMPARISONS,
    PREDICTORS,
    LinearRegressions,
    corrected_interval,
    predict_bias,
    random_splits,
)
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json

N_WORDS, DIM = 300, 8


def words(n_words: int = N_WORDS, first: int = 0) -> tuple[str, ...]:
    return tuple(f"w{i}" for i in range(first, first + n_words))


@pytest.fixture
def layer() -> tuple[EmbeddingSpace, EmbeddingSpace]:
    """A softmax layer whose bias the AM vectors know but for a little noise, and the rows only in part."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((N_WORDS, DIM)).astype(np.float32)
    am = generator.standard_normal((N_WORDS, DIM)).astype(np.float32)
    bias = 5 + am.sum(axis=1) + rows[:, 0] + 0.1 * generator.standard_normal(N_WORDS)
    columns = {
        "bias": bias.astype(np.float32),
        "count": np.exp(3 + am[:, 0] * 0.5).astype(np.int64) + 1,
    }
    return (
        EmbeddingSpace(words(), rows, {}, columns),
        EmbeddingSpace(words(), am, {"config": {"bias": True}}),
    )


def predict(
    folder: Path, rows: EmbeddingSpace, am: EmbeddingSpace, seed: int = 1, **config: Any
) -> dict[str, Any]:
    save_space(rows, folder / "out.safetensors")
    save_space(am, folder / "am_exact.safetensors")
    predict_bias(
        output_space=folder / "out.safetensors",
        am_space=folder / "am_exact.safetensors",
        config=config,
        output=folder / "bias.json",
        seed=seed,
    )
    report: dict[str, Any] = read_json(folder / "bias.json")
    return report


def without(space: EmbeddingSpace, *names: str) -> EmbeddingSpace:
    columns = {name: column for name, column in space.columns.items() if name not in names}
    return EmbeddingSpace(space.words, space.vectors, space.provenance, columns)


def held_out_by_scikit_learn(
    X: NDArray[np.float64], y: NDArray[np.float64], test: NDArray[np.int64]
) -> NDArray[np.float64]:
    train = np.setdiff1d(np.arange(len(y)), test)
    predictions: NDArray[np.float64] = LinearRegression().fit(X[train], y[train]).predict(X[test])
    return predictions


def test_predictions_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    X = generator.standard_normal((200, 15)) @ generator.standard_normal((15, 15)) + 40
    y = generator.standard_normal(200) * 3 + 100
    regressions = LinearRegressions(X, y)
    # scikit-learn drops directions a millionth as strong as the strongest; units must not matter here.
    rescaled = LinearRegressions(X * np.logspace(-6, 6, 15), y)
    for test in random_splits(200, 20, 10, seed=3):
        expected = held_out_by_scikit_learn(X, y, test)
        np.testing.assert_allclose(regressions.predict_held_out(test), expected, rtol=1e-9)
        np.testing.assert_allclose(rescaled.predict_held_out(test), expected, rtol=1e-9)


def test_collinear_and_constant_predictors_change_nothing() -> None:
    generator = np.random.default_rng(2)
    X = generator.standard_normal((100, 5))
    y = X @ np.arange(5) + generator.standard_normal(100)
    doubled = np.hstack([X, 7 * X - 3, X @ generator.standard_normal((5, 5)), np.full((100, 1), 2.5)])
    regressions = LinearRegressions(doubled, y)
    assert regressions.basis.shape == (100, 5)
    for test in random_splits(100, 30, 5, seed=3):
        expected = held_out_by_scikit_learn(X, y, test)
        np.testing.assert_allclose(regressions.predict_held_out(test), expected, rtol=1e-6, atol=1e-9)


def test_a_direction_of_held_out_words_alone_has_no_coefficient() -> None:
    y = np.arange(20.0)
    X = np.zeros((20, 1))
    X[3] = 1.0
    test = np.array([3, 8])
    expected = np.full(2, np.delete(y, test).mean())
    np.testing.assert_allclose(LinearRegressions(X, y).predict_held_out(test), expected)
    np.testing.assert_allclose(held_out_by_scikit_learn(X, y, test), expected)


def test_without_predictors_the_mean_of_the_training_words_is_predicted() -> None:
    y = np.arange(10.0) ** 2
    test = np.array([0, 9])
    predicted = LinearRegressions(np.empty((10, 0)), y).predict_held_out(test)
    np.testing.assert_allclose(predicted, np.full(2, y[1:9].mean()))


def test_the_report_is_what_a_plain_loop_finds(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    report = predict(tmp_path, rows, am, n_splits=12, test_share=0.2)
    y = rows.columns["bias"].astype(np.float64)
    both = np.hstack([rows.vectors, am.vectors]).astype(np.float64)
    mse, r2 = [], []
    for test in random_splits(N_WORDS, 60, 12, seed=1):
        predicted = held_out_by_scikit_learn(both, y, test)
        mse.append(mean_squared_error(y[test], predicted))
        r2.append(r2_score(y[test], predicted))
    row = {row["predictors"]: row for row in report["rows"]}["output + am"]
    expected = corrected_interval(np.array(mse), 60 / 240, 0.95)
    assert (row["mse"], row["mse_low"], row["mse_high"]) == pytest.approx(expected, rel=1e-6)
    expected = corrected_interval(np.array(r2), 60 / 240, 0.95)
    assert (row["r2"], row["r2_low"], row["r2_high"]) == pytest.approx(expected, rel=1e-6)


def test_the_better_predictor_is_found(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    report = predict(tmp_path, *layer, n_splits=20)
    assert report["status"] == "ok"
    assert report["reason"] is None
    assert (report["space"], report["of"], report["target"]) == ("am_exact", "out", "bias")
    assert (report["n_words"], report["n_splits"], report["test_share"]) == (N_WORDS, 20, 0.1)
    rows = {row["predictors"]: row for row in report["rows"]}
    assert tuple(rows) == PREDICTORS
    assert [row["n_dimensions"] for row in rows.values()] == [0, DIM, DIM, 2 * DIM]
    assert rows["output + am"]["mse"] < rows["am"]["mse"] < rows["output"]["mse"]
    assert rows["output + am"]["mse"] == pytest.approx(0.01, rel=0.3)
    assert rows["output + am"]["r2"] > 0.99
    assert abs(rows["mean"]["r2"]) < 0.1
    assert rows["am"]["mse_low"] < rows["am"]["mse"] < rows["am"]["mse_high"]
    differences = report["differences"]
    assert tuple((row["a"], row["b"]) for row in differences) == COMPARISONS
    for row in differences:
        gap = rows[row["a"]]["mse"] - rows[row["b"]]["mse"]
        assert row["mse_difference"] == pytest.approx(gap)
        assert row["low"] < row["mse_difference"] < row["high"] < 0


def test_the_same_seed_gives_the_same_bytes(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    content = []
    for seed in (1, 1, 2):
        predict(tmp_path, *layer, seed=seed, n_splits=5)
        content.append((tmp_path / "bias.json").read_bytes())
    assert content[0] == content[1] != content[2]


def test_without_a_bias_the_logarithm_of_the_count_takes_its_place(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    report = predict(tmp_path, without(rows, "bias"), am, n_splits=10)
    assert report["target"] == "log_count"
    found = {row["predictors"]: row["r2"] for row in report["rows"]}
    assert found["am"] > 0.95
    assert found["output"] < 0.1


def test_a_bias_that_am_left_out_is_not_the_target(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    unbiased = EmbeddingSpace(am.words, am.vectors, {"config": {"bias": False}})
    assert predict(tmp_path, rows, unbiased, n_splits=2)["target"] == "log_count"


def test_counts_may_come_from_the_am_space_and_unseen_words_are_left_out(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    counts = rows.columns["count"].copy()
    counts[:40] = 0
    counted = EmbeddingSpace(am.words, am.vectors, am.provenance, {"count": counts})
    report = predict(tmp_path, without(rows, "bias", "count"), counted, n_splits=2)
    assert (report["target"], report["n_words"]) == ("log_count", N_WORDS - 40)


def test_words_of_both_spaces_take_part_whatever_their_order(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    reference = predict(tmp_path, rows.restricted_to(words(200)), am.restricted_to(words(200)), n_splits=4)
    backwards = am.restricted_to(tuple(reversed(words(200))))
    extra = np.full((3, DIM), 9, dtype=np.float32)
    more = EmbeddingSpace(
        ("x", "y", "z", *backwards.words), np.vstack([extra, backwards.vectors]), am.provenance
    )
    report = predict(tmp_path, rows.restricted_to(words(250)), more, n_splits=4)
    assert report == reference
    assert report["n_words"] == 200


def test_a_bias_that_is_no_number_leaves_its_word_out(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    bias = rows.columns["bias"].copy()
    bias[7] = np.nan
    holed = EmbeddingSpace(rows.words, rows.vectors, {}, {"bias": bias})
    assert predict(tmp_path, holed, am, n_splits=2)["n_words"] == N_WORDS - 1


def test_of_too_many_words_a_sample_takes_part(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    assert predict(tmp_path, *layer, n_splits=2, max_words=120)["n_words"] == 120


@pytest.mark.parametrize(
    ("n_words", "columns", "reason"),
    [
        (N_WORDS, {}, "counts of its words are not known"),
        (14, {"bias": np.arange(14.0)}, "fewer than 2"),
        (18, {"bias": np.arange(18.0)}, "do not determine"),
        (N_WORDS, {"bias": np.ones(N_WORDS)}, "the bias is the same for all words"),
        (N_WORDS, {"count": np.zeros(N_WORDS, dtype=np.int64)}, "fewer than 2"),
    ],
)
def test_what_cannot_be_computed_is_skipped_with_a_reason(
    tmp_path: Path,
    layer: tuple[EmbeddingSpace, EmbeddingSpace],
    n_words: int,
    columns: dict[str, Any],
    reason: str,
) -> None:
    rows, am = (space.restricted_to(words(n_words)) for space in layer)
    report = predict(tmp_path, EmbeddingSpace(rows.words, rows.vectors, {}, columns), am, n_splits=2)
    assert report["status"] == "skipped"
    assert reason in report["reason"]
    assert report["rows"] == report["differences"] == []


def test_spaces_without_common_words_are_skipped(
    tmp_path: Path, layer: tuple[EmbeddingSpace, EmbeddingSpace]
) -> None:
    rows, am = layer
    strangers = EmbeddingSpace(words(first=N_WORDS), am.vectors, am.provenance)
    report = predict(tmp_path, rows, strangers)
    assert (report["status"], report["n_words"]) == ("skipped", 0)


def test_the_interval_is_the_t_interval_when_nothing_is_shared() -> None:
    samples = np.random.default_rng(5).standard_normal(30)
    expected = ttest_1samp(samples, 0).confidence_interval(0.9)
    assert corrected_interval(samples, 0, 0.9) == pytest.approx((samples.mean(), *expected))
    _, low, high = corrected_interval(samples, 1 / 9, 0.9)
    widening = np.sqrt((1 / 30 + 1 / 9) / (1 / 30))
    assert (high - low) == pytest.approx(widening * (expected.high - expected.low))


def test_one_division_has_no_interval() -> None:
    with pytest.raises(LexiscopeError, match="at least 2"):
        corrected_interval(np.ones(1), 1 / 9, 0.95)


def test_divisions_are_random_and_of_the_size_asked_for() -> None:
    splits = list(random_splits(50, 5, 200, seed=1))
    assert all(len(np.unique(split)) == 5 for split in splits)
    held_out = np.bincount(np.concatenate(splits), minlength=50)
    assert held_out.min() > 5  # 20 expected
    assert len({split.tobytes() for split in splits}) > 190
