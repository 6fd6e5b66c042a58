"""Dependency trees from CoNLL-U (Universal Dependencies, https://universaldependencies.org/format.html)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lexiscope.errors import LexiscopeError
from lexiscope.probes.treebanks import Lines, TreebankText

N_COLUMNS = 10

_WORD, _NOT_A_WORD = re.compile(r"[1-9][0-9]*"), re.compile(r"[0-9]+[-.][0-9]+")
_HEAD = re.compile(r"[0-9]+")
_NEW_DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(.*))?\s*$")


@dataclass(frozen=True, slots=True)
class Word:
    """A syntactic word.

    Attributes
    ----------
    upos, xpos
        Its universal and its treebank's own tag, ``_`` where there is none.
    features
        As they are written, such as ``Number=Plur|Tense=Past``.
    head
        Number of the word it hangs on, from 1; 0 for the root.
    relation
        To that head, such as ``nsubj:pass``.
    """

    form: str
    upos: str
    xpos: str
    features: str
    head: int
    relation: str

    def feature(self, name: str) -> str | None:
        """The value of a feature, such as ``Tense``; None if the word has none."""
        for pair in self.features.split("|"):
            key, _, value = pair.partition("=")
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class DependencyTree:
    """A sentence.

    Attributes
    ----------
    document
        The ``# newdoc`` it stands in; empty before the first.
    root
        Number of its root, from 1.
    depth
        Relations on the way from the root to the farthest word.
    """

    words: tuple[Word, ...]
    document: str
    root: int
    depth: int

    def dependents(self, number: int, *relations: str) -> list[tuple[int, Word]]:
        """The words that hang on a word by one of these relations, with their numbers, in order."""
        return [
            (place, word)
            for place, word in enumerate(self.words, 1)
            if word.head == number and word.relation in relations
        ]


class _NoTreeError(ValueError):
    """The heads of a sentence are no tree."""


def read_conllu(
    text: TreebankText, *, bad_trees: Literal["error", "drop"], dropped: Counter[str]
) -> Iterator[DependencyTree]:
    """Yield the sentences of a text.

    Multiword tokens (``1-2``) give way to their words; empty nodes (``1.1``) are left out. The last
    sentence needs no blank line after it.

    Parameters
    ----------
    bad_trees
        What becomes of a sentence whose heads are no tree.
    dropped
        Counts those that are dropped, by reason.

    Raises
    ------
    LexiscopeError
        If a line has not ten columns, or words are not numbered from 1; and, unless such sentences are
        dropped, if heads are missing, out of range or in a circle, or there is not one root.
    """
    document, n_documents = "", 0
    for block in _blocks(text.lines):
        words: list[Word] = []
        heads: list[str] = []
        first_line = 0
        for number, line in block:
            if line.startswith("#"):
                if match := _NEW_DOCUMENT.match(line):
                    n_documents += 1
                    document = match[1] or str(n_documents)
                continue
            columns = _columns(line, len(words), text.where, number)
            if columns is not None:
                first_line = first_line or number
                heads.append(columns[6])
                words.append(_word(columns))
        if not words:
            continue
        try:
            yield _tree(words, heads, document)
        except _NoTreeError as error:
            if bad_trees == "error":
                raise LexiscopeError(
                    f"the heads of this sentence are no tree: {error}",
                    where=text.where,
                    line=first_line,
                    remedy="mend it, or set 'bad_trees: drop' to leave such sentences out",
                ) from None
            dropped["heads that are no tree"] += 1


def _blocks(lines: Lines) -> Iterator[list[tuple[int, str]]]:
    block: list[tuple[int, str]] = []
    for number, line in lines:
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _columns(line: str, n_before: int, where: str, number: int) -> list[str] | None:
    """The columns of a line that is a word, after ``n_before`` others; None for a line that is none."""
    columns = line.split("\t")
    if len(columns) != N_COLUMNS:
        raise LexiscopeError(
            f"{len(columns)} columns with tabs between them, where CoNLL-U has {N_COLUMNS}",
            where=where,
            line=number,
        )
    if _NOT_A_WORD.fullmatch(columns[0]):
        return None
    if not _WORD.fullmatch(columns[0]):
        raise LexiscopeError(f"{columns[0]!r} is not the number of a word", where=where, line=number)
    if int(columns[0]) != n_before + 1:
        raise LexiscopeError(
            f"word {columns[0]} comes where word {n_before + 1} should",
            where=where,
            line=number,
            remedy="words are numbered from 1, and a blank line ends a sentence",
        )
    if not columns[1].strip():
        raise LexiscopeError("the word itself is missing (column 2)", where=where, line=number)
    return columns


def _word(columns: Sequence[str]) -> Word:
    head = int(columns[6]) if _HEAD.fullmatch(columns[6]) else -1
    # The written sentence has spaces between words, so one within a word ("10 000") needs another sign.
    form = "_".join(columns[1].split())
    return Word(form, columns[3], columns[4], columns[5], head, columns[7])


def _tree(words: Sequence[Word], heads: Sequence[str], document: str) -> DependencyTree:
    below: list[list[int]] = [[] for _ in range(len(words) + 1)]
    for number, word in enumerate(words, 1):
        if not 0 <= word.head <= len(words):
            raise _NoTreeError(f"word {number} has the head {heads[number - 1]!r}")
        below[word.head].append(number)
    if len(below[0]) != 1:
        raise _NoTreeError(f"it has {len(below[0])} roots")
    # Level by level from the root: what is not reached hangs on itself in the end.
    reached, depth, level = 1, 0, below[0]
    while level := [number for head in level for number in below[head]]:
        reached, depth = reached + len(level), depth + 1
    if reached != len(words):
        raise _NoTreeError(
            f"{len(words) - reached} of its words hang on each other in a circle or below one"
        )
    return DependencyTree(tuple(words), document, below[0][0], depth)
