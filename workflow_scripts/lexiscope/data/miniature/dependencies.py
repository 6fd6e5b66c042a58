"""Universal Dependencies from a sentence's phrase-structure tree, and the CoNLL-U format.

Each phrase has one head among its children, found by its label; the head words of the other children depend
on the head's word with a relation that the two labels decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lexiscope.data.miniature.corpus import running_text
from lexiscope.data.miniature.grammar import Sentence, Tree
from lexiscope.data.miniature.language import MiniatureTruth

RELATIONS = {
    ("S", "NP"): "nsubj",
    ("S", "PP"): "obl",
    ("S", "ADVP"): "advmod",
    ("S", "SBAR"): "advcl",
    ("S", "S"): "conj",
    ("S", "CC"): "cc",
    ("S", ","): "punct",
    ("S", "."): "punct",
    ("VP", "NP"): "obj",
    ("VP", "ADVP"): "advmod",
    ("VP", "PP"): "obl",
    ("VP", "SBAR"): "ccomp",
    ("VP", "S"): "xcomp",
    ("VP", "TO"): "mark",
    ("SBAR", "IN"): "mark",
    ("SBAR", "WHNP"): "nsubj",
    ("NP", "DT"): "det",
    ("NP", "CD"): "nummod",
    ("NP", "JJ"): "amod",
    ("NP", "NNP"): "flat",
    ("NP", "POS"): "case",
    ("NP", "PP"): "nmod",
    ("NP", "SBAR"): "acl:relcl",
    ("NP", "CC"): "cc",
    ("PP", "IN"): "case",
}
"""By the labels of a phrase and of a child that is not its head; `_relation` has the other cases."""

UNIVERSAL = {
    "NN": "NOUN",
    "NNS": "NOUN",
    "NNP": "PROPN",
    "PRP": "PRON",
    "WP": "PRON",
    "WDT": "PRON",
    "DT": "DET",
    "CD": "NUM",
    "JJ": "ADJ",
    "RB": "ADV",
    "VB": "VERB",
    "VBD": "VERB",
    "VBP": "VERB",
    "VBZ": "VERB",
    "TO": "PART",
    "POS": "PART",
    "CC": "CCONJ",
    ",": "PUNCT",
    ".": "PUNCT",
}
FEATURES = {
    "NN": "Number=Sing",
    "NNS": "Number=Plur",
    "NNP": "Number=Sing",
    "WP": "PronType=Rel",
    "WDT": "PronType=Rel",
    "CD": "NumForm=Digit|NumType=Card",
    "JJ": "Degree=Pos",
    "VB": "VerbForm=Inf",
    "VBD": "Mood=Ind|Tense=Past|VerbForm=Fin",
    "VBP": "Mood=Ind|Tense=Pres|VerbForm=Fin",
    "VBZ": "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin",
}
FEATURES_OF_WORDS = {
    "the": "Definite=Def|PronType=Art",
    "a": "Definite=Ind|PronType=Art",
    "this": "Number=Sing|PronType=Dem",
    "these": "Number=Plur|PronType=Dem",
    "every": "PronType=Tot",
    "another": "PronType=Ind",
    "some": "PronType=Ind",
    "many": "PronType=Ind",
    "most": "PronType=Ind",
    "he": "Case=Nom|Gender=Masc|Number=Sing|Person=3|PronType=Prs",
    "she": "Case=Nom|Gender=Fem|Number=Sing|Person=3|PronType=Prs",
    "it": "Case=Nom|Gender=Neut|Number=Sing|Person=3|PronType=Prs",
    "they": "Case=Nom|Number=Plur|Person=3|PronType=Prs",
    "we": "Case=Nom|Number=Plur|Person=1|PronType=Prs",
}
"""Features of determiners and personal pronouns."""


@dataclass
class Word:
    """A token with its analysis.

    Attributes
    ----------
    form
        In dictionary case.
    head
        Number of the word it depends on, counted from 1; 0 for the root.
    """

    form: str
    tag: str
    head: int = 0
    relation: str = "root"

    @property
    def universal(self) -> str:
        """Its universal part of speech."""
        if self.tag == "IN":
            return "SCONJ" if self.relation == "mark" else "ADP"
        return "AUX" if self.relation == "cop" else UNIVERSAL[self.tag]

    @property
    def features(self) -> str:
        """Its features, or ``_``."""
        if self.tag in ("DT", "PRP"):
            return FEATURES_OF_WORDS[self.form]
        return FEATURES.get(self.tag, "_")

    def lemma(self, truth: MiniatureTruth) -> str:
        """Its dictionary form; adverbs are their own."""
        if self.relation == "cop":
            return "be"
        if self.tag == "RB" or self.form not in truth.lemma_of:
            return self.form
        return truth.lemmas[truth.lemma_of[self.form]].stem


def dependencies(tree: Tree) -> list[Word]:
    """The words of a tree, each with its head and relation."""
    words: list[Word] = []
    _attach(tree, words)
    return words


def dependency_depth(tree: Tree) -> int:
    """Words on the longest way from the root word down to another, both counted."""
    heads = [word.head for word in dependencies(tree)]

    def level(number: int) -> int:
        return 0 if number == 0 else 1 + level(heads[number - 1])

    return max(level(number + 1) for number in range(len(heads)))


def conllu(sentence: Sentence, truth: MiniatureTruth, comments: Mapping[str, str]) -> str:
    """The sentence's block in a CoNLL-U file, without the blank line at its end.

    A word and the possessive *'s* after it are one orthographic word, which stands above them.
    """
    words = dependencies(sentence.tree)
    tokens = sentence.tokens
    lines = [f"# {key} = {value}" for key, value in comments.items()]
    lines.append(f"# text = {running_text(sentence)}")
    for number, (word, token) in enumerate(zip(words, tokens, strict=True), start=1):
        following = words[number].tag if number < len(words) else ""
        if following == "POS":
            joined = token + words[number].form
            lines.append(f"{number}-{number + 1}\t{joined}" + "\t_" * 8)
        lines.append(
            "\t".join(
                (
                    str(number),
                    token,
                    word.lemma(truth),
                    word.universal,
                    word.tag,
                    word.features,
                    str(word.head),
                    word.relation,
                    f"{word.head}:{word.relation}",
                    "SpaceAfter=No" if following in (",", ".") else "_",
                )
            )
        )
    return "".join(f"{line}\n" for line in lines)


def _attach(tree: Tree, words: list[Word]) -> int:
    """Append the words of a tree and give the number of its head word."""
    label, content = tree
    if isinstance(content, str):
        words.append(Word(content, label))
        return len(words)
    numbers = [_attach(child, words) for child in content]
    labels = [child[0] for child in content]
    head = _head(label, labels)
    for position, number in enumerate(numbers):
        if position != head:
            # A conjunction, and the comma before it, belong to the conjunct that they introduce.
            introduces = "CC" in labels and labels[position] in ("CC", ",")
            words[number - 1].head = numbers[labels.index("CC") + 1 if introduces else head]
            words[number - 1].relation = _relation(label, labels, position)
    return numbers[head]


def _head(label: str, labels: Sequence[str]) -> int:
    """Which child is the head of a phrase."""
    if label == "S":
        return labels.index("VP") if "VP" in labels else labels.index("S")
    if label == "VP":
        for tag, head in (("TO", "VP"), ("VP", "VP"), ("ADJP", "ADJP")):
            if tag in labels:
                return labels.index(head)
        return 0
    if label != "NP":
        return len(labels) - 1
    if labels[0] == "NNP" or "CC" in labels or labels[-1] in ("PP", "SBAR"):
        return 0
    return len(labels) - 1 - (labels[-1] == "POS")


def _relation(label: str, labels: Sequence[str], position: int) -> str:
    """The relation of the child at ``position``, which is not the head."""
    child = labels[position]
    if label == "NP" and child == "NP":
        return "conj" if "CC" in labels else "nmod:poss"
    if label == "VP" and "ADJP" in labels:
        return "cop"
    return RELATIONS[label, child]
