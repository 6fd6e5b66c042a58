"""Settings of activation maximisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lexiscope.config.base import Name, Section


class ActivationMaximisationConfig(Section):
    """A space of inputs, one for each word, that make the softmax choose that word.

    ``paper`` maximises, for every word by itself, log-probability − l2 · ‖x‖² (Derby et al. 2020, section
    3). ``as_coded`` minimises what their Keras program minimises: the mean cross-entropy of a batch plus
    l2 · ‖X‖² of the *whole* table at every step, so that a word is pulled to the origin once a step and
    towards its goal once an epoch.
    """

    kind: Literal["activation_maximisation"]
    of: Name = Field(description="The lm_output space whose softmax layer is explored.")
    objective: Literal["paper", "as_coded"] = "paper"
    l2: float = Field(1e-5, ge=0, description="λ, the weight of the squared norm.")
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(1024, ge=1)
    init_range: float = Field(0.05, gt=0, description="Start: uniform between −init_range and init_range.")
    bias: bool = Field(True, description="Whether the softmax bias takes part.")
    seed: int | None = None
