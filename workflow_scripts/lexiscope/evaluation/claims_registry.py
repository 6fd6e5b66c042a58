"""The claims of the two papers, and one of our own, in a form that can be tested.

Every claim says which spaces should have which scores; how it is tested is told in `claims`. The parts that
spaces play are called roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lexiscope.evaluation.tasks import TASKS

DERBY = "derby2020"
VERWIMP = "verwimp2019"
OURS = "lexiscope"

Key = tuple[str, str]
"""A number of the tables: dataset and metric."""

Rule = Literal["average", "every", "most"]
"""Where a claim has to hold: on average over its sets; also on every set; also on most of them."""

ROLE_KINDS = {
    "input": "lm_input",
    "output": "lm_output",
    "am": "activation_maximisation",
    "word2vec": "word2vec",
    "glove": "glove",
    "fasttext": "fasttext",
    "centred": "centred",
}
"""The kind of space that plays a role unless the study names one; the others are told in `claims`."""

NO_EMBEDDINGS = "no_embeddings"
"""The role of the language model without pre-trained vectors, which no space can play."""

NO_SPACE = "(none)"
"""Stands in the scores for such a model's space."""

SIX = ("input", "output", "am", "word2vec", "glove", "fasttext")
"""The spaces that Derby et al. (2020) compare."""


@dataclass(frozen=True)
class Order:
    """Each winner scores better than each loser.

    Attributes
    ----------
    winners, losers
        Roles.
    sets
        On what.
    rule
        On how many of the sets.
    or_equal
        Whether a set without any difference counts in favour.
    """

    winners: tuple[str, ...]
    losers: tuple[str, ...]
    sets: tuple[Key, ...]
    rule: Rule = "average"
    or_equal: bool = False


@dataclass(frozen=True)
class BiasTracksCount:
    """The softmax bias of a word rises with the logarithm of its count."""

    role: str = "output"


@dataclass(frozen=True)
class BiasPrediction:
    """One role's vectors predict the softmax bias with less error than another's."""

    winner: str = "am"
    loser: str = "output"


@dataclass(frozen=True)
class Claim:
    """A claim, in our own words."""

    number: int
    source: str
    statement: str
    test: Order | BiasTracksCount | BiasPrediction


def _group(task: str) -> tuple[Key, ...]:
    """The numbers of a task group's first metric."""
    measures = (measure for dataset in TASKS[task].datasets for measure in dataset.measures)
    return tuple((measure.dataset, measure.metric) for measure in measures)


def _accuracies(*datasets: str) -> tuple[Key, ...]:
    return tuple((dataset, "accuracy") for dataset in datasets)


def _perplexity(dataset: str) -> tuple[Key, ...]:
    return ((dataset, "perplexity"),)


def _best(role: str, sets: tuple[Key, ...], rule: Rule = "every") -> Order:
    """A role is better than all others of the six."""
    return Order((role,), tuple(other for other in SIX if other != role), sets, rule)


SIMILARITY = _group("word_similarity")
INTRINSIC = SIMILARITY + _group("brainbench")
SINGLE_SENTENCES = _accuracies("mr", "cr", "mpqa", "subj", "sst2", "sst5", "trec")
STS = tuple((f"sts{year}", "pearson") for year in range(12, 17))
SENTENCE_PAIRS = (
    *_accuracies("sick_entailment", "mrpc"),
    *(("sick_relatedness", "pearson"), ("stsbenchmark", "pearson")),
)
SURFACE = _accuracies("sentence_length", "word_content")
SYNTAX = _accuracies("tree_depth", "top_constituents")
MORPHOLOGY = _accuracies("tense", "subj_number", "obj_number")
ALL_SETS = INTRINSIC + SINGLE_SENTENCES + SENTENCE_PAIRS + STS + SURFACE + SYNTAX + MORPHOLOGY

CLAIMS = (
    Claim(
        1,
        DERBY,
        "Output embeddings fit judgements of word similarity and relatedness better than input embeddings "
        "do, on every set but RareWords.",
        Order(
            ("output",),
            ("input",),
            tuple(key for key in SIMILARITY if key[0] != "rareword"),
            "every",
        ),
    ),
    Claim(
        2,
        DERBY,
        "Activation maximisation is at least as good as the output embeddings on every word set and on "
        "BrainBench.",
        Order(("am",), ("output",), INTRINSIC, "every", or_equal=True),
    ),
    Claim(
        3,
        DERBY,
        "Activation maximisation beats word2vec, GloVe and fastText on most word sets and BrainBench.",
        Order(("am",), ("word2vec", "glove", "fasttext"), INTRINSIC, "most"),
    ),
    Claim(
        4,
        DERBY,
        "Output embeddings and activation maximisation fit recordings of the brain better than input "
        "embeddings do.",
        Order(("output", "am"), ("input",), _group("brainbench")),
    ),
    Claim(
        5,
        DERBY,
        "Activation maximisation is the best of the six on the classification of single sentences.",
        _best("am", SINGLE_SENTENCES, "average"),
    ),
    Claim(
        6,
        DERBY,
        "Input embeddings are the best of the six on SICK-E, MRPC, SICK-R, STS-B and every year of STS.",
        _best("input", SENTENCE_PAIRS + STS),
    ),
    Claim(
        7,
        DERBY,
        "Activation maximisation beats the output embeddings on every year of STS.",
        Order(("am",), ("output",), STS, "every"),
    ),
    Claim(
        8,
        DERBY,
        "Input embeddings and activation maximisation tell more than output embeddings about the length "
        "and the words of a sentence.",
        Order(("input", "am"), ("output",), SURFACE, "every"),
    ),
    Claim(
        9,
        DERBY,
        "Activation maximisation tells most of the six about the depth and the top constituents of a "
        "sentence's tree.",
        _best("am", SYNTAX),
    ),
    Claim(
        10,
        DERBY,
        "Output embeddings tell most of the six about tense and about the number of subject and object.",
        _best("output", MORPHOLOGY),
    ),
    Claim(
        11,
        DERBY,
        "As the frozen input of a language model, activation maximisation is the best of the six.",
        _best("am", _perplexity("nnlm_in")),
    ),
    Claim(
        12,
        DERBY,
        "As the frozen output of a language model, the output embeddings are the best of the six.",
        _best("output", _perplexity("nnlm_out")),
    ),
    Claim(
        13,
        DERBY,
        "As the frozen, tied input and output of a language model, activation maximisation is the best of "
        "the six.",
        _best("am", _perplexity("nnlm_tied")),
    ),
    Claim(
        14,
        DERBY,
        "As the frozen output of a language model, word2vec, GloVe and fastText fall behind the embeddings "
        "that come from one.",
        Order(("output", "am"), ("word2vec", "glove", "fasttext"), _perplexity("nnlm_out")),
    ),
    Claim(
        15,
        DERBY,
        "The softmax bias of a word follows the logarithm of its count.",
        BiasTracksCount(),
    ),
    Claim(
        16,
        DERBY,
        "Activation maximisation predicts the softmax bias better than the output embeddings do.",
        BiasPrediction(),
    ),
    Claim(
        17,
        VERWIMP,
        "word2vec from the language model's own domain lowers its perplexity.",
        Order(("word2vec_in_domain",), ("no_embeddings",), _perplexity("lstm_lm")),
    ),
    Claim(
        18,
        VERWIMP,
        "word2vec from another domain does not lower the perplexity.",
        Order(("no_embeddings",), ("word2vec_out_of_domain",), _perplexity("lstm_lm")),
    ),
    Claim(
        19,
        VERWIMP,
        "Embeddings of a domain classifier raise the perplexity.",
        Order(
            ("no_embeddings",),
            ("domain_classifier_paragraphs", "domain_classifier_sentences"),
            _perplexity("lstm_lm"),
        ),
    ),
    Claim(
        20,
        VERWIMP,
        "A domain classifier of sentences makes better embeddings than one of paragraphs.",
        Order(
            ("domain_classifier_sentences",),
            ("domain_classifier_paragraphs",),
            _perplexity("lstm_lm"),
        ),
    ),
    Claim(
        21,
        VERWIMP,
        "Embeddings of a bidirectional language model lower the perplexity a little.",
        Order(("bidirectional_lm",), ("no_embeddings",), _perplexity("lstm_lm")),
    ),
    Claim(
        22,
        OURS,
        "Activation maximisation beats output embeddings that are merely centred by frequency, on most of "
        "the papers' sets.",
        Order(("am",), ("centred",), ALL_SETS, "most"),
    ),
)
