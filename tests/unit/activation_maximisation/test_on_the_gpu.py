"""Activation maximisation on a CUDA device gives what it gives on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lexiscope.activation_maximisation.maximise import maximise_activation
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("objective", ["paper", "as_coded"])
def test_activation_maximisation(tmp_path: Path, objective: str) -> None:
    rng = np.random.default_rng(0)
    words = tuple(f"w{number}" for number in range(500))
    weight = rng.normal(size=(500, 32)).astype(np.float32)
    source = tmp_path / "output.safetensors"
    save_space(EmbeddingSpace(words, weight, {}, {"bias": np.zeros(500, dtype=np.float32)}), source)
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
