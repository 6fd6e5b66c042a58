"""Write an embedding space in the formats that other programs read."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lexiscope.embeddings.config import ExportFormat
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path
from lexiscope.stage import stage_entry

_WHITE_SPACE = re.compile(r"[ \t\n\r\v\f]")
_BLOCK_WORDS = 4096


@stage_entry
def export_space(*, space: Path, format: ExportFormat, output: Path) -> None:
    """Write a space to ``output`` in another program's format; every float32 comes back exactly.

    Parameters
    ----------
    space
        A space of Lexiscope.
    format
        ``word2vec`` (text), ``word2vec_binary``, ``glove``, ``npz`` (arrays ``words`` and ``vectors``) or
        ``gensim`` (KeyedVectors in one file).
    output
        Where the file goes.

    Raises
    ------
    LexiscopeError
        If the format is unknown, or cannot hold one of the words.
    """
    if format not in _WRITERS:
        raise LexiscopeError(
            f"unknown export format {format!r}", where="export", remedy=f"choose of {', '.join(_WRITERS)}"
        )
    write_space(load_space(space), format, output, where=space)


def write_space(space: EmbeddingSpace, format: ExportFormat, output: Path, *, where: Path) -> None:
    """Write a space in memory, read from the file ``where``; see `export_space`."""
    _check_words(space, format, where)
    with atomic_path(output) as temporary:
        _WRITERS[format](space, temporary)


def _check_words(space: EmbeddingSpace, format: ExportFormat, path: Path) -> None:
    """Refuse words that the format would break apart or change."""
    keeps_white_space = format in ("npz", "gensim")
    for row, word in enumerate(space.words):
        if "\0" in word:
            problem = "holds a NUL character"
        elif not keeps_white_space and _WHITE_SPACE.search(word):
            problem = "holds white space"
        elif format == "glove" and row == 0 and word.startswith("\ufeff"):
            problem = "begins with a byte order mark"
        else:
            continue
        raise LexiscopeError(
            f"the word {word!r} {problem}, which the format {format!r} cannot keep",
            where=path,
            remedy="export as npz" if "\0" not in word else "leave the word out of the lexicon",
        )


def _text_lines(space: EmbeddingSpace) -> Iterator[bytes]:
    # Nine significant digits tell every float32 from its neighbours.
    template = " ".join(["%.9g"] * space.dim)
    for start in range(0, len(space), _BLOCK_WORDS):
        rows = space.vectors[start : start + _BLOCK_WORDS].tolist()
        words = space.words[start : start + _BLOCK_WORDS]
        lines = (f"{word} {template % tuple(row)}\n" for word, row in zip(words, rows, strict=True))
        yield "".join(lines).encode("utf-8")


def _write_word2vec(space: EmbeddingSpace, path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(f"{len(space)} {space.dim}\n".encode())
        stream.writelines(_text_lines(space))


def _write_glove(space: EmbeddingSpace, path: Path) -> None:
    with path.open("wb") as stream:
        stream.writelines(_text_lines(space))


def _write_word2vec_binary(space: EmbeddingSpace, path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(f"{len(space)} {space.dim}\n".encode())
        for word, row in zip(space.words, space.vectors.astype("<f4"), strict=True):
            stream.write(word.encode("utf-8") + b" " + row.tobytes() + b"\n")


def _write_npz(space: EmbeddingSpace, path: Path) -> None:
    with path.open("wb") as stream:  # a stream, as NumPy would add .npz to the name
        np.savez(stream, words=np.array(space.words, dtype=str), vectors=space.vectors)


def _write_gensim(space: EmbeddingSpace, path: Path) -> None:
    from gensim.models import KeyedVectors  # here: only this format needs the library

    keyed = KeyedVectors(space.dim, dtype=np.float32)
    keyed.add_vectors(list(space.words), space.vectors)
    if "count" in space.columns:
        for word, count in zip(space.words, space.columns["count"].tolist(), strict=True):
            keyed.set_vecattr(word, "count", count)
    keyed.lifecycle_events = None  # they would write time, host and path into the file
    keyed.save(str(path), sep_limit=sys.maxsize)  # one file, whatever the size of the matrix


_WRITERS: dict[ExportFormat, Callable[[EmbeddingSpace, Path], None]] = {
    "word2vec": _write_word2vec,
    "word2vec_binary": _write_word2vec_binary,
    "glove": _write_glove,
    "npz": _write_npz,
    "gensim": _write_gensim,
}
