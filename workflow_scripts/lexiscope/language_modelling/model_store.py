"""Trained language models on disk, so that other stages can ask them for probabilities.

A folder with one safetensors file a model, with what was trained; one file for each distinct table of
given vectors, which the seeds of a space share; and ``models.json``, written last, which lists the models
in their order. Tables are named by their digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from torch import Tensor

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path, read_json, write_json
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_models.model_file import vocabulary_digest

FORMAT = "lexiscope-language-models-1"
LIST = "models.json"


@dataclass(frozen=True)
class Name:
    """What a stored model is called in the scores."""

    dataset: str
    space: str
    seed: int


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model that was read.

    Attributes
    ----------
    name
        Its place in the scores.
    group
        The model, alone, in float32 on the CPU and in evaluation mode.
    vocabulary_sha256
        Digest of its vocabulary, as `vocabulary_digest` makes it.
    """

    name: Name
    group: LanguageModelGroup
    vocabulary_sha256: str


class ModelStore:
    """Writes models to a folder; what is not `finish`-ed cannot be read.

    Parameters
    ----------
    folder
        Made when a model is added; a list of an earlier run is removed at once.
    words
        The vocabulary of all models.
    settings
        Of all models.
    """

    def __init__(self, folder: Path, words: tuple[str, ...], settings: Settings) -> None:
        self.folder = Path(folder)
        self.entries: list[dict[str, Any]] = []
        self.digest, self.n_words, self.settings = vocabulary_digest(words), len(words), settings
        (self.folder / LIST).unlink(missing_ok=True)

    def add(self, name: Name, spec: ModelSpec, weights: Mapping[str, Tensor]) -> None:
        """Write one model; ``weights`` as `LanguageModelGroup.weights_of` gives them."""
        file = f"{len(self.entries):03d}.safetensors"
        _write(self.folder / file, {key: tensor.numpy() for key, tensor in weights.items()})
        # A table that is trained on is among the weights.
        keeps = spec.table is not None and (spec.input == "frozen" or spec.output == "frozen")
        described = {
            "input": spec.input,
            "output": spec.output,
            "compression": spec.compression,
            "output_bias": spec.output_bias,
        }
        self.entries.append(
            {
                **asdict(name),
                "file": file,
                "spec": described,
                "table": self._add_table(spec.table) if keeps and spec.table is not None else None,
                "table_dim": None if spec.table is None else spec.table.shape[1],
            }
        )

    def _add_table(self, table: NDArray[np.float32]) -> str:
        content = np.ascontiguousarray(table, dtype="<f4")
        digest = hashlib.sha256(f"{content.shape}\n".encode() + content.tobytes()).hexdigest()
        file = f"table-{digest[:16]}.safetensors"
        if not any(entry["table"] == file for entry in self.entries):
            _write(self.folder / file, {"vectors": content})
        return file

    def finish(self) -> None:
        """Write the list."""
        content = {
            "format": FORMAT,
            "vocabulary_sha256": self.digest,
            "n_words": self.n_words,
            "settings": asdict(self.settings),
            "models": self.entries,
        }
        write_json(self.folder / LIST, content)


def read_models(folder: str | Path) -> Iterator[StoredModel]:
    """Read the models of a folder one by one, in their order.

    Raises
    ------
    LexiscopeError
        If the folder is unfinished, or a file is missing or damaged.
    """
    folder = Path(folder)
    if not (folder / LIST).is_file():
        raise LexiscopeError(
            f"not a finished folder of language models (it has no {LIST})",
            where=folder,
            remedy="run the workflow again; it trains them anew",
        )
    listed = read_json(folder / LIST)
    if listed.get("format") != FORMAT:
        raise LexiscopeError(f"not a list of format {FORMAT}", where=folder / LIST)
    settings = Settings(**listed["settings"])
    for entry in listed["models"]:
        group = _group(folder, entry, settings, listed["n_words"])
        name = Name(entry["dataset"], entry["space"], entry["seed"])
        yield StoredModel(name, group, listed["vocabulary_sha256"])


def _group(folder: Path, entry: Mapping[str, Any], settings: Settings, n_words: int) -> LanguageModelGroup:
    table: NDArray[np.float32] | None = None
    if entry["table"] is not None:
        table = _read(folder / entry["table"])["vectors"]
    elif entry["table_dim"] is not None:
        table = np.zeros((n_words, entry["table_dim"]), dtype=np.float32)  # the weights have its values
    spec = ModelSpec(name=entry["file"], table=table, seed=entry["seed"], **entry["spec"])
    group = LanguageModelGroup([spec], settings, n_words)
    weights = _read(folder / entry["file"])
    try:
        group.load_state_dict({name: torch.from_numpy(array)[None] for name, array in weights.items()})
    except RuntimeError as error:
        raise LexiscopeError(
            f"not the weights of this model ({error})", where=folder / entry["file"]
        ) from None
    return group.eval()


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    # The digest guards against a file that was changed or exchanged.
    header = {"format": FORMAT, "sha256": _digest(arrays)}
    with atomic_path(path) as temporary:
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_file(contiguous, temporary, metadata={"lexiscope": json.dumps(header, sort_keys=True)})


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get("lexiscope", "{}"))
        arrays = load_file(path)
    except FileNotFoundError:
        raise LexiscopeError("no such file", where=path) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise LexiscopeError(f"not a readable safetensors file ({error})", where=path) from None
    if header.get("format") != FORMAT or header.get("sha256") != _digest(arrays):
        raise LexiscopeError(
            "the content does not match its own digest",
            where=path,
            remedy="delete the folder and run the workflow again",
        )
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()
