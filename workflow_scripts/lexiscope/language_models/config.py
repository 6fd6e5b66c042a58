"""What a study may say about a language model, and about the spaces taken from one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from lexiscope.config.base import Name, Section


class CharCNNLSTMConfig(Section):
    """A language model with character-CNN input, LSTM layers and an untied softmax.

    The family is that of Jozefowicz et al. 2016, *Exploring the Limits of Language Modeling* ("BIG LSTM +
    CNN inputs"), whose published member would be::

        max_word_length: 50
        char_dim: 16
        filters: [[1, 64], [2, 64], [3, 128], [4, 256], [5, 512], [6, 1024], [7, 2048]]
        n_highway: 2
        embedding_dim: 1024
        hidden_size: 8192
        num_layers: 2
        softmax: sampled
        n_samples: 8192
        batch_size: 128
        unroll: 20
        optimizer: adagrad
        learning_rate: 0.2
        schedule: constant
        clip_norm: 1.0

    Sizes of embedding, LSTM and filters in all (4096), samples, streams, steps and optimiser are the
    paper's. It does not print the filters' widths, the size of a character or the highway layers: they
    stand here as in ELMo (Peters et al. 2018), which halved this model, with twice its filters. The
    released graph is what tells the true sizes.

    Attributes
    ----------
    seed
        The model's own seed, instead of the study's.
    max_word_length
        Bytes of UTF-8 that are read of a word, the marks of its begin and end included.
    char_dim
        Size of a character's embedding.
    filters
        Pairs (width in characters, number of filters).
    n_highway
        Highway layers between the convolutions and the projection.
    embedding_dim
        Size of the input embedding, of the LSTM's recurrent projection, and so of a softmax row.
    hidden_size
        Cells of an LSTM layer. Equal to ``embedding_dim``, it leaves the recurrent projection out.
    dropout
        Share of units dropped before, between and after the LSTM layers.
    softmax
        ``full``, or ``sampled``: training scores the words of a batch against ``n_samples`` drawn words.
        Evaluation always uses the full softmax.
    batch_size
        Parallel streams that the training text is cut into, in all processes together.
    unroll
        Steps of truncated back-propagation through time: the length of a window.
    accumulate
        Windows, one after the other, whose gradients are added before the optimiser takes a step; the
        LSTM's state goes on from window to window. As a batch so many times as large, with the memory of
        one window.
    processes
        Processes that train the model together, each with its share of the streams: with one GPU each, or
        with its share of the CPU threads. The same words give the same step, whatever their number; what
        dropout draws differs. Each needs the memory of the whole model.
    epochs
        Passes over the training text, at most.
    optimizer
        ``adam``, or ``adagrad`` as in the paper.
    schedule
        ``cosine``: the rate falls to nothing at the end of the last epoch. ``constant``: it does not.
    warmup_steps
        Steps over which the rate first rises linearly.
    clip_norm
        Upper bound of the gradient's global norm.
    eval_every
        Optimiser steps between validations; by default one an epoch. An epoch always ends with one.
    valid_tokens
        Use only the first so many tokens of the validation split while training (all at the end).
    patience
        Stop after so many validations in a row that bring no lower perplexity.
    precision
        Of the matrix products in training; ``auto`` is bfloat16 where the processor has it.
    checkpoint_minutes
        Time between checkpoints. An epoch always ends with one.
    threads
        CPU threads of all processes together, as far as there are cores. The last digits of a result
        depend on their number. A small model is as fast with one.
    """

    kind: Literal["char_cnn_lstm"]
    corpus: Name
    seed: int | None = Field(default=None, ge=0, lt=2**31)

    max_word_length: int = Field(default=50, ge=8, le=1000)
    char_dim: PositiveInt = 16
    filters: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(
        default=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256)), min_length=1
    )
    n_highway: NonNegativeInt = 1
    embedding_dim: PositiveInt = 256
    hidden_size: PositiveInt = 512
    num_layers: PositiveInt = 1
    dropout: float = Field(default=0.1, ge=0, lt=1)

    softmax: Literal["full", "sampled"] = "sampled"
    n_samples: PositiveInt = 2048
    batch_size: PositiveInt = 64
    unroll: PositiveInt = 32
    accumulate: PositiveInt = 1
    processes: PositiveInt = 1
    epochs: PositiveInt = 5
    optimizer: Literal["adam", "adagrad"] = "adam"
    learning_rate: PositiveFloat = 4e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: NonNegativeInt = 100
    clip_norm: PositiveFloat = 1.0
    eval_every: PositiveInt | None = None
    valid_tokens: PositiveInt | None = None
    patience: PositiveInt = 3
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_minutes: float = Field(default=5.0, ge=0)
    threads: PositiveInt = 2

    @model_validator(mode="after")
    def _sizes_fit(self) -> CharCNNLSTMConfig:
        if self.hidden_size < self.embedding_dim:
            raise ValueError("hidden_size must be at least embedding_dim, to which the LSTM projects")
        widest = max(width for width, _ in self.filters)
        if widest > self.max_word_length:
            raise ValueError(f"a filter of width {widest} is wider than max_word_length")
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be divided by processes {self.processes}"
            )
        return self


class InputSpaceConfig(Section):
    """The input embeddings of a language model: what it makes of each word's characters."""

    kind: Literal["lm_input"]
    model: Name


class OutputSpaceConfig(Section):
    """The output embeddings of a language model: the rows of its softmax layer."""

    kind: Literal["lm_output"]
    model: Name
