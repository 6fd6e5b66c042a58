"""Optimisers of K models side by side: each model's step is the one it would take alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from lexiscope.language_modelling.settings import Settings


def clip_factors(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """What each model's gradient must be multiplied by to have a global norm of at most ``max_norm``.

    Parameters
    ----------
    parameters
        With a leading axis of K models.

    Returns
    -------
    Shape (K,), at most 1.
    """
    norms = [
        torch.linalg.vector_norm(_numbers(gradient), dim=1) for _, gradient in _with_gradient(parameters)
    ]
    factors: Tensor = max_norm / torch.linalg.vector_norm(torch.stack(norms), dim=0).clamp(min=max_norm)
    return factors


class ClippedSGD:
    """Plain gradient descent with clipping; it keeps no state.

    Clipping is part of the step, which so reads each gradient twice and writes none.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], clip_norm: float) -> None:
        self.parameters, self.clip_norm = list(parameters), clip_norm

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take a step and forget the gradients."""
        factors = clip_factors(self.parameters, self.clip_norm)
        for parameter, gradient in _with_gradient(self.parameters):
            if gradient.is_sparse:
                _add_rows(parameter, gradient, factors * -learning_rate)
            else:
                factor = factors.view(-1, *[1] * (gradient.ndim - 1))
                parameter.addcmul_(gradient, factor, value=-learning_rate)
            parameter.grad = None

    @property
    def stateful(self) -> list[Optimizer]:
        """Torch's optimisers, whose state a checkpoint has to hold."""
        return []


class ClippedAdam:
    """Adam with clipping (Kingma & Ba 2015; torch's settings); sparse gradients are zero elsewhere."""

    def __init__(self, parameters: Iterable[nn.Parameter], clip_norm: float) -> None:
        self.parameters, self.clip_norm = list(parameters), clip_norm
        self.adam = Adam(self.parameters, fused=True)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take a step and forget the gradients."""
        factors = clip_factors(self.parameters, self.clip_norm)
        for parameter, gradient in _with_gradient(self.parameters):
            if gradient.is_sparse:
                parameter.grad = gradient = gradient.to_dense()
            gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))
        for group in self.adam.param_groups:
            group["lr"] = learning_rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    @property
    def stateful(self) -> list[Optimizer]:
        """Torch's optimisers, whose state a checkpoint has to hold."""
        return [self.adam]


def make_optimizer(parameters: Iterable[nn.Parameter], settings: Settings) -> ClippedSGD | ClippedAdam:
    """The optimiser that the settings name."""
    kind = ClippedSGD if settings.optimizer == "sgd" else ClippedAdam
    return kind(parameters, settings.clip_norm)


def _with_gradient(parameters: Iterable[nn.Parameter]) -> Iterator[tuple[nn.Parameter, Tensor]]:
    for parameter in parameters:
        if parameter.grad is not None:
            yield parameter, parameter.grad


def _numbers(gradient: Tensor) -> Tensor:
    """All numbers of each model's gradient, (K, n); of a sparse one, as `take_rows` makes it, its rows."""
    if gradient.is_sparse:
        return gradient.coalesce().values().view(len(gradient), -1)
    return gradient.flatten(1)


def _add_rows(parameter: nn.Parameter, gradient: Tensor, factors: Tensor) -> None:
    """Add each model's rows of a sparse gradient (K, V, d), multiplied by its factor (K,)."""
    gradient = gradient.coalesce()
    models, rows = gradient.indices()
    values = gradient.values() * factors[models, None]
    parameter.flatten(0, 1).index_add_(0, models * parameter.shape[1] + rows, values)
