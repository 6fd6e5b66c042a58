"""Settings of activation maximisation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lexiscope.config.base import Name, Section, SeededSection

PAPER_L2 = 1e-5
"""λ of Derby et al. 2020."""


class MaximisationConfig(Section):
    """What every way of maximising has in common.

    Attributes
    ----------
    of
        The lm_output space whose softmax layer is explored.
    softmax_over
        The words that the softmax runs over: those of the space, which a ``lexicon`` may have chosen (as
        the paper's 20,000), or the whole ``vocabulary`` of its language model.
    bias
        Whether the softmax bias takes part; ``auto`` if the layer has one.
    tolerance
        Of ``exact``: a word is done when it is proved to be within this share of its optimum.
    precision
        ``mixed`` does the early matrix products in bfloat16 (TF32 on a GPU), the last ones in float32.
    """

    of: Name
    softmax_over: Literal["lexicon", "vocabulary"] = "lexicon"
    bias: Literal["auto"] | bool = "auto"
    tolerance: float = Field(0.01, gt=0, lt=1)
    precision: Literal["float32", "mixed"] = "float32"
    batch_size: int = Field(1024, ge=1, description="Words at a time.")


class ActivationMaximisationConfig(MaximisationConfig, SeededSection):
    """A space of inputs, one for each word, that make the softmax choose that word.

    ``paper`` maximises, for every word by itself, log-probability − l2 · ‖x‖² by Adam (Derby et al. 2020,
    section 3). ``as_coded`` minimises what their Keras program minimises: the mean cross-entropy of a batch
    plus l2 · ‖X‖² of the *whole* table at every step, so that a word is pulled to the origin once a step
    and towards its goal once an epoch. ``exact`` solves what ``paper`` approaches.
    """

    kind: Literal["activation_maximisation"]
    objective: Literal["paper", "as_coded", "exact"] = "paper"
    form: Literal["log_probability", "probability"] = Field(
        "log_probability", description="Of 'paper': what is maximised; Eq. 3.2 prints the probability."
    )
    l2: float = Field(PAPER_L2, ge=0, allow_inf_nan=False, description="λ, the weight of the squared norm.")
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False, description="Of Adam.")
    epochs: int = Field(100, ge=1, description="Of Adam.")
    init_range: float = Field(
        0.05,
        gt=0,
        allow_inf_nan=False,
        description="Adam starts uniformly between −init_range and init_range.",
    )

    @model_validator(mode="after")
    def _fits_the_objective(self) -> ActivationMaximisationConfig:
        if self.objective == "exact" and self.l2 == 0:
            raise ValueError("objective 'exact' needs l2 > 0: without it there is no optimum")
        if self.form == "probability" and self.objective != "paper":
            raise ValueError(f"form 'probability' is for objective 'paper', not {self.objective!r}")
        return self


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class L2PathConfig(MaximisationConfig):
    """Exact solutions over a grid of λ, each scored on tasks of the study.

    Attributes
    ----------
    tasks
        Which of the study's tasks, as groups or by themselves; by default all of them.
    l2
        The grid, in any order. The default reaches from the paper's λ to where activation maximisation is
        nothing but the centred output embedding.
    """

    tasks: tuple[str, ...] | None = None
    seed: int | None = None
    l2: tuple[Positive, ...] = Field(default=(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0), min_length=2)

    @model_validator(mode="after")
    def _no_value_twice(self) -> L2PathConfig:
        if len({f"{value:g}" for value in self.l2}) < len(self.l2):
            raise ValueError("l2 has a value twice")
        return self
