"""word2vec's binary format: a header "n_words dim", then for each word its bytes, a space, dim float32.

The original program writes a line break after each vector, gensim none: both are read.
"""

from __future__ import annotations

from typing import IO

import numpy as np

from lexiscope.embeddings.formats.collect import Collector, check_dim
from lexiscope.embeddings.formats.detect import HEADER
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.errors import LexiscopeError

BLOCK_WORDS = 4096
MAX_HEADER_BYTES = 100
MAX_WORD_BYTES = 1 << 16


def read_binary(source: VectorSource, collector: Collector) -> None:
    """Read word2vec binary into ``collector``.

    Raises
    ------
    LexiscopeError
        If the file is shorter or longer than its header says.
    """
    with source.reading() as stream:
        header = HEADER.fullmatch(stream.readline(MAX_HEADER_BYTES))
        if header is None:
            raise LexiscopeError("the file does not begin with 'n_words dim'", where=source.path, line=1)
        n_words, dim = int(header[1]), int(header[2])
        check_dim(dim, source.path, line=1)
        _check_size(source, n_words, dim)
        window = _Window(stream, len(header[0]))
        for start in range(0, n_words, BLOCK_WORDS):
            _read_block(window, source, collector, range(start, min(start + BLOCK_WORDS, n_words)), dim)
        _check_end(window, source, n_words)


def _check_size(source: VectorSource, n_words: int, dim: int) -> None:
    needed = n_words * (4 * dim + 2)
    if not source.packed and needed > source.size:
        raise LexiscopeError(
            f"the header promises {n_words:,} vectors of {dim} numbers, at least {needed:,} bytes, "
            f"but the file has {source.size:,}",
            where=source.path,
            remedy="the file is cut off (fetch it again) or its header lies",
        )


class _Window:
    """A stream seen through a buffer that can be searched.

    Attributes
    ----------
    offset
        Where in the unpacked file the next unread byte lies.
    """

    def __init__(self, stream: IO[bytes], offset: int) -> None:
        self._stream, self.offset = stream, offset
        self._buffer, self._start = b"", 0

    def _fill(self, count: int) -> bool:
        """Have at least ``count`` unread bytes in the buffer, if the stream has them."""
        if len(self._buffer) - self._start >= count:
            return True
        data = self._stream.read(max(count, 1 << 22))
        self._buffer = self._buffer[self._start :] + data
        self._start = 0
        return len(self._buffer) >= count

    def take(self, count: int) -> memoryview | None:
        """The next ``count`` bytes, or None if the stream ends before."""
        if not self._fill(count):
            return None
        view = memoryview(self._buffer)[self._start : self._start + count]
        self._start += count
        self.offset += count
        return view

    def take_word(self) -> bytes | None:
        """The bytes up to the next space, less line breaks before them; None if there is no space."""
        end = self._buffer.find(b" ", self._start, self._start + MAX_WORD_BYTES)
        if end < 0:
            self._fill(MAX_WORD_BYTES)
            end = self._buffer.find(b" ", self._start, self._start + MAX_WORD_BYTES)
            if end < 0:
                return None
        word = self._buffer[self._start : end]
        self.offset += end + 1 - self._start
        self._start = end + 1
        return word.lstrip(b"\r\n")


def _read_block(window: _Window, source: VectorSource, collector: Collector, rows: range, dim: int) -> None:
    vectors = np.empty((len(rows), dim), dtype="<f4")
    # Rows are copied as raw bytes: one memcpy a word, no array made for each.
    target = vectors.reshape(-1).view(np.uint8).data
    words: list[bytes] = []
    offsets: list[int] = []
    for at, row in enumerate(rows):
        offset = window.offset
        word = window.take_word()
        numbers = None if word is None else window.take(4 * dim)
        if word is None or numbers is None:
            raise LexiscopeError(
                f"the file ends within vector {row + 1:,} (byte {offset:,}), or is not word2vec binary",
                where=source.path,
                remedy="fetch the file again",
            )
        target[at * 4 * dim : (at + 1) * 4 * dim] = numbers
        words.append(word)
        offsets.append(window.offset - 4 * dim - 1 - len(word))
    collector.add(words, offsets, vectors.astype(np.float32, copy=False))


def _check_end(window: _Window, source: VectorSource, n_words: int) -> None:
    while (rest := window.take(1)) is not None:
        if rest.tobytes() not in b"\r\n":
            raise LexiscopeError(
                f"more bytes follow the {n_words:,} vectors of the header (byte {window.offset - 1:,})",
                where=source.path,
                remedy="mend the header",
            )
