"""The control: vectors of the right shape and spread, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lexiscope.embeddings.config import RandomConfig
from lexiscope.embeddings.random_vectors import draw_random_vectors
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError


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


def test_over_a_lexicon_the_draw_itself_is_written(tmp_path: Path) -> None:
    # Another order of draws, or another key in the provenance, would remake every study's control.
    space = load_space(draw(tmp_path, "r.safetensors", 3))
    expected = np.random.default_rng(3).standard_normal((1000, 50), dtype=np.float32)
    assert np.array_equal(space.vectors, expected)
    assert space.provenance == {
        "kind": "random",
        "corpus": None,
        "seed": 3,
        "config": {"kind": "random", "vector_size": 50},
        "casing": None,
        "dim": 50,
        "n_words_before_lexicon": 1000,
    }


def source_space(folder: Path) -> Path:
    vectors = np.random.default_rng(9).standard_normal((400, 30)).astype(np.float32)
    vectors *= np.linspace(0, 7, 400, dtype=np.float32)[:, None]
    columns = {"count": np.arange(400), "bias": np.zeros(400, dtype=np.float32)}
    words = tuple(f"word{i}" for i in range(400))
    save_space(EmbeddingSpace(words, vectors, {"casing": "lower"}, columns), folder / "source.safetensors")
    return folder / "source.safetensors"


def test_like_takes_words_dimension_and_norms_but_no_direction(tmp_path: Path) -> None:
    path = source_space(tmp_path)
    output = tmp_path / "like.safetensors"
    draw_random_vectors(like=path, config={"kind": "random", "like": "out"}, output=output, seed=1)
    source, made = load_space(path), load_space(output)
    assert made.words == source.words
    assert made.dim == source.dim
    norms = np.linalg.norm(source.vectors, axis=1)
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), norms, rtol=1e-6)
    assert not made.vectors[0].any()
    cosines = (made.vectors[1:] * source.vectors[1:]).sum(axis=1) / norms[1:] ** 2
    assert abs(cosines.mean()) < 0.03
    assert abs(cosines.std() - 1 / np.sqrt(30)) < 0.02
    assert set(made.columns) == {"count"}
    assert np.array_equal(made.columns["count"], source.columns["count"])
    assert made.provenance["dim"] == 30
    assert made.provenance["casing"] == "lower"
    before = output.read_bytes()
    draw_random_vectors(like=path, config={"kind": "random", "like": "out"}, output=output, seed=1)
    assert output.read_bytes() == before
    draw_random_vectors(like=path, config={"kind": "random", "like": "out"}, output=output, seed=2)
    assert output.read_bytes() != before


def test_like_and_vector_size_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="vector_size"):
        RandomConfig(kind="random", like="out", vector_size=300)


@pytest.mark.parametrize("given", [{}, {"vector_size": 7}, {"like": "out"}])
def test_settings_survive_the_way_through_json(given: dict[str, Any]) -> None:
    settings = RandomConfig.model_validate({"kind": "random", **given})
    assert RandomConfig.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("config", [{"kind": "random"}, {"kind": "random", "like": "out"}])
def test_a_space_without_its_setting_or_the_reverse_is_refused(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    like = None if "like" in config else source_space(tmp_path)
    with pytest.raises(LexiscopeError, match="together"):
        draw_random_vectors(like=like, config=config, output=tmp_path / "r.safetensors", seed=1)


def test_without_any_words_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="words"):
        draw_random_vectors(config={"kind": "random"}, output=tmp_path / "r.safetensors", seed=1)
