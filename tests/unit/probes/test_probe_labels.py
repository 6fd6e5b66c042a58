"""Labels of hand-written trees whose answers are known."""

from __future__ import annotations

from collections import Counter

import pytest
from plain_trees import conllu, text_of

from lexiscope.probes.brackets import read_brackets
from lexiscope.probes.conllu import read_conllu
from lexiscope.probes.labels import Analysis, Label, analyse_constituents, analyse_dependencies


def dependencies(*rows: str) -> Analysis:
    (tree,) = read_conllu(text_of(conllu(*rows)), bad_trees="error", dropped=Counter())
    return analyse_dependencies(tree)


def constituents(content: str) -> Analysis:
    (tree,) = read_brackets(text_of(content))
    return analyse_constituents(tree)


FIN_PAST, FIN_PRES = "Tense=Past|VerbForm=Fin", "Tense=Pres|VerbForm=Fin"

NO_COMMON_NOUN = "the subject is no common noun"
NO_TENSE = "no finite verb in the present or past"

DEPENDENCY_CASES = {
    "a plain clause": (
        ["The DET DT _ 2 det", "Dogs NOUN NNS Number=Plur 3 nsubj", f"chased VERB VBD {FIN_PAST} 0 root",
         "a DET DT _ 5 det", "cat NOUN NN Number=Sing 3 obj"],
        {"tree_depth": Label("2"), "tense": Label("PAST", "chased"), "subj_number": Label("NNS", "dogs"),
         "obj_number": Label("NN", "cat")},
    ),
    "a perfect is in the tense of its auxiliary": (
        ["She PRON PRP _ 3 nsubj", f"Has AUX VBZ {FIN_PRES} 3 aux", "eaten VERB VBN VerbForm=Part 0 root"],
        {"tense": Label("PRES", "has"), "subj_number": NO_COMMON_NOUN, "obj_number": "no object"},
    ),
    "a copula": (
        ["Tea NOUN NN Number=Sing 3 nsubj", f"was AUX VBD {FIN_PAST} 3 cop", "good ADJ JJ _ 0 root"],
        {"tense": Label("PAST", "was"), "subj_number": Label("NN", "tea")},
    ),
    "a modal has no tense, whatever follows it": (
        ["He PRON PRP _ 4 nsubj", "would AUX MD VerbForm=Fin 4 aux", "have AUX VB VerbForm=Inf 4 aux",
         "seen VERB VBN Tense=Past|VerbForm=Part 0 root"],
        {"tense": NO_TENSE},
    ),
    "a participle alone": (
        ["Seen VERB VBN Tense=Past|VerbForm=Part 0 root"],
        {"tense": "no finite verb", "subj_number": "no subject"},
    ),
    "an imperative": (
        ["Go VERB VB Mood=Imp|VerbForm=Fin 0 root"],
        {"tense": NO_TENSE, "tree_depth": Label("0")},
    ),
    "tags alone are enough": (
        ["dogs _ NNS _ 2 nsubj", "bark _ VBP _ 0 root"],
        {"tense": Label("PRES", "bark"), "subj_number": Label("NNS", "dogs")},
    ),
    "features alone are enough": (
        ["Hunde NOUN _ Number=Plur 2 nsubj", f"bellen VERB _ {FIN_PRES} 0 root"],
        {"tense": Label("PRES", "bellen"), "subj_number": Label("NNS", "hunde")},
    ),
    "a verb below the root does not count": (
        ["Good ADJ JJ _ 0 root", f"said VERB VBD {FIN_PAST} 1 parataxis",
         "men NOUN NNS Number=Plur 2 nsubj"],
        {"tense": NO_TENSE, "subj_number": "no subject"},
    ),
    "the subject of a passive": (
        ["cats NOUN NNS Number=Plur 3 nsubj:pass", f"were AUX VBD {FIN_PAST} 3 aux:pass",
         "fed VERB VBN _ 0 root"],
        {"tense": Label("PAST", "were"), "subj_number": Label("NNS", "cats")},
    ),
    "coordination has not the number of its first noun": (
        ["cat NOUN NN Number=Sing 4 nsubj", "and CCONJ CC _ 3 cc", "dog NOUN NN Number=Sing 1 conj",
         f"sleep VERB VBP {FIN_PRES} 0 root"],
        {"subj_number": "the subject is coordinated"},
    ),
    "names and numbers": (
        ["Ann PROPN NNP Number=Sing 2 nsubj", f"won VERB VBD {FIN_PAST} 0 root",
         "100 NOUN NN Number=Sing 2 obj"],
        {"subj_number": NO_COMMON_NOUN, "obj_number": "the target is no word of letters"},
    ),
    "two objects": (
        [f"has VERB VBZ {FIN_PRES} 0 root", "a NOUN NN _ 1 obj", "b NOUN NN _ 1 obj"],
        {"obj_number": "several objects"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEPENDENCY_CASES)
def test_dependencies(case: str) -> None:
    rows, expected = DEPENDENCY_CASES[case]
    labels = dependencies(*rows).labels
    assert {task: labels[task] for task in expected} == expected


CONSTITUENT_CASES = {
    "a plain clause": (
        "( (S (NP-SBJ (DT The) (NNS Dogs)) (VP (VBD chased) (NP (DT a) (NN cat))) (. .)))",
        {
            "tree_depth": Label("4"),
            "top_constituents": Label("NP_VP_."),
            "tense": Label("PAST", "chased"),
            "subj_number": Label("NNS", "dogs"),
            "obj_number": Label("NN", "cat"),
        },
    ),
    "auxiliaries": (
        "(S (NP-SBJ (PRP She)) (VP (VBZ Has) (VP (VBN been) (VP (VBG eating) (NP (NNS figs))))))",
        {
            "tense": Label("PRES", "has"),
            "subj_number": "the subject is no common noun",
            "obj_number": Label("NNS", "figs"),
        },
    ),
    "a modal": (
        "(S (NP-SBJ (NN time)) (VP (MD will) (VP (VB tell))))",
        {"tense": "no finite verb in the present or past", "subj_number": Label("NN", "time")},
    ),
    "the first of coordinated clauses": (
        "(S (S (NP-SBJ (NNS men)) (VP (VBP sing))) (CC and) (S (NP-SBJ (NN rain)) (VP (VBD fell))))",
        {
            "top_constituents": Label("S_CC_S"),
            "tense": Label("PRES", "sing"),
            "subj_number": Label("NNS", "men"),
        },
    ),
    "the first of coordinated verb phrases": (
        "(S (NP-SBJ (NN man)) (VP (VP (VBD took) (NP (NN tea))) (CC and) (VP (VBZ goes))))",
        {"tense": Label("PAST", "took"), "obj_number": Label("NN", "tea")},
    ),
    "a quotation before the main clause": (
        "(S (S-TPC (NP-SBJ (NNS prices)) (VP (VBP rise))) (, ,) (NP-SBJ (NN bank)) (VP (VBD said)))",
        {
            "top_constituents": Label("S_,_NP_VP"),
            "tense": Label("PAST", "said"),
            "subj_number": Label("NN", "bank"),
        },
    ),
    "an inverted clause": (
        "(SINV (S-TPC (VP (VB Go))) (VP (VBD said)) (NP-SBJ (NNS officials)) (. .))",
        {"tense": Label("PAST", "said"), "subj_number": Label("NNS", "officials")},
    ),
    "a question": (
        "(SBARQ (WHADVP (WRB Why)) (SQ (VBD did) (NP-SBJ (NNS prices)) (VP (VB fall))) (. ?))",
        {
            "top_constituents": Label("WHADVP_SQ_."),
            "tense": Label("PAST", "did"),
            "subj_number": Label("NNS", "prices"),
        },
    ),
    "no clause": (
        "(FRAG (NP (NNS News)) (. !))",
        {
            "top_constituents": "no clause at the top",
            "tense": "no clause with a verb",
            "subj_number": "no clause with a verb",
        },
    ),
    "modifiers do not hide the head": (
        "(S (NP-SBJ (NP (DT the) (NN price)) (PP (IN of) (NP (NNS eggs)))) (VP (VBZ rises)))",
        {"subj_number": Label("NN", "price")},
    ),
    "a possessor is not the head": (
        "(S (NP-SBJ (NP (NNS workers) (POS ')) (NN pay)) (VP (VBZ rises)))",
        {"subj_number": Label("NN", "pay")},
    ),
    "coordinated nouns": (
        "(S (NP-SBJ (NN cat) (CC and) (NN dog)) (VP (VBP sleep)))",
        {"subj_number": "the subject is coordinated"},
    ),
    "a compound with a name first": (
        "(S (NP-SBJ (NNP London) (NNS brokers)) (VP (VBP buy) (NP (NNP Shell))))",
        {"subj_number": Label("NNS", "brokers"), "obj_number": "the object is no common noun"},
    ),
    "adverbials and predicates are no objects": (
        "(S (NP-SBJ (NN rain)) (VP (VBD fell) (NP-TMP (DT last) (NN week))))",
        {"obj_number": "no object"},
    ),
    "what follows a copula is no object": (
        "(S (NP (NN tea)) (VP (VBZ is) (NP (DT a) (NN plant))))",
        {"obj_number": "no object"},
    ),
    "two bare phrases": (
        "(S (NP-SBJ (NN man)) (VP (VBD gave) (NP (NNS dogs)) (NP (NN food))))",
        {"obj_number": "several objects"},
    ),
    "without function tags, the phrase before the verb": (
        "(S (NP (NN today)) (, ,) (NP (NNS men)) (VP (VBP work)))",
        {"subj_number": Label("NNS", "men")},
    ),
    "with function tags, only the subject": (
        "(S (NP-TMP (NN today)) (VP (VBP work)))",
        {"subj_number": "no subject"},
    ),
}


@pytest.mark.parametrize("case", CONSTITUENT_CASES)
def test_constituents(case: str) -> None:
    content, expected = CONSTITUENT_CASES[case]
    labels = constituents(content).labels
    assert {task: labels[task] for task in expected} == expected
