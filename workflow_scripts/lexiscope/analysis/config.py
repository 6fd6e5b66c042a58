"""Settings of the analyses in the appendix of Derby et al. (2020): the section ``analysis`` of a study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from lexiscope.config.base import Name, Section

MIN_WORDS = 5
"""Fewer words make no map."""


class BiasPredictionConfig(Section):
    """Linear regression of the softmax bias from word vectors.

    Attributes
    ----------
    n_splits
        How many random divisions into training and test words.
    test_share
        Share of the words that are held out (Derby et al. 2020: one division, 10 %).
    confidence
        Coverage that an interval aims at.
    max_words
        Of more words, so many drawn at random take part.
    seed
        Seed of the draw and the divisions; by default the study's.
    """

    n_splits: int = Field(default=100, ge=2, le=10_000)
    test_share: float = Field(default=0.1, gt=0, le=0.5)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    max_words: int = Field(default=50_000, ge=10)
    seed: int | None = Field(default=None, ge=0)


ClaimRole = Literal[
    "input",
    "output",
    "am",
    "word2vec",
    "glove",
    "fasttext",
    "centred",
    "word2vec_in_domain",
    "word2vec_out_of_domain",
    "domain_classifier_paragraphs",
    "domain_classifier_sentences",
    "bidirectional_lm",
]
"""The parts that spaces play in the claims of the papers."""


class ClaimsConfig(Section):
    """Which spaces the claims of the papers are tested on.

    Attributes
    ----------
    roles
        The space that plays a part; where none is named, the first of the study that is of that kind.
    """

    roles: dict[ClaimRole, Name] = Field({})


class MapConfig(Section):
    """A t-SNE map of some words in two spaces, with an arrow for each word from one to the other.

    Attributes
    ----------
    start, end
        The spaces in which arrows start and end; they need the same number of dimensions.
    words
        ``years``: the four-digit numbers from 1900 that both spaces have (Derby et al. 2020); or a list.
    perplexity
        t-SNE's effective number of neighbours; at most a third of the points is used.
    max_words
        Of more words, the first are mapped: of a list as it is given, of years in the order of ``start``,
        which is by frequency in spaces over a lexicon.
    seed
        By default the study's.
    """

    start: Name
    end: Name
    words: (
        Literal["years"]
        | Annotated[
            tuple[Annotated[str, StringConstraints(min_length=1)], ...],
            Field(min_length=MIN_WORDS),
        ]
    ) = "years"
    perplexity: float = Field(default=30.0, gt=0)
    max_words: int = Field(default=300, ge=MIN_WORDS)
    seed: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _two_spaces_and_no_word_twice(self) -> MapConfig:
        if self.start == self.end:
            raise ValueError(f"start and end are the same space, {self.start!r}")
        if self.words != "years":
            twice = sorted({word for word in self.words if self.words.count(word) > 1})
            if twice:
                raise ValueError(f"given twice: {', '.join(twice)}")
        return self


class AnalysisConfig(Section):
    """The analyses of a study.

    Attributes
    ----------
    bias_prediction
        How it is done, for every space that activation maximisation makes; null for not at all.
    maps
        Maps by name.
    claims
        On which spaces the claims of the papers are tested.
    """

    bias_prediction: BiasPredictionConfig | None = BiasPredictionConfig()
    maps: dict[Name, MapConfig] = Field({})
    claims: ClaimsConfig = ClaimsConfig()
