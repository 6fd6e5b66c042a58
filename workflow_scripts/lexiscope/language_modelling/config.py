"""What a study may say about its language-modelling experiments."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lexiscope.config.base import Name, Section

NNLM = Literal["nnlm_in", "nnlm_out", "nnlm_tied"]
Baseline = Literal["untied", "tied", "kneser_ney"]


class ExperimentConfig(Section):
    """What both experiments have in common: LSTM language models over one vocabulary.

    Attributes
    ----------
    corpus
        An encoded corpus with the parts train, valid and test.
    spaces
        The spaces that are put into models; by default all of the study.
    vocabulary_size
        At most so many words: the most frequent of the corpus among those that all these spaces have. All
        others are ``<unk>``.
    missing
        The vector of ``</s>``, ``<unk>`` and any word that a space lacks: the ``mean`` of its vectors, the
        ``zero`` vector, or a ``random`` one of the mean length.
    max_tokens
        Train on the first so many tokens only.
    batch_size, unroll
        Parallel streams that the text is cut into, and steps of truncated back-propagation through time.
    together
        Models of equal shape that are trained side by side in one job.
    precision
        Of the matrix products in training; ``auto`` is bfloat16 where the processor has it.
    softmax
        ``full``, or ``sampled``: training scores the words of a window against ``n_samples`` drawn words.
        Perplexities that are reported are over all words.
    """

    corpus: Name
    spaces: tuple[Name, ...] | None = None
    vocabulary_size: PositiveInt | None = None
    missing: Literal["mean", "zero", "random"] = "mean"
    max_tokens: PositiveInt | None = None
    hidden_size: PositiveInt
    num_layers: PositiveInt
    dropout: float = Field(ge=0, lt=1)
    batch_size: PositiveInt = 20
    unroll: PositiveInt = 35
    epochs: PositiveInt
    learning_rate: PositiveFloat
    clip_norm: PositiveFloat = 5.0
    init_range: PositiveFloat = 0.05
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)
    together: PositiveInt = 8
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    softmax: Literal["full", "sampled"] = "full"
    n_samples: PositiveInt = 1024
    threads: PositiveInt = 1
    checkpoint_minutes: PositiveFloat = 5.0

    @model_validator(mode="after")
    def _no_seed_twice(self) -> ExperimentConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds has a value twice")
        return self


class NNLMConfig(ExperimentConfig):
    """Frozen embeddings as input, as output or as both (Derby et al. 2020, section 5, Table 4).

    Attributes
    ----------
    models
        ``nnlm_in``: the space is the input table, the softmax is trained, with a bias; ``nnlm_out``: the
        input table is trained, the space is the softmax, without a bias, after a projection to its size;
        ``nnlm_tied``: the space is both.
    baselines
        On the same vocabulary: trained tables, ``untied`` or ``tied``, and a 5-gram (``kneser_ney``).
    schedule
        Of the learning rate. ``paper``: divided by 1.2 after every epoch from the sixth on; ``as_coded``:
        times 0.8, first in the eighth; ``constant``.
    """

    models: tuple[NNLM, ...] = ("nnlm_in", "nnlm_out", "nnlm_tied")
    baselines: tuple[Baseline, ...] = ("untied", "tied", "kneser_ney")
    schedule: Literal["paper", "as_coded", "constant"] = "paper"
    hidden_size: PositiveInt = 650
    num_layers: PositiveInt = 2
    dropout: float = Field(default=0.5, ge=0, lt=1)
    epochs: PositiveInt = 39
    learning_rate: PositiveFloat = 1.0


class RankProbeConfig(Section):
    """Where chosen words stand in the ranking that a language model makes of its vocabulary at their place.

    Attributes
    ----------
    text
        A UTF-8 file, a sentence a line, tokens with spaces between them; by default a passage of the
        project's own, in English. Where the vocabulary has none of its content words, the default is the
        beginning of the corpus's test part.
    words
        The words that are ranked; by default all content words of the text.
    """

    text: str | None = None
    words: tuple[str, ...] = ()


class MultiTaskConfig(Section):
    """A language model that predicts the next word and the domain of its text together.

    Attributes
    ----------
    domains
        The labels: a name under ``domains``. The model is trained on their paragraphs.
    weights
        Weights of the second loss; 0 is the plain model.
    """

    domains: Name
    weights: tuple[float, ...] = Field(default=(0.0, 0.1, 0.3, 1.0), min_length=1)

    @model_validator(mode="after")
    def _weights_are_weights(self) -> MultiTaskConfig:
        if min(self.weights) < 0 or len(set(self.weights)) < len(self.weights):
            raise ValueError("weights must be different numbers, none below 0")
        return self


class ReverseTransferConfig(ExperimentConfig):
    """Pre-trained embeddings as the input of a small language model (Verwimp & Bellegarda 2019, Table 1).

    Attributes
    ----------
    compression
        Size of the linear layer between a one-hot word, or its pre-trained vector, and the LSTM. The model
        without pre-trained vectors always has it.
    compressed
        Whether models with pre-trained vectors have that layer: ``without``, ``with`` or ``both``.
    embeddings
        Pre-trained vectors stay ``frozen``, or are ``fine_tuned``.
    rank_probe
        Also rank chosen words at their places; null for not at all.
    multi_task
        Also train models that predict the domain as well; null for not at all.
    """

    compression: PositiveInt = 128
    compressed: Literal["without", "with", "both"] = "without"
    embeddings: Literal["frozen", "fine_tuned"] = "frozen"
    vocabulary_size: PositiveInt | None = 25_000
    hidden_size: PositiveInt = 128
    num_layers: PositiveInt = 1
    dropout: float = Field(default=0.0, ge=0, lt=1)
    epochs: PositiveInt = 5
    learning_rate: PositiveFloat = 1e-3
    seeds: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    rank_probe: RankProbeConfig | None = RankProbeConfig()
    multi_task: MultiTaskConfig | None = None
