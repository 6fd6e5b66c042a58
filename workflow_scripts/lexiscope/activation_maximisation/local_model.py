"""The small convex problem that stands for the large one during a step of the exact solver.

At an input x + δ, the words that a target w competes with are a few *rivals* k, each by itself, and the
*rest*, all others in one. With s the target's own score, the log odds against w are

    u_k(δ) = u_k − a_k·δ                   a_k = W_w − W_k, exact
    u_R(δ) = u_R − a_R·δ + ½ δᵀ diag(D) δ   a_R = W_w − mean of the rest, D its variance by axis

and the objective is log(1 + Σ_j exp u_j(δ)) + λ‖x + δ‖². In the shapes below n words, j competitors (the
rest is the last of them), d dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

MAX_LINE_SEARCHES = 8
SHRINK = 0.4
SUFFICIENT_DECREASE = 1e-3
CLOSE_ENOUGH = 2e-3
"""A certificate of this share of the objective ends Newton's iteration: no model is better than that."""

ROOT_ITERATIONS = 24
ROOT_TOLERANCE = 3e-3
"""In nats of the log odds."""

ROOT_SHARE = 0.9
"""So large a share of the words has to be there; a pass over W will tell of the others."""


class Competition(NamedTuple):
    """The model at δ = 0."""

    log_odds: Tensor  # u, (n, j)
    pull: Tensor  # a, (n, j, d)
    variance: Tensor  # D, (n, d)


def minimise(competition: Competition, inputs: Tensor, l2: float, iterations: int) -> tuple[Tensor, Tensor]:
    """Damped Newton's method on the model, from δ = 0.

    Its Hessian is 2λ + q_R D, a diagonal, plus AᵀBA of rank j, with q the competitors' probabilities and
    B = diag q − qqᵀ: by the formula of Woodbury a step solves a system of size j.

    Returns
    -------
    Tensor, Tensor
        The new inputs (n, d), and the log odds (n, j) that the model expects there.
    """
    odds, pull = competition.log_odds.clone(), competition.pull.clone()
    variance, moved = competition.variance, torch.zeros_like(inputs)
    identity = torch.eye(odds.shape[1], dtype=odds.dtype, device=odds.device)
    for iteration in range(iterations):
        value, shares = _log_sum(odds)
        here = inputs + moved
        gradient = 2 * l2 * here - _combine(shares, pull)
        if iteration and _close(gradient, value + l2 * _square(here), l2):
            break
        diagonal = 2 * l2 + shares[:, -1:] * variance
        scaled = pull / diagonal[:, None, :]
        gram = torch.bmm(scaled, pull.transpose(1, 2))  # (n, j, j)
        right = _bend(shares, torch.bmm(scaled, gradient[:, :, None]))
        inner = torch.linalg.solve(identity + _bend(shares, gram), right)
        step = torch.bmm(scaled.transpose(1, 2), inner).squeeze(2) - gradient / diagonal
        slope = (gradient * step).sum(dim=1)
        along = torch.bmm(pull, step[:, :, None]).squeeze(2)  # how fast each log odds falls
        bow = (variance * step * step).sum(dim=1)
        length, odds = _line_search(odds, value, along, bow, here, step, slope, l2)
        step *= length[:, None]
        moved += step
        pull[:, -1] -= variance * step
    return inputs + moved, odds


def minimise_without_rivals(competition: Competition, inputs: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """The minimum of a model with the rest alone (j = 1), however far it is.

    Where the target loses with probability q, δ = (q a − 2λx) / (qD + 2λ); what is left is to find the
    logit of q at which the odds agree, one increasing function of one unknown for each word.

    Returns
    -------
    Tensor, Tensor
        The new inputs (n, d), and the log odds (n, 1) that the model expects there.
    """
    odds, pull, variance = competition.log_odds[:, 0], competition.pull[:, 0], competition.variance
    logit = odds.clone()
    low, high = torch.full_like(odds, -80.0), torch.full_like(odds, 80.0)
    step = torch.zeros_like(inputs)
    expected = odds
    missed_before = torch.full_like(odds, torch.inf)
    for _ in range(ROOT_ITERATIONS):
        lose = torch.sigmoid(logit)[:, None]
        diagonal = lose * variance + 2 * l2
        step = (lose * pull - 2 * l2 * inputs) / diagonal
        expected = odds - (pull * step).sum(dim=1) + 0.5 * (variance * step * step).sum(dim=1)
        miss = logit - expected
        if float((miss.abs() < ROOT_TOLERANCE).sum()) >= ROOT_SHARE * len(miss):
            break
        low, high = torch.where(miss < 0, logit, low), torch.where(miss > 0, logit, high)
        residual = pull - variance * step
        slope = 1 + (residual * residual / diagonal).sum(dim=1) * (lose * (1 - lose)).squeeze(1)
        newton = logit - miss / slope
        # Newton's step may jump to and fro inside the bracket: unless it halves the miss, bisect.
        trusted = (newton > low) & (newton < high) & (miss.abs() < 0.5 * missed_before)
        logit = torch.where(trusted, newton, 0.5 * (low + high))
        missed_before = miss.abs()
    return inputs + step, expected[:, None]


def _log_sum(odds: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + Σ_j exp u_j), shape (n,), and each competitor's probability, shape (n, j)."""
    # Not log(1 + ...): where the target has all but won, the value would be lost beside the 1.
    value = functional.softplus(torch.logsumexp(odds, dim=1), threshold=80.0)
    return value, torch.exp(odds - value[:, None])


def _line_search(
    odds: Tensor,
    value: Tensor,
    along: Tensor,
    bow: Tensor,
    here: Tensor,
    step: Tensor,
    slope: Tensor,
    l2: float,
) -> tuple[Tensor, Tensor]:
    """Shorten each row's step until the model falls enough; the odds after it come along."""
    crossed, squared = (here * step).sum(dim=1), _square(step)
    length = torch.ones_like(value)
    after = odds
    for _ in range(MAX_LINE_SEARCHES):
        after = odds - length[:, None] * along
        after[:, -1] += 0.5 * length * length * bow
        change = _log_sum(after)[0] - value + l2 * (2 * length * crossed + length * length * squared)
        # The last digits of the value are noise, and not worth a shorter step.
        fails = change > SUFFICIENT_DECREASE * length * slope + 1e-7 * value
        if not bool(fails.any()):
            break
        length = torch.where(fails, SHRINK * length, length)
    return length, after


def _bend(shares: Tensor, columns: Tensor) -> Tensor:
    """B times ``columns`` (n, j, m), with B = diag q − qqᵀ."""
    weighted = shares[:, :, None] * columns
    return weighted - shares[:, :, None] * weighted.sum(dim=1, keepdim=True)


def _combine(shares: Tensor, pull: Tensor) -> Tensor:
    return torch.bmm(shares[:, None, :], pull).squeeze(1)


def _square(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1)


def _close(gradient: Tensor, objective: Tensor, l2: float) -> bool:
    return bool((_square(gradient) < 4 * l2 * CLOSE_ENOUGH * objective).all())
