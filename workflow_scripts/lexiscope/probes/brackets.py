"""Constituency trees from bracketed text, as in the Penn Treebank (Marcus et al. 1993)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lexiscope.errors import LexiscopeError
from lexiscope.probes.treebanks import TreebankText

MAX_DEPTH = 150
"""Deeper trees are no sentences; also, trees are walked by recursion."""

_PIECE = re.compile(r"[()]|[^() \t\r\n\f\v]+")
_PARTS_OF_LABEL = re.compile(r"[-=|]")
_OUTER = frozenset(["", "ROOT", "TOP", "S1"])
_TRACE = "-NONE-"
_ESCAPES = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A constituent, or a word with its tag.

    Attributes
    ----------
    label
        Category or tag, without function tags and indices.
    functions
        The function tags, such as ``SBJ`` of ``NP-SBJ-1``.
    word
        The word under a tag; None for a constituent.
    """

    label: str
    functions: tuple[str, ...] = ()
    children: tuple[Tree, ...] = ()
    word: str | None = None

    def words(self) -> Iterator[str]:
        """The words below, from left to right."""
        if self.word is not None:
            yield self.word
        for child in self.children:
            yield from child.words()

    @property
    def depth(self) -> int:
        """Steps on the way down to the farthest word; a tag stands one step above its word."""
        return 1 + max((child.depth for child in self.children), default=0)


@dataclass
class _Open:
    """A bracket that is not closed yet."""

    line: int
    label: str | None = None
    word: str | None = None
    children: list[Tree] = field(default_factory=list)
    has_traces: bool = False


def read_brackets(text: TreebankText) -> Iterator[Tree]:
    """Yield the trees of a text, cleaned.

    Traces (``-NONE-``) go, and with them the constituents they leave without a word; so does the outer
    bracket with no label, or ``ROOT``. Function tags and indices are taken off the labels, and the signs
    that stand for brackets (``-LRB-``) and slashes become what they stand for.

    Raises
    ------
    LexiscopeError
        If brackets do not match, a word stands outside of them or without its tag, or trees are too deep.
    """
    stack: list[_Open] = []
    for number, line in text.lines:
        for match in _PIECE.finditer(line):
            piece = match[0]
            problem = None
            if piece == "(":
                problem = _open(stack, number)
            elif piece == ")":
                if not stack:
                    problem = "a bracket is closed that was never opened"
                else:
                    node, problem = _close(stack)
                    if node is not None and problem is None and not stack:
                        yield _without_outer(node)
            elif not stack:
                problem = f"{piece!r} stands outside of all brackets"
            else:
                problem = _name(stack[-1], piece)
            if problem is not None:
                raise LexiscopeError(
                    problem,
                    where=text.where,
                    line=number,
                    remedy="trees are written as (S (NP (DT The) (NN cat)) (VP (VBD sat)))",
                )
    if stack:
        raise LexiscopeError(
            "the tree that begins here is never closed: a bracket is missing",
            where=text.where,
            line=stack[0].line,
        )


def _open(stack: list[_Open], line: int) -> str | None:
    if len(stack) >= MAX_DEPTH:
        return f"a tree is deeper than {MAX_DEPTH} brackets"
    if stack:
        outer = stack[-1]
        if outer.word is not None:
            return f"a bracket opens after the word {outer.word!r}, where only ')' can stand"
        outer.label = outer.label or ""
    stack.append(_Open(line))
    return None


def _name(node: _Open, piece: str) -> str | None:
    """Take a label or a word."""
    if node.label is None:
        node.label = piece
    elif node.children or node.has_traces or not node.label:
        return f"the word {piece!r} has no tag of its own"
    elif node.word is not None:
        return f"the tag {node.label!r} has two words, {node.word!r} and {piece!r}"
    else:
        node.word = piece
    return None


def _close(stack: list[_Open]) -> tuple[Tree | None, str | None]:
    """Close the innermost bracket: the tree it holds, or None if that has no words, or else a problem."""
    node = stack.pop()
    label, functions = split_label(node.label or "")
    tree = None
    if node.word is not None:
        if label != _TRACE:
            tree = Tree(label, functions, word=_unescape(node.word))
    elif node.children:
        tree = Tree(label, functions, tuple(node.children))
    elif not node.has_traces:
        return None, f"there is neither a word nor a constituent in ({node.label or ''})"
    if stack:
        if tree is None:
            stack[-1].has_traces = True
        else:
            stack[-1].children.append(tree)
    return tree, None


def split_label(label: str) -> tuple[str, tuple[str, ...]]:
    """A label without what is attached to it, and the function tags among that.

    >>> split_label("NP-SBJ-1"), split_label("-LRB-"), split_label("S=2")
    (('NP', ('SBJ',)), ('-LRB-', ()), ('S', ()))
    """
    if label.startswith("-"):
        return label, ()
    category, *attached = _PARTS_OF_LABEL.split(label)
    return category, tuple(part for part in attached if part and not part.isdecimal())


def _unescape(word: str) -> str:
    # The written sentence has spaces between words, so a no-break space within one needs another sign.
    word = "_".join(word.split())
    return _ESCAPES.get(word) or word.replace("\\/", "/").replace("\\*", "*")


def _without_outer(tree: Tree) -> Tree:
    while tree.label in _OUTER and len(tree.children) == 1:
        tree = tree.children[0]
    return tree
