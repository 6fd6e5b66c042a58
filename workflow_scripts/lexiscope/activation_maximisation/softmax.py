"""The softmax layer that activation maximisation looks into: values and gradients, block by block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError

MAX_LOGITS = 1 << 26
"""Logits held at one time (256 MiB in float32), however large the vocabulary."""


class Evaluation(NamedTuple):
    """Cross-entropy of each input with its own word, and its gradient with respect to the input."""

    loss: Tensor  # (n,)
    gradient: Tensor  # (n, d)


class SoftmaxLayer:
    """p(word | x) = softmax(W x + b).

    Parameters
    ----------
    weight
        W, float, shape (V, d).
    bias
        b, float, shape (V,).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias

    @classmethod
    def from_space(cls, space: EmbeddingSpace, *, bias: bool, device: torch.device) -> SoftmaxLayer:
        """The layer whose rows are the vectors of an output space and whose bias is its column ``bias``.

        Raises
        ------
        LexiscopeError
            If the bias is asked for and the space has none.
        """
        weight = torch.from_numpy(space.vectors).to(device)
        if not bias:
            return cls(weight, torch.zeros(len(space), device=device))
        if "bias" not in space.columns:
            raise LexiscopeError(
                "the output space has no bias",
                remedy="set bias: false for this activation-maximisation space",
            )
        column = np.ascontiguousarray(space.columns["bias"], dtype=np.float32)
        return cls(weight, torch.from_numpy(column).to(device))

    @property
    def n_words(self) -> int:
        """V, the number of words."""
        return len(self.weight)

    @property
    def dim(self) -> int:
        """d, the size of an input."""
        return int(self.weight.shape[1])

    def cross_entropy(self, inputs: Tensor, targets: Tensor) -> Evaluation:
        """−log p(target | x) for each row of ``inputs`` (n, d), and its gradient Σ_v p_v W_v − W_target."""
        loss = torch.empty(len(inputs), dtype=inputs.dtype, device=inputs.device)
        gradient = torch.empty_like(inputs)
        rows = max(1, MAX_LOGITS // self.n_words)
        for start in range(0, len(inputs), rows):
            block = slice(start, start + rows)
            goal = targets[block]
            logits = torch.addmm(self.bias, inputs[block], self.weight.T)  # (rows, V)
            at_goal = logits.gather(1, goal[:, None]).squeeze(1)
            top = logits.amax(dim=1, keepdim=True)
            weights = logits.sub_(top).exp_()
            mass = weights.sum(dim=1, keepdim=True)
            loss[block] = top.squeeze(1) + mass.squeeze(1).log() - at_goal
            gradient[block] = (weights @ self.weight).div_(mass).sub_(self.weight[goal])
        return Evaluation(loss, gradient)
