"""The language model on a CUDA device learns what it learns on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.train import train_language_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_perplexities_are_close(corpus_path: Path, tiny_config: CharCNNLSTMConfig, tmp_path: Path) -> None:
    perplexities = {}
    for device in ("cpu", "cuda"):
        history = tmp_path / f"{device}.json"
        train_language_model(
            corpus=corpus_path,
            config=tiny_config.model_dump(mode="json") | {"precision": "float32", "dropout": 0.0},
            output=tmp_path / f"{device}.safetensors",
            history=history,
            checkpoint=tmp_path / f"{device}.checkpoint",
            seed=1,
            threads=1,
            device=device,
        )
        perplexities[device] = json.loads(history.read_text())[-1]["valid_perplexity"]
    assert perplexities["cuda"] == pytest.approx(perplexities["cpu"], rel=0.1)
