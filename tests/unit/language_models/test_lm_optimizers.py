from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from tiny_model import TINY
from torch import nn

from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.optimizers import clip_gradients, make_optimizers, scheduled_rate


def config(**change: object) -> CharCNNLSTMConfig:
    return CharCNNLSTMConfig.model_validate({**TINY, **change})


def gradients() -> tuple[nn.Parameter, nn.Parameter]:
    dense, sparse = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(5, 2))
    dense.grad = torch.tensor([3.0, 0.0, 0.0])
    # Row 1 occurs twice: only the sum of both has the right norm, (0, 4).
    rows, values = torch.tensor([[1, 1]]), torch.tensor([[0.0, 1], [0, 3]])
    sparse.grad = torch.sparse_coo_tensor(rows, values, (5, 2), check_invariants=True)
    return dense, sparse


def test_the_global_norm_counts_sparse_gradients() -> None:
    dense, sparse = gradients()
    assert clip_gradients([dense, sparse, nn.Parameter(torch.zeros(1))], 2.5) == pytest.approx(5.0)
    assert dense.grad is not None
    assert sparse.grad is not None
    assert dense.grad[0].item() == pytest.approx(1.5)
    assert sparse.grad.to_dense()[1, 1].item() == pytest.approx(2.0)


def test_a_small_gradient_is_not_scaled() -> None:
    dense, sparse = gradients()
    clip_gradients([dense, sparse], 10.0)
    assert dense.grad is not None
    assert dense.grad[0].item() == 3.0


@pytest.mark.parametrize("softmax", ["full", "sampled"])
@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_every_parameter_has_one_optimiser(softmax: str, optimizer: str) -> None:
    model = CharCNNLSTM(config(softmax=softmax, optimizer=optimizer), ["<unk>", "</s>", "a"])
    groups = [group for o in make_optimizers(model, model.config) for group in o.param_groups]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())


def test_schedules() -> None:
    cosine = config(warmup_steps=10, learning_rate=1.0)
    rates = [scheduled_rate(step, 110, cosine) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert all(earlier >= later for earlier, later in pairwise(rates[9:]))
    assert rates[-1] < 0.001
    constant = config(warmup_steps=0, learning_rate=0.2, schedule="constant")
    assert {scheduled_rate(step, 110, constant) for step in range(110)} == {0.2}
