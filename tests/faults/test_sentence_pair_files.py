"""Every fault of a file of sentence pairs is an error that names the file and the line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.sentence_pairs import (
    read_mrpc,
    read_sick_entailment,
    read_sick_relatedness,
    read_sts,
    read_sts_benchmark,
)

SICK = b"pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
MRPC = b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
PAIR = b"1\ta b\tc\t3.5\tNEUTRAL\n"

TABLES = {
    "sick": read_sick_relatedness,
    "entailment": read_sick_entailment,
    "mrpc": read_mrpc,
    "stsb": read_sts_benchmark,
}
# Reader, content, line, message.
TABLE_FAULTS = {
    "empty": ("sick", b"", None, "the file is empty"),
    "blank": ("stsb", b"\n \r\n", None, "the file is empty"),
    "header alone": ("sick", SICK, None, "a header and no sentence pairs"),
    "header missing": ("sick", PAIR, 1, "expected the header 'pair_ID sentence_A"),
    "header of another set": ("mrpc", SICK + PAIR, 1, "expected the header 'Quality #1 ID"),
    "header twice": ("sick", SICK + SICK + PAIR, 2, "the score 'relatedness_score' is not a number"),
    "header where none belongs": (
        "stsb",
        b"genre\tfile\tyear\tid\tscore\ta\tb\n",
        1,
        "the score 'score' is not a number",
    ),
    "a column too few": (
        "sick",
        SICK + PAIR + b"2\ta\tb\t3\n",
        3,
        r"expected 5 columns \(pair_ID.*found 4",
    ),
    "a column too many": ("mrpc", MRPC + b"1\t2\t3\ta\tb\tc\n", 2, "expected 5 columns .*found 6"),
    "blanks for tabs": ("stsb", b"g f y 1 2.5 a b\n", 1, "expected 7 columns .*found 1. Columns"),
    "empty line": ("sick", SICK + PAIR + b"\n" + PAIR, 3, "expected 5 columns .*found 1"),
    "empty sentence": ("sick", SICK + PAIR + b"2\t \tc\t3\tNEUTRAL\n", 3, "a sentence is empty"),
    "empty last sentence": ("stsb", b"g\tf\ty\t1\t2.5\ta\t\n", 1, "expected 7 columns"),
    "empty score": ("sick", SICK + b"1\ta\tb\t\tNEUTRAL\n", 2, "the score '' is not a number"),
    "score in words": ("sick", SICK + b"1\ta\tb\thigh\tNEUTRAL\n", 2, "the score 'high' is not a number"),
    "decimal comma": ("stsb", b"g\tf\ty\t1\t2,5\ta\tb\n", 1, "the score '2,5' is not a number"),
    "nan": ("stsb", b"g\tf\ty\t1\tnan\ta\tb\n", 1, "the score 'nan' is not a number"),
    "infinite": ("sick", SICK + b"1\ta\tb\tinf\tNEUTRAL\n", 2, "the score 'inf' is not a number"),
    "score out of range": ("sick", SICK + b"1\ta\tb\t0.5\tNEUTRAL\n", 2, "0.5 is not between 1 and 5"),
    "score in per cent": ("stsb", b"g\tf\ty\t1\t80\ta\tb\n", 1, "80 is not between 0 and 5"),
    "unknown judgement": (
        "entailment",
        SICK + PAIR + b"2\ta\tb\t3\tneutral\n",
        3,
        "the label 'neutral' is unknown; known are CONTRADICTION",
    ),
    "unknown class": ("mrpc", MRPC + b"2\t1\t2\ta\tb\n", 2, "the label '2' is unknown; known are 0, 1"),
    "Latin-1": ("sick", SICK + PAIR + b"2\tcaf\xe9\tb\t3\tNEUTRAL\n", 3, "byte 0xe9 is not UTF-8"),
    "UTF-16": ("stsb", "g\tf\ty\t1\t2\ta\tb\n".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
}


def assert_refused(error: LexiscopeError, path: Path, line: int | None, message: str) -> None:
    assert str(error).startswith(str(path))
    assert error.line == line
    assert re.search(message, str(error)), str(error)


@pytest.mark.parametrize("name", TABLE_FAULTS)
@pytest.mark.parametrize("packed", [False, True])
def test_fault_of_a_table(tmp_path: Path, name: str, packed: bool) -> None:
    reader, content, line, message = TABLE_FAULTS[name]
    path = tmp_path / ("pairs.txt.gz" if packed else "pairs.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(LexiscopeError) as caught:
        TABLES[reader](path)
    assert_refused(caught.value, path, line, message)


# Sentences, scores, the file at fault, line, message.
STS_FAULTS = {
    "no sentences": (b"", b"1\n", "input", None, "the file is empty"),
    "no scores": (b"a\tb\n", b"", "gs", None, "the file has no scores"),
    "empty scores": (b"a\tb\nc\td\n", b"\n\n", "gs", None, "the file has no scores"),
    "scores cut off": (b"a\tb\nc\td\n", b"1\n", "gs", None, "1 lines for the 2 pairs of STS.input"),
    "sentences cut off": (b"a\tb\n", b"1\n2\n", "gs", None, "2 lines for the 1 pairs of STS.input"),
    "an empty score too many": (b"a\tb\n", b"1\n\n", "gs", None, "2 lines for the 1 pairs"),
    "one sentence": (b"a\tb\nc\n", b"1\n2\n", "input", 2, "expected 2 columns .*found 1"),
    "three sentences": (b"a\tb\tc\n", b"1\n", "input", 1, "expected 2 columns .*found 3"),
    "fault of a pair without score": (b"a\tb\nc\n", b"1\n\n", "input", 2, "expected 2 columns"),
    "empty sentence": (b"a\tb\nc\t \t\n", b"1\n2\n", "input", 2, "expected 2 columns"),
    "score in words": (b"a\tb\nc\td\n", b"1\ntwo\n", "gs", 2, "the score 'two' is not a number"),
    "two scores": (b"a\tb\n", b"1\t2\n", "gs", 1, "is not a number"),
    "nan": (b"a\tb\n", b"NaN\n", "gs", 1, "the score 'NaN' is not a number"),
    "out of range": (b"a\tb\n", b"5.5\n", "gs", 1, "5.5 is not between 0 and 5"),
    "Latin-1": (b"a\tb\nc\xe9\td\n", b"1\n2\n", "input", 2, "byte 0xe9 is not UTF-8"),
    "Latin-1 scores": (b"a\tb\n", b"1\xa0\n", "gs", 1, "byte 0xa0 is not UTF-8"),
}


@pytest.mark.parametrize("name", STS_FAULTS)
def test_fault_of_an_sts_subset(tmp_path: Path, name: str) -> None:
    *contents, at_fault, line, message = STS_FAULTS[name]
    paths = [tmp_path / f"STS.{kind}.X.txt" for kind in ("input", "gs")]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    with pytest.raises(LexiscopeError) as caught:
        read_sts(*paths)
    assert_refused(caught.value, tmp_path / f"STS.{at_fault}.X.txt", line, message)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        read_mrpc(tmp_path / "none.txt")
    path = tmp_path / "pairs.txt.gz"
    path.write_bytes(gzip.compress(SICK + PAIR * 1000)[:60])
    with pytest.raises(LexiscopeError, match="the file cannot be read"):
        read_sick_relatedness(path)


def test_no_cut_of_a_subset_passes_in_silence(tmp_path: Path) -> None:
    """Cut anywhere before its last score, the file of scores is refused."""
    sentences, gold = tmp_path / "STS.input.X.txt", tmp_path / "STS.gs.X.txt"
    sentences.write_bytes(b"a\tb\nc\td\ne\tf\n")
    whole = b"1.5\n2\n3\n"
    for end in range(len(whole) - 2):
        gold.write_bytes(whole[:end])
        with pytest.raises(LexiscopeError):
            read_sts(sentences, gold)
