"""The two matrices of a causal language model: its input embeddings, and the softmax layer at its end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexiscope.errors import LexiscopeError

logger = logging.getLogger("lexiscope")

PROBE = 32.0
"""Largest logit of the probe: high enough to see a cap (Gemma 2: 30); a power of two, for exact factors."""

LINEAR_WITHIN = 1e-3


@dataclass(frozen=True)
class Matrices:
    """What a model's tokens are looked up in, and what they are predicted with.

    Attributes
    ----------
    input
        float32, shape (n_tokens, d_in).
    output
        float32, shape (n_tokens, d): the rows of W in p = softmax(W h + b), with any factor on the logits.
    bias
        b, float32, shape (n_tokens,); None for a softmax without bias.
    tied
        Whether input and output are one matrix (but for that factor).
    n_rows
        Rows of the softmax layer in the model, those that no token has included.
    logit_scale
        The factor on the logits; None if the model could not be asked.
    logits_are_linear
        Whether the model's logits are W h + b; False where it caps them. None if it could not be asked.
    """

    input: NDArray[np.float32]
    output: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    tied: bool
    n_rows: int
    logit_scale: float | None
    logits_are_linear: bool | None


@dataclass(frozen=True)
class _AfterHead:
    """What a model does to the logits of its softmax layer: ``scale * logits + offset``, if linear."""

    scale: float
    offset: Tensor  # (n_rows,)
    is_linear: bool


def embedding_modules(model: nn.Module, where: str) -> tuple[nn.Module, nn.Module]:
    """The modules that hold the input embeddings and the softmax layer.

    Raises
    ------
    LexiscopeError
        If the model has not both, as matrices with one row a token.
    """
    modules = model.get_input_embeddings(), model.get_output_embeddings()  # type: ignore[operator]
    for module, name in zip(modules, ("input embedding", "softmax"), strict=True):
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2 or not weight.is_floating_point():
            raise LexiscopeError(
                f"a {type(model).__name__} has no {name} matrix with one row of floats a token", where=where
            )
    return modules


def read_matrices(model: nn.Module, n_tokens: int, *, tie_word_embeddings: bool, where: str) -> Matrices:
    """Read the matrices of a causal language model.

    What the model does to the logits behind its softmax layer (Cohere multiplies, Granite divides, Gemma 2
    caps them) is found out by running it with known logits in that layer's place: a factor becomes part of
    the rows, a cap is warned about.

    Parameters
    ----------
    model
        A causal language model of transformers.
    n_tokens
        How many ids the tokenizer has; rows beyond are padding and are cut off.
    tie_word_embeddings
        What the model's configuration says; a contradiction is logged.
    where
        The model's name in messages.

    Raises
    ------
    LexiscopeError
        If a matrix is missing, has fewer rows than the tokenizer has ids, or a value that is not finite.
    """
    lookup, head = embedding_modules(model, where)
    weight_in, weight_out = cast(Tensor, lookup.weight).detach(), cast(Tensor, head.weight).detach()
    # Bias parameters that are None, and layers that have no such attribute, are alike.
    bias = getattr(head, "bias", None)
    tied = weight_in.data_ptr() == weight_out.data_ptr() or torch.equal(weight_in, weight_out)
    if tied != tie_word_embeddings:
        logger.warning(
            "%s: the configuration says that input and output are %s, the weights say otherwise",
            where,
            "tied" if tie_word_embeddings else "not tied",
        )
    after = _look_behind(model, head, where)
    scale, offset = (
        (after.scale, after.offset) if after is not None else (1.0, torch.zeros(len(weight_out)))
    )
    if bias is not None or offset.any():
        bias = offset + (0.0 if bias is None else scale * bias.detach().float())
    return Matrices(
        input=_rows(weight_in, n_tokens, "input embedding", where),
        output=_rows(scale * weight_out if scale != 1.0 else weight_out, n_tokens, "softmax", where),
        bias=None if bias is None else _rows(bias, n_tokens, "softmax bias", where),
        tied=tied,
        n_rows=len(weight_out),
        logit_scale=None if after is None else after.scale,
        logits_are_linear=None if after is None else after.is_linear,
    )


def _rows(matrix: Tensor, n_tokens: int, name: str, where: str) -> NDArray[np.float32]:
    if len(matrix) < n_tokens:
        raise LexiscopeError(
            f"the {name} has {len(matrix):,} rows, the tokenizer {n_tokens:,} ids",
            where=where,
            remedy="give the tokenizer that the model was trained with",
        )
    if len(matrix) > n_tokens:
        logger.info("%s: the last %d rows of the %s are of no token", where, len(matrix) - n_tokens, name)
    rows: NDArray[np.float32] = np.ascontiguousarray(matrix[:n_tokens].detach().float().numpy())
    if not np.isfinite(rows).all():
        raise LexiscopeError(f"the {name} has NaN or infinite values", where=where)
    return rows


def _look_behind(model: nn.Module, head: nn.Module, where: str) -> _AfterHead | None:
    """Run the model twice with known logits in the place of its softmax layer's; None if that fails."""
    n_rows = len(cast(Tensor, head.weight))
    ramp = torch.linspace(-PROBE, PROBE, n_rows)
    try:
        offset, logits = (_logits_of(model, head, given) for given in (torch.zeros(n_rows), ramp))
    except Exception as error:  # a forward pass, of any model, may raise anything
        logger.warning(
            "%s: the model does not run (%s: %s); a factor or a cap on its logits would go unseen",
            where,
            type(error).__name__,
            str(error).split("\n", 1)[0],
        )
        return None
    change = logits - offset
    scale = float(change[-1] / ramp[len(change) - 1])
    is_linear = bool(
        (change - scale * ramp[: len(change)]).abs().max() <= LINEAR_WITHIN * PROBE * abs(scale)
    )
    if not is_linear or scale <= 0:
        logger.warning(
            "%s: the model does not use the logits of its softmax layer as they are (it caps them, most "
            "likely); what follows works with the layer as it stands",
            where,
        )
        return _AfterHead(1.0, torch.zeros(n_rows), False)
    if scale != 1.0:
        logger.info("%s: the model multiplies its logits by %g; the rows are, too", where, scale)
    whole = torch.zeros(n_rows)
    whole[: len(offset)] = offset
    return _AfterHead(scale, whole, True)


def _logits_of(model: nn.Module, head: nn.Module, given: Tensor) -> Tensor:
    """The model's logits, shape (n_rows,) or fewer, when its softmax layer puts out ``given``."""
    calls = 0

    def replace(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return given.to(output.dtype).expand_as(output).clone()

    handle = head.register_forward_hook(replace)
    try:
        with torch.inference_mode():
            logits: Tensor = model(input_ids=torch.zeros((1, 2), dtype=torch.long)).logits
    finally:
        handle.remove()
    if not calls:
        raise RuntimeError("its forward pass goes round its softmax layer")
    return logits[0, -1].float()
