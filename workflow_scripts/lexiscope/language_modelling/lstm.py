"""LSTM layers of K models at once, a whole window in one step of automatic differentiation.

Models that read the same text with weights of one shape differ in nothing but numbers, so each product of
a step is one batched product over K weights. Gates are in torch's order (input, forget, cell, output), and
there are two biases as in `torch.nn.LSTM`, so weights can be copied from one and to one.

Products are taken in ``precision``; cells, gates and their derivatives are float32. What does not depend on
the step before is kept out of the loop over steps: products with the input, derivatives of the
nonlinearities, gradients of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lexiscope.matrix_products import baddbmm, bmm

CACHED_BYTES = 1 << 22
"""Size of weights that stay in a processor's cache from step to step."""


def lstm_layer(
    inputs: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor,
    h: Tensor,
    c: Tensor,
    precision: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor, Tensor]:
    """One layer over a window.

    Parameters
    ----------
    inputs
        Shape (K, T, B, d), of type ``precision``; differentiated only where it requires a gradient.
    w_ih, w_hh, bias
        float32, shapes (K, 4h, d), (K, 4h, h) and (K, 4h); the bias is the sum of torch's two.
    h, c
        float32, shape (K, B, h): the state before the window, through which no gradient flows.
    precision
        Of the matrix products.

    Returns
    -------
    Outputs (K, T, B, h) of type ``precision``, and the state after the window.
    """
    outputs: tuple[Tensor, Tensor, Tensor] = _Layer.apply(  # type: ignore[no-untyped-call]
        inputs, w_ih, w_hh, bias, h, c, precision
    )
    return outputs


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        bias: Tensor,
        h: Tensor,
        c: Tensor,
        precision: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Cast once for the window, for the loop here and the one in backward.
        w_ih, w_hh = w_ih.to(precision), w_hh.to(precision)
        before = input_gates(inputs, w_ih, bias)  # (K, T, B, 4h)
        states, cells, gates, squashed = recurrence(before, w_hh, h, c, keep=True)
        ctx.save_for_backward(inputs, w_ih, w_hh, states, cells, gates, squashed)
        outputs, last_h, last_c = states[:, 1:], states[:, -1].float(), cells[:, -1].clone()
        ctx.mark_non_differentiable(last_h, last_c)
        return outputs, last_h, last_c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        inputs, w_ih, w_hh, states, cells, gates, squashed = ctx.saved_tensors
        errors = _backward_recurrence(upstream[0], w_hh, cells, gates, squashed).flatten(
            1, 2
        )  # (K, T·B, 4h)
        transposed = errors.transpose(1, 2)
        d_w_hh = bmm(transposed, states[:, :-1].flatten(1, 2)).float()
        d_w_ih = bmm(transposed, inputs.flatten(1, 2)).float()
        d_bias = errors.sum(1, dtype=torch.float32)
        d_inputs = None
        if ctx.needs_input_grad[0]:
            d_inputs = bmm(errors, w_ih).view_as(inputs)
        return d_inputs, d_w_ih, d_w_hh, d_bias, None, None, None


def input_gates(inputs: Tensor, w_ih: Tensor, bias: Tensor) -> Tensor:
    """The gates' share that comes from the input: (K, T, B, d) → (K, T, B, 4h)."""
    k, t, b, _ = inputs.shape
    flat = baddbmm(bias[:, None].to(w_ih.dtype), inputs.flatten(1, 2), w_ih.transpose(1, 2))
    return flat.view(k, t, b, -1)


def recurrence(
    before: Tensor, w_hh: Tensor, h: Tensor, c: Tensor, *, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run the steps of a window.

    Parameters
    ----------
    before
        The gates' share that comes from input and bias, (K, T, B, 4h).
    w_hh
        Shape (K, 4h, h), of the same type.
    h, c
        float32, shape (K, B, h).
    keep
        Whether all cells and gates are needed, for going back.

    Returns
    -------
    States (K, T + 1, B, h) of the type of ``w_hh``, the one before the window first; cells likewise, gates
    (K, T, B, 4h) after their nonlinearities, and hyperbolic tangents of the cells (K, T, B, h), float32.
    Unless they are kept, there are only the last two cells, and the last of the others.
    """
    n_models, n_steps, n_streams, width = before.shape
    hidden = width // 4
    states = before.new_empty(n_models, n_steps + 1, n_streams, hidden)
    cells = c.new_empty(n_models, n_steps + 1 if keep else 2, n_streams, hidden)
    gates = c.new_empty(n_models, n_steps if keep else 1, n_streams, width)
    squashed = c.new_empty(n_models, n_steps if keep else 1, n_streams, hidden)
    states[:, 0], cells[:, 0 if keep else n_steps % 2 - 1] = h, c
    for part in _cached_models(w_hh):
        _run(before[part], states[part], cells[part], gates[part], squashed[part], w_hh[part], keep)
    return states, cells, gates, squashed


def _run(
    before: Tensor,
    states: Tensor,
    cells: Tensor,
    gates: Tensor,
    squashed: Tensor,
    w_hh: Tensor,
    keep: bool,
) -> None:
    """The loop of `recurrence`, which fills its tensors."""
    n_steps, hidden = before.shape[1], before.shape[3] // 4
    multiply, w = _product_with(w_hh), w_hh.transpose(1, 2)
    # Views of all steps are made at once, which is quicker than indexing at each.
    shares, state_at, cell_at, gate_at = (x.unbind(1) for x in (before, states, cells, gates))
    squashed_at = squashed.unbind(1)
    parts = [x.unbind(1) for x in gates.chunk(4, dim=-1)]
    sigmoids = gates[..., : 2 * hidden].unbind(1)
    for step in range(n_steps):
        at = step if keep else 0
        if before.dtype == gates.dtype:
            multiply(shares[step], state_at[step], w, out=gate_at[at])
        else:
            gate_at[at].copy_(multiply(shares[step], state_at[step], w))
        sigmoids[at].sigmoid_()
        i, f, g, o = (part[at] for part in parts)
        g.tanh_()
        o.sigmoid_()
        # Where they are not kept, two cells take turns, so that the last step's is the second.
        previous = step if keep else (n_steps - step) % 2 - 1
        cell = torch.mul(f, cell_at[previous], out=cell_at[previous + 1])
        cell.addcmul_(i, g)
        torch.tanh(cell, out=squashed_at[at])
        state_at[step + 1].copy_(o.mul(squashed_at[at]))


def _backward_recurrence(
    d_outputs: Tensor, w_hh: Tensor, cells: Tensor, gates: Tensor, squashed: Tensor
) -> Tensor:
    """Gradient of the gates before their nonlinearities, (K, T, B, 4h), of the type of ``w_hh``."""
    errors = torch.empty_like(gates, dtype=d_outputs.dtype)
    for part in _cached_models(w_hh):
        slopes, cell_slope = _slopes(cells[part], gates[part], squashed[part])
        forget = gates[part].chunk(4, dim=-1)[1]
        _run_back(errors[part], d_outputs[part], slopes, cell_slope, forget, w_hh[part])
    return errors


def _slopes(cells: Tensor, gates: Tensor, squashed: Tensor) -> tuple[Tensor, Tensor]:
    """How gates before their nonlinearities act on the cell (i, f, g) and on the output (o), and the cell.

    Returns
    -------
    Derivatives with respect to the gates, (K, T, B, 4, h), and of the output with respect to the cell.
    """
    i, f, g, o = gates.chunk(4, dim=-1)
    slopes = torch.empty_like(gates).view(*gates.shape[:3], 4, -1)
    d_i, d_f, d_g, d_o = slopes.unbind(3)
    torch.addcmul(i, i, i, value=-1, out=d_i).mul_(g)
    torch.addcmul(f, f, f, value=-1, out=d_f).mul_(cells[:, :-1])
    torch.mul(g, g, out=d_g).mul_(i).neg_().add_(i)
    torch.addcmul(o, o, o, value=-1, out=d_o).mul_(squashed)
    return slopes, squashed.square().neg_().add_(1).mul_(o)


def _run_back(
    errors: Tensor, d_outputs: Tensor, slopes: Tensor, cell_slope: Tensor, f: Tensor, w_hh: Tensor
) -> None:
    """The loop of `_backward_recurrence`, which fills ``errors``."""
    d_c = torch.zeros_like(cell_slope[:, 0])
    # In float32 the gates' errors are made where they belong, else in a buffer of one step.
    exact = errors.dtype == slopes.dtype
    d_gates = errors.view_as(slopes) if exact else torch.empty_like(slopes[:, :1])  # (K, T or 1, B, 4, h)
    d_before_at, d_through_at = d_gates[:, :, :, :3].unbind(1), d_gates[:, :, :, 3].unbind(1)
    d_output_at, error_at, forget_at = (x.unbind(1) for x in (d_outputs, errors, f))
    cell_slope_at, output_slope_at = cell_slope.unbind(1), slopes[:, :, :, 3].unbind(1)
    slope_at = slopes[:, :, :, :3].unbind(1)
    multiply = _product_with(w_hh)
    last = len(error_at) - 1
    for step in range(last, -1, -1):
        at = step if exact else 0
        if step == last:
            d_h = d_output_at[step].float()
        else:
            d_h = multiply(d_output_at[step], error_at[step + 1], w_hh).float()
        d_c.addcmul_(d_h, cell_slope_at[step])
        torch.mul(slope_at[step], d_c[:, :, None], out=d_before_at[at])
        torch.mul(output_slope_at[step], d_h, out=d_through_at[at])
        if not exact:
            error_at[step].copy_(d_gates[:, 0].flatten(2))
        d_c.mul_(forget_at[step])


def _cached_models(w_hh: Tensor) -> Iterator[slice]:
    """Models that go through the steps together: as many as a processor's cache holds the weights of.

    Weights are read at every step. Those of all models in turn would come from memory each time, where
    those of a few stay in the cache over all steps; a GPU is faster with all at once.
    """
    n_models = len(w_hh)
    step = n_models if w_hh.is_cuda else max(1, CACHED_BYTES // w_hh[0].nbytes)
    for first in range(0, n_models, step):
        yield slice(first, first + step)


def _product_with(w_hh: Tensor) -> Callable[..., Tensor]:
    """The quicker product, with an addend: the libraries differ where weights do not fit the cache."""
    return baddbmm if w_hh[0].nbytes > CACHED_BYTES else torch.baddbmm
