"""The softmax layer that activation maximisation looks into: one pass over its words at a time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError

LOGITS_AT_ONCE = {"cpu": 1 << 21, "cuda": 1 << 26}
"""Logits held at one time, however large the vocabulary: 8 MiB stay in a processor's cache."""

CONVERTED_ROWS = 1 << 15
"""Rows of W that are in another type at one time, where the inputs have another type."""

EXPONENT_LIMIT = 60.0
"""exp of more than this may overflow once it is summed over a vocabulary."""


class Others(NamedTuple):
    """What a word competes with at an input x: all words but itself.

    Attributes
    ----------
    log_mass
        log Σ exp(W_v·x + b_v), shape (n,).
    mean
        Σ p_v W_v with the p_v normalised over these words, shape (n, d).
    top
        Rows of some of the most probable of them, int64, shape (n, k), in no order.
    """

    log_mass: Tensor
    mean: Tensor
    top: Tensor


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
    reduced
        Do the matrix products in bfloat16 (TF32 on a GPU), for what a later pass corrects.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, reduced: bool = False) -> None:
        self.weight, self.bias, self.reduced = weight, bias, reduced
        low = reduced and weight.device.type == "cpu"
        self._factor = weight.bfloat16() if low else weight

    @classmethod
    def from_space(
        cls, space: EmbeddingSpace, *, bias: Literal["auto"] | bool, device: torch.device
    ) -> SoftmaxLayer:
        """The layer whose rows are the vectors of an output space and whose bias is its column ``bias``.

        With ``auto`` a space without that column is a layer without a bias.

        Raises
        ------
        LexiscopeError
            If the bias is asked for and the space has none, or if it has fewer than two words.
        """
        weight = torch.from_numpy(space.vectors).to(device)
        if len(space) < 2:
            raise LexiscopeError("a softmax layer of fewer than two words has nothing to choose from")
        if bias is False or (bias == "auto" and "bias" not in space.columns):
            return cls(weight, torch.zeros(len(space), device=device))
        if "bias" not in space.columns:
            raise LexiscopeError(
                "the output space has no bias",
                remedy="set bias: false for this activation-maximisation space",
            )
        column = np.ascontiguousarray(space.columns["bias"], dtype=np.float32)
        return cls(weight, torch.from_numpy(column).to(device))

    def in_reduced_precision(self) -> SoftmaxLayer:
        """The same layer with products in bfloat16 or TF32."""
        return SoftmaxLayer(self.weight, self.bias, reduced=True)

    @property
    def n_words(self) -> int:
        """V, the number of words."""
        return len(self.weight)

    @property
    def dim(self) -> int:
        """d, the size of an input."""
        return int(self.weight.shape[1])

    def others(self, inputs: Tensor, targets: Tensor, n_top: int = 0) -> Others:
        """What the words at ``targets`` (n,) compete with at ``inputs`` (n, d): one pass over W.

        Without the target's own term nothing cancels where its probability is almost one.
        """
        n, n_top = len(inputs), min(n_top, self.n_words - 1)
        columns = max(1, LOGITS_AT_ONCE[inputs.device.type] // max(1, n))
        if inputs.dtype != self.weight.dtype:
            columns = min(columns, CONVERTED_ROWS)
        sums = torch.zeros_like(inputs)
        mass = inputs.new_zeros(n)
        shift: Tensor | None = None
        tops: list[tuple[Tensor, Tensor]] = []
        # Each block gives a few more than its share: the very top is wanted, not the exact ranks.
        n_each = min(n_top, -(-n_top * columns // self.n_words) + 3)
        for start in range(0, self.n_words, columns):
            block = slice(start, min(start + columns, self.n_words))
            logits = self._logits(inputs, block)  # (n, columns)
            _exclude(logits, targets - start)
            if n_top:
                values, rows = logits.topk(min(n_each, logits.shape[1]), dim=1, sorted=False)
                tops.append((values, rows + start))
            highest = logits.amax(dim=1)
            if shift is None:
                shift = highest.clamp_min(torch.finfo(highest.dtype).min)
            elif bool((highest - shift > EXPONENT_LIMIT).any()):
                raised = torch.maximum(shift, highest)
                scale = torch.exp(shift - raised)
                sums *= scale[:, None]
                mass *= scale
                shift = raised
            weights = logits.sub_(shift[:, None]).exp_()
            mass += weights.sum(dim=1)
            self._add_product(sums, weights, block)
        assert shift is not None
        return Others(mass.log() + shift, sums.div_(mass[:, None]), _merge_tops(tops, n_top, inputs))

    def cross_entropy(self, inputs: Tensor, targets: Tensor) -> Evaluation:
        """−log p(target | x) for each row of ``inputs`` (n, d), and its gradient Σ_v p_v W_v − W_target."""
        others = self.others(inputs, targets)
        return self.evaluation(others, self.scores(inputs, targets), targets)

    def evaluation(self, others: Others, scores: Tensor, targets: Tensor) -> Evaluation:
        """Cross-entropy and gradient where the others and the target's own ``scores`` (n,) are known."""
        odds = others.log_mass - scores  # log of (1 − p) / p
        gradient = (others.mean - self.weight[targets]).mul_(torch.sigmoid(odds)[:, None])
        return Evaluation(functional.softplus(odds, threshold=80.0), gradient)

    def scores(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """W_target·x + b_target for each row, shape (n,), in the inputs' precision."""
        return (inputs * self.weight[targets]).sum(dim=1) + self.bias[targets]

    def _logits(self, inputs: Tensor, block: slice) -> Tensor:
        factor, bias = self._factor[block], self.bias[block].to(inputs.dtype)
        if factor.dtype == torch.bfloat16:
            return (inputs.bfloat16() @ factor.T).to(inputs.dtype).add_(bias)
        with _tf32(self.reduced):
            return torch.addmm(bias, inputs, factor.to(inputs.dtype).T)

    def _add_product(self, sums: Tensor, weights: Tensor, block: slice) -> None:
        factor = self._factor[block]
        if factor.dtype == torch.bfloat16:
            sums += weights.bfloat16() @ factor
            return
        with _tf32(self.reduced):
            sums.addmm_(weights, factor.to(weights.dtype))


class _tf32:  # noqa: N801
    """Allow TF32 products on a GPU inside this context."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = self.enabled

    def __exit__(self, *error: object) -> None:
        torch.backends.cuda.matmul.allow_tf32 = self.before


def _exclude(logits: Tensor, columns: Tensor) -> None:
    """Set the entries at these columns (n,), where they lie inside, to −∞."""
    inside = ((columns >= 0) & (columns < logits.shape[1])).nonzero().squeeze(1)
    logits[inside, columns[inside]] = -torch.inf


def _merge_tops(tops: list[tuple[Tensor, Tensor]], n_top: int, inputs: Tensor) -> Tensor:
    if not tops:
        return torch.zeros(len(inputs), 0, dtype=torch.int64, device=inputs.device)
    values = torch.cat([values for values, _ in tops], dim=1)
    rows = torch.cat([rows for _, rows in tops], dim=1)
    best = values.topk(min(n_top, values.shape[1]), dim=1, sorted=False).indices
    return rows.gather(1, best)
