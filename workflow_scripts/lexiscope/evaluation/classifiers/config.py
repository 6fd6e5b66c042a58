"""How sentence classifiers are trained: as SentEval does it, early-stopped, or to the exact optimum."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lexiscope.config.base import Section

ClassifierName = Literal["senteval_derby", "senteval_default", "senteval_fast", "convex"]

PRESETS: dict[str, dict[str, object]] = {
    # Derby et al. (2020), from their released code.
    "senteval_derby": {"kfold": 10, "optimizer": "adam", "batch_size": 128, "tenacity": 3, "epoch_size": 2},
    # The two configurations that SentEval's README names: for papers, and for quick trials.
    "senteval_default": {
        "kfold": 10,
        "optimizer": "adam",
        "batch_size": 64,
        "tenacity": 5,
        "epoch_size": 4,
    },
    "senteval_fast": {
        "kfold": 5,
        "optimizer": "rmsprop",
        "batch_size": 128,
        "tenacity": 3,
        "epoch_size": 2,
    },
    # No early stopping and no batches: the minimum of the regularised cross-entropy.
    "convex": {"kfold": 10, "optimizer": "exact"},
}


class ClassifierConfig(Section):
    """A classifier and how its regulariser is chosen.

    Attributes
    ----------
    preset
        Where the settings that are not given come from, and the name by which scores call the protocol.
    kfold
        Folds of the cross-validations.
    optimizer
        ``adam`` or ``rmsprop``: early-stopped training, as SentEval does it; ``exact``: the optimum.
    tenacity
        Training stops after so many rounds without a better validation accuracy, and one more; they need
        not follow one another.
    epoch_size
        Passes over the data in a round.
    max_epochs
        No round starts after so many passes.
    n_hidden
        Hidden units: 0 for logistic regression. With ``exact``, only 0.
    dropout
        Of the hidden units.
    l2
        The regularisers tried: weight decay for ``adam`` and ``rmsprop``; for ``exact``, l2/2 · ‖W‖² is
        added to the mean cross-entropy (the intercept is free).
    """

    preset: ClassifierName = "senteval_derby"
    kfold: int = Field(10, ge=2, le=100)
    optimizer: Literal["adam", "rmsprop", "exact"] = "adam"
    batch_size: int = Field(128, ge=1)
    tenacity: int = Field(3, ge=0)
    epoch_size: int = Field(2, ge=1)
    max_epochs: int = Field(200, ge=1)
    n_hidden: int = Field(0, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    l2: tuple[float, ...] = Field((1e-5, 1e-4, 1e-3, 1e-2), min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        if isinstance(given, dict):
            return PRESETS.get(str(given.get("preset", "senteval_derby")), {}) | given
        return given

    @model_validator(mode="after")
    def _exact_has_no_hidden_layer(self) -> ClassifierConfig:
        if self.optimizer == "exact" and self.n_hidden:
            raise ValueError("n_hidden must be 0 with the exact optimum: a hidden layer has many optima")
        if any(value <= 0 for value in self.l2):
            raise ValueError("l2 must hold positive numbers")
        return self

    def describe(self) -> str:
        """The name of the preset, with what was changed, such as ``senteval_derby(n_hidden=50)``."""
        usual = ClassifierConfig.model_validate({"preset": self.preset})
        changed = [
            f"{key}={value}" for key, value in self.model_dump().items() if value != getattr(usual, key)
        ]
        return f"{self.preset}({','.join(changed)})" if changed else self.preset


def resolve_classifier(choice: ClassifierName | ClassifierConfig) -> ClassifierConfig:
    """A preset's settings by its name; settings already spelt out as they are."""
    if isinstance(choice, ClassifierConfig):
        return choice
    return ClassifierConfig.model_validate({"preset": choice})
