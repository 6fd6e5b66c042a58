"""fastText's binary models (``.bin``), which hold words, n-grams and both weight matrices.

fastText itself does not notice a file that is cut off and then computes with whatever memory holds, so the
file's lay-out (fastText ``src/fasttext.cc``, version 12) is checked to the last byte before it is loaded.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

import numpy as np

from lexiscope.embeddings.formats.collect import Collector, check_dim
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.errors import LexiscopeError
from lexiscope.progress import Progress

BLOCK_WORDS = 4096
NEWEST_VERSION = 12
WORD_ENTRY = 0

_PREAMBLE = struct.Struct("<2i 12i d")
_DICTIONARY = struct.Struct("<3i 2q")
_ENTRY = struct.Struct("<q b")
_MATRIX = struct.Struct("<? 2q")


@dataclass(frozen=True)
class _Layout:
    dim: int
    words: list[bytes]
    offsets: list[int]


def read_fasttext_model(source: VectorSource, collector: Collector) -> None:
    """Read the vectors of a fastText model's words into ``collector``.

    A word's vector is the mean of its own and its n-grams', as fastText computes it. Vectors are computed
    for the lexicon's words only.

    Raises
    ------
    LexiscopeError
        If the file is quantised, of an unknown version, or not as long as its headers say.
    """
    layout = _check_layout(source)
    from fasttext import load_model  # here: only this format needs the library

    try:
        model = load_model(str(source.path))
    except (RuntimeError, ValueError) as error:
        raise LexiscopeError(f"fastText cannot load the model ({error})", where=source.path) from None
    lexicon = collector.lexicon
    with Progress(f"reading {source.path.name}", total=len(layout.words), unit="word") as progress:
        for start in range(0, len(layout.words), BLOCK_WORDS):
            words = layout.words[start : start + BLOCK_WORDS]
            vectors = np.zeros((len(words), layout.dim), dtype=np.float32)
            for row, word in enumerate(words):
                if lexicon is None or _readable(word, collector) in lexicon:
                    vectors[row] = model.get_word_vector(word)
            collector.add(words, layout.offsets[start : start + BLOCK_WORDS], vectors)
            progress.advance(len(words))


def _readable(word: bytes, collector: Collector) -> str:
    errors = "latin-1" if collector.policies.encoding_errors == "latin1" else "utf-8"
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return word.decode(errors, "replace")


def _check_layout(source: VectorSource) -> _Layout:
    with source.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _read_layout(data, source)
        except (struct.error, OverflowError):  # a size that lies, beyond the file or beyond all files
            raise _cut_off(source, len(data)) from None


def _read_layout(data: mmap.mmap, source: VectorSource) -> _Layout:
    _, version, dim, _, _, _, _, _, _, _, bucket, min_n, *_ = _PREAMBLE.unpack_from(data, 0)
    if version > NEWEST_VERSION:
        raise LexiscopeError(f"a fastText model of the unknown version {version}", where=source.path)
    check_dim(dim, source.path)
    size, n_words, _, _, pruned = _DICTIONARY.unpack_from(data, _PREAMBLE.size)
    words, offsets, position = _read_entries(data, _PREAMBLE.size + _DICTIONARY.size, size, source)
    if len(words) != n_words or bucket < 0 or (min_n > 0 and not bucket):
        raise _inconsistent(source)
    position += 8 * max(0, pruned)
    for matrix in ("input", "output"):
        quantised, n_rows, n_columns = _MATRIX.unpack_from(data, position)
        if quantised:
            raise LexiscopeError(
                "a quantised fastText model", where=source.path, remedy="use the .bin it was made from"
            )
        if n_columns != dim or n_rows < 0 or (matrix == "input" and n_rows != n_words + bucket):
            raise _inconsistent(source)
        position += _MATRIX.size + 4 * n_rows * n_columns
        if position > len(data):
            raise _cut_off(source, len(data))
    if position != len(data):
        raise LexiscopeError(
            f"{len(data) - position:,} bytes too many for a fastText model", where=source.path
        )
    return _Layout(dim, words, offsets)


def _read_entries(
    data: mmap.mmap, position: int, size: int, source: VectorSource
) -> tuple[list[bytes], list[int], int]:
    words, offsets = [], []
    for _ in range(size):
        end = data.find(b"\0", position)
        if end < 0:
            raise _cut_off(source, len(data))
        _, kind = _ENTRY.unpack_from(data, end + 1)
        if kind == WORD_ENTRY:
            words.append(data[position:end])
            offsets.append(position)
        position = end + 1 + _ENTRY.size
    return words, offsets, position


def _inconsistent(source: VectorSource) -> LexiscopeError:
    return LexiscopeError(
        "the parts of the fastText model do not fit together",
        where=source.path,
        remedy="fetch the file again",
    )


def _cut_off(source: VectorSource, size: int) -> LexiscopeError:
    return LexiscopeError(
        f"the fastText model is cut off (it ends at byte {size:,})",
        where=source.path,
        remedy="fetch the file again",
    )
