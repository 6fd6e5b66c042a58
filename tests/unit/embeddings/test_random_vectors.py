"""The control: vectors of the right shape and spread, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lexiscope.embeddings.random_vectors import draw_random_vectors
from lexiscope.embeddings.space import load_space


def draw(folder: Path, name: str, seed: int) -> Path:
    lexicon = folder / "lexicon.tsv"
    lexicon.write_text("".join(f"word{i}\t{2000 - i}\n" for i in range(1000)))
    config = {"kind": "random", "vector_size": 50}
    draw_random_vectors(lexicon=lexicon, config=config, output=folder / name, seed=seed)
    return folder / name


def test_vectors_are_standard_normal_and_independent(tmp_path: Path) -> None:
    space = load_space(draw(tmp_path, "r.safetensors", 1))
    assert space.words == tuple(f"word{i}" for i in range(1000))
    assert space.vectors.shape == (1000, 50)
    assert abs(space.vectors.mean()) < 0.02
    assert abs(space.vectors.std() - 1) < 0.02
    correlations = np.corrcoef(space.vectors)[np.triu_indices(1000, 1)]
    assert abs(correlations.mean()) < 0.001
    assert space.provenance["kind"] == "random"
    assert space.provenance["seed"] == 1


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again, other = (draw(tmp_path, f"{i}.safetensors", seed) for i, seed in enumerate((1, 1, 2)))
    assert first.read_bytes() == again.read_bytes()
    assert not np.array_equal(load_space(first).vectors, load_space(other).vectors)
