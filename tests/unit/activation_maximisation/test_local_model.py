"""The model of rivals and rest: its minimum against scipy, and extremes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

from lexiscope.activation_maximisation.local_model import (
    Competition,
    minimise,
    minimise_without_rivals,
)


def make_model(n: int = 6, j: int = 5, d: int = 4, seed: int = 0, scale: float = 1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    odds = torch.randn(n, j, generator=generator, dtype=torch.float64) * 2
    pull = torch.randn(n, j, d, generator=generator, dtype=torch.float64) * scale
    variance = torch.rand(n, d, generator=generator, dtype=torch.float64) * scale**2
    inputs = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return Competition(odds.to(dtype), pull.to(dtype), variance.to(dtype)), inputs.to(dtype)


def model_value(model: Competition, row: int, inputs: torch.Tensor, l2: float, step: np.ndarray) -> float:
    """The model as its module states it, for one word at δ = step."""
    odds = model.log_odds[row].double().numpy() - model.pull[row].double().numpy() @ step
    odds[-1] += 0.5 * (model.variance[row].double().numpy() * step**2).sum()
    # log(1 + Σ exp u) with nothing lost where the sum is small.
    loss = np.logaddexp(0, logsumexp(odds))
    return float(loss + l2 * ((inputs[row].double().numpy() + step) ** 2).sum())


@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0, 10.0])
@pytest.mark.parametrize("j", [1, 2, 8])
def test_newton_finds_the_minimum_of_the_model(l2: float, j: int) -> None:
    model, inputs = make_model(j=j)
    found, _ = minimise(model, inputs, l2, 60)
    for row in range(len(inputs)):
        best = minimize(
            lambda step, row=row: model_value(model, row, inputs, l2, step),
            np.zeros(4),
            method="BFGS",
            tol=1e-10,
        )
        value = model_value(model, row, inputs, l2, (found - inputs)[row].numpy())
        assert value <= best.fun * (1 + 3e-3) + 1e-9


@pytest.mark.parametrize("l2", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("iterations", [1, 3])
def test_a_step_never_makes_the_model_worse(l2: float, scale: float, iterations: int) -> None:
    model, inputs = make_model(n=40, scale=scale, dtype=torch.float32)
    found, _ = minimise(model, inputs, l2, iterations)
    assert found.isfinite().all()
    for row in range(len(inputs)):
        before = model_value(model, row, inputs, l2, np.zeros(4))
        after = model_value(model, row, inputs, l2, (found - inputs)[row].double().numpy())
        assert after <= before * (1 + 1e-5)


def test_a_word_that_has_all_but_won_is_still_improved() -> None:
    """Probabilities within 1e-7 of 1: in float32 the objective must not be rounded to nothing."""
    l2 = 1e-10
    competition = Competition(
        torch.tensor([[-13.0, -14.0]]), torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]), torch.tensor([[0.1, 0.1]])
    )
    inputs = torch.zeros(1, 2)
    found, _ = minimise(competition, inputs, l2, 40)
    best = minimize(
        lambda step: 1e6 * model_value(competition, 0, inputs, l2, step), np.zeros(2), method="Nelder-Mead"
    )
    value = model_value(competition, 0, inputs, l2, found[0].double().numpy())
    assert value <= 1.01e-6 * best.fun


def test_the_expected_odds_are_those_of_the_model_at_its_minimum() -> None:
    model, inputs = make_model()
    found, odds = minimise(model, inputs, 1e-2, 5)
    step = found - inputs
    expected = model.log_odds - torch.einsum("njd,nd->nj", model.pull, step)
    expected[:, -1] += 0.5 * (model.variance * step**2).sum(dim=1)
    torch.testing.assert_close(odds, expected)


def test_the_model_given_is_not_changed() -> None:
    model, inputs = make_model()
    copies = [tensor.clone() for tensor in (*model, inputs)]
    minimise(model, inputs, 1e-2, 5)
    minimise_without_rivals(
        Competition(model.log_odds[:, :1], model.pull[:, :1], model.variance), inputs, 1e-2
    )
    for now, before in zip((*model, inputs), copies, strict=True):
        assert torch.equal(now, before)


@pytest.mark.parametrize("l2", [1e-6, 1e-3, 1.0, 100.0])
def test_the_model_of_one_unknown_has_its_minimum_where_newton_has(l2: float) -> None:
    model, inputs = make_model(j=1)
    found, odds = minimise_without_rivals(model, inputs, l2)
    expected, _ = minimise(model, inputs, l2, 100)
    for row in range(len(inputs)):
        value, best = (
            model_value(model, row, inputs, l2, (x - inputs)[row].numpy()) for x in (found, expected)
        )
        assert value <= best * 1.01
    assert odds.shape == (len(inputs), 1)


@pytest.mark.parametrize("odds", [-200.0, -30.0, 0.0, 30.0, 79.0, 200.0, 1e9])
@pytest.mark.parametrize("l2", [1e-6, 10.0])
def test_the_root_is_found_at_extremes(odds: float, l2: float) -> None:
    model, inputs = make_model(j=1, dtype=torch.float32)
    extreme = Competition(torch.full_like(model.log_odds, odds), model.pull, model.variance)
    found, _ = minimise_without_rivals(extreme, inputs, l2)
    assert found.isfinite().all()
    for row in range(len(inputs)):
        before = model_value(extreme, row, inputs, l2, np.zeros(4))
        after = model_value(extreme, row, inputs, l2, (found - inputs)[row].double().numpy())
        assert after <= before * (1 + 1e-4) + 1e-30


def test_without_pull_or_variance_the_input_goes_to_the_origin() -> None:
    still = Competition(torch.zeros(2, 1), torch.zeros(2, 1, 3), torch.zeros(2, 3))
    found, _ = minimise_without_rivals(still, torch.ones(2, 3), 1.0)
    torch.testing.assert_close(found, torch.zeros(2, 3))
