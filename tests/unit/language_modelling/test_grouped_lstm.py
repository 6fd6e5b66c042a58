"""Layers, softmax and optimisers of K models, against torch's own for each alone."""

from __future__ import annotations

import pytest
import torch
from tiny_nnlm import settings
from torch import Tensor, nn
from torch.nn import functional

from lexiscope import matrix_products
from lexiscope.language_modelling import lstm, softmax
from lexiscope.language_modelling.lstm import lstm_layer, recurrence
from lexiscope.language_modelling.optimizers import clip_factors, make_optimizer

K, T, B, D, H, V = 3, 6, 4, 5, 7, 11


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.4


@pytest.mark.parametrize(("cached", "by_numpy"), [(1 << 22, False), (1, False), (1, True)])
def test_each_layer_of_a_group_is_torchs_layer(
    cached: int, by_numpy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm, "CACHED_BYTES", cached)
    monkeypatch.setattr(matrix_products, "openblas_is_faster", lambda: by_numpy)
    inputs, h, c = draw(K, T, B, D).requires_grad_(), draw(K, B, H), draw(K, B, H, seed=1)
    w_ih, w_hh = draw(K, 4 * H, D).requires_grad_(), draw(K, 4 * H, H).requires_grad_()
    bias, weights = draw(K, 4 * H).requires_grad_(), draw(K, T, B, H, seed=2)
    outputs, last_h, last_c = lstm_layer(inputs, w_ih, w_hh, bias, h, c)
    (outputs * weights).sum().backward()
    for k in range(K):
        layer = nn.LSTM(D, H)
        theirs = dict(layer.named_parameters())
        with torch.no_grad():
            for name, value in (("weight_ih", w_ih), ("weight_hh", w_hh), ("bias_ih", bias)):
                theirs[f"{name}_l0"].copy_(value[k])
            theirs["bias_hh_l0"].zero_()
        own_inputs = inputs[k].detach().clone().requires_grad_()
        expected, (expected_h, expected_c) = layer(own_inputs, (h[k : k + 1], c[k : k + 1]))
        (expected * weights[k]).sum().backward()
        close = {"rtol": 1e-5, "atol": 1e-6}
        torch.testing.assert_close(outputs[k], expected, **close)
        torch.testing.assert_close(last_h[k], expected_h[0], **close)
        torch.testing.assert_close(last_c[k], expected_c[0], **close)
        torch.testing.assert_close(inputs.grad[k], own_inputs.grad, **close)
        for name, value in (("weight_ih", w_ih), ("weight_hh", w_hh), ("bias_ih", bias)):
            torch.testing.assert_close(value.grad[k], theirs[f"{name}_l0"].grad, **close)


@pytest.mark.parametrize("n_steps", [1, 4, 5])
def test_without_a_way_back_the_states_are_the_same(n_steps: int) -> None:
    before, w_hh = draw(K, n_steps, B, 4 * H), draw(K, 4 * H, H)
    h, c = draw(K, B, H), draw(K, B, H, seed=1)
    kept = recurrence(before, w_hh, h, c, keep=True)
    lean = recurrence(before, w_hh, h, c, keep=False)
    assert torch.equal(kept[0], lean[0])
    assert torch.equal(kept[1][:, -1], lean[1][:, -1])


def test_an_input_that_needs_no_gradient_gets_none() -> None:
    inputs = draw(K, T, B, D)
    w_ih, w_hh, bias = (draw(K, 4 * H, n).requires_grad_() for n in (D, H, 1))
    state = torch.zeros(K, B, H)
    lstm_layer(inputs, w_ih, w_hh, bias[..., 0], state, state)[0].sum().backward()
    assert inputs.grad is None
    assert w_ih.grad is not None


@pytest.mark.parametrize("at_once", [1 << 24, 5 * V, 2 * 10 * V])
@pytest.mark.parametrize("has_bias", [True, False])
def test_the_softmax_in_blocks_is_torchs_cross_entropy(
    at_once: int, has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax, "LOGITS_AT_ONCE", at_once)
    monkeypatch.setattr(softmax, "LOGITS_TO_READ", at_once)
    monkeypatch.setattr(softmax, "CACHED_LOGITS", 3 * V)
    n = 10
    targets = torch.arange(n) % V
    upstream = torch.tensor([1.0, 0.3, -2.0])
    leaves = [draw(K, n, D), draw(K, V, D), draw(K, V)][: 2 + has_bias]
    own = [leaf.clone().requires_grad_() for leaf in leaves]
    losses = softmax.cross_entropy(own[0], own[1], own[2] if has_bias else None, targets, divide_by=4.0)
    (losses * upstream).sum().backward()
    theirs = [leaf.clone().requires_grad_() for leaf in leaves]
    logits = theirs[0] @ theirs[1].transpose(1, 2) + (theirs[2][:, None] if has_bias else 0)
    expected = torch.stack(
        [functional.cross_entropy(logits[k], targets, reduction="sum") / 4 for k in range(K)]
    )
    (expected * upstream).sum().backward()
    torch.testing.assert_close(losses, expected, rtol=1e-6, atol=1e-6)
    for mine, other in zip(own, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-5, atol=1e-6)
    found = softmax.target_log_probabilities(own[0], own[1], own[2] if has_bias else None, targets)
    torch.testing.assert_close(-found.sum(1) / 4, expected, rtol=1e-6, atol=1e-6)
    every = softmax.log_probabilities(own[0], own[1], own[2] if has_bias else None)
    torch.testing.assert_close(every, logits.log_softmax(2), rtol=1e-5, atol=1e-6)


def test_a_loss_beyond_the_range_of_probabilities_is_finite() -> None:
    """The target's probability is 0 in float32, its logarithm is not infinite."""
    outputs, weight = torch.ones(1, 1, 1), torch.tensor([[[300.0], [0.0]]])
    loss = softmax.cross_entropy(outputs, weight, None, torch.tensor([1]))
    assert loss.tolist() == [300.0]


def test_a_frozen_softmax_gets_no_gradient() -> None:
    outputs, weight = draw(K, 3, D).requires_grad_(), draw(K, V, D)
    softmax.cross_entropy(outputs, weight, None, torch.tensor([1, 2, 3])).sum().backward()
    assert weight.grad is None
    assert outputs.grad is not None


def test_the_norm_is_clipped_for_each_model_over_all_of_its_weights() -> None:
    parameters = [
        nn.Parameter(torch.zeros(2, 2)),
        nn.Parameter(torch.zeros(2, 1, 1)),
        nn.Parameter(draw(2)),
    ]
    parameters[0].grad = torch.tensor([[3.0, 0.0], [0.3, 0.0]])
    parameters[1].grad = torch.tensor([[[4.0]], [[0.4]]])
    torch.testing.assert_close(clip_factors(parameters, 2.0), torch.tensor([0.4, 1.0]))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_rows_are_taken_with_a_gradient_of_these_rows(optimizer: str) -> None:
    """Two steps with a sparse gradient are those with a dense one."""
    chosen = settings(optimizer=optimizer, clip_norm=0.7)
    sparse, dense = nn.Parameter(draw(K, V, D)), nn.Parameter(draw(K, V, D))
    steps = [(parameter, make_optimizer([parameter], chosen)) for parameter in (sparse, dense)]
    rows, upstream = torch.tensor([1, 4, 9]), draw(K, 3, D) * torch.tensor([5.0, 0.1, 1.0])[:, None, None]
    for _ in range(2):
        taken, expected = softmax.take_rows(sparse, rows), dense[:, rows]
        torch.testing.assert_close(taken, expected)
        (taken * upstream).sum().backward()
        (expected * upstream).sum().backward()
        assert sparse.grad.is_sparse
        torch.testing.assert_close(sparse.grad.to_dense(), dense.grad)
        for _, how in steps:
            how.step(0.3)
        torch.testing.assert_close(sparse, dense)
    assert not torch.equal(sparse, draw(K, V, D))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_each_model_takes_the_step_that_torch_would_take(optimizer: str) -> None:
    start, gradients = (
        [draw(2, 3, 4), draw(2, 5)],
        [[draw(2, 3, 4, seed=s), draw(2, 5, seed=s)] for s in (1, 2)],
    )
    together = [nn.Parameter(value.clone()) for value in start]
    ours = make_optimizer(together, settings(optimizer=optimizer, clip_norm=0.7))
    alone = [[nn.Parameter(value[k].clone()) for value in start] for k in range(2)]
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    theirs = [kind(parameters, lr=0.1) for parameters in alone]
    for step in gradients:
        for k in range(2):
            for parameter, gradient in zip(alone[k], step, strict=True):
                parameter.grad = gradient[k].clone()
            nn.utils.clip_grad_norm_(alone[k], 0.7)
            theirs[k].step()
        for parameter, gradient in zip(together, step, strict=True):
            parameter.grad = gradient.clone()
        ours.step(0.1)
    for k in range(2):
        for mine, other in zip(together, alone[k], strict=True):
            torch.testing.assert_close(mine[k].data, other.data, rtol=1e-5, atol=1e-6)
    assert all(parameter.grad is None for parameter in together)
