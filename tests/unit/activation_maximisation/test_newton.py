"""Newton's method for one word: against the reference in float64, theory, and hard layers and starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit
from softmax_optimum import as_arrays, hard_layers, make_layer, optimum, value_and_gradient

from lexiscope.activation_maximisation import newton
from lexiscope.activation_maximisation.newton import solve_one
from lexiscope.activation_maximisation.softmax import SoftmaxLayer

HARD = hard_layers()
TOLERANCE = 1e-3


def solve(
    layer: SoftmaxLayer, word: int, l2: float, start: np.ndarray | None = None, tolerance: float = TOLERANCE
) -> np.ndarray:
    start = np.zeros(layer.dim) if start is None else start
    inputs = torch.from_numpy(start).to(layer.weight.dtype)
    return solve_one(layer, inputs, word, l2, tolerance).double().numpy()


def share_above(layer: SoftmaxLayer, word: int, l2: float, found: np.ndarray, best: float) -> float:
    """How far above the optimum, as a share of it."""
    value, _ = value_and_gradient(layer, np.array([word]), found[None], l2)
    return float(value[0] / best - 1)


def words_of(layer: SoftmaxLayer) -> np.ndarray:
    return np.array([0, 3, 7, layer.n_words - 1])


@pytest.mark.parametrize("l2", [1e-6, 1e-3, 0.1, 10.0])
@pytest.mark.parametrize("name", list(HARD))
def test_it_finds_the_optimum(name: str, l2: float) -> None:
    layer = HARD[name]
    words = words_of(layer)
    _, best = optimum(layer, words, l2)
    for word, value in zip(words, best, strict=True):
        above = share_above(layer, int(word), l2, solve(layer, int(word), l2), value)
        assert -1e-6 <= above <= TOLERANCE


@pytest.mark.parametrize("l2", [1e-5, 1e-2, 1.0])
def test_it_finds_the_optimum_from_elsewhere(l2: float) -> None:
    rng = np.random.default_rng(2)
    for name in ("plain", "zipf", "one bias low"):
        layer = HARD[name]
        words = words_of(layer)
        _, best = optimum(layer, words, l2)
        for word, value in zip(words, best, strict=True):
            found = solve(layer, int(word), l2, start=10 * rng.normal(size=layer.dim))
            assert -1e-6 <= share_above(layer, int(word), l2, found, value) <= TOLERANCE


@pytest.mark.parametrize("size", [1e3, 1e6, 1e15])
def test_from_very_far_it_comes_nearer_each_time_until_it_is_there(size: float) -> None:
    """Where one logit rules, the objective is all but linear; the solver calls it again if need be."""
    rng = np.random.default_rng(2)
    layer, l2 = HARD["zipf"], 1e-3
    words = words_of(layer)
    _, best = optimum(layer, words, l2)
    for word, value in zip(words, best, strict=True):
        found = size * rng.normal(size=layer.dim)
        above = share_above(layer, int(word), l2, found, value)
        for _ in range(4):
            found = solve(layer, int(word), l2, start=found)
            now = share_above(layer, int(word), l2, found, value)
            assert now <= max(above, TOLERANCE)
            above = now
        assert above <= TOLERANCE


@pytest.mark.parametrize("l2", [1e-7, 1e-3, 1.0])
def test_in_float64_it_can_be_had_to_twelve_digits(l2: float) -> None:
    layer = make_layer(*as_arrays(HARD["zipf"]), dtype=torch.float64)
    for word in words_of(layer):
        found = solve(layer, int(word), l2, tolerance=1e-12)
        value, gradient = value_and_gradient(layer, np.array([word]), found[None], l2)
        assert (gradient**2).sum() / (4 * l2) <= 2e-12 * value[0]


@pytest.mark.parametrize("head", [-200.0, -3.0, 0.0, 3.0, 20.0])
@pytest.mark.parametrize("l2", [1e-5, 1e-2, 10.0])
def test_of_two_words_it_is_one_equation(l2: float, head: float) -> None:
    """x = q a / 2λ, where q = σ(−a·x − c) is the probability that the other wins."""
    rows, bias = np.array([[1.0, 2.0, 0.0], [0.5, -1.0, 1.0]]), np.array([head, 0.0])
    layer = make_layer(rows, bias, torch.float64)
    a = rows[0] - rows[1]
    lose = brentq(lambda q: q - expit(-(a @ a) * q / (2 * l2) - head), 0, 1, xtol=1e-300, rtol=1e-14)
    found = solve(layer, 0, l2, tolerance=1e-14)
    np.testing.assert_allclose(found, lose * a / (2 * l2), rtol=1e-5, atol=1e-300)


def test_a_start_at_the_optimum_stays() -> None:
    layer = make_layer(*as_arrays(HARD["plain"]), dtype=torch.float64)
    best, _ = optimum(layer, np.array([9]), 1e-2)
    assert np.array_equal(solve(layer, 9, 1e-2, start=best[0]), best[0])


def test_a_hessian_of_some_words_does_as_well(monkeypatch) -> None:
    monkeypatch.setattr(newton, "MOST_WORDS", 20)
    layer = HARD["plain"]
    words = words_of(layer)
    for l2 in (1e-4, 1e-1):
        _, best = optimum(layer, words, l2)
        for word, value in zip(words, best, strict=True):
            assert share_above(layer, int(word), l2, solve(layer, int(word), l2), value) <= TOLERANCE


@pytest.mark.parametrize("l2", [1e-3, 0.1, 1.0])
def test_near_the_optimum_each_step_doubles_the_digits(monkeypatch, l2: float) -> None:
    """As it must with the right Hessian, and with no other."""
    layer = make_layer(*as_arrays(HARD["plain"]), dtype=torch.float64)
    for word in words_of(layer):
        start = solve(layer, int(word), l2, tolerance=1e-4)
        with monkeypatch.context() as context:
            context.setattr(newton, "MAX_ITERATIONS", 3)
            found = solve(layer, int(word), l2, start=start, tolerance=0.0)
        value, gradient = value_and_gradient(layer, np.array([word]), found[None], l2)
        assert (gradient**2).sum() / (4 * l2) <= 1e-16 * value[0]


def test_what_float32_cannot_tell_ends_it_with_a_good_point() -> None:
    layer = HARD["far from the origin"]
    words = words_of(layer)
    _, best = optimum(layer, words, 1e-2)
    for word, value in zip(words, best, strict=True):
        found = solve(layer, int(word), 1e-2, tolerance=1e-30)
        assert np.isfinite(found).all()
        assert share_above(layer, int(word), 1e-2, found, value) <= 1e-3


def test_nothing_that_is_given_changes() -> None:
    layer, start = HARD["plain"], torch.ones(HARD["plain"].dim)
    weight, bias = layer.weight.clone(), layer.bias.clone()
    solve_one(layer, start, 5, 1e-3, TOLERANCE)
    assert torch.equal(start, torch.ones_like(start))
    assert torch.equal(layer.weight, weight)
    assert torch.equal(layer.bias, bias)
