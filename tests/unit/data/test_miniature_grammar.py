"""Sentences: agreement, trees and what the records say, checked from the trees alone."""

from __future__ import annotations

from collections import Counter

import pytest

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.corpus import running_text
from lexiscope.data.miniature.grammar import (
    Sentence,
    SentenceGrammar,
    Tree,
    bracketed,
    depth,
    leaves,
)
from lexiscope.data.miniature.inventory import TOPICS
from lexiscope.data.miniature.language import Language, build_language, stream
from lexiscope.data.miniature.preferences import build_preferences

SINGULAR_ONLY = {"a", "this", "every", "another"}
PLURAL_ONLY = {"some", "many", "these", "most"}
PRONOUN_NUMBER = {"he": "singular", "she": "singular", "it": "singular", "they": "plural", "we": "plural"}
FINITE = {"VBD", "VBZ", "VBP"}


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language(MiniatureConfig(), seed=2)


@pytest.fixture(scope="module")
def sentences(language: Language) -> list[Sentence]:
    preferences = build_preferences(language, MiniatureConfig(), seed=2)
    grammar = SentenceGrammar(language, preferences, stream(2, "test"))
    return [grammar.sentence(i % len(TOPICS)) for i in range(6_000)]


def children(tree: Tree) -> list[Tree]:
    return [] if isinstance(tree[1], str) else list(tree[1])


def nodes(tree: Tree) -> list[Tree]:
    return [tree, *(node for child in children(tree) for node in nodes(child))]


def child(tree: Tree, label: str) -> Tree | None:
    return next((node for node in children(tree) if node[0] == label), None)


def number_of(noun_phrase: Tree) -> str:
    labels = [node[0] for node in children(noun_phrase)]
    if "CC" in labels:
        return "plural"
    if labels[0] == "NP" and labels[-1] in ("PP", "SBAR"):
        return number_of(children(noun_phrase)[0])
    tag, word = children(noun_phrase)[-1]
    if tag == "PRP":
        return PRONOUN_NUMBER[str(word)]
    return {"NN": "singular", "NNP": "singular", "NNS": "plural"}[tag]


def verb_agrees(tag: str, word: str, number: str) -> bool:
    if tag == "VBD":
        return word not in ("was", "were") or (word == "were") == (number == "plural")
    return (tag == "VBP") == (number == "plural") and (
        word not in ("is", "are") or (word == "are") == (number == "plural")
    )


def finite_verbs_with_subjects(tree: Tree) -> list[tuple[str, str, str]]:
    """(tag, word, number of the subject) of every finite clause, relative ones included."""
    found = []
    for node in nodes(tree):
        subject, predicate = child(node, "NP"), child(node, "VP")
        if node[0] == "S" and subject is not None and predicate is not None:
            tag, word = children(predicate)[0]
            found.append((tag, str(word), number_of(subject)))
        relative = child(node, "SBAR")
        if node[0] == "NP" and subject is not None and relative is not None:
            (clause,) = [part for part in children(relative) if part[0] == "S"]
            tag, word = children(children(clause)[0])[0]
            found.append((tag, str(word), number_of(subject)))
    return found


def test_every_finite_verb_agrees_with_its_subject(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        clauses = finite_verbs_with_subjects(sentence.tree)
        finite = sum(tag in FINITE for tag, _ in leaves(sentence.tree))
        assert len(clauses) == finite >= 1
        for tag, word, number in clauses:
            assert tag in FINITE
            assert verb_agrees(tag, word, number), bracketed(sentence.tree)


def test_determiners_and_numbers_agree_with_their_nouns(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        for node in nodes(sentence.tree):
            labels = [part[0] for part in children(node)]
            if node[0] != "NP" or not labels or labels[0] not in ("DT", "CD") or len(labels) == 1:
                continue
            noun = next(label for label in labels if label in ("NN", "NNS"))
            first = children(node)[0][1]
            assert first not in SINGULAR_ONLY or noun == "NN"
            assert first not in PLURAL_ONLY or noun == "NNS"
            assert labels[0] != "CD" or noun == "NNS"


def test_tags_and_forms_fit_the_lexicon(language: Language, sentences: list[Sentence]) -> None:
    truth = language.truth
    position = {"NN": 0, "NNS": 1, "VB": 0, "VBP": 0, "VBZ": 1, "VBD": 2, "JJ": 0, "RB": 1}
    kinds = {"N": "noun", "V": "verb", "J": "adjective", "R": "adjective"}
    seen: Counter[str] = Counter()
    for sentence in sentences:
        for tag, word in leaves(sentence.tree):
            if tag not in position or word not in truth.lemma_of:
                continue
            lemma = truth.lemmas[truth.lemma_of[word]]
            assert lemma.forms[position[tag]] == word
            assert lemma.part_of_speech == kinds[tag[0]]
            assert lemma.attested
            seen[tag] += 1
    assert set(seen) == set(position)


def test_records_say_what_the_trees_show(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        parts = children(sentence.tree)
        main = parts[0] if parts[0][0] == "S" else sentence.tree
        subject, predicate = child(main, "NP"), child(main, "VP")
        assert subject is not None
        assert predicate is not None
        assert sentence.subject_number == number_of(subject)
        tag = children(predicate)[0][0]
        assert sentence.tense == ("past" if tag == "VBD" else "present")
        objects = [part for part in children(predicate) if part[0] == "NP"]
        assert sentence.object_number == (number_of(objects[0]) if objects else None)
        assert sentence.top_constituents == tuple(part[0] for part in parts)
        assert sentence.depth == depth(sentence.tree) >= 3


def test_infinitives_follow_to_and_nothing_else(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        tags = [tag for tag, _ in leaves(sentence.tree)]
        before = ["TO" if tag == "VB" else None for tag in tags]
        assert all(want is None or tags[i - 1] == want for i, want in enumerate(before))


def test_constructions_are_varied(sentences: list[Sentence]) -> None:
    tops = Counter(sentence.top_constituents for sentence in sentences)
    assert len(tops) >= 5
    assert max(tops.values()) < 0.85 * len(sentences)
    tags = {tag for sentence in sentences for tag, _ in leaves(sentence.tree)}
    assert {"WP", "WDT", "CC", "POS", "CD", "NNP", "PRP", "TO"} <= tags
    assert 0.5 < sum(s.tense == "past" for s in sentences) / len(sentences) < 0.75
    plural = sum(s.subject_number == "plural" for s in sentences) / len(sentences)
    assert 0.2 < plural < 0.5
    lengths = [len(sentence.tokens) for sentence in sentences]
    assert min(lengths) <= 4
    assert 9 < sum(lengths) / len(lengths) < 16
    assert len({sentence.depth for sentence in sentences}) >= 6


def test_sentences_start_with_a_capital_and_end_with_a_stop(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        tokens = sentence.tokens
        assert tokens[0][0].isupper() or tokens[0].isdigit()
        assert tokens[-1] == "."
        assert len(tokens) == sum(1 for _ in leaves(sentence.tree))
        assert not any(" " in token for token in tokens)


def test_a_sentence_can_be_about_a_given_noun(language: Language) -> None:
    preferences = build_preferences(language, MiniatureConfig(), seed=2)
    grammar = SentenceGrammar(language, preferences, stream(3, "test"))
    town = next(lemma for lemma in language.truth.lemmas if lemma.subfield == "city")
    for _ in range(50):
        assert town.stem in grammar.sentence(0, about=town.index).tokens


def test_running_text_attaches_punctuation() -> None:
    owner: Tree = ("NP", (("DT", "the"), ("NN", "bral"), ("POS", "'s")))
    subject: Tree = ("NP", (owner, ("NN", "kop")))
    opening: Tree = ("ADVP", (("RB", "today"),))
    tree: Tree = ("S", (opening, (",", ","), subject, ("VP", (("VBZ", "lumit"),)), (".", ".")))
    sentence = Sentence(tree, 0, "present", "singular", None)
    assert running_text(sentence) == "Today, the bral's kop lumit."
    assert sentence.depth == 4
    assert bracketed(subject) == "(NP (NP (DT the) (NN bral) (POS 's)) (NN kop))"
