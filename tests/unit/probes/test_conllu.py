from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_trees import conllu, text_of

from lexiscope.errors import LexiscopeError
from lexiscope.probes.conllu import DependencyTree, read_conllu

SENTENCE = """\
# newdoc id = first
# sent_id = 1
# text = I don't.
1\tI\tI\tPRON\tPRP\tNumber=Sing\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\tTense=Pres|VerbForm=Fin\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tsee\tsee\tVERB\tVB\t_\t0\troot\t_\t_
4.1\tghost\t_\t_\t_\t_\t_\t_\t4:dep\t_
5\t10 000\t10000\tNUM\tCD\t_\t4\tobj\t_\t_
"""


def read(content: str, bad_trees: str = "error") -> tuple[list[DependencyTree], Counter[str]]:
    dropped: Counter[str] = Counter()
    return list(read_conllu(text_of(content), bad_trees=bad_trees, dropped=dropped)), dropped


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\n# a comment\n"])
def test_words_without_ranges_and_empty_nodes(end: str) -> None:
    ((tree,), _) = read(SENTENCE + end)
    assert [word.form for word in tree.words] == ["I", "do", "n't", "see", "10_000"]
    assert (tree.root, tree.depth, tree.document) == (4, 1, "first")
    assert tree.words[1].feature("VerbForm") == "Fin"
    assert tree.words[2].feature("VerbForm") is None
    assert [number for number, _ in tree.dependents(4, "nsubj", "obj")] == [1, 5]


def test_documents() -> None:
    one = conllu("Go VERB VB _ 0 root")
    trees, _ = read(f"{one}# newdoc\n{one}{one}# newdoc id = a b\n{one}# newdoc\n{one}")
    assert [tree.document for tree in trees] == ["", "1", "1", "a b", "3"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_depth_is_that_of_walking_up_from_each_word(seed: int, n_words: int) -> None:
    generator = np.random.default_rng(seed)
    order = generator.permutation(n_words) + 1
    heads = {int(order[0]): 0}
    for place in range(1, n_words):
        heads[int(order[place])] = int(order[generator.integers(place)])
    ((tree,), _) = read(conllu(*(f"w X _ _ {heads[number]} dep" for number in range(1, n_words + 1))))
    deepest = 0
    for number in heads:
        steps = 0
        while heads[number]:
            number, steps = heads[number], steps + 1
        deepest = max(deepest, steps)
    assert (tree.depth, tree.root) == (deepest, order[0])


NO_TREES = {
    "no root": (["a X _ _ 2 dep", "b X _ _ 1 dep"], "it has 0 roots"),
    "two roots": (["a X _ _ 0 root", "b X _ _ 0 root"], "it has 2 roots"),
    "circle": (["a X _ _ 0 root", "b X _ _ 3 dep", "c X _ _ 2 dep"], "2 of its words hang on each other"),
    "itself": (["a X _ _ 0 root", "b X _ _ 2 dep"], "1 of its words"),
    "out of range": (["a X _ _ 0 root", "b X _ _ 9 dep"], "word 2 has the head '9'"),
    "missing": (["a X _ _ 0 root", "b X _ _ _ dep"], "word 2 has the head '_'"),
    "negative": (["a X _ _ 0 root", "b X _ _ -1 dep"], "word 2 has the head '-1'"),
}


@pytest.mark.parametrize("case", NO_TREES)
def test_heads_that_are_no_tree(case: str) -> None:
    rows, message = NO_TREES[case]
    good = conllu("Go VERB VB _ 0 root")
    content = good + "# sent_id = 2\n" + conllu(*rows) + good
    with pytest.raises(LexiscopeError, match="bad_trees: drop") as caught:
        read(content)
    assert message in str(caught.value)
    assert caught.value.line == 4
    trees, dropped = read(content, "drop")
    assert len(trees) == 2
    assert dropped == {"heads that are no tree": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2\tb\t_", "3 columns"),
        ("2 b _ X _ _ 1 dep _ _", "1 columns"),
        ("2" + "\tb" * 10, "11 columns"),
        ("x\tb\t_\tX\t_\t_\t1\tdep\t_\t_", "'x' is not the number of a word"),
        ("3\tb\t_\tX\t_\t_\t1\tdep\t_\t_", "word 3 comes where word 2 should"),
        ("1\tb\t_\tX\t_\t_\t0\troot\t_\t_", "a blank line ends a sentence"),
        ("2\t\t_\tX\t_\t_\t1\tdep\t_\t_", "the word itself is missing"),
    ],
)
def test_a_line_that_is_no_word_is_refused_whatever_the_policy(line: str, message: str) -> None:
    content = conllu("a X _ _ 0 root").rstrip() + "\n" + line
    with pytest.raises(LexiscopeError, match=r"^text:2: ") as caught:
        read(content, "drop")
    assert message in str(caught.value)
