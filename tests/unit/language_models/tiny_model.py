"""Settings of a model that trains in a second."""

from __future__ import annotations

from typing import Any

TINY: dict[str, Any] = {
    "kind": "char_cnn_lstm",
    "corpus": "text",
    "max_word_length": 16,
    "char_dim": 4,
    "filters": [[1, 4], [2, 8], [3, 8]],
    "embedding_dim": 8,
    "hidden_size": 16,
    "n_samples": 8,
    "batch_size": 4,
    "unroll": 8,
    "epochs": 2,
    "learning_rate": 0.01,
    "warmup_steps": 5,
    "precision": "float32",
}
