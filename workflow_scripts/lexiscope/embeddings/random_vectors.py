"""Random vectors: a control that knows nothing, which every other space has to beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.config import RandomConfig
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.stage import stage_entry


@stage_entry
def draw_random_vectors(
    *,
    lexicon: Path | None = None,
    like: Path | None = None,
    config: dict[str, Any],
    output: Path,
    seed: int,
) -> None:
    """Write a space of independent standard normal vectors, if asked for with the norms of another space.

    Parameters
    ----------
    lexicon
        A lexicon (TSV), whose words get vectors unless ``like`` is given.
    like
        A space; its words get vectors of its dimension, each as long as the word's vector there. Its column
        ``count`` is kept.
    config
        A `RandomConfig` as JSON values.
    output
        The space to write.
    seed
        Same seed, same bytes.
    """
    settings = RandomConfig.model_validate(config)
    if (like is None) != (settings.like is None):
        raise LexiscopeError("the setting 'like' and the file of that space come together or not at all")
    generator = np.random.default_rng(seed)
    if like is not None:
        save_space(_with_norms_of(load_space(like), like, settings, generator, seed), output)
        return
    if lexicon is None:
        raise LexiscopeError("random vectors need the words of a lexicon or of another space")
    words = read_lexicon(lexicon).words
    shape = (len(words), settings.vector_size)
    space = EmbeddingSpace(
        words=words,
        vectors=generator.standard_normal(shape, dtype=np.float32),
        provenance={
            "kind": settings.kind,
            "corpus": None,
            "seed": seed,
            "config": settings.settings(),
            "casing": None,
            "dim": settings.vector_size,
            "n_words_before_lexicon": len(words),
        },
    )
    save_space(space, output)


def _with_norms_of(
    source: EmbeddingSpace, path: Path, settings: RandomConfig, generator: np.random.Generator, seed: int
) -> EmbeddingSpace:
    return EmbeddingSpace(
        words=source.words,
        vectors=random_directions(source.vectors, generator),
        provenance={
            "kind": settings.kind,
            "corpus": None,
            "seed": seed,
            "config": settings.settings(),
            "casing": source.provenance.get("casing"),
            "dim": source.dim,
            "n_words_before_lexicon": len(source),
            "like_sha256": sha256_file(path),
        },
        columns={name: source.columns[name] for name in ("count",) if name in source.columns},
    )


def random_directions(vectors: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Vectors (n, d) in random directions, each as long as the one in its place."""
    drawn = generator.standard_normal(vectors.shape, dtype=np.float32)
    drawn *= (_norms(vectors) / _norms(drawn)).astype(np.float32)[:, None]
    return drawn


def _norms(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean norm of each row, without a copy of the matrix in float64."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.asarray(np.sqrt(squares), dtype=np.float64)
