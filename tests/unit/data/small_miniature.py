"""A small miniature for the tests of its benchmarks, made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.inventory import QUANTITIES, YEARS
from lexiscope.data.miniature.language import _function_words, build_language
from lexiscope.data.miniature.preferences import build_preferences
from lexiscope.data.miniature.sentences import Materials
from lexiscope.data.miniature.write import count_words, make_corpora

SEED = 4
SMALL_BENCHMARKS: Mapping[str, int] = {
    "opinion_sentences": 100,
    "sst_train": 50,
    "sst_valid": 20,
    "sst_test": 20,
    "trec_train": 300,
    "trec_test": 50,
    "mrpc_train": 50,
    "mrpc_test": 20,
    "sick_train": 50,
    "sick_valid": 20,
    "sick_test": 20,
    "stsb_train": 50,
    "stsb_valid": 20,
    "stsb_test": 20,
    "sts_pairs": 10,
    "probing_train": 120,
    "probing_heldout": 60,
    "probing_words": 5,
    "xprobe_valid": 60,
    "xprobe_test": 60,
    "treebank_train": 20,
    "treebank_heldout": 10,
    "penn_trees": 20,
}
"""The least of everything."""


@cache
def materials() -> Materials:
    """The whole lexicon, little text, benchmarks large enough to learn something from."""
    config = MiniatureConfig(
        lm1b_tokens=60_000,
        ptb_tokens=1_000,
        wikitext_tokens=1_000,
        enwiki_tokens=1_000,
        **SMALL_BENCHMARKS
        | {
            "opinion_sentences": 500,
            "sst_train": 400,
            "sst_test": 200,
            "trec_train": 600,
            "trec_test": 200,
            "mrpc_train": 300,
            "mrpc_test": 150,
            "sick_train": 400,
            "sick_test": 300,
            "stsb_train": 100,
            "stsb_test": 200,
            "sts_pairs": 60,
            "probing_train": 600,
            "probing_heldout": 240,
            "probing_words": 10,
            "treebank_train": 120,
        },
    )
    language = build_language(config, SEED)
    preferences = build_preferences(language, config, SEED)
    counts = count_words(make_corpora(language, config, SEED, preferences))
    return Materials(language, preferences, config, SEED, counts)


@cache
def known_words() -> frozenset[str]:
    """Every word, in lower case, that a sentence of the language may have."""
    language = materials().language
    words = {*language.truth.lemma_of, *language.family_names, *_function_words(), *YEARS, *QUANTITIES}
    return frozenset(word.lower() for word in words | {".", ",", "'s"})


def sentence_vectors(sentences: Sequence[str]) -> np.ndarray:
    """The mean of the words' latent vectors, zero for a sentence without a content word."""
    truth = materials().language.truth
    row = {form.lower(): index for form, index in truth.lemma_of.items()}
    vectors = np.zeros((len(sentences), truth.latents.shape[1]))
    for i, sentence in enumerate(sentences):
        found = [row[word] for word in sentence.lower().split() if word in row]
        if found:
            vectors[i] = truth.latents[found].mean(axis=0)
    return vectors / vectors.std()


def word_counts(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which words each sentence has: one column for each word of the training sentences."""
    column: dict[str, int] = {}
    for sentence in train:
        for word in sentence.split():
            column.setdefault(word, len(column))
    counts = []
    for sentences in (train, test):
        matrix = np.zeros((len(sentences), len(column)))
        for i, sentence in enumerate(sentences):
            for word in sentence.split():
                if word in column:
                    matrix[i, column[word]] += 1
        counts.append(matrix)
    return counts[0], counts[1]
