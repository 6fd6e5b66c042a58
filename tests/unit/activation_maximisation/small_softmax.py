"""A small output space, and the layer that it is a part of, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lexiscope.embeddings.space import EmbeddingSpace, save_space

N_VOCABULARY, DIM = 300, 6


def whole_layer(seed: int = 0) -> EmbeddingSpace:
    """A layer of the whole vocabulary, commonest words first."""
    rng = np.random.default_rng(seed)
    bias = rng.normal(size=N_VOCABULARY) - np.log(np.arange(1.0, N_VOCABULARY + 1))
    return EmbeddingSpace(
        tuple(f"token{number}" for number in range(N_VOCABULARY)),
        rng.normal(size=(N_VOCABULARY, DIM)).astype(np.float32),
        {"kind": "layer"},
        {"bias": bias.astype(np.float32)},
    )


def some_words(whole: EmbeddingSpace, rows: list[int]) -> EmbeddingSpace:
    """Words of a lexicon under names of their own; a row of −1 is a mean of two."""
    vectors = np.stack([whole.vectors[row] if row >= 0 else whole.vectors[:2].mean(axis=0) for row in rows])
    bias = np.array([whole.columns["bias"][row] if row >= 0 else -3 for row in rows], dtype=np.float32)
    return EmbeddingSpace(
        tuple(f"word{number}" for number in range(len(rows))),
        vectors,
        {"kind": "lm_output", "language_model": "mine"},
        {"bias": bias, "row": np.array(rows, dtype=np.int64), "count": np.arange(len(rows))},
    )


def write(space: EmbeddingSpace, path: Path) -> Path:
    """Save it and say where."""
    save_space(space, path)
    return path
