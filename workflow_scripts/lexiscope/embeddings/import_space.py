"""Make an embedding space of a file of vectors that the user brings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.config import FileConfig
from lexiscope.embeddings.formats.read import VectorFile, read_vectors
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def import_space(*, path: Path, lexicon: Path | None, config: Mapping[str, Any], output: Path) -> None:
    """Read a file of vectors, align it to the lexicon and save it as a space.

    Parameters
    ----------
    path
        The file of vectors.
    lexicon
        The lexicon that the study's spaces share, if it has one.
    config
        A dumped `FileConfig`. With ``align: false`` the lexicon is left aside.
    output
        Where the space goes.

    Raises
    ------
    LexiscopeError
        If the file has a fault that no policy covers, or none of the lexicon's words.
    """
    settings = FileConfig.model_validate(config)
    words = read_lexicon(lexicon).words if lexicon is not None and settings.align else None
    save_space(space_of_file(path, settings, words), output)


def space_of_file(
    path: str | Path, settings: FileConfig, words: tuple[str, ...] | None = None
) -> EmbeddingSpace:
    """A file of vectors as a space, over those of ``words`` that it has if they are given.

    Raises
    ------
    LexiscopeError
        As `import_space`.
    """
    file = read_vectors(Path(path), settings, lexicon=words)
    space = EmbeddingSpace(
        words=file.words,
        vectors=file.vectors,
        provenance=_provenance(file, Path(path).name, settings, words),
        columns=file.columns,
    )
    if words is not None:
        space = space.restricted_to(words)
        logger.info("%d of the lexicon's %d words have a vector", len(space), len(words))
    return space


def _provenance(
    file: VectorFile, name: str, settings: FileConfig, lexicon: tuple[str, ...] | None
) -> dict[str, Any]:
    # The file's name and hash, not its path: the same file gives the same space on every machine.
    return {
        "kind": "file",
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": settings.model_dump(mode="json", exclude={"path"}),
        "dim": file.vectors.shape[1],
        "n_words_before_lexicon": file.n_words_before_lexicon,
        "n_lexicon_words": None if lexicon is None else len(lexicon),
        "file": name,
        "format": file.format,
        "sha256": file.sha256,
        "bytes": file.n_bytes,
        "counts": dict(file.counts),
        **file.details,
    }
