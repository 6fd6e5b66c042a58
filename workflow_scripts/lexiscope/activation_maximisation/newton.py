"""Newton's method with the whole Hessian, a word at a time: slow and sure.

For the few words on which the models of `exact` do not get ahead, and for layers so small that they need no
model. With q the probability that the target loses, r the others' probabilities among themselves, m their
mean vector and a = W_w − m, the Hessian is 2λI + q Σ_v r_v (W_v − m)(W_v − m)ᵀ + q(1 − q) aaᵀ.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lexiscope.activation_maximisation.softmax import SoftmaxLayer

MAX_ITERATIONS = 40
MAX_HALVINGS = 30
MAX_DOUBLINGS = 10

NEGLIGIBLE = 1e-8
"""Words with less of the others' probability do not shape the Hessian; a step too long is shortened."""

MOST_WORDS = 2048


def solve_one(layer: SoftmaxLayer, inputs: Tensor, target: int, l2: float, tolerance: float) -> Tensor:
    """The optimal input of one word, to a certificate of ``tolerance`` times the objective.

    Parameters
    ----------
    layer
        The softmax layer, (V, d).
    inputs
        Where to start, shape (d,).
    target
        The word's row.

    Returns
    -------
    Tensor
        The input, shape (d,), as good as it got.
    """
    weight = layer.weight
    point = inputs.double()
    if _worse_than_the_origin(layer, inputs, target, l2):
        point = torch.zeros_like(point)
    for _ in range(MAX_ITERATIONS):
        logits = torch.addmv(layer.bias, weight, point.to(weight.dtype)).double()  # (V,)
        odds = logits - logits[target]
        odds[target] = -torch.inf
        total = torch.logsumexp(odds, dim=0)
        share = torch.exp(odds - total)  # r, (V,)
        lose = torch.sigmoid(total)
        mean = (share.to(weight.dtype) @ weight).double()  # m, (d,)
        pull = weight[target].double() - mean  # a, (d,)
        gradient = 2 * l2 * point - lose * pull
        objective = functional.softplus(total, threshold=80.0) + l2 * point.square().sum()
        if gradient.square().sum() <= 4 * l2 * tolerance * objective:
            break
        step = torch.linalg.solve(_hessian(weight, share, mean, pull, lose, l2), -gradient)
        along = (weight @ step.to(weight.dtype)).double()
        along -= along[target].clone()
        length = _line_search(odds, along, point, step, objective, float(gradient @ step), l2)
        if length == 0:
            break
        point = point + length * step
    return point.to(inputs.dtype)


def _worse_than_the_origin(layer: SoftmaxLayer, inputs: Tensor, target: int, l2: float) -> bool:
    rows = torch.stack([inputs, torch.zeros_like(inputs)])
    loss, _ = layer.cross_entropy(rows, torch.tensor([target, target], device=inputs.device))
    given, origin = (loss + l2 * rows.square().sum(dim=1)).tolist()
    return not given <= origin


def _hessian(weight: Tensor, share: Tensor, mean: Tensor, pull: Tensor, lose: Tensor, l2: float) -> Tensor:
    rows = (share > NEGLIGIBLE).nonzero().squeeze(1)
    if len(rows) > MOST_WORDS:
        rows = share.topk(MOST_WORDS, sorted=False).indices
    spread = (weight[rows].double() - mean) * share[rows].sqrt()[:, None]
    curvature = lose * (spread.T @ spread) + lose * (1 - lose) * torch.outer(pull, pull)
    return curvature.add_(
        torch.eye(len(pull), dtype=curvature.dtype, device=curvature.device), alpha=2 * l2
    )


def _line_search(
    odds: Tensor, along: Tensor, point: Tensor, step: Tensor, objective: Tensor, slope: float, l2: float
) -> float:
    """How far to go: halve until it falls enough, or double for as long as it falls more; 0 if neither."""
    crossed, squared, square = float(point @ step), float(step @ step), float(point @ point)

    def value(length: float) -> float:
        loss = functional.softplus(torch.logsumexp(odds + length * along, dim=0), threshold=80.0)
        return float(loss) + l2 * (square + 2 * length * crossed + length * length * squared)

    start, length = float(objective), 1.0
    best = value(length)
    for _ in range(MAX_HALVINGS):
        if best <= start + 1e-3 * length * slope:
            break
        length *= 0.5
        best = value(length)
    else:
        return 0.0
    for _ in range(MAX_DOUBLINGS):
        further = value(2 * length)
        if further >= best:
            break
        length, best = 2 * length, further
    return length
