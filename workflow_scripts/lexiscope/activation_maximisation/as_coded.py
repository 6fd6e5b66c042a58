"""Objective ``as_coded``: what the Keras program released with Derby et al. 2020 minimises.

Each step there takes a batch of words, and its loss is the batch's mean cross-entropy plus λ times the
squared norm of the *whole* table; Adam moves all V rows at every step. A row outside the batch therefore
follows a recurrence of its own (its gradient is 2λx), which does not look at any other row. Here it is
carried out only when the row is next needed, for all its missed steps at once while its block is in the
cache: the same numbers, without V × d memory traffic at every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lexiscope.activation_maximisation.adam import AdamRows
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.softmax import SoftmaxLayer


@dataclass
class Training:
    """The state of the run: the table with its moments, and up to which step each row has come."""

    rows: AdamRows
    reached: Tensor  # (V,) int64
    step: int = 0

    @classmethod
    def start(cls, value: Tensor) -> Training:
        """Begin from these inputs, shape (V, d)."""
        reached = torch.zeros(len(value), dtype=torch.int64, device=value.device)
        return cls(AdamRows.start(value.clone()), reached)


def run_epoch(
    training: Training,
    layer: SoftmaxLayer,
    targets: Tensor,
    config: ActivationMaximisationConfig,
    seed: int,
    epoch: int,
) -> None:
    """Show every word once, in a new random order; an epoch ends with all rows up to date.

    ``targets`` are the words' rows in the layer, shape (n,).
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(targets))
    for start in range(0, len(order), config.batch_size):
        batch = torch.from_numpy(order[start : start + config.batch_size]).to(layer.weight.device)
        training.step += 1
        rows = _caught_up(training, batch, training.step - 1, config)
        # Keras averages over the rows of the batch at hand: the last one may be short.
        gradient = layer.cross_entropy(rows.value, targets[batch]).gradient.div_(len(batch))
        rows.step(gradient.add_(rows.value, alpha=2 * config.l2), training.step, config.learning_rate)
        training.rows.put(batch, rows)
        training.reached[batch] = training.step
    everything = torch.arange(len(targets), device=targets.device)
    for batch in torch.split(everything, config.batch_size):
        training.rows.put(batch, _caught_up(training, batch, training.step, config))
    training.reached.fill_(training.step)


def _caught_up(
    training: Training, batch: Tensor, step: int, config: ActivationMaximisationConfig
) -> AdamRows:
    """A copy of the rows of ``batch`` after all steps up to ``step``, in the order of ``batch``."""
    reached = training.reached[batch]
    order = torch.argsort(reached, stable=True)  # rows that have missed most come first
    rows = training.rows.rows(batch[order])
    # missing[k] rows, the first ones, still need step first_step + k.
    first_step = int(reached.min()) + 1
    missing = torch.bincount(reached - first_step + 1, minlength=1).cumsum(0).tolist()
    for number in range(first_step, step + 1):
        count = missing[min(number - first_step, len(missing) - 1)]
        behind = rows.rows(slice(0, count))
        behind.step(behind.value * (2 * config.l2), number, config.learning_rate)
    back = torch.argsort(order)
    return rows.rows(back)
