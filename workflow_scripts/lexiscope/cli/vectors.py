"""The vector files named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexiscope.embeddings.config import EXPORT_EXTENSIONS, ExportFormat, FileConfig
from lexiscope.embeddings.import_space import space_of_file
from lexiscope.embeddings.random_vectors import random_directions
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError

ENDINGS = (".gz", ".vec", ".bin", ".txt", ".npz", ".kv", ".safetensors", ".model", ".w2v")
"""Left out of the name that a file's vectors are called by."""


def read_spaces(paths: Sequence[Path], *, lenient: bool = False) -> dict[str, EmbeddingSpace]:
    """Read vector files in any format, each under a name of its own.

    Parameters
    ----------
    paths
        The files.
    lenient
        Drop lines that are no vectors, keep the first of several vectors of a word, and read bytes that are
        not UTF-8 as Latin-1, instead of refusing the file.

    Raises
    ------
    LexiscopeError
        If a file has a fault.
    """
    return {
        name: space_of_file(path, _settings(path, lenient=lenient))
        for name, path in zip(names_of(paths), paths, strict=True)
    }


def random_control(space: EmbeddingSpace, seed: int) -> EmbeddingSpace:
    """Random vectors with the words and norms of a space: what its scores have to beat."""
    drawn = random_directions(space.vectors, np.random.default_rng(seed))
    return EmbeddingSpace(words=space.words, vectors=drawn, provenance={"kind": "random", "seed": seed})


def _settings(path: Path, *, lenient: bool) -> FileConfig:
    if not lenient:
        return FileConfig(kind="file", path=str(path))
    return FileConfig(
        kind="file",
        path=str(path),
        encoding_errors="latin1",
        duplicates="first",
        non_finite="drop",
        bad_lines="drop",
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """What the files' vectors are called: the file's name without its ending; the whole path if that is not
    enough to tell two apart.

    >>> names_of([Path("a/glove.vec"), Path("b/word2vec.bin.gz")])
    ['glove', 'word2vec']
    """
    names = [_stem(path) for path in paths]
    return [name if names.count(name) == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _stem(path: Path) -> str:
    name = path.name
    while Path(name).suffix.lower() in ENDINGS and Path(name).stem:
        name = Path(name).stem
    return name


def format_of(path: Path, chosen: str | None) -> ExportFormat:
    """The format to write: the one chosen, or the one that the file's ending stands for.

    Raises
    ------
    LexiscopeError
        If it is none that can be written.
    """
    formats = {ending: name for name, ending in EXPORT_EXTENSIONS.items()}
    if chosen is None:
        ending = path.suffix.removeprefix(".").lower()
        if ending not in formats:
            raise LexiscopeError(
                f"no format is known by the ending {path.suffix!r}",
                where=path,
                remedy=f"use one of {', '.join('.' + known for known in formats)}, or give --format",
            )
        return formats[ending]
    for name in EXPORT_EXTENSIONS:
        if name == chosen:
            return name
    raise LexiscopeError(
        f"cannot write the format {chosen!r}", remedy=f"known are {', '.join(EXPORT_EXTENSIONS)}"
    )
