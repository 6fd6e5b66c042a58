"""What the trainers of distributional models share: the text they read and the space they leave behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.config import DistributionalConfig
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.progress import logger


@contextlib.contextmanager
def training_text(corpus: EncodedCorpus, output: Path) -> Iterator[Path]:
    """The corpus's training split as a text file beside ``output``, removed afterwards whatever happens.

    One sentence a line, words outside the vocabulary left out.

    Raises
    ------
    LexiscopeError
        If the split has no word of the vocabulary.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".{output.name}.training.txt")
    try:
        corpus.write_text("train", path)
        if path.stat().st_size == 0:
            raise LexiscopeError("the corpus has no training text", where=corpus.path)
        yield path
    finally:
        path.unlink(missing_ok=True)


def save_trained_space(
    words: Sequence[str],
    vectors: NDArray[np.float32],
    *,
    corpus: EncodedCorpus,
    lexicon: Path,
    settings: DistributionalConfig,
    seed: int,
    output: Path,
    facts: Mapping[str, Any],
) -> None:
    """Write the words of the lexicon that the model has, with where they come from.

    Parameters
    ----------
    words, vectors
        All words of the model; float32, shape (n_words, dim).
    facts
        What to tell about this training beside the keys that all kinds have.
    """
    provenance = {
        "kind": settings.kind,
        "corpus": corpus.sha256,
        "seed": seed,
        "config": settings.settings(),
        "casing": corpus.manifest["casing"],
        "dim": int(vectors.shape[1]),
        "n_words_before_lexicon": len(words),
        **facts,
    }
    wanted = read_lexicon(lexicon).words
    space = EmbeddingSpace(tuple(words), vectors, provenance).restricted_to(wanted)
    if not len(space):
        raise LexiscopeError("none of the lexicon's words is in the corpus", where=lexicon)
    save_space(space, output)
    logger.info(
        "%s: %d of the lexicon's %d words, %d dimensions", settings.kind, len(space), len(wanted), space.dim
    )
