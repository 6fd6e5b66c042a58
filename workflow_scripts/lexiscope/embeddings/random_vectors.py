"""Random vectors: a control that knows nothing, which every other space has to beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.config import RandomConfig
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.stage import stage_entry


@stage_entry
def draw_random_vectors(*, lexicon: Path, config: dict[str, Any], output: Path, seed: int) -> None:
    """Write a space of independent standard normal vectors for the words of the lexicon.

    Parameters
    ----------
    lexicon
        A lexicon (TSV).
    config
        A `RandomConfig` as JSON values.
    output
        The space to write.
    seed
        Same seed, same bytes.
    """
    settings = RandomConfig.model_validate(config)
    words = read_lexicon(lexicon).words
    shape = (len(words), settings.vector_size)
    space = EmbeddingSpace(
        words=words,
        vectors=np.random.default_rng(seed).standard_normal(shape, dtype=np.float32),
        provenance={
            "kind": settings.kind,
            "corpus": None,
            "seed": seed,
            "config": settings.model_dump(mode="json"),
            "casing": None,
            "dim": settings.vector_size,
            "n_words_before_lexicon": len(words),
        },
    )
    save_space(space, output)
