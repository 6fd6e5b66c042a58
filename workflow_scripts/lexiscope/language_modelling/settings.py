"""Which models are trained, and how: what a trainer needs to know, apart from the text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.config import ExperimentConfig, NNLMConfig

Input = Literal["frozen", "trainable", "fine_tuned"]
Output = Literal["trainable", "frozen", "tied"]
Schedule = Literal["paper", "as_coded", "constant"]

DECAY: dict[Schedule, tuple[float, int]] = {
    "paper": (1 / 1.2, 7),
    "as_coded": (0.8, 8),
    "constant": (1, 1),
}
"""Factor of the learning rate at the beginning of an epoch, and the first epoch that it applies to."""


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """One language model.

    Attributes
    ----------
    name
        How files and messages call it; unique in an experiment.
    input
        ``frozen``: the table, as it is; ``fine_tuned``: it is trained on; ``trainable``: a table of the
        model's own, as wide as ``compression`` says, else as the LSTM.
    output
        ``trainable``: a softmax on the LSTM; ``frozen``: the table, after a projection to its size;
        ``tied``: the input's own table, after a projection unless it is trained from the start and as wide
        as the LSTM.
    table
        float32, shape (V, d): the vectors of the vocabulary, where input or output needs them.
    compression
        Size of a linear layer, without a bias, between the input table and the LSTM.
    output_bias
        Whether each word has a trained bias in the softmax.
    seed
        Of initial weights and dropout.
    """

    name: str
    input: Input
    output: Output
    table: NDArray[np.float32] | None = None
    compression: int | None = None
    output_bias: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        needs_table = self.input != "trainable" or self.output == "frozen"
        if needs_table != (self.table is not None):
            has = "needs a table of vectors" if needs_table else "has a table that nothing uses"
            raise LexiscopeError(f"the language model {self.name!r} {has}")
        if self.table is not None and (self.table.ndim != 2 or self.table.dtype != np.float32):
            raise LexiscopeError(f"the table of the language model {self.name!r} is no float32 matrix")

    @cached_property
    def table_sha256(self) -> str:
        """Digest (hex) of the table's numbers; empty without one."""
        if self.table is None:
            return ""
        return hashlib.sha256(np.ascontiguousarray(self.table, dtype="<f4").tobytes()).hexdigest()

    @property
    def shape(self) -> tuple[object, ...]:
        """What models that are trained together have in common."""
        size = None if self.table is None else self.table.shape
        return self.input, self.output, size, self.compression, self.output_bias


@dataclass(frozen=True)
class Settings:
    """How a group of models is trained; as in the experiment's section of the study file.

    Attributes
    ----------
    optimizer
        ``sgd`` (Derby et al. 2020) or ``adam`` (Verwimp & Bellegarda 2019).
    schedule
        Of the learning rate, see `learning_rate_of`.
    """

    hidden_size: int
    num_layers: int
    dropout: float
    batch_size: int
    unroll: int
    epochs: int
    learning_rate: float
    optimizer: Literal["sgd", "adam"]
    schedule: Schedule = "constant"
    clip_norm: float = 5.0
    init_range: float = 0.05
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    softmax: Literal["full", "sampled"] = "full"
    n_samples: int = 1024
    checkpoint_minutes: float = 5.0

    @classmethod
    def of(cls, config: ExperimentConfig) -> Settings:
        """The settings of an experiment: NNLMs are trained by SGD, the others by Adam."""
        is_nnlm = isinstance(config, NNLMConfig)
        return cls(
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            dropout=config.dropout,
            batch_size=config.batch_size,
            unroll=config.unroll,
            epochs=config.epochs,
            learning_rate=config.learning_rate,
            optimizer="sgd" if is_nnlm else "adam",
            schedule=config.schedule if isinstance(config, NNLMConfig) else "constant",
            clip_norm=config.clip_norm,
            init_range=config.init_range,
            precision=config.precision,
            softmax=config.softmax,
            n_samples=config.n_samples,
            checkpoint_minutes=config.checkpoint_minutes,
        )

    def learning_rate_of(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1.

        ``paper`` (Derby et al. 2020, section 5): divided by 1.2 after every epoch from the sixth on, so
        first in the seventh. ``as_coded``: times 0.8, and first in the eighth, as in the released code.
        """
        factor, first = DECAY[self.schedule]
        return self.learning_rate * float(factor ** max(0, epoch - first + 1))


def groups_of(specs: Sequence[ModelSpec], together: int) -> list[list[ModelSpec]]:
    """Split models into groups of equal shapes, of at most ``together``; both in the order given.

    Raises
    ------
    LexiscopeError
        If two models have the same name.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise LexiscopeError(f"two language models are called {repeated!r}")
    by_shape: dict[tuple[object, ...], list[ModelSpec]] = {}
    for spec in specs:
        by_shape.setdefault(spec.shape, []).append(spec)
    return [
        group[start : start + together]
        for group in by_shape.values()
        for start in range(0, len(group), together)
    ]
