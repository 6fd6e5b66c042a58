"""Optimisers that step only those softmax rows that a batch touched."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Adagrad, Adam, Optimizer, SparseAdam

from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig

BETAS = (0.9, 0.98)
"""Memory of Adam's two moments, in steps: 10 and 50; texts are too varied for the usual 1000."""


def make_optimizers(model: CharCNNLSTM, config: CharCNNLSTMConfig) -> list[Optimizer]:
    """One optimiser for all parameters, or, with sparse gradients of the softmax, one for each sort."""
    softmax = [model.softmax_weight, model.softmax_bias]
    others = [p for p in model.parameters() if all(p is not row for row in softmax)]
    if config.optimizer == "adagrad":
        return [Adagrad([*others, *softmax], lr=config.learning_rate, initial_accumulator_value=1.0)]
    if config.softmax == "full":
        return [Adam([*others, *softmax], lr=config.learning_rate, betas=BETAS, fused=True)]
    dense = Adam(others, lr=config.learning_rate, betas=BETAS, fused=True)
    return [dense, SparseAdam(softmax, lr=config.learning_rate, betas=BETAS)]


def gradient_values(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """All gradients, of sparse ones the values of their rows, each row once; to be changed in place."""
    values: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    return values


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale all gradients, dense or sparse, so that their global norm is at most ``max_norm``.

    Returns
    -------
    float
        The norm before.
    """
    values = gradient_values(parameters)
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in values])))
    if norm > max_norm:
        for value in values:
            value.mul_(max_norm / norm)
    return norm


def scheduled_rate(step: int, total_steps: int, config: CharCNNLSTMConfig) -> float:
    """The learning rate of a step, counted from 0: linear warm-up, then constant or a half cosine."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return rate
    done = (step - config.warmup_steps) / max(1, total_steps - config.warmup_steps)
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
