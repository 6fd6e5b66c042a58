"""Objective ``paper``: every word by itself (Derby et al. 2020, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from lexiscope.activation_maximisation.adam import AdamRows
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.softmax import SoftmaxLayer

REDUCED_SHARE = 0.9
"""With mixed precision, the share of epochs whose products are reduced."""


def maximise_block(
    layer: SoftmaxLayer, start: Tensor, targets: Tensor, config: ActivationMaximisationConfig
) -> Tensor:
    """Optimise the inputs of a block of words for the configured number of epochs.

    The objective of one word does not depend on any other's, so blocks can be computed in any order, and
    an epoch is one Adam step for each word.

    Parameters
    ----------
    layer
        The softmax layer.
    start
        Where the inputs start, shape (n, d).
    targets
        Row of each input's word in the layer, int64, shape (n,).
    config
        Form, λ, learning rate and number of epochs.

    Returns
    -------
    Tensor
        The inputs, shape (n, d).
    """
    rows = AdamRows.start(start.clone())
    for step, used in enumerate(layers_by_epoch(layer, config), start=1):
        loss, gradient = used.cross_entropy(rows.value, targets)
        if config.form == "probability":
            gradient *= torch.exp(-loss)[:, None]  # ∇p = p ∇ log p
        rows.step(gradient.add_(rows.value, alpha=2 * config.l2), step, config.learning_rate)
    return rows.value


def layers_by_epoch(layer: SoftmaxLayer, config: ActivationMaximisationConfig) -> list[SoftmaxLayer]:
    """The layer for each epoch: in reduced precision at first, if that is asked for."""
    n_reduced = int(REDUCED_SHARE * config.epochs) if config.precision == "mixed" else 0
    reduced = layer.in_reduced_precision() if n_reduced else layer
    return [reduced] * n_reduced + [layer] * (config.epochs - n_reduced)
