"""What each probing task makes of a sentence: its class, and the text that is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from lexiscope.data.miniature.grammar import COMMA, Sentence, Tree, leaves
from lexiscope.data.miniature.language import MiniatureTruth
from lexiscope.data.miniature.sentences import FORM_OF_TAG, capitalised, with_leaves

LENGTH_BINS = ((5, 8), (9, 12), (13, 16), (17, 20), (21, 25), (26, 28))  # tokens, both ends included
DEPTH_LENGTHS = (9, 20)  # tokens: sentences of such a length may have any of the depths asked for
TOP_CONSTITUENTS = ("ADVP_NP_VP_.", "NP_VP_.", "PP_NP_VP_.", "SBAR_NP_VP_.", "S_CC_S_.")
TENSES = {"past": "PAST", "present": "PRES"}
LEAST_COUNT = 10  # in the training corpus, of a word that the odd-man-out task exchanges
NEIGHBOURS = 5  # a word is exchanged for one of so many next to it in frequency, on either side
INVERTIBLE = ("S", ",", "CC", "S", ".")


@dataclass(frozen=True)
class Labelled:
    """A sentence that fits a task.

    Attributes
    ----------
    label
        Its class.
    text
        How the task shows it.
    form
        A word form that may be in one part of the task only; empty if there is none.
    """

    label: str
    text: str
    form: str = ""


class PoolSentence:
    """A sentence with its leaves and tokens, which every task asks for, computed once."""

    def __init__(self, sentence: Sentence) -> None:
        self.tree = sentence.tree
        self.tense = sentence.tense
        self.leaves = leaves(sentence.tree)
        self.tokens = tuple(capitalised(word for _, word in self.leaves))
        self.text = " ".join(self.tokens)


class FormParts:
    """Deals word forms out to the parts of a task, in proportion to the parts' sizes."""

    def __init__(self, sizes: Mapping[str, int], rng: np.random.Generator) -> None:
        self._parts = list(sizes)
        self._limits = np.cumsum(list(sizes.values())) / sum(sizes.values())
        self._rng = rng
        self._part: dict[str, str] = {}

    def of(self, form: str) -> str:
        """The part of a form; drawn when it is asked for the first time."""
        if form not in self._part:
            position = int(self._limits.searchsorted(self._rng.random(), side="right"))
            self._part[form] = self._parts[position]
        return self._part[form]


Choice = TypeVar("Choice")


@dataclass
class Context:
    """What a task knows besides the sentence.

    Attributes
    ----------
    forms
        To which part each word form belongs.
    ranks
        The forms that the odd-man-out task may exchange, the commonest first.
    targets
        The words of the word content task.
    depth
        How deep a tree is.
    """

    truth: MiniatureTruth
    rng: np.random.Generator
    forms: FormParts
    ranks: Mapping[str, int]
    targets: frozenset[str]
    depth: Callable[[Tree], int]
    _exchangeable: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def coin(self) -> bool:
        """True or False, as chance has it."""
        return bool(self.rng.random() < 0.5)

    def choice(self, choices: Sequence[Choice]) -> Choice:
        """One of several, all equally likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def neighbours(self, tag: str, form: str) -> list[str]:
        """Forms of the same tag and part, next to ``form`` in frequency."""
        key = (tag, self.forms.of(form))
        if key not in self._exchangeable:
            place = FORM_OF_TAG[tag]
            forms = (self.truth.lemmas[self.truth.lemma_of[other]].forms for other in self.ranks)
            self._exchangeable[key] = [
                other
                for other, its_forms in zip(self.ranks, forms, strict=True)
                if _same_kind(self.truth, form, other)
                and its_forms[place] == other
                and self.forms.of(other) == key[1]
            ]
        ranked = self._exchangeable[key]
        rank = ranked.index(form)
        return ranked[max(rank - NEIGHBOURS, 0) : rank] + ranked[rank + 1 : rank + 1 + NEIGHBOURS]


Labeller = Callable[[PoolSentence, Context], Labelled | None]
"""Gives None for a sentence that is of no use to the task."""


def exchangeable_forms(truth: MiniatureTruth, counts: Mapping[str, int]) -> dict[str, int]:
    """The forms of nouns and verbs that are common enough to be exchanged, by rank in frequency."""
    forms = [
        form
        for lemma in truth.lemmas
        if lemma.part_of_speech in ("noun", "verb") and not lemma.proper
        for form in lemma.forms
        if counts.get(form, 0) >= LEAST_COUNT
    ]
    forms.sort(key=lambda form: (-counts[form], form))
    return {form: rank for rank, form in enumerate(forms)}


def _same_kind(truth: MiniatureTruth, first: str, second: str) -> bool:
    """Whether two forms belong to lemmas of one part of speech."""
    kinds = [truth.lemmas[truth.lemma_of[form]].part_of_speech for form in (first, second)]
    return kinds[0] == kinds[1]


def target_words(truth: MiniatureTruth, counts: Mapping[str, int], n: int) -> frozenset[str]:
    """``n`` words of middle frequency: those that come next after the ``n`` commonest content words."""
    forms = [form for lemma in truth.lemmas if not lemma.proper for form in lemma.forms]
    ranked = sorted(forms, key=lambda form: (-counts.get(form, 0), form))
    return frozenset(ranked[n : 2 * n])


def sentence_length(sentence: PoolSentence, _context: Context) -> Labelled | None:
    """The bin of the number of tokens."""
    for number, (least, most) in enumerate(LENGTH_BINS):
        if least <= len(sentence.tokens) <= most:
            return Labelled(str(number), sentence.text)
    return None


def word_content(sentence: PoolSentence, context: Context) -> Labelled | None:
    """The one target word that the sentence has, once."""
    found = [word for _, word in sentence.leaves if word in context.targets]
    return Labelled(found[0], sentence.text) if len(found) == 1 else None


def tree_depth(sentence: PoolSentence, context: Context) -> Labelled | None:
    """How deep the tree is."""
    if not DEPTH_LENGTHS[0] <= len(sentence.tokens) <= DEPTH_LENGTHS[1]:
        return None
    return Labelled(str(context.depth(sentence.tree)), sentence.text)


def top_constituents(sentence: PoolSentence, _context: Context) -> Labelled | None:
    """The labels below the root; without commas, as in the real set."""
    kept = [child for child in _children(sentence.tree) if child != COMMA]
    words = capitalised(word for child in kept for _, word in leaves(child))
    return Labelled("_".join(label for label, _ in kept), " ".join(words))


def past_present(sentence: PoolSentence, context: Context) -> Labelled | None:
    """The tense of the main verb, which is no copula."""
    _, predicate = _main_clause(sentence)
    _, verb = leaves(predicate)[0]
    if verb not in context.truth.lemma_of:
        return None
    return Labelled(TENSES[sentence.tense], sentence.text, verb)


def subj_number(sentence: PoolSentence, _context: Context) -> Labelled | None:
    """The number of the main clause's subject, a common noun."""
    subject, _ = _main_clause(sentence)
    return _noun_number(sentence, subject)


def obj_number(sentence: PoolSentence, _context: Context) -> Labelled | None:
    """The number of the main verb's direct object, a common noun."""
    _, predicate = _main_clause(sentence)
    objects = [child for child in _children(predicate) if child[0] == "NP"]
    return _noun_number(sentence, objects[0]) if objects else None


def bigram_shift(sentence: PoolSentence, context: Context) -> Labelled | None:
    """Whether two neighbouring words, neither the first nor punctuation, have changed places."""
    tokens = list(sentence.tokens)
    places = [
        i for i in range(1, len(tokens) - 2) if "," not in tokens[i : i + 2] and tokens[i] != tokens[i + 1]
    ]
    if not places:
        return None
    if context.coin():
        return Labelled("O", sentence.text)
    place = context.choice(places)
    tokens[place], tokens[place + 1] = tokens[place + 1], tokens[place]
    return Labelled("I", " ".join(tokens))


def odd_man_out(sentence: PoolSentence, context: Context) -> Labelled | None:
    """Whether a noun or a verb was exchanged for one of the same tag and of like frequency.

    Both words belong to the same part of the task, and the original sentences have a word that could have
    been exchanged as well, so that the words alone do not tell.
    """
    places = [
        (place, tag, word) for place, (tag, word) in enumerate(sentence.leaves) if word in context.ranks
    ]
    if not places:
        return None
    place, tag, word = context.choice(places)
    near = context.neighbours(tag, word)
    if not near:
        return None
    if context.coin():
        return Labelled("O", sentence.text, word)
    changed = with_leaves(sentence.tree, {place: context.choice(near)})
    return Labelled("C", " ".join(capitalised(word for _, word in leaves(changed))), word)


def coordination_inversion(sentence: PoolSentence, context: Context) -> Labelled | None:
    """Whether the two clauses around the only conjunction have changed places."""
    children = _children(sentence.tree)
    conjunctions = sum(tag == "CC" for tag, _ in sentence.leaves)
    if conjunctions != 1 or tuple(label for label, _ in children) != INVERTIBLE:
        return None
    if context.coin():
        return Labelled("O", sentence.text)
    first, comma, conjunction, second, stop = children
    inverted = leaves(("S", (second, comma, conjunction, first, stop)))
    return Labelled("I", " ".join(capitalised(word for _, word in inverted)))


def _children(tree: Tree) -> list[Tree]:
    return [child for child in tree[1] if isinstance(child, tuple)]


def _main_clause(sentence: PoolSentence) -> tuple[Tree, Tree]:
    """Subject and predicate of the first main clause."""
    children = _children(sentence.tree)
    if children[0][0] == "S":
        children = _children(children[0])
    place = [label for label, _ in children].index("VP")
    return children[place - 1], children[place]


def _noun_number(sentence: PoolSentence, phrase: Tree) -> Labelled | None:
    """The class of a noun phrase with one common noun as its head."""
    children = _children(phrase)
    labels = [label for label, _ in children]
    if labels[0] == "NP" and labels[-1] in ("PP", "SBAR"):
        return _noun_number(sentence, children[0])
    tag, noun = children[-1]
    if tag not in ("NN", "NNS") or "CC" in labels:
        return None
    return Labelled(tag, sentence.text, str(noun))


LABELLERS: dict[str, Labeller] = {
    labeller.__name__: labeller
    for labeller in (
        sentence_length,
        word_content,
        tree_depth,
        top_constituents,
        past_present,
        subj_number,
        obj_number,
        bigram_shift,
        odd_man_out,
        coordination_inversion,
    )
}
"""The ten tasks, by the names of their files."""
