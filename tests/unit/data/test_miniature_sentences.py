"""Stocks of sentences: none twice, some words that no text has, and streams of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_miniature import materials

from lexiscope.data.miniature.grammar import OPENINGS, Tree, bracketed, leaves
from lexiscope.data.miniature.sentences import (
    UNSEEN_SHARE,
    capitalised,
    content_lemmas,
    mean_of_words,
    quotas,
    text_of,
    with_leaves,
)

NOUN_PHRASE: Tree = ("NP", (("DT", "the"), ("JJ", "old"), ("NN", "bral")))


def test_no_sentence_comes_twice_whatever_its_case() -> None:
    stock = materials().stock("test of a stock")
    texts = [text_of(stock.sentence().tree).lower() for _ in range(1_500)]
    assert len(set(texts)) == len(texts)
    assert not stock.claim(texts[0].upper())
    assert stock.claim("a new one")
    assert not stock.claim("A new one")


def test_some_sentences_have_one_word_that_no_text_has() -> None:
    stock, truth = materials().stock("test of unseen words"), materials().language.truth
    n_unseen = []
    for _ in range(1_500):
        lemmas = [truth.lemmas[i] for i in content_lemmas(truth, stock.sentence().tree)]
        n_unseen.append(sum(not lemma.attested for lemma in lemmas))
    assert set(n_unseen) == {0, 1}
    assert UNSEEN_SHARE * 0.6 < np.mean(n_unseen) < UNSEEN_SHARE * 1.4


def test_a_word_that_no_text_has_keeps_the_tag_of_the_one_it_replaces() -> None:
    stock, truth = materials().stock("test of unseen tags"), materials().language.truth
    position = {"NN": 0, "NNS": 1, "VB": 0, "VBP": 0, "VBZ": 1, "VBD": 2, "JJ": 0, "RB": 1}
    seen = 0
    for _ in range(2_000):
        for tag, word in leaves(stock.sentence().tree):
            if word in truth.lemma_of and not (lemma := truth.lemmas[truth.lemma_of[word]]).attested:
                assert lemma.forms[position[tag]] == word
                seen += 1
    assert seen > 50


def test_a_stock_depends_on_its_purpose_alone() -> None:
    first, again, other = (materials().stock(name) for name in ("one", "one", "two"))
    texts = [[text_of(stock.sentence().tree) for _ in range(20)] for stock in (first, again, other)]
    assert texts[0] == texts[1]
    assert not set(texts[0]) & set(texts[2])


@pytest.mark.parametrize("opening", [name for name, _ in OPENINGS])
def test_a_sentence_opens_as_it_is_told(opening: str) -> None:
    stock = materials().stock("test of openings")
    first = {"none": "NP", "adverb": "ADVP", "place": "PP", "clause": "SBAR", "coordination": "S"}
    tops = {stock.sentence(opening=opening).top_constituents[0] for _ in range(40)}
    # A year opens only sentences in the past.
    assert tops == ({"NP", "PP"} if opening == "year" else {first[opening]})


def test_leaves_are_exchanged_by_their_place() -> None:
    changed = with_leaves(NOUN_PHRASE, {1: "new", 2: "kop"})
    assert bracketed(changed) == "(NP (DT the) (JJ new) (NN kop))"
    assert with_leaves(NOUN_PHRASE, {}) == NOUN_PHRASE
    assert capitalised(["der", "Bral"]) == ["Der", "Bral"]


def test_the_mean_is_that_of_the_content_words() -> None:
    truth = materials().language.truth
    first, second = truth.lemmas[0], truth.lemmas[1]
    tree: Tree = ("NP", (("DT", "the"), ("NN", first.forms[0]), ("NN", second.forms[0])))
    values = np.arange(1.0, 1.0 + len(truth.lemmas))
    nothing: Tree = ("NP", (("PRP", "she"),))
    assert mean_of_words(truth, values, [tree, nothing]).tolist() == [1.5, 0.0]


def test_quotas_add_up() -> None:
    for total, n in itertools.product(range(1, 30), range(1, 8)):
        parts = quotas(total, [1.0] * n)
        assert sum(parts) == total
        assert max(parts) - min(parts) <= 1
    assert quotas(100, [0.5, 0.3, 0.2]) == [50, 30, 20]
