"""A trained language model as one safetensors file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig

FORMAT = "lexiscope-language-model-1"


def vocabulary_digest(words: Sequence[str]) -> str:
    """SHA-256 (hex) of the words in their order."""
    return hashlib.sha256("\n".join(words).encode("utf-8")).hexdigest()


def save_model(weights: Mapping[str, Tensor], metadata: Mapping[str, Any], path: str | Path) -> None:
    """Write weights and metadata, atomically; the same content always gives the same bytes.

    Parameters
    ----------
    weights
        A model's ``state_dict()``.
    metadata
        JSON values; `load_model` needs ``config`` and ``vocabulary_sha256``.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    header = {**metadata, "format": FORMAT, "weights_sha256": _digest(tensors)}
    with atomic_path(path) as temporary:
        # One metadata key: safetensors writes several in an order that changes from run to run.
        save_file(tensors, temporary, metadata={"lexiscope": json.dumps(header, sort_keys=True)})


def load_model(path: str | Path, words: Sequence[str]) -> tuple[CharCNNLSTM, dict[str, Any]]:
    """Read a model and its metadata, and check that it was trained over the vocabulary ``words``.

    The model is on the CPU and in evaluation mode.

    Raises
    ------
    LexiscopeError
        If the file is missing, is no such model, is damaged, or has another vocabulary.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["lexiscope"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise LexiscopeError("no such file", where=path) from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise LexiscopeError(f"not a language model of Lexiscope ({error})", where=path) from None
    if metadata.get("format") != FORMAT:
        raise LexiscopeError(f"not a language model in the format {FORMAT}", where=path)
    if metadata["weights_sha256"] != _digest(weights):
        raise LexiscopeError(
            "the weights do not match their own digest",
            where=path,
            remedy="delete the file and run the workflow again",
        )
    if metadata["vocabulary_sha256"] != vocabulary_digest(words):
        raise LexiscopeError("the model was trained over another vocabulary than this corpus's", where=path)
    try:
        model = CharCNNLSTM(CharCNNLSTMConfig.model_validate(metadata["config"]), words)
        model.load_state_dict(weights)
    except (ValidationError, RuntimeError) as error:
        raise LexiscopeError(f"the weights do not fit the model's settings ({error})", where=path) from None
    return model.eval(), metadata


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
