"""Trained LSTM language models as safetensors files, one a model, with the tables they were given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.train import TrainedModel
from lexiscope.language_models.model_file import vocabulary_digest

FORMAT = "lexiscope-lstm-language-model-1"
TABLE = "given_table"


def save_group(models: Sequence[TrainedModel], text: RestrictedText, folder: str | Path) -> list[Path]:
    """Write each model, as it is after its last epoch, to ``<folder>/<name>.safetensors``."""
    paths = [Path(folder) / f"{model.spec.name}.safetensors" for model in models]
    for model, path in zip(models, paths, strict=True):
        save_model(model, text, path)
    return paths


def save_model(model: TrainedModel, text: RestrictedText, path: str | Path) -> None:
    """Write a model, as it is after its last epoch, atomically; the same model gives the same bytes."""
    if model.settings is None:
        raise LexiscopeError(f"{model.spec.name!r} is no LSTM language model", where=path)
    spec = model.spec
    tensors = {name: tensor.contiguous() for name, tensor in model.weights.items()}
    if spec.table is not None and "frozen" in (spec.input, spec.output):
        tensors[TABLE] = torch.from_numpy(spec.table)
    header = {
        "format": FORMAT,
        "weights_sha256": _digest(tensors),
        "vocabulary_sha256": vocabulary_digest(text.words),
        "text_sha256": text.sha256,
        "spec": {
            "name": spec.name,
            "input": spec.input,
            "output": spec.output,
            "compression": spec.compression,
            "output_bias": spec.output_bias,
            "seed": spec.seed,
        },
        "settings": asdict(model.settings),
    }
    with atomic_path(path) as temporary:
        # One metadata key: safetensors writes several in an order that changes from run to run.
        save_file(tensors, temporary, metadata={"lexiscope": json.dumps(header, sort_keys=True)})


def load_model(
    path: str | Path, words: Sequence[str], device: torch.device | None = None
) -> tuple[LanguageModelGroup, dict[str, Any]]:
    """Read a model, as a group of one in evaluation mode, and its metadata.

    Parameters
    ----------
    path
        As written by `save_model`.
    words
        The vocabulary that it must have been trained over.
    device
        Where its weights go; by default the CPU.

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
        raise LexiscopeError("the model was trained over another vocabulary than this text's", where=path)
    table = weights.pop(TABLE, None)
    if table is None and metadata["spec"]["input"] == "fine_tuned":
        table = weights["table"]  # what it began with is gone, and is not needed
    try:
        spec = ModelSpec(**metadata["spec"], table=None if table is None else table.numpy())
        model = LanguageModelGroup([spec], Settings(**metadata["settings"]), len(words), device)
        model.load_state_dict({name: tensor[None] for name, tensor in weights.items()})
    except (TypeError, RuntimeError) as error:
        raise LexiscopeError(f"the weights do not fit the model's settings ({error})", where=path) from None
    return model.eval(), metadata


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
