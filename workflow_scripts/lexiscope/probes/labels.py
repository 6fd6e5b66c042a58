"""What a tree says of its sentence: the labels of the probing tasks (Conneau et al. 2018, section 2).

``tense``, ``subj_number`` and ``obj_number`` are told of the main clause, and each has a target: the word
whose form gives the label away. Where a sentence has no label, there is a reason in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lexiscope.probes.brackets import Tree
from lexiscope.probes.conllu import DependencyTree, Word

PRESENT, PAST = "PRES", "PAST"
SINGULAR, PLURAL = "NN", "NNS"

TENSES = {"VBD": PAST, "VBP": PRESENT, "VBZ": PRESENT}
"""Penn Treebank tags of finite verbs."""


@dataclass(frozen=True, slots=True)
class Label:
    """A class, and the word (lower-cased) that gives it away, if one does."""

    name: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A sentence, with its label, or the reason why it has none, for each task that needs a tree."""

    tokens: tuple[str, ...]
    labels: dict[str, Label | str]


# Dependencies ---------------------------------------------------------------------------------------------

_SUBJECTS = ("nsubj", "nsubj:pass")
_OBJECTS = ("obj", "dobj")
_AUXILIARIES = ("cop", "aux", "aux:pass")
_NUMBERS = {"Sing": SINGULAR, "Plur": PLURAL}


def analyse_dependencies(tree: DependencyTree) -> Analysis:
    """Label a sentence by its dependencies.

    The main clause is that of the root. Its finite verb is its first auxiliary or copula if it has one,
    else the root itself. Subjects of passives are subjects; clauses are not.
    """
    return Analysis(
        tuple(word.form for word in tree.words),
        {
            "tree_depth": Label(str(tree.depth)),
            "tense": _tense(tree),
            "subj_number": _number(tree, _SUBJECTS, "subject"),
            "obj_number": _number(tree, _OBJECTS, "object"),
        },
    )


def _tense(tree: DependencyTree) -> Label | str:
    auxiliaries = [word for _, word in tree.dependents(tree.root, *_AUXILIARIES)]
    verb = auxiliaries[0] if auxiliaries else tree.words[tree.root - 1]
    if verb.feature("VerbForm") not in ("Fin", None):
        return "no finite verb"
    tense = {"Past": PAST, "Pres": PRESENT}.get(verb.feature("Tense") or "") or TENSES.get(verb.xpos)
    if tense is None or (verb.feature("VerbForm") is None and verb.xpos not in TENSES):
        return "no finite verb in the present or past"
    return _target(tense, verb.form)


def _number(tree: DependencyTree, relations: Sequence[str], role: str) -> Label | str:
    found = tree.dependents(tree.root, *relations)
    if len(found) != 1:
        return f"no {role}" if not found else f"several {role}s"
    place, word = found[0]
    number = _number_of_noun(word)
    if number is None:
        return f"the {role} is no common noun"
    if tree.dependents(place, "conj"):
        return f"the {role} is coordinated"
    return _target(number, word.form)


def _number_of_noun(word: Word) -> str | None:
    if word.upos not in ("NOUN", "_"):
        return None
    if word.xpos in (SINGULAR, PLURAL):
        return word.xpos
    return _NUMBERS.get(word.feature("Number") or "")


def _target(name: str, form: str) -> Label | str:
    if not any(character.isalpha() for character in form):
        return "the target is no word of letters"
    return Label(name, form.lower())


# Constituents ---------------------------------------------------------------------------------------------

_CLAUSES = frozenset(["S", "SINV", "SQ", "SBARQ"])
_VERB_TAGS = frozenset(["VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "MD", "TO"])
_NOUN_TAGS = frozenset(["NN", "NNS", "NNP", "NNPS", "PRP", "EX", "CD", "DT", "WP", "WDT"])
_CONJUNCTIONS = frozenset(["CC", "CONJP"])
_COPULAS = frozenset(
    ["be", "is", "'s", "am", "'m", "are", "'re", "was", "were", "been", "being"]
    + [stem + end for stem in ("seem", "remain") for end in ("", "s", "ed", "ing")]
    + ["become", "becomes", "became", "becoming"]
)


def analyse_constituents(tree: Tree) -> Analysis:
    """Label a sentence by its constituents.

    The main clause is the outermost one with a verb of its own; of coordinated clauses, verb phrases and
    so on, it is the first. The subject is its NP with the function tag SBJ, or, in trees without function
    tags, the last NP before the verb; the object is the only NP without a function tag below the verb that
    is not an auxiliary. The head of an NP is its last noun if it has one of its own, else that of its
    first NP.
    """
    clause = _main_clause(tree)
    top = "_".join(child.label for child in tree.children)
    missing = "no clause with a verb"
    return Analysis(
        tuple(tree.words()),
        {
            "tree_depth": Label(str(tree.depth)),
            "top_constituents": Label(top) if tree.label in _CLAUSES else "no clause at the top",
            "tense": missing if clause is None else _tense_of_clause(clause),
            "subj_number": missing if clause is None else _subject_number(clause, tree),
            "obj_number": missing if clause is None else _object_number(clause),
        },
    )


def _main_clause(tree: Tree) -> Tree | None:
    clause: Tree | None = tree
    while clause is not None and clause.label in _CLAUSES:
        if _verb(clause) is not None:
            return clause
        clause = next((child for child in clause.children if child.label in _CLAUSES), None)
    return None


def _verb(node: Tree) -> Tree | None:
    """The first verb phrase or verb right below."""
    return next(
        (child for child in node.children if child.label == "VP" or child.label in _VERB_TAGS), None
    )


def _tense_of_clause(clause: Tree) -> Label | str:
    verb = _verb(clause)
    while verb is not None and verb.word is None:
        verb = _verb(verb)
    if verb is None or verb.word is None or verb.label not in TENSES:
        return "no finite verb in the present or past"
    return _target(TENSES[verb.label], verb.word)


def _subject_number(clause: Tree, tree: Tree) -> Label | str:
    phrases = [child for child in clause.children if child.label == "NP"]
    subjects = [phrase for phrase in phrases if "SBJ" in phrase.functions]
    if not subjects and not _has_functions(tree):
        verb = _verb(clause)
        before = clause.children[: clause.children.index(verb)] if verb is not None else ()
        subjects = [child for child in before if child.label == "NP"][-1:]
    if len(subjects) != 1:
        return "no subject" if not subjects else "several subjects"
    return _number_of_phrase(subjects[0], "subject")


def _object_number(clause: Tree) -> Label | str:
    phrase = _verb(clause)
    while phrase is not None and (inner := _inner_verb_phrase(phrase)) is not None:
        phrase = inner
    if phrase is None or phrase.word is not None:
        return "no object"
    verb = _verb(phrase)
    if verb is None or (verb.word or "").lower() in _COPULAS:
        return "no object"
    objects = [child for child in phrase.children if child.label == "NP" and not child.functions]
    if len(objects) != 1:
        return "no object" if not objects else "several objects"
    return _number_of_phrase(objects[0], "object")


def _inner_verb_phrase(phrase: Tree) -> Tree | None:
    """The verb phrase below an auxiliary, or the first of coordinated ones."""
    return next((child for child in phrase.children if child.label == "VP"), None)


def _has_functions(tree: Tree) -> bool:
    return bool(tree.functions) or any(map(_has_functions, tree.children))


def _number_of_phrase(phrase: Tree, role: str) -> Label | str:
    while True:
        labels = [child.label for child in phrase.children]
        if _CONJUNCTIONS.intersection(labels):
            return f"the {role} is coordinated"
        own = [child for child in phrase.children if child.label in _NOUN_TAGS]
        inner = next((child for child in phrase.children if child.label == "NP"), None)
        possessive = inner is not None and inner.children and inner.children[-1].label == "POS"
        if own and (inner is None or possessive):
            break
        if inner is None or possessive:
            return f"the {role} is no common noun"
        phrase = inner
    head = own[-1]
    if head.label not in (SINGULAR, PLURAL) or head.word is None:
        return f"the {role} is no common noun"
    return _target(head.label, head.word)
