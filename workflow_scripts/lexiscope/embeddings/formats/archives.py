"""Vectors in NumPy's ``.npz`` (arrays ``words`` and ``vectors``, unpickled), and Lexiscope's own spaces."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lexiscope.embeddings.formats.collect import Collector, check_dim
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError

BLOCK_WORDS = 1 << 15
_HOW_TO_SAVE = "save it with numpy.savez(path, words=numpy.array(words, dtype=str), vectors=vectors)"


def read_npz(source: VectorSource, collector: Collector) -> None:
    """Read the arrays ``words`` (n_words) and ``vectors`` (n_words, dim) into ``collector``.

    Raises
    ------
    LexiscopeError
        If an array is missing, damaged, pickled, or of the wrong type or shape.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            words, vectors = (_read_array(archive, name, source) for name in ("words", "vectors"))
    except LexiscopeError:
        raise
    except Exception as error:  # a bad archive raises almost anything
        raise LexiscopeError(
            f"the .npz file is damaged ({error})", where=source.path, remedy="fetch or make it again"
        ) from None
    if words.ndim != 1 or words.dtype.kind not in "US" or vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise LexiscopeError(
            f"'words' is {words.dtype} of shape {words.shape}, 'vectors' {vectors.dtype} of shape "
            f"{vectors.shape}; text of shape (n,) and floats of shape (n, dim) are needed",
            where=source.path,
            remedy=_HOW_TO_SAVE,
        )
    collect_matrix(words.tolist(), vectors, source, collector)


def _read_array(archive: zipfile.ZipFile, name: str, source: VectorSource) -> NDArray[Any]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        found = ", ".join(repr(entry) for entry in archive.namelist()[:10]) or "nothing"
        raise LexiscopeError(
            f"the archive has no array {name!r} (it holds {found})", where=source.path, remedy=_HOW_TO_SAVE
        ) from None
    with archive.open(info) as stream:
        major, _ = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise LexiscopeError(
                f"the array {name!r} is pickled (dtype object), which can run code when read",
                where=source.path,
                remedy=_HOW_TO_SAVE,
            )
        # Checked before NumPy asks for the memory that the header promises to fill.
        promised = dtype.itemsize * int(np.prod(shape, dtype=object))
        if not 0 <= promised <= info.file_size:
            raise ValueError(f"{name!r} promises {promised:,} bytes and holds {info.file_size:,}")
    with archive.open(info) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array


def collect_matrix(
    words: list[str] | list[bytes], vectors: NDArray[Any], source: VectorSource, collector: Collector
) -> None:
    """Give a whole matrix of any float type to ``collector``, in blocks.

    Raises
    ------
    LexiscopeError
        If there are not as many words as rows.
    """
    if len(words) != len(vectors):
        raise LexiscopeError(
            f"{len(words):,} words and {len(vectors):,} vectors do not fit", where=source.path
        )
    check_dim(vectors.shape[1], source.path)
    for start in range(0, len(words), BLOCK_WORDS):
        block = words[start : start + BLOCK_WORDS]
        # A lone surrogate is no character; its bytes are not UTF-8, so the encoding policy deals with it.
        encoded = [
            word if isinstance(word, bytes) else word.encode("utf-8", "surrogatepass") for word in block
        ]
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(vectors[start : start + BLOCK_WORDS], dtype=np.float32)
        collector.add(encoded, range(start + 1, start + 1 + len(block)), rows)


def read_lexiscope(source: VectorSource, collector: Collector) -> EmbeddingSpace:
    """Read a space that Lexiscope wrote; its words also go through ``collector``."""
    space = load_space(source.path)
    collect_matrix(list(space.words), space.vectors, source, collector)
    return space
