"""Vectors as text: word2vec (a header "n_words dim" first; also fastText's ``.vec``) and GloVe (no header).

A line is a word and its numbers, between spaces or tabs. Regular lines go through Arrow's number parser a
block at a time; what that parser refuses, and every odd line, is read slowly, to be mended by a stated rule
or refused by its line number. Both ways give the double nearest to the decimal, rounded to float32.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from lexiscope.embeddings.formats.collect import Collector, check_dim
from lexiscope.embeddings.formats.detect import BOM, HEADER, NUMBER, SEPARATOR
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.errors import LexiscopeError

BLOCK_BYTES = 1 << 22
MAX_LINE_BYTES = 1 << 25
LINES_FOR_DIM = 1000

logger = logging.getLogger("lexiscope")


def read_text(source: VectorSource, collector: Collector, *, header: bool) -> None:
    """Read word2vec text (``header``) or GloVe text (no header) into ``collector``.

    The numbers of a line are its last ``dim`` fields, so a word may hold spaces, as some of GloVe 840B's
    do; but a number after a space makes it a line of the wrong dimension. Without a header, ``dim`` is what
    most of the first lines have.

    Raises
    ------
    LexiscopeError
        If the header is missing or lies, or a line is bad and no policy says to leave it out.
    """
    with source.reading() as stream:
        reader = _TextReader(source, collector, header=header)
        for block in _blocks(stream, source):
            reader.read(block)
        reader.finish()


class _TextReader:
    def __init__(self, source: VectorSource, collector: Collector, *, header: bool) -> None:
        self.source, self.collector, self.header = source, collector, header
        self.n_lines = 0
        self.n_vectors = 0
        self.n_promised: int | None = None
        self.dim = 0

    def read(self, block: bytes) -> None:
        """Read some whole lines."""
        counts = self.collector.counts
        if not self.n_lines and block.startswith(BOM):
            block = block.removeprefix(BOM)
            counts["byte_order_marks"] += 1
        if carriage_returns := block.count(b"\r\n"):
            counts["lines_with_crlf"] += carriage_returns
            block = block.replace(b"\r\n", b"\n")
        # The original word2vec and fastText end their lines with a space.
        lines = block.replace(b" \n", b"\n").split(b"\n")
        if not lines[-1]:
            lines.pop()
        if not self.n_lines and self.header:
            self._read_header(lines.pop(0))
        if not lines:
            return
        self.dim = self.dim or self._guess_dim(lines)
        self._read_lines(lines)
        self.n_lines += len(lines)

    def _read_header(self, line: bytes) -> None:
        self.n_lines = 1
        match = HEADER.fullmatch(line)
        if match is None:
            raise LexiscopeError(
                "the first line is not 'n_words dim'",
                where=self.source.path,
                line=1,
                remedy="add it, or set 'format: glove' for a file without one",
            )
        self.n_promised, self.dim = int(match[1]), int(match[2])
        check_dim(self.dim, self.source.path, line=1)

    def _guess_dim(self, lines: list[bytes]) -> int:
        """The commonest number of fields, less one; a few odd lines do not mislead it."""
        some = islice((line.strip() for line in lines if line.strip()), LINES_FOR_DIM)
        fields = Counter(len(SEPARATOR.split(line)) for line in some)
        if not fields:
            return 0
        dim = min(fields, key=lambda n: (-fields[n], n)) - 1
        if dim < 1:
            raise LexiscopeError(
                "no line here is a word and its numbers", where=self.source.path, line=self.n_lines + 1
            )
        check_dim(dim, self.source.path)
        return dim

    def _read_lines(self, lines: list[bytes]) -> None:
        first = self.n_lines + 1
        parsed = _parse_regular(lines, self.dim)
        if parsed is not None:
            self.n_vectors += len(lines)
            words = [line[: line.index(b" ")] for line in lines]
            self.collector.add(words, range(first, first + len(lines)), parsed)
            return
        words, rows, vectors = self._read_mixed(lines)
        if words:
            self.collector.add(words, [first + row for row in rows], vectors)

    def _read_mixed(self, lines: list[bytes]) -> tuple[list[bytes], list[int], NDArray[np.float32]]:
        """Read lines of which some are odd: their words, which lines they are, and their vectors."""
        looks_regular = [line.count(b" ") == self.dim for line in lines]
        chosen = [line for line, regular in zip(lines, looks_regular, strict=True) if regular]
        parsed = _parse_regular(chosen, self.dim)
        self.n_vectors += 0 if parsed is None else len(parsed)
        fast = iter(()) if parsed is None else iter(parsed)
        words, rows, vectors = [], [], []
        for row, line in enumerate(lines):
            if looks_regular[row] and parsed is not None:
                word, vector = line[: line.index(b" ")], next(fast)
            else:
                odd = self._read_odd_line(line, self.n_lines + 1 + row)
                if odd is None:
                    continue
                word, vector = odd
            words.append(word)
            rows.append(row)
            vectors.append(vector)
        return words, rows, np.array(vectors, dtype=np.float32).reshape(len(rows), self.dim)

    def _read_odd_line(self, line: bytes, number: int) -> tuple[bytes, NDArray[np.float32]] | None:
        line = line.rstrip(b" \t")
        if not line:
            self.collector.counts["blank_lines"] += 1
            return None
        self.n_vectors += 1
        starts = [match.start() for match in SEPARATOR.finditer(line)]
        dim = self.dim
        fields = SEPARATOR.split(line)
        problem = _line_fault(fields, dim, self.n_promised is not None)
        if problem is not None:
            self.collector.drop("bad_lines", problem, number)
            return None
        word = line[: starts[-dim]]
        if len(fields) > dim + 1:
            self.collector.counts["words_with_spaces"] += 1
        with np.errstate(over="ignore"):  # beyond float32's range is infinite, which a policy deals with
            return word, np.array([float(field) for field in fields[-dim:]]).astype(np.float32)

    def finish(self) -> None:
        """Check the header's promise against what was read."""
        if self.n_promised is None or self.n_promised == self.n_vectors:
            return
        raise LexiscopeError(
            f"the header promises {self.n_promised:,} words, the file has {self.n_vectors:,}",
            where=self.source.path,
            line=1,
            remedy="fetch the file again if it is cut off; "
            f"otherwise make the first line '{self.n_vectors} {self.dim}'",
        )


def _blocks(stream: IO[bytes], source: VectorSource) -> Iterator[bytes]:
    """Cut a stream into blocks of whole lines."""
    rest = b""
    while data := stream.read(BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
        if len(rest) > MAX_LINE_BYTES:
            raise LexiscopeError(
                f"a line is longer than {MAX_LINE_BYTES >> 20} MiB",
                where=source.path,
                remedy="if the file is binary, name its 'format'",
            )
    if rest:
        yield rest


def _parse_regular(lines: list[bytes], dim: int) -> NDArray[np.float32] | None:
    """The numbers of lines that each have a word and ``dim`` further fields, shape (n_lines, dim).

    None if a line has another number of fields, or a field is not a number.
    """
    if not lines or not dim or lines[0].count(b" ") != dim:
        return None
    names = [str(column) for column in range(dim + 1)]
    try:
        table = csv.read_csv(
            pa.BufferReader(b"\n".join([*lines, b""])),
            read_options=csv.ReadOptions(
                column_names=names, use_threads=False, block_size=max(1 << 20, 2 * max(map(len, lines)))
            ),
            parse_options=csv.ParseOptions(
                delimiter=" ", quote_char=False, escape_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                # Straight to float32 would round once, where Python's float() and NumPy round twice.
                column_types=dict.fromkeys(names[1:], pa.float64()),
                include_columns=names[1:],
                null_values=[],
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != len(lines):  # Arrow also breaks lines at a lone carriage return
        return None
    vectors = np.empty((len(lines), dim), dtype=np.float32)
    start = 0
    with np.errstate(over="ignore"):
        for batch in table.to_batches():
            for column in range(dim):
                vectors[start : start + len(batch), column] = batch.column(column).to_numpy()
            start += len(batch)
    return vectors


def _line_fault(fields: list[bytes], dim: int, by_header: bool) -> str | None:
    """What is wrong with a line's fields, if anything."""
    numbers = fields[-dim:]
    expected = f"the header says {dim}" if by_header else f"most lines have {dim}"
    if len(fields) <= dim:
        count = len(fields) - 1
        return f"{count} number{'' if count == 1 else 's'} after the word, {expected}"
    bad = next((field for field in numbers if not NUMBER.fullmatch(field)), None)
    if bad is not None:
        return f"{bad[:40].decode('latin-1')!a} is not a number"
    if not fields[0]:
        return "the word is missing"
    # More numbers than there should be are a wrong dimension or two lines in one, not a word with spaces.
    if any(NUMBER.fullmatch(field) for field in fields[1:-dim]):
        return f"more numbers than expected ({expected})"
    return None
