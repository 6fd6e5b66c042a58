"""What a study may say about domain labels, and about the models that are trained on them."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from lexiscope.config.base import Name, Section, SeededSection
from lexiscope.errors import LexiscopeError


class DomainsConfig(Section):
    """Domain labels of paragraphs, found by clustering (Verwimp & Bellegarda 2019, section 3.1).

    The paper prints the steps, but neither sizes nor thresholds.

    Attributes
    ----------
    documents
        Key in the catalogue: 20newsgroups, reuters21578, or enwiki-extracts.
    files
        Instead of ``documents``: paths or glob patterns of the user's own UTF-8 text, with an empty line
        between two paragraphs.
    max_documents
        Of more documents, so many drawn at random are used.
    rank
        Dimensions of the latent semantic space (LSA).
    n_clusters
        Of k-means.
    n_domains
        Clusters that are kept, those least like one another.
    confidence
        A document takes part in the next latent space if the margin between its nearest domain and the
        next one (difference of cosines) is among this share of the largest of its domain. Those of the last
        round make the labelled text.
    max_iterations
        At most so many rounds after the first classification.
    stability
        Labels are stable when the adjusted Rand index against the last round's is this high.
    min_words
        Documents with fewer different terms are left out, and counted.
    max_terms
        Terms of the TF-IDF matrix: the most frequent words, in lower case, that are no stop words and occur
        in two documents or more, but in no more than half of them.
    casing
        Of the labelled text: ``as_is``, or ``lower`` for lower-casing every token.
    seed
        By default the study's.
    """

    documents: Literal["20newsgroups", "reuters21578", "enwiki-extracts"] | None = None
    files: tuple[str, ...] = ()
    max_documents: PositiveInt | None = None
    rank: PositiveInt = 100
    n_clusters: int = Field(default=20, ge=2)
    n_domains: int = Field(default=10, ge=2)
    confidence: float = Field(default=0.8, gt=0, le=1)
    max_iterations: PositiveInt = 20
    stability: float = Field(default=0.95, gt=0, le=1)
    min_words: PositiveInt = 5
    max_terms: PositiveInt = 20_000
    casing: Literal["as_is", "lower"] = "as_is"
    seed: int | None = Field(default=None, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _fits(self) -> DomainsConfig:
        if (self.documents is None) == (not self.files):
            raise ValueError("needs one of 'documents' (a key of the catalogue) and 'files', and not both")
        if self.n_domains > self.n_clusters:
            raise ValueError(f"n_domains {self.n_domains} is more than n_clusters {self.n_clusters}")
        return self

    def paths(self) -> list[Path]:
        """The user's files, pattern by pattern and by name, each once.

        Raises
        ------
        LexiscopeError
            If a pattern matches none.
        """
        paths: dict[Path, None] = {}
        for pattern in self.files:
            found = glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
            matches = sorted(path for path in map(Path, found) if path.is_file())
            if not matches:
                raise LexiscopeError(
                    "no text file matches this pattern",
                    where=pattern,
                    remedy="patterns are relative to the folder in which the workflow runs",
                )
            paths.update(dict.fromkeys(matches))
        return list(paths)


class BiLSTMConfig(SeededSection):
    """A bidirectional LSTM whose states, averaged over all occurrences of a word, are its embedding.

    Verwimp & Bellegarda 2019, section 2.

    Attributes
    ----------
    hidden_size
        Cells in each direction.
    embedding_dim
        Size of the trained input embedding.
    state
        The state that is averaged: the ``cell`` (their text) or ``hidden`` (their equation).
    combine
        Forward and backward states are put one after the other (``concat``) or averaged.
    clip
        States are clipped to [-clip, clip] before they are averaged; null for not at all.
    normalise
        ``unit`` length for each word; ``mean_variance``: each dimension has mean 0 and variance 1 over the
        words; or ``none``.
    vocabulary_size
        The most frequent words; the others are ``<unk>``.
    max_tokens
        Train on so many tokens at most.
    """

    hidden_size: PositiveInt = 128
    embedding_dim: PositiveInt = 128
    state: Literal["cell", "hidden"] = "cell"
    combine: Literal["concat", "average"] = "concat"
    clip: PositiveFloat | None = None
    normalise: Literal["unit", "mean_variance", "none"] = "unit"
    vocabulary_size: PositiveInt = 25_000
    max_tokens: PositiveInt | None = None
    epochs: PositiveInt = 3
    batch_size: PositiveInt = 32
    max_length: int = Field(
        default=200,
        ge=2,
        description="Longer sentences and paragraphs are cut into pieces of so many tokens.",
    )
    learning_rate: PositiveFloat = 1e-3
    dropout: float = Field(default=0.1, ge=0, lt=1)
    clip_norm: PositiveFloat = 5.0
    threads: PositiveInt = 1
    checkpoint_minutes: PositiveFloat = 5.0


class DomainClassifierConfig(BiLSTMConfig):
    """Predicts at every token the domain of the paragraph (or of the sentence) that it stands in.

    Attributes
    ----------
    domains
        The labels: a name under ``domains``.
    level
        What the network reads at a time, and what bears the label: whole ``paragraphs`` or ``sentences``.
    """

    kind: Literal["domain_classifier"]
    domains: Name
    level: Literal["paragraphs", "sentences"] = "paragraphs"


class BiLMConfig(BiLSTMConfig):
    """Predicts each word of a sentence from the words before it, and, read backwards, from those after it.

    Attributes
    ----------
    corpus
        An encoded corpus. Its sentences are read one by one, each from a fresh state.
    """

    kind: Literal["bilm"]
    corpus: Name
