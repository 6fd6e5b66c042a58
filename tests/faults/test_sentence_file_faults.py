"""Every fault of a file of labelled sentences is an error that says which file and which line."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.sentence_files import (
    read_one_class,
    read_probing,
    read_questions,
    read_sentiment,
    read_xprobe,
)

Read = Callable[[Path], object]


def xprobe(path: Path) -> object:
    return read_xprobe(path, path)


def one_class(path: Path) -> object:
    return read_one_class(path, 1)


def two_classes(path: Path) -> object:
    return read_sentiment(path, 2)


def five_classes(path: Path) -> object:
    return read_sentiment(path, 5)


PROBE = b"tr\tA\tone\ntr\tB\ttwo\nva\tA\tthree\nte\tB\tfour\n"

FAULTS: dict[str, tuple[Read, bytes, int | None, str]] = {
    "no lines": (one_class, b"", None, "no sentences"),
    "blank lines alone": (one_class, b"\n \n\x85", None, "no sentences"),
    "questions: empty": (read_questions, b"", None, "no sentences"),
    "questions: blank lines alone": (read_questions, b"\n\n", None, "no sentences"),
    "questions: blank line": (
        read_questions,
        b"LOC:x Where ?\n\nLOC:x There ?\n",
        2,
        "COARSE:fine question.*''",
    ),
    "questions: no type": (
        read_questions,
        b"LOC:x Where ?\nWhere is it ?\n",
        2,
        "COARSE:fine question.*Where is it",
    ),
    "questions: no fine type": (read_questions, b"LOC:\n", 1, "COARSE:fine question"),
    "questions: no question": (read_questions, b"LOC:city\n", 1, "COARSE:fine question"),
    "questions: unknown type": (
        read_questions,
        b"LOC:x Where ?\nCITY:x Who ?\n",
        2,
        "'CITY' is unknown; known are ABBR",
    ),
    "questions: a type in small letters": (read_questions, b"loc:x Where ?\n", 1, "'loc' is unknown"),
    "questions: byte order mark": (read_questions, b"\xef\xbb\xbfLOC:x Where ?\n", 1, "is unknown"),
    "two: empty": (two_classes, b"", None, "no sentences"),
    "two: blank line": (two_classes, b"good\t1\n\nbad\t0\n", 2, "sentence<TAB>label.*''"),
    "two: no tab": (two_classes, b"good 1\n", 1, "sentence<TAB>label.*good 1"),
    "two: three columns": (two_classes, b"good\tfilm\t1\n", 1, "sentence<TAB>label"),
    "two: no sentence": (two_classes, b"good\t1\n\t0\n", 2, "sentence<TAB>label"),
    "two: no label": (two_classes, b"good\t\n", 1, "sentence<TAB>label"),
    "two: label too high": (two_classes, b"good\t1\nbad\t2\n", 2, "'2' is unknown; known are 0, 1"),
    "two: label below zero": (two_classes, b"good\t-1\n", 1, "'-1' is unknown"),
    "two: label no integer": (two_classes, b"good\t0.5\n", 1, "'0.5' is unknown"),
    "two: label a word": (two_classes, b"good\tpos\n", 1, "'pos' is unknown"),
    "two: label in other digits": (two_classes, "good\t\u0661\n".encode(), 1, "is unknown"),
    "two: Latin-1": (two_classes, b"good\t1\ncaf\xe9\t0\n", 2, "0xe9 is not UTF-8.*Convert"),
    "two: UTF-16": (two_classes, "good\t1\n".encode("utf-16"), 1, "not UTF-8"),
    "five: empty": (five_classes, b"\n", None, "no sentences"),
    "five: blank line": (five_classes, b"4 good\n\n0 bad\n", 2, "label sentence.*''"),
    "five: label last": (five_classes, b"very good 4\n", 1, "'very' is unknown; known are 0, 1, 2, 3, 4"),
    "five: label alone": (five_classes, b"4 good\n3\n", 2, "label sentence"),
    "five: label too high": (five_classes, b"5 good\n", 1, "'5' is unknown"),
    "five: invalid bytes": (five_classes, b"4 good\n3 \xff\xfe\n", 2, "0xff is not UTF-8"),
    "probing: empty": (read_probing, b"", None, "no sentences of the part 'tr'"),
    "probing: part missing": (
        read_probing,
        b"tr\tA\tone\nva\tA\ttwo\n",
        None,
        "no sentences of the part 'te'",
    ),
    "probing: bad part": (
        read_probing,
        PROBE + b"test\tA\tone\n",
        5,
        "part is 'test', not one of tr, va, te",
    ),
    "probing: two columns": (read_probing, PROBE + b"tr\tA\n", 5, "part<TAB>label<TAB>sentence"),
    "probing: four columns": (read_probing, PROBE + b"tr\tA\tone\ttwo\n", 5, "part<TAB>label<TAB>sentence"),
    "probing: no sentence": (read_probing, PROBE + b"tr\tA\t \n", 5, "part<TAB>label<TAB>sentence"),
    "probing: blank line": (read_probing, b"\n" + PROBE, 1, "part<TAB>label<TAB>sentence.*''"),
    "probing: unknown label": (read_probing, PROBE + b"te\tC\tfive\n", 5, "'C' is unknown; known are A, B"),
    "probing: Latin-1": (read_probing, PROBE + b"te\tB\tcaf\xe9\n", 5, "0xe9 is not UTF-8"),
    "xprobe: empty": (xprobe, b"", None, "no sentences"),
    "xprobe: one column": (xprobe, b"one\tA\ntwo\n", 2, "sentence<TAB>label"),
    "xprobe: three columns": (xprobe, b"one\tA\tB\n", 1, "sentence<TAB>label"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("packed", [False, True])
def test_fault(tmp_path: Path, name: str, packed: bool) -> None:
    read, content, line, message = FAULTS[name]
    path = tmp_path / ("set.txt.gz" if packed else "set.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(LexiscopeError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.line == line
    assert re.search(message, str(caught.value)), str(caught.value)


def test_a_label_that_the_training_part_lacks_is_told_of_the_test_file(tmp_path: Path) -> None:
    (tmp_path / "va.txt").write_bytes(b"one\tA\ntwo\tB\n")
    (tmp_path / "te.txt").write_bytes(b"three\tA\nfour\tC\n")
    with pytest.raises(LexiscopeError, match=r"te\.txt:2: the label 'C' is unknown; known are A, B"):
        read_xprobe(tmp_path / "va.txt", tmp_path / "te.txt")


def test_many_known_labels_are_not_all_listed(tmp_path: Path) -> None:
    lines = [f"tr\tl{number:03}\tword" for number in range(200)]
    path = tmp_path / "word_content.txt"
    path.write_text("\n".join([*lines, "va\tl000\tword", "te\tnew\tword"]))
    with pytest.raises(LexiscopeError, match="'new' is unknown") as caught:
        read_probing(path)
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize(
    "read", [one_class, read_questions, two_classes, five_classes, read_probing, xprobe]
)
def test_missing_broken_and_no_file(tmp_path: Path, read: Read) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        read(tmp_path / "none.txt")
    broken = tmp_path / "broken.txt.gz"
    broken.write_bytes(gzip.compress(b"good film\n" * 1000)[:-20])
    with pytest.raises(LexiscopeError, match=r"broken\.txt\.gz: the file cannot be read"):
        read(broken)
    with pytest.raises(LexiscopeError, match="the file cannot be read"):
        read(tmp_path)
