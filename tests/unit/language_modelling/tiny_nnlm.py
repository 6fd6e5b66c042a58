"""A text with something to learn, and settings of models that train in a second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText

N_WORDS, DIM = 23, 6

SETTINGS = Settings(
    hidden_size=8,
    num_layers=2,
    dropout=0.5,
    batch_size=4,
    unroll=7,
    epochs=2,
    learning_rate=0.5,
    optimizer="sgd",
    init_range=0.2,
    precision="float32",
)


def settings(**changes: Any) -> Settings:
    return replace(SETTINGS, **changes)


OVERFITS: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 0.1,
    "dropout": 0.0,
    "hidden_size": 16,
    "num_layers": 1,
    "epochs": 6,
}
"""Settings with which the best epoch on 121 tokens is the third or fourth."""


def sentences(seed: int, n_tokens: int) -> np.ndarray:
    """Each word mostly decides the next."""
    generator = np.random.default_rng(seed)
    ids = np.empty(n_tokens, dtype=np.int32)
    word = 2
    for place in range(n_tokens):
        word = 2 + (word * 5 + int(generator.integers(3))) % (N_WORDS - 2)
        ids[place] = EOS_ID if generator.random() < 0.12 else word
    ids[-1] = EOS_ID
    return ids


def tiny_text(n_train: int = 221, n_held_out: int = 121) -> RestrictedText:
    splits = {
        "train": sentences(1, n_train),
        "valid": sentences(2, n_held_out),
        "test": sentences(3, n_held_out + 1),
    }
    return RestrictedText(("<unk>", "</s>", *(f"w{n}" for n in range(2, N_WORDS))), splits, "tiny")


def table(seed: int, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((N_WORDS, dim)).astype(np.float32) * 0.5


KINDS: dict[str, dict[str, Any]] = {
    "nnlm_in": {"input": "frozen", "output": "trainable"},
    "nnlm_out": {"input": "trainable", "output": "frozen", "output_bias": False},
    "nnlm_tied": {"input": "frozen", "output": "tied", "output_bias": False},
    "untied": {"input": "trainable", "output": "trainable"},
    "tied": {"input": "trainable", "output": "tied", "output_bias": False},
    "none": {"input": "trainable", "output": "trainable", "compression": 5},
    "compressed": {"input": "frozen", "output": "trainable", "compression": 5},
    "fine_tuned": {"input": "fine_tuned", "output": "trainable"},
}
"""The models of both experiments."""


def spec(kind: str, seed: int = 1, **changes: Any) -> ModelSpec:
    fields = {**KINDS[kind], **changes}
    given = fields["input"] != "trainable" or fields["output"] == "frozen"
    return ModelSpec(f"{kind}_{seed}", seed=seed, table=table(seed) if given else None, **fields)
