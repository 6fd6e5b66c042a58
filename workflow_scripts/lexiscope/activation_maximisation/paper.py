"""Objective ``paper``: every word by itself (Derby et al. 2020, section 3)."""

from __future__ import annotations

from torch import Tensor

from lexiscope.activation_maximisation.adam import AdamRows
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.softmax import SoftmaxLayer


def maximise_block(
    layer: SoftmaxLayer, start: Tensor, words: Tensor, config: ActivationMaximisationConfig
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
    words
        Row of each input's word in the layer, int64, shape (n,).
    config
        λ, learning rate and number of epochs.

    Returns
    -------
    Tensor
        The inputs, shape (n, d).
    """
    rows = AdamRows.start(start.clone())
    for step in range(1, config.epochs + 1):
        gradient = layer.cross_entropy(rows.value, words).gradient
        rows.step(gradient.add_(rows.value, alpha=2 * config.l2), step, config.learning_rate)
    return rows.value
