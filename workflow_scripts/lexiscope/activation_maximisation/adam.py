"""Adam, as the two published descriptions of activation maximisation use it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
"""Keras's defaults. Its epsilon is added to √v before the bias correction (ε̂ of Kingma & Ba, section 2)."""


@dataclass
class AdamRows:
    """Rows of parameters with their two moments, each (n, d)."""

    value: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def start(cls, value: Tensor) -> AdamRows:
        """Fresh moments for these parameters."""
        return cls(value, torch.zeros_like(value), torch.zeros_like(value))

    def rows(self, index: Tensor | slice) -> AdamRows:
        """Some rows: a view for a slice, a copy for an index."""
        return AdamRows(self.value[index], self.first[index], self.second[index])

    def put(self, index: Tensor, rows: AdamRows) -> None:
        """Write a copy made by `rows` back to its place."""
        self.value[index], self.first[index], self.second[index] = rows.value, rows.first, rows.second

    def step(self, gradient: Tensor, step: int, learning_rate: float) -> None:
        """One step of Adam, the ``step``-th (from 1) of the run."""
        rate = learning_rate * math.sqrt(1 - BETA2**step) / (1 - BETA1**step)
        self.first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
        self.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        self.value.addcdiv_(self.first, self.second.sqrt().add_(EPSILON), value=-rate)
