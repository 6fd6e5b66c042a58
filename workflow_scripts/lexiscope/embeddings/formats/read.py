"""Read a file of vectors, whatever its format."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.config import FileConfig, FileFormat
from lexiscope.embeddings.formats.archives import read_lexiscope, read_npz
from lexiscope.embeddings.formats.binary import read_binary
from lexiscope.embeddings.formats.collect import Collector
from lexiscope.embeddings.formats.detect import detect_format
from lexiscope.embeddings.formats.fasttext_model import read_fasttext_model
from lexiscope.embeddings.formats.gensim_native import read_gensim
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.embeddings.formats.text import read_text
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError

_TEXT: frozenset[FileFormat] = frozenset({"word2vec", "fasttext", "glove"})
_STREAMED: frozenset[FileFormat] = _TEXT | {"word2vec_binary"}

logger = logging.getLogger("lexiscope")


@dataclass(frozen=True)
class VectorFile:
    """What was read of a file of vectors.

    Attributes
    ----------
    words, vectors
        The words kept, in the order of the file, and their float32 vectors, shape (n_words, dim).
    format
        The file's format.
    sha256, n_bytes
        Of the file as it lies on the disk.
    n_words_before_lexicon
        How many words the file has once the policies are applied.
    counts
        How often each policy was applied, and other oddities.
    details
        What only some formats have: hashes of neighbouring files, the provenance of a Lexiscope space.
    columns
        A Lexiscope space's further columns, one row a kept word.
    """

    words: tuple[str, ...]
    vectors: NDArray[np.float32]
    format: FileFormat
    sha256: str
    n_bytes: int
    n_words_before_lexicon: int
    counts: Mapping[str, int]
    details: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def read_vectors(
    path: str | Path, policies: FileConfig, *, lexicon: Collection[str] | None = None
) -> VectorFile:
    """Read a file of vectors under the given policies.

    Parameters
    ----------
    path
        The file.
    policies
        Its format, or ``auto``, and what to do about faults. Its ``path`` is not looked at.
    lexicon
        Keep only these words; None keeps all. The whole file is checked in any case.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, or has a fault that no policy covers.
    """
    source = VectorSource(path)
    file_format = _decide_format(source, policies)
    collector = Collector(source.path, policies, lexicon=lexicon, unit=_unit(file_format))
    details: dict[str, Any] = {}
    space: EmbeddingSpace | None = None
    if file_format in _TEXT:
        read_text(source, collector, header=file_format != "glove")
    elif file_format == "word2vec_binary":
        read_binary(source, collector)
    elif file_format == "fasttext_bin":
        read_fasttext_model(source, collector)
    elif file_format == "npz":
        read_npz(source, collector)
    elif file_format == "gensim":
        details["neighbouring_files_sha256"] = read_gensim(source, collector)
    else:
        space = read_lexiscope(source, collector)
        details["provenance"] = dict(space.provenance)
    words, vectors = collector.finish()
    _log_counts(source, file_format, collector)
    return VectorFile(
        words=words,
        vectors=vectors,
        format=file_format,
        sha256=source.sha256,
        n_bytes=source.size,
        n_words_before_lexicon=collector.n_words,
        counts=dict(sorted(collector.counts.items())),
        details=details,
        columns={} if space is None else space.restricted_to(words).columns,
    )


def _decide_format(source: VectorSource, policies: FileConfig) -> FileFormat:
    found = detect_format(source.head, source.path)
    wanted = found if policies.format == "auto" else policies.format
    if wanted is None:
        raise LexiscopeError(
            "not in any format known: no line is a word and its numbers",
            where=source.path,
            remedy="look at its first line; 'format' can be named in the study",
        )
    # Text and word2vec's binary are told apart by a guess, which the user may overrule.
    if wanted != found and not (wanted in _STREAMED and (found is None or found in _STREAMED)):
        raise LexiscopeError(
            f"the study says {wanted!r}, but the content is {found or 'something else'!r}",
            where=source.path,
            remedy="correct 'format', or leave it out",
        )
    if source.packed and wanted not in _STREAMED:
        raise LexiscopeError(
            f"a packed file of the format {wanted!r}", where=source.path, remedy="unpack it: gunzip"
        )
    return wanted


def _unit(file_format: FileFormat) -> Literal["line", "byte", "row"]:
    if file_format in _TEXT:
        return "line"
    return "byte" if file_format in ("word2vec_binary", "fasttext_bin") else "row"


def _log_counts(source: VectorSource, file_format: FileFormat, collector: Collector) -> None:
    logger.info("%s: %s, %d words", source.path.name, file_format, collector.n_words)
    for what, count in sorted(collector.counts.items()):
        logger.warning("%s: %s: %d", source.path.name, what.replace("_", " "), count)
