"""The exact solver against Newton in float64, on ordinary layers and on hard ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from softmax_optimum import hard_layers, make_layer, optimum, value_and_gradient

from lexiscope.activation_maximisation import exact
from lexiscope.activation_maximisation.exact import ExactSolver, Sample, Solution
from lexiscope.activation_maximisation.softmax import SoftmaxLayer

TOLERANCE = 0.01
HARD = hard_layers()


def solve(layer: SoftmaxLayer, l2: float, words: np.ndarray | None = None, **settings) -> Solution:
    words = np.arange(layer.n_words) if words is None else words
    start = settings.pop("start", None)
    defaults = {"tolerance": TOLERANCE, "seed": 0}
    return ExactSolver(layer, l2, **(defaults | settings)).solve(torch.from_numpy(words), start)


def check(layer: SoftmaxLayer, l2: float, words: np.ndarray, found: Solution, tolerance: float) -> None:
    """Every word proved to be near its optimum, and the proof and its words true."""
    inputs = found.inputs.double().numpy()
    objective, certificate = found.objective.double().numpy(), found.certificate.double().numpy()
    assert (certificate <= tolerance * objective).all()
    value, gradient = value_and_gradient(layer, words, inputs, l2)
    np.testing.assert_allclose(objective, value, rtol=1e-3)
    np.testing.assert_allclose(
        certificate, (gradient**2).sum(axis=1) / (4 * l2), rtol=0.1, atol=0.1 * tolerance * value.max()
    )
    some = np.linspace(0, len(words) - 1, min(12, len(words))).astype(int)
    _, best = optimum(layer, words[some], l2)
    above = value[some] - best
    slack = 1e-3 * best  # float32
    assert (above >= -1e-6 * best).all()
    assert (above <= certificate[some] + slack).all()
    assert (above <= tolerance * best + slack).all()


@pytest.mark.parametrize("l2", [1e-6, 1e-3, 0.02, 1.0, 10.0])
@pytest.mark.parametrize("name", list(HARD))
def test_every_word_is_near_its_optimum_and_proved_to_be(name: str, l2: float) -> None:
    layer = HARD[name]
    words = np.arange(layer.n_words)[:: max(1, layer.n_words // 40)]
    check(layer, l2, words, solve(layer, l2, words), TOLERANCE)


@pytest.mark.parametrize("n_words", [2, 3, 9, 16, 17, 18, 25, 30])
@pytest.mark.parametrize("l2", [1e-6, 1e-4, 1e-2, 1.0])
def test_layers_of_few_words(n_words: int, l2: float) -> None:
    rng = np.random.default_rng(n_words)
    layer = make_layer(rng.normal(size=(n_words, 6)), -np.log(np.arange(1.0, n_words + 1)))
    words = np.arange(n_words)
    check(layer, l2, words, solve(layer, l2), TOLERANCE)


@pytest.mark.parametrize("l2", [1e-5, 1e-2])
@pytest.mark.parametrize("reduced", [False, True])
def test_a_small_sample_stands_for_many_words(monkeypatch, l2: float, reduced: bool) -> None:
    monkeypatch.setattr(exact, "MIN_SAMPLE", 100)
    rng = np.random.default_rng(1)
    layer = make_layer(rng.normal(size=(1500, 16)), rng.normal(size=1500) - np.log(np.arange(1.0, 1501)))
    words = rng.permutation(1500)[:80]
    assert len(ExactSolver(layer, l2, TOLERANCE, 0).sample.rows) < 300
    check(layer, l2, words, solve(layer, l2, words, reduced=reduced), TOLERANCE)


def test_a_tighter_tolerance_is_met() -> None:
    layer, words = HARD["plain"], np.arange(40)
    check(layer, 1e-2, words, solve(layer, 1e-2, words, tolerance=1e-4), 1e-4)


def test_at_the_optimum_the_input_is_the_centred_row() -> None:
    """I = (W_w − Σ p W) / 2λ; the certificate says how far from it an input is, √(certificate / λ)."""
    layer, l2 = HARD["plain"], 0.02
    found = solve(layer, l2, tolerance=1e-5)
    inputs, weight, bias = found.inputs.double(), layer.weight.double(), layer.bias.double()
    p = torch.softmax(inputs @ weight.T + bias, dim=1)
    away = (inputs - (weight - p @ weight) / (2 * l2)).norm(dim=1)
    told = (found.certificate.double() / l2).sqrt()
    assert (away <= 1.05 * told + 1e-4 * inputs.norm(dim=1)).all()
    assert (away <= 0.05 * inputs.norm(dim=1)).all()


def test_for_a_large_penalty_it_is_the_output_row_less_the_mean_under_the_bias() -> None:
    layer, l2 = HARD["plain"], 1e3
    found = solve(layer, l2).inputs.double() * (2 * l2)
    weight = layer.weight.double()
    expected = weight - torch.softmax(layer.bias.double(), dim=0) @ weight
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)


def test_a_warm_start_saves_passes_and_a_bad_one_does_no_harm() -> None:
    layer, words = HARD["zipf"], np.arange(240)
    cold = solve(layer, 1e-4)
    start = solve(layer, 1.5e-4).inputs
    warm = solve(layer, 1e-4, start=start)
    assert warm.passes < cold.passes
    check(layer, 1e-4, words, warm, TOLERANCE)
    bad = 1e3 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
    check(layer, 1e-4, words, solve(layer, 1e-4, start=bad), TOLERANCE)


def test_a_model_that_overshoots_is_not_trusted(monkeypatch) -> None:
    layer, words = HARD["plain"], np.arange(60)
    minimise, worse = exact.minimise, []

    def overshoot(competition, inputs, l2, iterations):
        found, odds = minimise(competition, inputs, l2, iterations)
        if len(worse) < 2:  # both models of the first round
            worse.append(True)
            return inputs + 30 * (found - inputs) + 5, odds
        return found, odds

    monkeypatch.setattr(exact, "minimise", overshoot)
    found = solve(layer, 1e-4, words)
    assert len(worse) == 2
    check(layer, 1e-4, words, found, TOLERANCE)


def test_blocks_of_words_change_nothing_that_matters() -> None:
    layer, l2 = HARD["plain"], 1e-3
    whole = solve(layer, l2)
    solver = ExactSolver(layer, l2, TOLERANCE, 0)
    parts = [solver.solve(part) for part in torch.split(torch.arange(240), 7)]
    inputs = torch.cat([part.inputs for part in parts])
    bound = (whole.certificate / l2).sqrt() + (torch.cat([part.certificate for part in parts]) / l2).sqrt()
    assert ((whole.inputs - inputs).norm(dim=1) <= 1.01 * bound + 1e-4 * whole.inputs.norm(dim=1)).all()


def test_the_order_of_the_words_does_not_mix_them_up() -> None:
    layer, words = HARD["zipf"], np.array([200, 3, 77, 0, 239])
    found = solve(layer, 1e-3, words)
    one_by_one = [solve(layer, 1e-3, np.array([word])).inputs[0] for word in words]
    for row, alone in zip(found.inputs, one_by_one, strict=True):
        assert (row - alone).norm() < 0.05 * alone.norm()


@pytest.mark.parametrize("name", ["plain", "clusters", "one bias high"])
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    first, second = solve(HARD[name], 1e-3), solve(HARD[name], 1e-3)
    assert first.inputs.numpy().tobytes() == second.inputs.numpy().tobytes()
    assert first.certificate.numpy().tobytes() == second.certificate.numpy().tobytes()


def test_where_no_proof_is_found_the_word_still_gets_an_input_and_an_honest_certificate(
    monkeypatch,
) -> None:
    monkeypatch.setattr(exact, "MAX_ROUNDS", 1)
    layer, words = HARD["clusters"], np.arange(240)
    found = solve(layer, 1e-6)
    assert (found.certificate > TOLERANCE * found.objective).any()
    assert found.inputs.isfinite().all()
    value, gradient = value_and_gradient(layer, words, found.inputs.double().numpy(), 1e-6)
    np.testing.assert_allclose(found.objective, value, rtol=1e-3)
    np.testing.assert_allclose(found.certificate, (gradient**2).sum(axis=1) / 4e-6, rtol=1e-2)


# The sample ---------------------------------------------------------------------------------------


def zipf_shares(n: int) -> np.ndarray:
    shares = 1 / np.arange(1, n + 1)
    return shares / shares.sum()


@pytest.mark.parametrize("size", [1, 10, 40, 99, 100, 5000])
def test_inclusion_probabilities_sum_to_the_size(size: int) -> None:
    shares = zipf_shares(100)
    inclusion = exact._inclusion_probabilities(shares, size)
    assert inclusion.sum() == pytest.approx(min(size, 100))
    assert (inclusion > 0).all()
    assert (inclusion <= 1).all()
    free = inclusion < 1
    if free.any():
        ratio = inclusion[free] / shares[free]
        np.testing.assert_allclose(ratio, ratio[0])
        # Whatever is certain would have had more than 1.
        assert (shares[~free] * ratio[0] >= 1 - 1e-9).all()


def test_words_are_drawn_as_often_as_their_probability_says() -> None:
    inclusion = exact._inclusion_probabilities(zipf_shares(60), 20)
    n = 4000
    times = np.zeros(60)
    for seed in range(n):
        drawn = exact._systematic_draw(inclusion, np.random.default_rng(seed))
        assert len(drawn) == 20
        assert len(set(drawn.tolist())) == 20
        times[drawn] += 1
    spread = np.sqrt(n * inclusion * (1 - inclusion))
    assert (np.abs(times - n * inclusion) <= 4.5 * spread + 1e-9).all()


def test_the_samples_mass_and_mean_are_unbiased(monkeypatch) -> None:
    monkeypatch.setattr(exact, "MIN_SAMPLE", 30)
    rng = np.random.default_rng(3)
    layer = make_layer(rng.normal(size=(200, 5)), -np.log(np.arange(1.0, 201)), torch.float64)
    prior = torch.softmax(layer.bias, dim=0)
    inputs = torch.from_numpy(0.3 * rng.normal(size=(4, 5)))
    words = torch.tensor([0, 5, 120, 199])
    true = layer.others(inputs, words)
    mass, sums = [], []
    for seed in range(1500):
        seen = Sample(layer, prior, seed, reduced=False).others(inputs, words)
        mass.append(seen.log_mass.exp())
        sums.append(seen.log_mass.exp()[:, None] * seen.mean)
    for drawn, expected in (
        (torch.stack(mass), true.log_mass.exp()),
        (torch.stack(sums), true.log_mass.exp()[:, None] * true.mean),
    ):
        error = drawn.std(dim=0) / len(drawn) ** 0.5
        assert ((drawn.mean(dim=0) - expected).abs() <= 4.5 * error).all()
        assert (error > 0).all()


def test_a_sample_of_all_words_is_the_layer_itself() -> None:
    layer = HARD["plain"]
    sample = ExactSolver(layer, 1.0, TOLERANCE, 0).sample
    assert sample.rows.tolist() == list(range(240))
