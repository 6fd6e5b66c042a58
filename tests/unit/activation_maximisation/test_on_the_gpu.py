"""Activation maximisation on a CUDA device gives what it gives on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lexiscope.activation_maximisation.l2_path import follow_l2_path
from lexiscope.activation_maximisation.maximise import maximise_activation
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def write_output_space(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    words = tuple(f"w{number}" for number in range(500))
    weight = rng.normal(size=(500, 32)).astype(np.float32)
    path = folder / "output.safetensors"
    save_space(EmbeddingSpace(words, weight, {}, {"bias": np.zeros(500, dtype=np.float32)}), path)
    return path


def agree(first: EmbeddingSpace, second: EmbeddingSpace, l2: float) -> None:
    """Two exact solutions are as near each other as their certificates say: ‖x − x*‖² ≤ certificate / λ."""
    for space in (first, second):
        assert (space.columns["certificate"] <= 0.0101 * space.columns["objective"]).all()
    bound = sum(np.sqrt(space.columns["certificate"] / l2) for space in (first, second))
    away = np.linalg.norm(first.vectors - second.vectors, axis=1)
    assert (away <= 1.01 * bound + 1e-3 * np.linalg.norm(first.vectors, axis=1)).all()


@pytest.mark.parametrize("objective", ["paper", "as_coded"])
def test_activation_maximisation(tmp_path: Path, objective: str) -> None:
    source = write_output_space(tmp_path)
    config = {
        "kind": "activation_maximisation",
        "of": "output",
        "objective": objective,
        "epochs": 20,
        "batch_size": 100,
    }
    vectors = {}
    for device in ("cpu", "cuda"):
        path = tmp_path / f"{device}.safetensors"
        maximise_activation(
            output_space=source,
            config=config,
            output=path,
            checkpoint=tmp_path / f"{device}.checkpoint",
            seed=1,
            threads=1,
            device=device,
        )
        vectors[device] = load_space(path).vectors
    np.testing.assert_allclose(vectors["cuda"], vectors["cpu"], atol=1e-4)


@pytest.mark.parametrize("l2", [1e-5, 0.02])
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_exact(tmp_path: Path, precision: str, l2: float) -> None:
    source = write_output_space(tmp_path)
    config = {
        "kind": "activation_maximisation",
        "of": "output",
        "objective": "exact",
        "precision": precision,
        "l2": l2,
        "batch_size": 200,
    }
    spaces = {}
    for device in ("cpu", "cuda"):
        path = tmp_path / f"{device}.safetensors"
        maximise_activation(
            output_space=source,
            config=config,
            output=path,
            checkpoint=tmp_path / f"{device}.checkpoint",
            seed=1,
            threads=1,
            device=device,
        )
        spaces[device] = load_space(path)
    agree(spaces["cuda"], spaces["cpu"], l2)
    assert spaces["cuda"].provenance["device"] == "cuda"
    assert spaces["cuda"].provenance["float64_check"]["objective_off"] < 1e-4


def test_the_l2_path(tmp_path: Path) -> None:
    source = write_output_space(tmp_path)
    grid = [1e-4, 1e-2, 1.0]
    for device in ("cpu", "cuda"):
        follow_l2_path(
            output_space=source,
            config={"of": "output", "l2": grid, "batch_size": 200},
            output=tmp_path / device,
            checkpoint=tmp_path / f"{device}.checkpoint",
            seed=1,
            threads=1,
            device=device,
        )
    for number, l2 in enumerate(grid):
        spaces = [load_space(tmp_path / device / f"0{number}.safetensors") for device in ("cuda", "cpu")]
        agree(*spaces, l2)
