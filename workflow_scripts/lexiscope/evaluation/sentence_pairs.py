"""Reading sets of sentence pairs: SICK, the STS benchmark, MRPC and STS 2012–2016, as SentEval has them.

Sentences come tokenised, with blanks between the tokens. The pairs keep the order of their file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.reading import read_lines
from lexiscope.files import open_binary

SICK_COLUMNS = ("pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment")
MRPC_COLUMNS = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
STS_BENCHMARK_COLUMNS = ("genre", "filename", "year", "index", "score", "sentence1", "sentence2")
STS_COLUMNS = ("sentence1", "sentence2")

ENTAILMENT = {"CONTRADICTION": 0.0, "NEUTRAL": 1.0, "ENTAILMENT": 2.0}
"""Class of each of SICK's judgements."""

PARAPHRASE = {"0": 0.0, "1": 1.0}
"""Class of each of MRPC's labels."""

Parse = Callable[[str], float]


@dataclass(frozen=True)
class SentencePairs:
    """Pairs of sentences with their gold scores or classes, in the order of the file.

    Attributes
    ----------
    first, second
        The tokens of each sentence; n_pairs of each.
    gold
        float64, shape (n_pairs,): a score on the set's own scale, or the number of a class.
    items
        Where each pair stands, such as ``SICK_train.txt:17``.
    """

    first: list[list[str]]
    second: list[list[str]]
    gold: NDArray[np.float64]
    items: list[str]

    def __len__(self) -> int:
        return len(self.items)


def read_sick_relatedness(path: str | Path) -> SentencePairs:
    """Read a file of SICK for its relatedness scores, 1 to 5.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, has no pairs, lacks its header, or has a line with other than five
        columns, an empty sentence, or a score that is not a number of that range.
    """
    return _read_table(path, SICK_COLUMNS, (1, 2, 3), _score_between(1, 5), has_header=True)


def read_sick_entailment(path: str | Path) -> SentencePairs:
    """Read a file of SICK for its entailment judgements, as the classes of `ENTAILMENT`.

    Raises
    ------
    LexiscopeError
        As `read_sick_relatedness`, or if a judgement is unknown.
    """
    return _read_table(path, SICK_COLUMNS, (1, 2, 4), _class_among(ENTAILMENT), has_header=True)


def read_mrpc(path: str | Path) -> SentencePairs:
    """Read a file of MRPC; class 1 are the paraphrases.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, has no pairs, lacks its header, or has a line with other than five
        columns, an empty sentence, or a label other than 0 and 1.
    """
    return _read_table(path, MRPC_COLUMNS, (3, 4, 0), _class_among(PARAPHRASE), has_header=True)


def read_sts_benchmark(path: str | Path) -> SentencePairs:
    """Read a file of the STS benchmark, with scores 0 to 5; it has no header.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, has no pairs, or has a line with other than seven columns, an empty
        sentence, or a score that is not a number of that range.
    """
    return _read_table(path, STS_BENCHMARK_COLUMNS, (5, 6, 4), _score_between(0, 5), has_header=False)


def read_sts(sentences: str | Path, gold: str | Path) -> SentencePairs:
    """Read a subset of STS 2012–2016: its sentences and, in a second file, their scores, 0 to 5.

    Pairs whose line of the second file is empty were never judged, and are left out.

    Raises
    ------
    LexiscopeError
        If a file cannot be read, the two have different numbers of lines, no pair has a score, or a line
        has other than two columns, an empty sentence, or a score that is not a number of that range.
    """
    lines = _read_rows(sentences, STS_COLUMNS, has_header=False)
    scores = read_lines(gold)
    if not any(scores):
        raise LexiscopeError("the file has no scores", where=gold)
    scores += [""] * (_count_lines(gold) - len(scores))
    if len(scores) != len(lines):
        raise LexiscopeError(
            f"the file has {len(scores)} lines for the {len(lines)} pairs of {Path(sentences).name}",
            where=gold,
        )
    parse = _score_between(0, 5)
    judged = [
        (number, one, other, _parsed(parse, score, gold, number))
        for (number, (one, other)), score in zip(lines, scores, strict=True)
        if score
    ]
    return _pairs(sentences, judged)


def _count_lines(path: str | Path) -> int:
    """Lines of a file, empty ones at its end too, which `read_lines` leaves out."""
    with open_binary(path) as stream:
        content = stream.read()
    return content.count(b"\n") + (not content.endswith(b"\n"))


def _read_table(
    path: str | Path,
    columns: Sequence[str],
    wanted: tuple[int, int, int],
    parse: Parse,
    *,
    has_header: bool,
) -> SentencePairs:
    """Read a file of one pair a line; ``wanted`` are the columns of the two sentences and of the gold."""
    first, second, gold = wanted
    return _pairs(
        path,
        [
            (number, row[first], row[second], _parsed(parse, row[gold].strip(), path, number))
            for number, row in _read_rows(path, columns, has_header=has_header)
        ],
    )


def _read_rows(
    path: str | Path, columns: Sequence[str], *, has_header: bool
) -> list[tuple[int, list[str]]]:
    """The lines of a tab-separated file, numbered, each with as many cells as there are columns."""
    rows = [(number, line.split("\t")) for number, line in enumerate(read_lines(path), start=1)]
    if rows == [(1, [""])]:
        raise LexiscopeError("the file is empty", where=path)
    if has_header:
        _, header = rows.pop(0)
        if [cell.strip() for cell in header] != list(columns):
            raise LexiscopeError(
                f"expected the header {' '.join(columns)!r}, found {' '.join(header)[:80]!r}",
                where=path,
                line=1,
            )
        if not rows:
            raise LexiscopeError("the file has a header and no sentence pairs", where=path)
    for number, row in rows:
        if len(row) != len(columns):
            raise LexiscopeError(
                f"expected {len(columns)} columns ({', '.join(columns)}), found {len(row)}",
                where=path,
                line=number,
                remedy="columns are separated by tabs, and none may be empty",
            )
    return rows


def _pairs(path: str | Path, found: Sequence[tuple[int, str, str, float]]) -> SentencePairs:
    first = [one.split() for _, one, _, _ in found]
    second = [other.split() for _, _, other, _ in found]
    for (number, *_), one, other in zip(found, first, second, strict=True):
        if not one or not other:
            raise LexiscopeError("a sentence is empty", where=path, line=number)
    name = Path(path).name.removesuffix(".gz")
    return SentencePairs(
        first=first,
        second=second,
        gold=np.array([gold for *_, gold in found]),
        items=[f"{name}:{number}" for number, *_ in found],
    )


def _parsed(parse: Parse, text: str, path: str | Path, number: int) -> float:
    try:
        return parse(text)
    except ValueError as error:
        raise LexiscopeError(str(error), where=path, line=number) from None


def _score_between(low: float, high: float) -> Parse:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"the score {text[:80]!r} is not a number")
        if not low <= value <= high:
            raise ValueError(f"the score {text[:80]} is not between {low:g} and {high:g}")
        return value

    return parse


def _class_among(classes: Mapping[str, float]) -> Parse:
    def parse(text: str) -> float:
        if text not in classes:
            raise ValueError(f"the label {text[:80]!r} is unknown; known are {', '.join(classes)}")
        return classes[text]

    return parse
