"""Reading labelled sentences: reviews, questions, sentiment and probing sets, as SentEval has them.

Sentences come tokenised, with blanks between the tokens, and keep the order of their file.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.reading import read_lines
from lexiscope.files import open_binary

QUESTION_TYPES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
"""TREC's coarse classes."""

PROBING_PARTS = ("tr", "va", "te")

Row = tuple[int, str, list[str]]
"""Line, label and tokens of one sentence."""


@dataclass(frozen=True)
class LabelledSentences:
    """Sentences with their classes, in the order of the file.

    Attributes
    ----------
    sentences
        The tokens of each.
    labels
        int64, shape (n_sentences,): the number of the class.
    items
        Where each sentence stands, such as ``TREC_10.label:17``.
    """

    sentences: list[list[str]]
    labels: NDArray[np.int64]
    items: list[str]

    def __len__(self) -> int:
        return len(self.items)

    def __add__(self, other: LabelledSentences) -> LabelledSentences:
        return LabelledSentences(
            self.sentences + other.sentences,
            np.concatenate([self.labels, other.labels]),
            self.items + other.items,
        )

    def __getitem__(self, which: NDArray[np.int64]) -> LabelledSentences:
        return LabelledSentences(
            [self.sentences[i] for i in which], self.labels[which], [self.items[i] for i in which]
        )


@dataclass(frozen=True)
class ProbingSet:
    """A probing task: its three parts, and its classes in the order of their numbers."""

    train: LabelledSentences
    valid: LabelledSentences
    test: LabelledSentences
    classes: tuple[str, ...]


def read_one_class(path: str | Path, label: int) -> LabelledSentences:
    """Read a file whose sentences, one a line, are all of one class (MR, CR, MPQA, SUBJ).

    Every byte is a Latin-1 character and lines end where `str.splitlines` ends them; both as in SentEval.
    An empty line is a sentence without words: CR and MPQA have some, which SentEval counts.

    Raises
    ------
    LexiscopeError
        If the file cannot be read or has no words at all.
    """
    lines = _read_latin1(path).splitlines()
    if not any(line.split() for line in lines):
        raise LexiscopeError("the file has no sentences", where=path)
    return LabelledSentences(
        [line.split() for line in lines],
        np.full(len(lines), label, dtype=np.int64),
        [_item(path, number) for number, _ in enumerate(lines, start=1)],
    )


def read_questions(path: str | Path) -> LabelledSentences:
    """Read a file of TREC, lines of ``COARSE:fine question``; the classes are `QUESTION_TYPES`.

    Every byte is a Latin-1 character, as in SentEval.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, is empty, or a line has no type, an unknown one, or no question.
    """
    rows: list[Row] = []
    # Unlike splitlines, this ends lines at \n, \r\n and \r alone.
    for number, line in enumerate(io.StringIO(_read_latin1(path).rstrip(), newline=None), start=1):
        kind, colon, rest = line.strip().partition(":")
        _, _, question = rest.partition(" ")
        if not colon or not question.strip():
            raise LexiscopeError(
                f"expected 'COARSE:fine question', found {line[:80].strip()!r}", where=path, line=number
            )
        rows.append((number, kind, question.split()))
    return _labelled(rows, QUESTION_TYPES, path)


def read_sentiment(path: str | Path, n_classes: int) -> LabelledSentences:
    """Read a file of SST: ``sentence<TAB>label`` of two classes, or ``label sentence`` of five.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, is empty, or a line is not UTF-8, has another form, or a label that is
        not a number below ``n_classes``.
    """
    classes = [str(number) for number in range(n_classes)]
    if n_classes == 2:
        return _labelled(_sentence_then_label(path), classes, path)
    rows: list[Row] = []
    for number, line in enumerate(_lines_or_none(path), start=1):
        label, _, sentence = line.partition(" ")
        if not sentence.strip():
            raise LexiscopeError(f"expected 'label sentence', found {line[:80]!r}", where=path, line=number)
        rows.append((number, label, sentence.split()))
    return _labelled(rows, classes, path)


def read_probing(path: str | Path) -> ProbingSet:
    """Read a probing task in SentEval's format, lines of ``part<TAB>label<TAB>sentence``.

    The classes are the labels of the training part in the order of their code points.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, is empty, lacks one of the parts ``tr``, ``va`` and ``te``, or a line is
        not UTF-8, has other than three columns, another part, an empty sentence, or a label that does not
        occur in the training part.
    """
    rows: dict[str, list[Row]] = {part: [] for part in PROBING_PARTS}
    for number, cells in _columns(path, "part<TAB>label<TAB>sentence"):
        part, label, sentence = cells
        if part not in rows:
            raise LexiscopeError(
                f"the part is {part[:80]!r}, not one of {', '.join(PROBING_PARTS)}",
                where=path,
                line=number,
            )
        rows[part].append((number, label, sentence.split()))
    for part, found in rows.items():
        if not found:
            raise LexiscopeError(f"the file has no sentences of the part {part!r}", where=path)
    classes = _classes(rows["tr"])
    train, valid, test = (_labelled(rows[part], classes, path) for part in PROBING_PARTS)
    return ProbingSet(train, valid, test, classes)


def read_xprobe(
    valid: str | Path, test: str | Path
) -> tuple[LabelledSentences, LabelledSentences, tuple[str, ...]]:
    """Read the two parts of an X-Probe task, lines of ``sentence<TAB>label``, and its classes.

    The classes are the labels of ``valid`` in the order of their code points.

    Raises
    ------
    LexiscopeError
        If a file cannot be read, is empty, or a line is not UTF-8, has other than two columns, an empty
        sentence, or (in ``test``) a label that does not occur in ``valid``.
    """
    rows = _sentence_then_label(valid)
    classes = _classes(rows)
    return (
        _labelled(rows, classes, valid),
        _labelled(_sentence_then_label(test), classes, test),
        classes,
    )


def _sentence_then_label(path: str | Path) -> list[Row]:
    return [
        (number, label, sentence.split())
        for number, (sentence, label) in _columns(path, "sentence<TAB>label")
    ]


def _columns(path: str | Path, form: str) -> list[tuple[int, list[str]]]:
    """The numbered lines of a tab-separated file, none of their cells empty; ``form`` names the columns."""
    n_columns = form.count("<TAB>") + 1
    rows = []
    for number, line in enumerate(_lines_or_none(path), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != n_columns or not all(cells):
            raise LexiscopeError(f"expected {form!r}, found {line[:80]!r}", where=path, line=number)
        rows.append((number, cells))
    return rows


def _lines_or_none(path: str | Path) -> list[str]:
    lines = read_lines(path)
    return lines if any(lines) else []


def _classes(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted({label for _, label, _ in rows}))


def _labelled(rows: Sequence[Row], classes: Sequence[str], path: str | Path) -> LabelledSentences:
    if not rows:
        raise LexiscopeError("the file has no sentences", where=path)
    number_of = {label: number for number, label in enumerate(classes)}
    for line, label, _ in rows:
        if label not in number_of:
            known = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
            raise LexiscopeError(
                f"the label {label[:80]!r} is unknown; known are {known}", where=path, line=line
            )
    return LabelledSentences(
        [tokens for _, _, tokens in rows],
        np.array([number_of[label] for _, label, _ in rows], dtype=np.int64),
        [_item(path, line) for line, _, _ in rows],
    )


def _item(path: str | Path, line: int) -> str:
    return f"{Path(path).name.removesuffix('.gz')}:{line}"


def _read_latin1(path: str | Path) -> str:
    try:
        with open_binary(path) as stream:
            return stream.read().decode("latin-1")
    except (OSError, EOFError, zlib.error) as error:
        raise LexiscopeError(f"the file cannot be read ({error})", where=path) from None
