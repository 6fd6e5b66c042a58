"""Objective ``exact``: the optimum of log-probability − λ‖x‖² for every word, with a proof.

f(x) = −log softmax(Wx + b)_w + λ‖x‖² is 2λ-strongly convex, so f(x) − f* ≤ ‖∇f(x)‖² / 4λ at any x: the
*certificate*. The solver needs few passes over W, because most of its work is done on less:

1. Under softmax(b) the words' vectors have a mean and a covariance; in the eigenbasis of the latter a
   model of f with a single unknown per word gives the first inputs, without a pass.
2. A weighted sample of the words stands for all of them in two cheap passes.
3. A pass over W judges every word. Those whose certificate is small enough are done.
4. For the others that pass has found the strongest rivals and the exact mass and mean of the rest. A
   model of rivals and rest (`local_model`), in its first use with the sample's curvature, gives the next
   inputs; on to 3. Whoever gets worse goes back to its best input and trusts the model less.
5. Words that are still open after many rounds get Newton's method with the whole Hessian (`newton`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lexiscope.activation_maximisation.local_model import (
    Competition,
    minimise,
    minimise_without_rivals,
)
from lexiscope.activation_maximisation.newton import solve_one
from lexiscope.activation_maximisation.softmax import Others, SoftmaxLayer

SAMPLE_SHARE, MIN_SAMPLE, MAX_SAMPLE = 1 / 8, 2048, 16_384
SAMPLE_PASSES = 2
N_RIVALS = 12
N_HEAVY = 8
"""Words of the sample that become rivals: so heavy a weight on one word would distort the rest."""

NEWTON_ITERATIONS = 2
ROWS_AT_ONCE = 128
"""Rows of a step, whose rivals' vectors then stay in the cache."""

COVARIANCE_ROWS = 1 << 15
"""Rows of W that are in float64 at one time."""

MAX_RIVALS = 64
"""More of a word's rivals than this make a step dearer than a pass: the latest are kept."""

MODEL_ROUNDS = 12
MAX_ROUNDS = 16
"""Rounds after those of the model take Newton's method."""

SMALL_LAYER = 128
"""So few words need no model of them."""

FEW_WORDS = 2
"""A round of passes for so few words takes longer than to finish them by Newton's method."""

SOFTEST = 1 / 64
PATIENCE = 3
"""Rounds after which the model may be trusted more, as long as words get better slowly."""

NEVER = -1e4
"""Log odds of a rival that is listed twice."""

MIN_SHARE = 1e-4
"""The rest's share of the mass is a difference; less than this is noise."""


class Solution(NamedTuple):
    """The inputs of some words, and how good they are."""

    inputs: Tensor  # (n, d)
    objective: Tensor  # (n,)
    certificate: Tensor  # (n,), upper bound of objective − minimum
    passes: float  # over all of W, for each word; those over the sample, a part of it, do not count


@dataclass
class Rows:
    """Words in work: the best input found for each, and what was seen there."""

    position: Tensor  # in the caller's list, (n,)
    target: Tensor  # row in W, (n,)
    inputs: Tensor  # (n, d)
    objective: Tensor  # (n,)
    log_mass: Tensor  # of the other words, (n,)
    mean: Tensor  # of the other words, (n, d)
    rivals: Tensor  # rows in W, (n, k); grows
    stiffness: Tensor  # factor on the rest's variance, (n,)

    def select(self, keep: Tensor) -> Rows:
        """Some of the words."""
        return Rows(*(getattr(self, field.name)[keep] for field in fields(self)))


class ExactSolver:
    """Solves for blocks of words of one softmax layer at one λ.

    Parameters
    ----------
    layer
        The layer, of at least two words.
    l2
        λ > 0.
    tolerance
        A word is done when its certificate is at most this share of its objective.
    seed
        Of the sample.
    reduced
        Look at the sample in bfloat16 (TF32 on a GPU). Judgements are always in the layer's own precision.
    """

    def __init__(
        self, layer: SoftmaxLayer, l2: float, tolerance: float, seed: int, *, reduced: bool = False
    ) -> None:
        self.l2, self.tolerance = l2, tolerance
        self.prior = torch.softmax(layer.bias.double(), dim=0)  # (V,)
        mean, self.variance, basis = _principal_axes(layer.weight, self.prior)
        self.basis = basis.to(layer.weight.dtype)
        self.center = mean @ basis  # (d,), float64
        self.layer = SoftmaxLayer(layer.weight @ self.basis, layer.bias)
        self.sample = Sample(self.layer, self.prior, seed, reduced=reduced)

    def solve(self, targets: Tensor, start: Tensor | None = None) -> Solution:
        """Find the optimal inputs of the words ``targets`` (rows of W, shape (n,)).

        Parameters
        ----------
        targets
            The words.
        start
            Inputs to start from, (n, d), such as the solution for a λ near by.
        """
        n = len(targets)
        inputs = self._first_inputs(targets, start)
        solution = Solution(
            torch.empty_like(inputs),
            inputs.new_full((n,), torch.inf),
            inputs.new_full((n,), torch.inf),
            0.0,
        )
        position = torch.arange(n, device=targets.device)
        best: Rows | None = None
        n_judged = 0
        for number in range(MAX_ROUNDS):
            now = targets[position]
            others = self.layer.others(inputs, now, N_RIVALS)
            n_judged += len(now)
            objective, certificate = self._judge(inputs, now, others)
            self._keep(solution, position, inputs, objective, certificate)
            open_ = certificate > self.tolerance * objective
            if not bool(open_.any()):
                break
            seen = Rows(
                position, now, inputs, objective, others.log_mass, others.mean, others.top,
                torch.ones_like(objective),
            )  # fmt: skip
            softest = 1.0 if number < PATIENCE else SOFTEST
            best = _better(best, seen, softest).select(open_)
            position = best.position
            few = len(position) <= FEW_WORDS and number >= PATIENCE
            if few or number >= MODEL_ROUNDS or self.layer.n_words <= SMALL_LAYER:
                inputs = torch.stack([self._by_newton(best, row) for row in range(len(position))])
                continue
            parts = torch.split(torch.arange(len(position), device=position.device), ROWS_AT_ONCE)
            inputs = torch.cat([self._improved(best.select(part), first=number == 0) for part in parts])
            # An input that has run away starts again.
            inputs = inputs.where(inputs.isfinite().all(dim=1, keepdim=True), 0.0)
        return solution._replace(inputs=solution.inputs @ self.basis.T, passes=n_judged / max(1, n))

    # Steps ----------------------------------------------------------------------------------------

    def _first_inputs(self, targets: Tensor, start: Tensor | None) -> Tensor:
        """Inputs from the model of all words as one, corrected twice on the sample: (n, d)."""
        weight = self.layer.weight[targets]
        variance = self.variance.expand(len(targets), -1)
        if start is None:
            # A word that has all the probability, or none, is still a place to start from.
            own = self.prior[targets].clamp(1e-300, 1 - 1e-15)
            mean = (self.center - own[:, None] * weight.double()) / (1 - own)[:, None]
            odds = (torch.log1p(-own) - torch.log(own)).to(weight.dtype)
            inputs = torch.zeros_like(weight)
            model = Competition(odds[:, None], (weight - mean.to(weight.dtype))[:, None], variance)
            inputs, _ = minimise_without_rivals(model, inputs, self.l2)
        else:
            inputs = start @ self.basis
        for _ in range(SAMPLE_PASSES):
            others = self.sample.others(inputs, targets)
            odds = others.log_mass - self.layer.scores(inputs, targets)
            model = Competition(odds[:, None], (weight - others.mean)[:, None], variance)
            inputs, _ = minimise_without_rivals(model, inputs, self.l2)
        return inputs

    def _by_newton(self, rows: Rows, row: int) -> Tensor:
        target, tolerance = int(rows.target[row]), 0.5 * self.tolerance
        return solve_one(self.layer, rows.inputs[row], target, self.l2, tolerance)

    def _judge(self, inputs: Tensor, targets: Tensor, others: Others) -> tuple[Tensor, Tensor]:
        """Objective and certificate of each word; infinite where an input has run away."""
        scores = self.layer.scores(inputs, targets)
        loss, gradient = self.layer.evaluation(others, scores, targets)
        objective = loss + self.l2 * inputs.square().sum(dim=1)
        gradient += 2 * self.l2 * inputs
        certificate = gradient.square().sum(dim=1) / (4 * self.l2)
        lost = ~(objective.isfinite() & certificate.isfinite())
        # Where both are infinite the word would count as done, as ∞ > tolerance · ∞ is false.
        return objective.masked_fill(lost, 1e30), certificate.masked_fill(lost, torch.inf)

    @staticmethod
    def _keep(
        solution: Solution, position: Tensor, inputs: Tensor, objective: Tensor, certificate: Tensor
    ) -> None:
        """Write down the inputs whose certificate is the smallest yet."""
        better = certificate < solution.certificate[position]
        where = position[better]
        solution.inputs[where] = inputs[better]
        solution.objective[where] = objective[better]
        solution.certificate[where] = certificate[better]

    def _improved(self, rows: Rows, *, first: bool) -> Tensor:
        """Minimise a model of rivals and rest around the best inputs: the next inputs (n, d)."""
        weight = self.layer.weight[rows.target]
        own = self.layer.scores(rows.inputs, rows.target)
        logits = self.sample.logits(rows.inputs, rows.target, rows.log_mass)
        rivals = torch.cat([rows.rivals, self.sample.heaviest(logits)], dim=1) if first else rows.rivals
        twice = (rivals[:, :, None] == rivals[:, None, :]).tril(-1).any(dim=2)
        vectors, bias = self.layer.weight[rivals], self.layer.bias[rivals]

        def rival_odds(inputs: Tensor, own: Tensor) -> Tensor:
            odds = torch.bmm(vectors, inputs[:, :, None]).squeeze(2) + bias - own[:, None]
            return odds.masked_fill(twice, NEVER)

        odds = rival_odds(rows.inputs, own)
        shares = torch.exp(odds - (rows.log_mass - own)[:, None])  # of the other words' mass
        rest_share = (1 - shares.sum(dim=1)).clamp_min(MIN_SHARE)
        rest_odds = rows.log_mass - own + rest_share.log()
        rest_mean = rows.mean - torch.bmm(shares[:, None, :], vectors).squeeze(1)
        rest_mean = rest_mean / rest_share[:, None]

        excluded = self.sample.positions(rivals).masked_fill(twice, -1)
        sampled, variance = self.sample.moments(logits, excluded, rows.log_mass)
        variance = 0.5 * (variance + self.variance) * rows.stiffness[:, None]
        pull = torch.cat([weight[:, None] - vectors, (weight - rest_mean)[:, None]], dim=1)
        model = Competition(torch.cat([odds, rest_odds[:, None]], dim=1), pull, variance)
        inputs, expected = minimise(model, rows.inputs, self.l2, NEWTON_ITERATIONS * (1 if first else 2))
        if not first:
            return inputs
        # Once more, with the rest as the sample sees it from there, less what it got wrong before.
        error = rest_odds + own - sampled.log_mass
        drift = rest_mean - sampled.mean
        own = self.layer.scores(inputs, rows.target)
        logits = self.sample.logits(inputs, rows.target, expected[:, -1] + own)
        sampled, _ = self.sample.moments(logits, excluded, expected[:, -1] + own, variance=False)
        moved = ((inputs - rows.inputs) * drift).sum(dim=1)
        rest_odds = sampled.log_mass + error + moved - own
        pull[:, -1] = weight - sampled.mean - drift
        model = Competition(torch.cat([rival_odds(inputs, own), rest_odds[:, None]], dim=1), pull, variance)
        return minimise(model, inputs, self.l2, NEWTON_ITERATIONS)[0]


class Sample:
    """Some words of a layer, weighted so that their sums estimate those over all words.

    Words are drawn without replacement, half by their probability under the bias and half evenly; each
    weighs one over the probability that it is drawn (Horvitz & Thompson 1952).
    """

    def __init__(self, layer: SoftmaxLayer, prior: Tensor, seed: int, *, reduced: bool) -> None:
        size = min(MAX_SAMPLE, max(MIN_SAMPLE, int(layer.n_words * SAMPLE_SHARE)))
        shares = 0.5 * prior.cpu().numpy() + 0.5 / layer.n_words
        inclusion = _inclusion_probabilities(shares, size)
        drawn = _systematic_draw(inclusion, np.random.default_rng(seed))
        device = layer.weight.device
        self.rows = torch.from_numpy(drawn).to(device)
        offset = torch.from_numpy(-np.log(inclusion[drawn])).to(layer.bias)
        self.layer = SoftmaxLayer(layer.weight[self.rows], layer.bias[self.rows] + offset, reduced=reduced)
        self._squares = self.layer.weight.square()
        self._position = torch.full((layer.n_words,), -1, dtype=torch.int64, device=device)
        self._position[self.rows] = torch.arange(len(drawn), device=device)

    def positions(self, rows: Tensor) -> Tensor:
        """Place in the sample of rows of the whole layer; −1 where they were not drawn."""
        return self._position[rows]

    def others(self, inputs: Tensor, targets: Tensor) -> Others:
        """As `SoftmaxLayer.others` of the whole layer, estimated."""
        return self.layer.others(inputs, self.positions(targets))

    def logits(self, inputs: Tensor, targets: Tensor, shift: Tensor) -> Tensor:
        """Weighted logits of the sample (n, m), less ``shift`` (n,); −∞ at the target."""
        logits = torch.addmm(self.layer.bias, inputs, self.layer.weight.T).sub_(shift[:, None])
        places = self.positions(targets)
        drawn = (places >= 0).nonzero().squeeze(1)
        logits[drawn, places[drawn]] = -torch.inf
        return logits

    def heaviest(self, logits: Tensor) -> Tensor:
        """Rows in the whole layer of the words that weigh most, shape (n, k)."""
        k = min(N_HEAVY, logits.shape[1] - 1)
        return self.rows[logits.topk(k, dim=1, sorted=False).indices]

    def moments(
        self, logits: Tensor, excluded: Tensor, shift: Tensor, *, variance: bool = True
    ) -> tuple[Others, Tensor]:
        """Log mass (n,), mean (n, d) and variance by axis (n, d) of the sample without some places (n, k).

        ``logits`` are consumed, and ``shift`` is what they lack.
        """
        listed, column = (excluded >= 0).nonzero(as_tuple=True)
        logits[listed, excluded[listed, column]] = -torch.inf
        highest = logits.amax(dim=1).clamp_min(-1e30)
        weights = logits.sub_(highest[:, None]).exp_()
        mass = weights.sum(dim=1)
        mean = (weights @ self.layer.weight).div_(mass[:, None])
        found = Others(mass.log() + highest + shift, mean, excluded)
        if not variance:
            return found, mean
        squares = (weights @ self._squares).div_(mass[:, None])
        return found, squares.sub_(mean.square()).clamp_min_(0)


def _principal_axes(weight: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (d,) of the rows of W under the prior, and its covariance's eigenvalues (d,) and vectors (d, d).

    Mean and vectors are float64; the eigenvalues have the type of W.
    """
    dim = weight.shape[1]
    mean = prior.new_zeros(dim)
    second = prior.new_zeros(dim, dim)
    for rows in torch.split(torch.arange(len(weight), device=weight.device), COVARIANCE_ROWS):
        block, share = weight[rows].double(), prior[rows]
        mean += share @ block
        second += (block * share[:, None]).T @ block
    values, vectors = torch.linalg.eigh(second - torch.outer(mean, mean))
    return mean, values.clamp_min(0).to(weight.dtype), vectors


def _better(best: Rows | None, seen: Rows, softest: float) -> Rows:
    """For each word the better of two; whoever got worse trusts the model less the next time."""
    if best is None:
        return seen
    won = seen.objective < best.objective
    column = won[:, None]
    return Rows(
        position=best.position,
        target=best.target,
        inputs=torch.where(column, seen.inputs, best.inputs),
        objective=torch.where(won, seen.objective, best.objective),
        log_mass=torch.where(won, seen.log_mass, best.log_mass),
        mean=torch.where(column, seen.mean, best.mean),
        rivals=torch.cat([best.rivals, seen.rivals], dim=1)[:, -MAX_RIVALS:],
        stiffness=torch.where(won, (0.5 * best.stiffness).clamp_min(softest), 4.0 * best.stiffness),
    )


def _inclusion_probabilities(shares: np.ndarray, size: int) -> np.ndarray:
    """Probabilities that sum to ``size``, proportional to ``shares`` but at most 1."""
    if size >= len(shares):
        return np.ones_like(shares)
    certain = np.zeros(len(shares), dtype=bool)
    while True:
        scale = (size - certain.sum()) / shares[~certain].sum()
        more = ~certain & (shares * scale >= 1)
        if not more.any():
            return np.where(certain, 1.0, shares * scale)
        certain |= more


def _systematic_draw(inclusion: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw without replacement so that each entry has its own probability: sorted indices."""
    order = generator.permutation(len(inclusion))
    edges = np.cumsum(inclusion[order])
    ticks = np.arange(round(edges[-1])) + generator.random()
    drawn = order[np.searchsorted(edges, ticks[ticks < edges[-1]], side="right")]
    return np.unique(drawn)
