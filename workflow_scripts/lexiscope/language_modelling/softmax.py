"""The softmax of K models over one vocabulary: loss and gradients in blocks, and log-probabilities.

The logits of a window outweigh all else that training holds. Here they exist a block at a time, become
their own gradient in place, and are multiplied into the gradients of outputs and weights at once, so that
automatic differentiation keeps none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lexiscope.language_models.softmax import CACHED_LOGITS
from lexiscope.matrix_products import bmm

LOGITS_AT_ONCE = 1 << 24
"""Logits of one block of products: 64 MiB in float32."""

LOGITS_TO_READ = 1 << 21
"""The same on a processor where nothing is added up over blocks: few enough to be read again quickly."""


def cross_entropy(
    outputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    precision: torch.dtype = torch.float32,
    divide_by: float = 1.0,
) -> Tensor:
    """Sum of the targets' negative log-probabilities under each model, in nats, shape (K,).

    Gradients are made, already in the forward pass, of those of outputs, weight and bias that require one.

    Parameters
    ----------
    outputs
        What the softmax layer is applied to, shape (K, n, d), of type ``precision``.
    weight
        Shape (K, V, d), float32 (then it is cast for the call) or of type ``precision``.
    bias
        float32, shape (K, V).
    targets
        Word ids, shape (n,): the models read the same text.
    precision
        Of the matrix products; sums and exponentials are float32.
    divide_by
        What the sums are divided by.
    """
    losses: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        outputs, weight, bias, targets, precision, divide_by
    )
    return losses


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        outputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        precision: torch.dtype,
        divide_by: float,
    ) -> Tensor:
        needs_outputs, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        cast = weight.to(precision)
        losses = targets.new_zeros(len(outputs), dtype=torch.float32)
        d_outputs = torch.empty_like(outputs) if needs_outputs else None
        d_weight = torch.empty_like(weight, dtype=torch.float32) if needs_weight else None
        d_bias = torch.zeros_like(bias) if needs_bias and bias is not None else None
        for models, rows in _blocks(outputs, cast.shape[1], LOGITS_AT_ONCE):
            block, words = outputs[models, rows], cast[models]
            logits = bmm(block, words.transpose(1, 2))
            layer_bias = None if bias is None else bias[models]
            part, bias_part = _become_gradients(logits, layer_bias, targets[rows])
            losses[models] += part
            # It is the small factors that are divided, not the logits or the weights.
            if d_outputs is not None:
                d_outputs[models, rows] = bmm(logits, words).div_(divide_by)
            if d_weight is not None:
                product = bmm(logits.transpose(1, 2), block / divide_by)
                if rows.start == 0:
                    d_weight[models] = product
                else:
                    d_weight[models] += product
            if d_bias is not None:
                d_bias[models] += bias_part / divide_by
        ctx.gradients = d_outputs, d_weight, d_bias
        return losses / divide_by

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = upstream
        scaled: list[Tensor | None] = []
        changes = bool((scale != 1).any())
        for gradient in ctx.gradients:
            if gradient is not None and changes:
                # In place: nobody else has seen them.
                gradient.mul_(scale.to(gradient.dtype).view(-1, *[1] * (gradient.ndim - 1)))
            scaled.append(gradient)
        ctx.gradients = None
        return *scaled, None, None, None


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Rows of the tables of K models, (K, V, d) and (n,) → (K, n, d); the tables' gradient is sparse.

    ``rows`` must ascend without repetition.
    """
    taken: Tensor = _Rows.apply(table, rows)  # type: ignore[no-untyped-call]
    return taken


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table.index_select(1, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        models = torch.arange(ctx.shape[0], device=rows.device)
        places = torch.stack([models.repeat_interleave(len(rows)), rows.repeat(len(models))])
        values = upstream[0].flatten(0, 1)
        gradient = torch.sparse_coo_tensor(
            places, values, ctx.shape, is_coalesced=True, check_invariants=False
        )
        return gradient, None


def _become_gradients(logits: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Turn logits (k, n, V) without bias into probabilities minus one-hot targets, in place.

    Returns
    -------
    Sums (k,) of negative log-probabilities, and the gradient of the bias (k, V), both float32.
    """
    n_models, n_rows, n_words = logits.shape
    losses = logits.new_zeros(n_models, dtype=torch.float32)
    d_bias = logits.new_zeros(n_models, n_words, dtype=torch.float32)
    # On a processor a few rows at a time stay in the cache for all of their passes.
    step = n_rows if logits.is_cuda else max(1, CACHED_LOGITS // n_words)
    for model in range(n_models):
        for start in range(0, n_rows, step):
            part = logits[model, start : start + step]
            wanted = targets[start : start + step, None]
            scores = part.float() if bias is None else part + bias[model]
            p = torch.softmax(scores, 1)
            # The normaliser, from the word of the highest score: no other probability is sure not to be 0.
            normaliser = scores.amax(1) - p.amax(1).log_()
            losses[model] += (normaliser - scores.gather(1, wanted)[:, 0]).sum()
            p.scatter_add_(1, wanted, p.new_full(wanted.shape, -1.0))
            if bias is not None:
                d_bias[model] += p.sum(0)
            part.copy_(p)
    return losses, d_bias


@torch.no_grad()
def log_probabilities(outputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Log-probabilities of all words, float32: (K, n, d) and the layer (K, V, d), (K, V) → (K, n, V)."""
    logits = bmm(outputs, weight.transpose(1, 2)).float()
    if bias is not None:
        logits += bias[:, None]
    return torch.log_softmax(logits, dim=2)


@torch.no_grad()
def target_log_probabilities(
    outputs: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
) -> Tensor:
    """Log-probabilities of the targets (n,), float32, shape (K, n); the rest as `log_probabilities`."""
    found = outputs.new_empty(outputs.shape[:2], dtype=torch.float32)
    at_once = LOGITS_AT_ONCE if outputs.is_cuda else LOGITS_TO_READ
    for models, rows in _blocks(outputs, weight.shape[1], at_once):
        logits = bmm(outputs[models, rows], weight[models].transpose(1, 2)).float()
        if bias is not None:
            logits += bias[models, None]
        wanted = targets[rows].expand(len(logits), -1)[..., None]
        found[models, rows] = logits.gather(2, wanted)[..., 0] - logits.logsumexp(2)
    return found


def _blocks(outputs: Tensor, n_words: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Models and rows whose logits, at most so many, are made together.

    On a processor, models whose logits do not fit its cache together are better off one after another.
    """
    n_models, n_rows, _ = outputs.shape
    together = at_once if outputs.is_cuda else CACHED_LOGITS
    models = max(1, together // max(1, n_rows * n_words))
    rows = max(1, at_once // n_words)
    for first in range(0, n_models, models):
        for start in range(0, n_rows, rows):
            yield slice(first, first + models), slice(start, start + rows)
