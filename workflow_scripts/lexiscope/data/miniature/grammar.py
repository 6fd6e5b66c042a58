"""The phrase-structure grammar: sentences with agreement that remember how they were made.

A sentence keeps its tree (Penn Treebank labels), tense, numbers and topic, so that data sets about syntax
can be read off it. The grammar, with optional parts in brackets::

    S    → [PP | ADVP | SBAR] NP VP        S → S , CC S
    NP   → DT [CD] [JJ…] N | NNP [NNP] | PRP | NP POS N | NP PP | NP SBAR | NP CC NP
    VP   → V [NP] [ADVP] [PP]      V SBAR      V S(TO VP)      BE ADJP
    SBAR → that S | who/that VP | because S …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lexiscope.data.miniature.inventory import (
    COORDINATORS,
    COPULA,
    DETERMINERS,
    NOUN_FIELDS,
    PREPOSITIONS,
    PRONOUNS,
    QUANTITIES,
    SENTENCE_ADVERBS,
    SUBORDINATORS,
    YEARS,
)
from lexiscope.data.miniature.language import Language
from lexiscope.data.miniature.preferences import Preferences

Tree = tuple[str, str | tuple["Tree", ...]]
"""``(label, children)``, or ``(tag, word)`` for a leaf."""

UNIFORM_BLOCK = 1 << 15
MAX_NESTING = 2  # clauses inside clauses

PAST_SHARE = 0.62
COPULA_SHARE = 0.10
PLURAL_SHARE = 0.36
PRONOUN_SHARE = 0.05
FAMILY_NAME_SHARE = 0.3
QUANTITY_SHARE = 0.10  # of plural noun phrases
ADJECTIVE_SHARE, SECOND_ADJECTIVE_SHARE = 0.34, 0.15
COORDINATION_SHARE = 0.07  # of noun phrases; the same for the next four
POSSESSIVE_SHARE = 0.05
OF_PHRASE_SHARE = 0.07
PLACE_PHRASE_SHARE = 0.04
RELATIVE_SHARE = 0.06
ADVERB_SHARE = 0.14  # of verb phrases; the same for the next two
YEAR_SHARE = 0.05
VERB_PHRASE_PP = {"transitive": 0.25, "intransitive": 0.7, "sentential": 0.1, "control": 0.15}
EMBEDDED_SHARE = 0.8  # of the verbs that take a clause or an infinitive; the rest take an object
OPENINGS = (
    ("none", 0.70),
    ("year", 0.06),
    ("adverb", 0.06),
    ("place", 0.06),
    ("clause", 0.06),
    ("coordination", 0.06),
)

COMMA: Tree = (",", ",")
STOP: Tree = (".", ".")
TO: Tree = ("TO", "to")
OF: Tree = ("IN", "of")
IN: Tree = ("IN", "in")
THAT: Tree = ("IN", "that")
POSSESSIVE: Tree = ("POS", "'s")


class Sentence(NamedTuple):
    """A sentence and what is known of it.

    Attributes
    ----------
    tree
        Words in their dictionary case: the capital of the first word is not in the tree.
    topic
        Index into ``inventory.TOPICS``.
    tense
        ``past`` or ``present``, of the (first) main verb.
    subject_number, object_number
        ``singular`` or ``plural``, of the (first) main clause; the object's is None where there is none.
    """

    tree: Tree
    topic: int
    tense: str
    subject_number: str
    object_number: str | None

    @property
    def tokens(self) -> list[str]:
        """The words as they are written, the first one capitalised."""
        words = [word for _, word in leaves(self.tree)]
        words[0] = words[0][:1].upper() + words[0][1:]
        return words

    @property
    def depth(self) -> int:
        """Nodes on the longest way from the root to a word's tag, both counted."""
        return depth(self.tree)

    @property
    def top_constituents(self) -> tuple[str, ...]:
        """Labels of the root's children."""
        return tuple(child[0] for child in self.tree[1] if isinstance(child, tuple))


class Clause(NamedTuple):
    """A noun phrase and a verb phrase that agree."""

    subject: Tree
    predicate: Tree
    subject_number: str
    object_number: str | None


def leaves(tree: Tree) -> list[tuple[str, str]]:
    """The (tag, word) pairs of a tree, from left to right."""
    found: list[tuple[str, str]] = []
    _collect_leaves(tree, found)
    return found


def _collect_leaves(tree: Tree, found: list[tuple[str, str]]) -> None:
    label, content = tree
    if isinstance(content, str):
        found.append((label, content))
    else:
        for child in content:
            _collect_leaves(child, found)


def depth(tree: Tree) -> int:
    """Nodes on the longest way from the root to a word's tag, both counted."""
    content = tree[1]
    return 1 if isinstance(content, str) else 1 + max(depth(child) for child in content)


def bracketed(tree: Tree) -> str:
    """The tree as the Penn Treebank writes it.

    >>> bracketed(("NP", (("DT", "the"), ("NN", "bral"))))
    '(NP (DT the) (NN bral))'
    """
    label, content = tree
    inside = content if isinstance(content, str) else " ".join(bracketed(child) for child in content)
    return f"({label} {inside})"


def uniforms(rng: np.random.Generator) -> Callable[[], float]:
    """A function that gives the next uniform number; drawing in blocks is ten times as fast."""

    def stream() -> Iterator[float]:
        while True:
            yield from rng.random(UNIFORM_BLOCK).tolist()

    return stream().__next__


class SentenceGrammar:
    """Makes sentences about a topic.

    Parameters
    ----------
    language, preferences
        The lexicon and who goes with whom.
    rng
        All the randomness of the sentences.
    """

    def __init__(self, language: Language, preferences: Preferences, rng: np.random.Generator) -> None:
        self._lemmas = language.truth.lemmas
        self._preferences = preferences
        self._family_names = language.family_names
        self._uniform = uniforms(rng)
        self._noun_field = {field.name: row for row, field in enumerate(NOUN_FIELDS)}
        self._prepositions: list[Tree] = [("IN", word) for word in PREPOSITIONS]
        self._nouns: dict[tuple[int, str], Tree] = {}
        self._verbs: dict[tuple[int, str, str], Tree] = {}
        self._infinitives: dict[int, Tree] = {}
        self._adjectives: dict[int, Tree] = {}
        self._adverbs: dict[int, Tree] = {}
        for lemma in self._lemmas:
            self._add_leaves(lemma.index)

    def _add_leaves(self, index: int) -> None:
        """Make the leaves of one lemma once: sentences share them."""
        lemma = self._lemmas[index]
        forms = lemma.forms
        if lemma.part_of_speech == "noun":
            self._nouns[index, "singular"] = ("NNP" if lemma.proper else "NN", forms[0])
            if not lemma.proper:
                self._nouns[index, "plural"] = ("NNS", forms[1])
        elif lemma.part_of_speech == "verb":
            base, third_singular, past = forms
            self._infinitives[index] = ("VB", base)
            self._verbs[index, "present", "plural"] = ("VBP", base)
            self._verbs[index, "present", "singular"] = ("VBZ", third_singular)
            self._verbs[index, "past", "singular"] = self._verbs[index, "past", "plural"] = ("VBD", past)
        else:
            self._adjectives[index] = ("JJ", forms[0])
            self._adverbs[index] = ("RB", forms[1])

    def _chance(self, share: float) -> bool:
        return self._uniform() < share

    def _choose(self, choices: tuple[tuple[str, float], ...]) -> str:
        """One of (word, probability) pairs."""
        left = self._uniform()
        for word, probability in choices:
            left -= probability
            if left < 0:
                return word
        return choices[-1][0]

    def sentence(self, topic: int, about: int | None = None, opening: str | None = None) -> Sentence:
        """A sentence on ``topic``.

        ``about`` is the lemma of its subject (a noun) and ``opening`` one of `OPENINGS`; what is not given
        is drawn.
        """
        tense = "past" if self._chance(PAST_SHARE) else "present"
        opening = opening or self._choose(OPENINGS)
        main = self._clause(topic, tense, MAX_NESTING, about)
        core = (main.subject, main.predicate)
        children: tuple[Tree, ...]
        if opening == "coordination":
            other = self._clause(topic, tense, MAX_NESTING - 1)
            conjunction: Tree = ("CC", self._choose(COORDINATORS))
            second: Tree = ("S", (other.subject, other.predicate))
            children = (("S", core), COMMA, conjunction, second, STOP)
        elif opening == "none" or (opening == "year" and tense == "present"):
            children = (*core, STOP)
        else:
            children = (self._opening(opening, topic, tense), COMMA, *core, STOP)
        return Sentence(("S", children), topic, tense, main.subject_number, main.object_number)

    def _opening(self, kind: str, topic: int, tense: str) -> Tree:
        if kind == "year":
            return self._year_phrase(topic)
        if kind == "adverb":
            return ("ADVP", (("RB", self._choose(SENTENCE_ADVERBS[tense])),))
        if kind == "place":
            preposition = int(self._uniform() * len(self._prepositions))
            return self._prepositional_phrase(preposition, topic)
        clause = self._clause(topic, tense, MAX_NESTING - 1)
        inner: Tree = ("S", (clause.subject, clause.predicate))
        return ("SBAR", (("IN", self._choose(SUBORDINATORS)), inner))

    def _clause(self, topic: int, tense: str, nesting: int, about: int | None = None) -> Clause:
        uniform, preferences = self._uniform, self._preferences
        if about is None:
            verb = preferences.verb.draw(0, topic, uniform())
            noun = preferences.subject.draw(verb, topic, uniform())
            pronoun = self._chance(PRONOUN_SHARE)
        else:
            verb = preferences.verb_of_subject.draw(about, topic, uniform())
            noun, pronoun = about, False
        if pronoun:
            number = self._number(noun)
            subject: Tree = ("NP", (("PRP", self._choose(PRONOUNS[number])),))
        else:
            subject, number = self._noun_phrase(noun, topic, tense, nesting)
        if self._chance(COPULA_SHARE):
            return Clause(subject, self._copula_phrase(noun, topic, tense, number), number, None)
        head = self._verbs[verb, tense, number]
        predicate, object_number = self._verb_phrase(head, verb, topic, tense, nesting)
        return Clause(subject, predicate, number, object_number)

    def _copula_phrase(self, noun: int, topic: int, tense: str, number: str) -> Tree:
        tag = "VBD" if tense == "past" else "VBZ" if number == "singular" else "VBP"
        adjective = self._adjectives[self._preferences.adjective_of_noun.draw(noun, topic, self._uniform())]
        return ("VP", ((tag, COPULA[tense, number]), ("ADJP", (adjective,))))

    def _verb_phrase(
        self, head: Tree, verb: int, topic: int, tense: str, nesting: int
    ) -> tuple[Tree, str | None]:
        """A verb with its complements, and the number of its object if it has one."""
        uniform, preferences = self._uniform, self._preferences
        frame = self._lemmas[verb].frame
        children: list[Tree] = [head]
        object_number = None
        embeds = frame in ("sentential", "control") and nesting > 0 and self._chance(EMBEDDED_SHARE)
        if not embeds and frame != "intransitive":
            noun = preferences.object.draw(verb, topic, uniform())
            phrase, object_number = self._noun_phrase(noun, topic, tense, nesting - 1)
            children.append(phrase)
        if self._chance(ADVERB_SHARE):
            adverb = self._adverbs[preferences.adverb_of_verb.draw(verb, topic, uniform())]
            children.append(("ADVP", (adverb,)))
        if embeds:
            children.append(self._embedded(frame, verb, topic, tense, nesting - 1))
            return ("VP", tuple(children)), None
        if self._chance(VERB_PHRASE_PP[frame]):
            choice = uniform()
            row = preferences.preposition_of_verb[verb]
            preposition = next(i for i, limit in enumerate(row) if choice < limit)
            children.append(self._prepositional_phrase(preposition, topic))
        elif tense == "past" and self._chance(YEAR_SHARE):
            children.append(self._year_phrase(topic))
        return ("VP", tuple(children)), object_number

    def _embedded(self, frame: str, verb: int, topic: int, tense: str, nesting: int) -> Tree:
        """*that* + clause, or *to* + infinitive."""
        if frame == "sentential":
            clause = self._clause(topic, tense, nesting)
            return ("SBAR", (THAT, ("S", (clause.subject, clause.predicate))))
        lower = self._preferences.infinitive.draw(verb, topic, self._uniform())
        phrase, _ = self._verb_phrase(self._infinitives[lower], lower, topic, tense, nesting)
        return ("S", (("VP", (TO, phrase)),))

    def _number(self, noun: int) -> str:
        if self._lemmas[noun].proper:
            return "singular"
        return "plural" if self._chance(PLURAL_SHARE) else "singular"

    def _noun_phrase(self, noun: int, topic: int, tense: str, nesting: int) -> tuple[Tree, str]:
        """A noun phrase with what hangs on it, and its number."""
        number = self._number(noun)
        simple = self._simple_noun_phrase(noun, number, topic)
        if nesting < 0:
            return simple, number
        choice = self._uniform()
        if choice < (limit := COORDINATION_SHARE):
            other = self._preferences.conjunct_of_noun.draw(noun, topic, self._uniform())
            second = self._simple_noun_phrase(other, self._number(other), topic)
            return ("NP", (simple, ("CC", "and"), second)), "plural"
        if choice < (limit := limit + OF_PHRASE_SHARE):
            owner = self._preferences.owner_of_noun.draw(noun, topic, self._uniform())
            lower = self._simple_noun_phrase(owner, self._number(owner), topic)
            return ("NP", (simple, ("PP", (OF, lower)))), number
        if choice < (limit := limit + PLACE_PHRASE_SHARE):
            preposition = int(self._uniform() * len(self._prepositions))
            return ("NP", (simple, self._prepositional_phrase(preposition, topic))), number
        if nesting > 0 and choice < limit + RELATIVE_SHARE:
            return ("NP", (simple, self._relative_clause(noun, number, topic, tense, nesting - 1))), number
        return simple, number

    def _relative_clause(self, noun: int, number: str, topic: int, tense: str, nesting: int) -> Tree:
        verb = self._preferences.verb_of_subject.draw(noun, topic, self._uniform())
        predicate, _ = self._verb_phrase(self._verbs[verb, tense, number], verb, topic, tense, nesting)
        pronoun: Tree = ("WP", "who") if self._lemmas[noun].field == "person" else ("WDT", "which")
        return ("SBAR", (("WHNP", (pronoun,)), ("S", (predicate,))))

    def _simple_noun_phrase(self, noun: int, number: str, topic: int) -> Tree:
        """A noun phrase without complements."""
        lemma = self._lemmas[noun]
        head = self._nouns[noun, number]
        if lemma.proper:
            if lemma.field == "person" and self._chance(FAMILY_NAME_SHARE):
                family = self._family_names[int(self._uniform() * len(self._family_names))]
                return ("NP", (head, ("NNP", family)))
            return ("NP", (head,))
        children: list[Tree] = []
        if self._chance(POSSESSIVE_SHARE):
            owner = self._preferences.owner_of_noun.draw(noun, topic, self._uniform())
            children.append(("NP", (*self._determined(owner, self._number(owner)), POSSESSIVE)))
        elif number == "plural" and self._chance(QUANTITY_SHARE):
            children.append(("CD", self._quantity(lemma.field)))
        else:
            children.append(("DT", self._choose(DETERMINERS[number])))
        if self._chance(ADJECTIVE_SHARE):
            children.append(self._adjective_of(noun, topic))
            if self._chance(SECOND_ADJECTIVE_SHARE):
                children.append(self._adjective_of(noun, topic))
        children.append(head)
        return ("NP", tuple(children))

    def _determined(self, noun: int, number: str) -> tuple[Tree, ...]:
        head = self._nouns[noun, number]
        if self._lemmas[noun].proper:
            return (head,)
        return (("DT", self._choose(DETERMINERS[number])), head)

    def _adjective_of(self, noun: int, topic: int) -> Tree:
        return self._adjectives[self._preferences.adjective_of_noun.draw(noun, topic, self._uniform())]

    def _quantity(self, field: str) -> str:
        row = self._preferences.quantities[self._noun_field[field]]
        return QUANTITIES[int(row.searchsorted(self._uniform(), side="right"))]

    def _prepositional_phrase(self, preposition: int, topic: int) -> Tree:
        noun = self._preferences.object_of_preposition.draw(preposition, topic, self._uniform())
        lower = self._simple_noun_phrase(noun, self._number(noun), topic)
        return ("PP", (self._prepositions[preposition], lower))

    def _year_phrase(self, topic: int) -> Tree:
        row = self._preferences.years[topic]
        year: Tree = ("CD", YEARS[int(row.searchsorted(self._uniform(), side="right"))])
        return ("PP", (IN, ("NP", (year,))))
