from __future__ import annotations

import numpy as np
import pytest
import torch

from lexiscope.language_models.softmax import SampledSoftmax, cross_entropy, exact_total_loss, full_loss

CPU = torch.device("cpu")
V, D = 60, 8


@pytest.fixture
def zipf() -> np.ndarray:
    return (10_000 / np.arange(1, V + 1)).astype(np.int64)


def test_draws_are_log_uniform(zipf: np.ndarray) -> None:
    torch.manual_seed(0)
    drawn = SampledSoftmax(zipf, 400_000, CPU).draw()
    assert drawn.min() == 0
    assert drawn.max() == V - 1
    rank = np.arange(V)
    expected = np.log((rank + 2) / (rank + 1)) / np.log(V + 1)
    found = torch.bincount(drawn, minlength=V).numpy() / 400_000
    assert abs(expected.sum() - 1) < 1e-12
    np.testing.assert_allclose(found, expected, atol=4e-3)


def test_inclusion_probability_is_how_often_a_word_is_a_candidate(zipf: np.ndarray) -> None:
    torch.manual_seed(1)
    generator = np.random.default_rng(1)
    sampler = SampledSoftmax(zipf, 12, CPU)
    times = np.zeros(V)
    for _ in range(2000):
        targets = generator.choice(V, size=10, p=zipf / zipf.sum())
        times[np.union1d(targets, sampler.draw().numpy())] += 1
    expected = sampler.log_inclusion(torch.arange(V), 10).exp().numpy()
    np.testing.assert_allclose(times / 2000, expected, atol=0.04)


def test_with_every_word_a_candidate_it_is_the_full_softmax() -> None:
    torch.manual_seed(2)
    counts = np.full(V, 10)
    weight, bias = torch.randn(V, D, requires_grad=True), torch.randn(V, requires_grad=True)
    outputs, targets = torch.randn(20, D, requires_grad=True), torch.randint(0, V, (20,))
    sampled = SampledSoftmax(counts, 50_000, CPU).loss(outputs, targets, weight, bias)
    full = full_loss(outputs, targets, weight, bias)
    torch.testing.assert_close(sampled, full)
    leaves = (weight, bias, outputs)
    for ours, exact in zip(
        torch.autograd.grad(sampled, leaves), torch.autograd.grad(full, leaves), strict=True
    ):
        torch.testing.assert_close(ours.to_dense(), exact, atol=1e-6, rtol=1e-4)


def test_corrected_candidates_estimate_the_partition_function(zipf: np.ndarray) -> None:
    torch.manual_seed(3)
    generator = np.random.default_rng(3)
    logits = torch.randn(V)
    sampler = SampledSoftmax(zipf, 8, CPU)
    estimates = []
    for _ in range(3000):
        targets = torch.from_numpy(generator.choice(V, size=6, p=zipf / zipf.sum()))
        candidates = torch.unique(torch.cat([targets, sampler.draw()]))
        estimates.append((logits[candidates] - sampler.log_inclusion(candidates, 6)).exp().sum().item())
    assert np.mean(estimates) == pytest.approx(logits.exp().sum().item(), rel=0.04)


def test_training_with_few_samples_finds_the_true_distribution(zipf: np.ndarray) -> None:
    """A softmax of bias alone must learn log-probabilities; without the correction it does not."""
    torch.manual_seed(4)
    truth = torch.linspace(2, -2, V).softmax(0)
    sampler = SampledSoftmax(zipf, 8, CPU)
    weight, bias = torch.zeros(V, 1), torch.zeros(V, requires_grad=True)
    optimizer = torch.optim.SGD([bias], lr=1.0)
    for step in range(600):
        targets = torch.multinomial(truth, 64, replacement=True)
        optimizer.param_groups[0]["lr"] = 4.0 * (1 - step / 600)
        optimizer.zero_grad()
        sampler.loss(torch.zeros(64, 1), targets, weight, bias).backward()
        bias.grad = bias.grad.to_dense()
        optimizer.step()
    divergence = (truth * (truth.log() - bias.detach().log_softmax(0))).sum().item()
    assert divergence < 0.02


def test_only_candidates_get_a_gradient(zipf: np.ndarray) -> None:
    torch.manual_seed(5)
    weight, bias = torch.randn(V, D, requires_grad=True), torch.zeros(V, requires_grad=True)
    SampledSoftmax(zipf, 4, CPU).loss(
        torch.randn(3, D), torch.tensor([50, 51, 50]), weight, bias
    ).backward()
    assert weight.grad is not None
    assert bias.grad is not None
    assert weight.grad.is_sparse
    touched = weight.grad.coalesce().indices()[0]
    assert {50, 51} <= set(touched.tolist())
    assert len(touched) <= 6
    assert torch.equal(bias.grad.coalesce().indices()[0], touched)


def test_exact_loss_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(6)
    weight, bias = torch.randn(V, D), torch.randn(V)
    outputs, targets = torch.randn(20, D), torch.randint(0, V, (20,))
    monkeypatch.setattr("lexiscope.language_models.softmax.LOGITS_AT_ONCE", 7 * V)
    total = exact_total_loss(outputs, targets, weight, bias)
    assert total == pytest.approx(20 * full_loss(outputs, targets, weight, bias).item(), rel=1e-5)


def test_cross_entropy_and_its_gradient_are_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(7)
    monkeypatch.setattr("lexiscope.language_models.softmax.CACHED_LOGITS", 3 * V)
    scores, bias = torch.randn(20, V, requires_grad=True), torch.randn(V, requires_grad=True)
    targets = torch.randint(0, V, (20,))
    ours = cross_entropy(scores, bias, targets)
    theirs = torch.nn.functional.cross_entropy(scores + bias, targets)
    torch.testing.assert_close(ours, theirs)
    for found, expected in zip(
        torch.autograd.grad(2 * ours, (scores, bias)),
        torch.autograd.grad(2 * theirs, (scores, bias)),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-4)


def test_cross_entropy_gradient_by_finite_differences() -> None:
    torch.manual_seed(8)
    scores = torch.randn(4, 9, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(9, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 8, 8, 3])
    assert torch.autograd.gradcheck(lambda *x: cross_entropy(*x, targets), (scores, bias))


def test_cross_entropy_of_bfloat16_scores() -> None:
    torch.manual_seed(9)
    scores = torch.randn(20, V).bfloat16().requires_grad_()
    targets = torch.randint(0, V, (20,))
    loss = cross_entropy(scores, torch.zeros(V), targets)
    expected = torch.nn.functional.cross_entropy(scores.detach().float(), targets)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.dtype == torch.bfloat16
