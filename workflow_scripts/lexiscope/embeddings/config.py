"""What a study may say about an embedding space."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from lexiscope.config.base import Name, Section, SeededSection


class DistributionalConfig(SeededSection):
    """What the models trained on a corpus of running text have in common.

    There is no ``min_count``: the corpus's vocabulary has already decided which words are kept.

    Attributes
    ----------
    window
        How many words to the left and to the right are context.
    epochs
        How many times the text (for GloVe, the table of counts) is gone through.
    deterministic
        One thread, so that the same seed gives the same bytes. With more, threads overwrite each other's
        updates (Hogwild) and no two runs are equal. Lexiscope's GloVe has no need of it: it gives the same
        bytes with any number of threads.
    """

    kind: str
    corpus: Name
    vector_size: PositiveInt = 300
    window: int = Field(default=5, ge=1, le=1000)
    epochs: PositiveInt = 5
    deterministic: bool = True


class SkipGramConfig(DistributionalConfig):
    """What word2vec and fastText have in common.

    Attributes
    ----------
    sg
        Skip-gram if true (as in Derby et al. 2020), CBOW if false.
    negative
        Number of noise words drawn for each pair.
    sample
        Threshold of relative frequency above which occurrences are dropped at random; 0 keeps all.
    learning_rate
        Where the linear decay starts.
    """

    sg: bool = True
    negative: PositiveInt = 5
    sample: float = Field(default=1e-3, ge=0, le=1)
    learning_rate: PositiveFloat = 0.025


class Word2VecConfig(SkipGramConfig):
    """word2vec as gensim trains it (Mikolov et al. 2013).

    Attributes
    ----------
    min_learning_rate
        Where the linear decay of the learning rate ends.
    ns_exponent
        Noise words are drawn by count to this power.
    """

    kind: Literal["word2vec"]
    min_learning_rate: PositiveFloat = 1e-4
    ns_exponent: float = Field(default=0.75, ge=0, le=1)


class FastTextConfig(SkipGramConfig):
    """fastText: a word is the mean of its own vector and its character n-grams' (Bojanowski et al. 2017).

    Attributes
    ----------
    min_n, max_n
        Lengths of the n-grams in characters; both 0 for none.
    bucket
        Number of rows that n-grams are hashed to. Each takes 4 × ``vector_size`` bytes.
    """

    kind: Literal["fasttext"]
    sample: float = Field(default=1e-4, ge=0, le=1)
    learning_rate: PositiveFloat = 0.05
    min_n: int = Field(default=3, ge=0)
    max_n: int = Field(default=6, ge=0)
    bucket: PositiveInt = 2_000_000

    @model_validator(mode="after")
    def _ngrams_in_order(self) -> FastTextConfig:
        if self.min_n > self.max_n:
            raise ValueError(f"min_n ({self.min_n}) is greater than max_n ({self.max_n})")
        return self


class GloVeConfig(DistributionalConfig):
    """GloVe (Pennington et al. 2014).

    Attributes
    ----------
    learning_rate
        Start of AdaGrad's step size.
    x_max, alpha
        A pair seen x times weighs ``min(1, (x / x_max) ** alpha)``.
    combine
        ``sum``: word vector + context vector, as the published vectors; ``word``: the word vector alone.
    backend
        ``lexiscope``: the model as published. ``glove_python``: the package that Derby et al. used, in its
        own conda environment; it has one matrix for words and contexts and no ``combine``.
    memory_mb
        Memory for the co-occurrence counts before they are spilt to disk.
    """

    kind: Literal["glove"]
    epochs: PositiveInt = 25
    learning_rate: PositiveFloat = 0.05
    x_max: PositiveFloat = 100.0
    alpha: float = Field(default=0.75, gt=0, le=1)
    combine: Literal["sum", "word"] = "sum"
    backend: Literal["lexiscope", "glove_python"] = "lexiscope"
    memory_mb: PositiveInt = 1024


CONTROL = "random"
"""The space of random vectors that a study, or a table on a terminal, gets if it has none."""


class RandomConfig(SeededSection):
    """Gaussian random vectors: what a space without knowledge scores.

    Attributes
    ----------
    vector_size
        Number of dimensions, for vectors over the lexicon.
    like
        A space from which words, number of dimensions and the norm of each vector are taken instead, so
        that only the directions are random.
    """

    kind: Literal["random"]
    vector_size: PositiveInt = 300
    like: Name | None = None

    @model_validator(mode="after")
    def _one_source_of_the_dimension(self) -> RandomConfig:
        if self.like is not None and "vector_size" in self.model_fields_set:
            raise ValueError(
                f"vector_size is that of {self.like!r}, which 'like' names; leave one of them out"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_idle_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Settings travel between processes as JSON and are validated anew: a vector_size that nobody gave
        # must not come back as if it had been given.
        content: dict[str, Any] = serialize(self)
        content.pop("like" if self.like is None else "vector_size")
        return content


class CentredConfig(Section):
    """Another space minus its mean vector.

    With the softmax bias as weights this is, but for a factor, what activation maximisation tends to when
    its penalty grows: the output vector minus its expectation under softmax(b).

    Attributes
    ----------
    of
        The space to centre.
    weights
        Of each word in the mean: ``uniform``; ``count``, its share of the running text; ``bias``, softmax
        of the bias.
    """

    kind: Literal["centred"]
    of: Name
    weights: Literal["uniform", "count", "bias"] = "uniform"


class AllButTheTopConfig(Section):
    """Another space without its mean and its strongest directions (Mu & Viswanath 2018).

    Attributes
    ----------
    of
        The space to change.
    components
        How many principal components are removed; by default a hundredth of the number of dimensions,
        as Mu & Viswanath advise, and at least 1.
    """

    kind: Literal["all_but_the_top"]
    of: Name
    components: PositiveInt | None = None


class PCAConfig(Section):
    """Principal components of another space, so that spaces of different size can be compared.

    Attributes
    ----------
    of
        The space to reduce.
    dim
        How many components are kept.
    """

    kind: Literal["pca"]
    of: Name
    dim: PositiveInt


FileFormat = Literal[
    "word2vec", "word2vec_binary", "glove", "fasttext", "fasttext_bin", "gensim", "npz", "lexiscope"
]
"""What a file of vectors can be. ``fasttext`` is fastText's ``.vec``: the text format of word2vec."""


class FileConfig(Section):
    """Vectors that the user brings.

    Every fault is an error that names the line, unless one of these policies says otherwise; what a policy
    changed is counted in the log and in the space's provenance.

    Attributes
    ----------
    path
        The file; text and word2vec binary may be packed with gzip.
    format
        ``auto`` decides by the file's content.
    encoding_errors
        Words that are not UTF-8: refuse the file, ``replace`` the bad bytes by U+FFFD, or read those words
        as ``latin1``.
    duplicates
        A word that comes again: refuse the file, or keep the ``first``.
    non_finite
        A vector with NaN or an infinite value: refuse the file, or ``drop`` the word.
    bad_lines
        A line that is not a word and its numbers: refuse the file, or ``drop`` the line.
    align
        Keep only the words of the study's lexicon, if it has one, in the lexicon's order.
    """

    kind: Literal["file"]
    path: str = Field(min_length=1)
    format: Literal["auto"] | FileFormat = "auto"
    encoding_errors: Literal["error", "replace", "latin1"] = "error"
    duplicates: Literal["error", "first"] = "error"
    non_finite: Literal["error", "drop"] = "error"
    bad_lines: Literal["error", "drop"] = "error"
    align: bool = True


ExportFormat = Literal["word2vec", "word2vec_binary", "glove", "npz", "gensim"]

EXPORT_EXTENSIONS: dict[ExportFormat, str] = {
    "word2vec": "vec",
    "word2vec_binary": "bin",
    "glove": "txt",
    "npz": "npz",
    "gensim": "kv",
}
"""The extension, without its dot, that an exported space gets."""
