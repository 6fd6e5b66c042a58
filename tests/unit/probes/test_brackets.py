from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_trees import text_of

from lexiscope.errors import LexiscopeError
from lexiscope.probes.brackets import MAX_DEPTH, Tree, read_brackets, split_label


def read(content: str) -> list[Tree]:
    return list(read_brackets(text_of(content)))


def write(tree: Tree) -> str:
    label = "-".join([tree.label, *tree.functions])
    return f"({label} {tree.word or ' '.join(map(write, tree.children))})"


LABELS = st.sampled_from(["S", "NP", "VP", "SBAR", ",", "PRP$", "``"])
FUNCTIONS = st.sampled_from([(), ("SBJ",), ("LOC", "PRD")])
WORDS = st.from_regex(r"[^\s()\\]{1,6}", fullmatch=True).filter(
    lambda word: not word.startswith("-") and word == "".join(word.split())
)
LEAVES = st.builds(lambda label, word: Tree(label, word=word), LABELS, WORDS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda label, functions, children: Tree(label, functions, tuple(children)),
        LABELS,
        FUNCTIONS,
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@given(st.lists(TREES, max_size=4), st.sampled_from([" ", "\n", "\n\n  ", "\t"]))
@settings(max_examples=40, deadline=None)
def test_round_trip(trees: list[Tree], space: str) -> None:
    assert read(space.join(map(write, trees)).replace(" ", space)) == trees


@given(TREES)
@settings(max_examples=50, deadline=None)
def test_depth_is_the_deepest_nesting_of_brackets(tree: Tree) -> None:
    nesting = deepest = 0
    for sign in re.findall(r"[()]", write(tree)):
        nesting += 1 if sign == "(" else -1
        deepest = max(deepest, nesting)
    assert tree.depth == deepest


@given(TREES)
@settings(max_examples=50, deadline=None)
def test_words_are_the_leaves_from_left_to_right(tree: Tree) -> None:
    assert list(tree.words()) == re.findall(r" ([^\s()]+)\)", write(tree))


@pytest.mark.parametrize("outer", ["( {})", "(ROOT {})", "(TOP {})", "((S1 {}))", "{}"])
def test_the_outer_bracket_goes(outer: str) -> None:
    assert read(outer.format("(S (VP (VB Go)))")) == read("(S (VP (VB Go)))")


def test_an_outer_bracket_of_two_trees_stays() -> None:
    (tree,) = read("( (S (VB Go)) (S (VB Stay)))")
    assert (tree.label, len(tree.children)) == ("", 2)


def test_traces_go_and_what_they_leave_empty() -> None:
    empty_clause = "(SBAR (-NONE- 0) (S (NP (-NONE- *T*-1)) (VP (-NONE- *?*))))"
    (tree,) = read(f"( (S (NP-SBJ-1 (-NONE- *))\n(VP (VBZ is) {empty_clause} (NP (NN tea) (-NONE- *)))))")
    assert tree == read("(S (VP (VBZ is) (NP (NN tea))))")[0]


def test_a_tree_of_traces_alone_is_none() -> None:
    assert read("( (S (NP (-NONE- *)) (VP (-NONE- *?*))))(S (VB Go))") == read("(S (VB Go))")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("NP-SBJ", ("NP", ("SBJ",))),
        ("NP-LOC-PRD-12", ("NP", ("LOC", "PRD"))),
        ("NP=2", ("NP", ())),
        ("ADVP|PRT", ("ADVP", ("PRT",))),
        ("-LRB-", ("-LRB-", ())),
        ("-NONE-", ("-NONE-", ())),
        ("PRP$", ("PRP$", ())),
        (":", (":", ())),
    ],
)
def test_labels_without_what_is_attached(label: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert split_label(label) == expected


def test_signs_stand_for_what_they_stand_for() -> None:
    (tree,) = read(r"(NP (-LRB- -LRB-) (CD 1\/2) (SYM \*) (NN a-b) (NN x" + "\u00a0" + r"y) (-RRB- -RRB-))")
    assert list(tree.words()) == ["(", "1/2", "*", "a-b", "x_y", ")"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("(S (VB Go))\n)", 2, "never opened"),
        ("(S (VB Go))\n\n(S (VB Go)\n(S (VB Stay))", 3, "never closed"),
        ("(S (VB Go))\nREADME", 2, "'README' stands outside of all brackets"),
        ("(S\n(VB Go home))", 2, "the tag 'VB' has two words, 'Go' and 'home'"),
        ("(S (VB Go) home)", 1, "the word 'home' has no tag"),
        ("( (S (VB Go)) home)", 1, "the word 'home' has no tag"),
        ("(VB Go (RB home))", 1, "a bracket opens after the word 'Go'"),
        ("(S (VB Go) (NP))", 1, "neither a word nor a constituent in (NP)"),
        ("()", 1, "neither a word nor a constituent in ()"),
        ("(S " * (MAX_DEPTH + 1), 1, "deeper than"),
    ],
)
def test_brackets_that_do_not_match(content: str, line: int, message: str) -> None:
    with pytest.raises(LexiscopeError) as caught:
        read(content)
    assert message in str(caught.value)
    assert caught.value.line == line


def test_a_tree_as_deep_as_allowed() -> None:
    (tree,) = read("(S " * (MAX_DEPTH - 1) + "(VB Go)" + ")" * (MAX_DEPTH - 1))
    assert tree.depth == MAX_DEPTH
    assert list(tree.words()) == ["Go"]
