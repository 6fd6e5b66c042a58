"""An embedding space: words, one vector each, and where they came from.

This is one of the two files that cross every border between stages (the other is the score).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path

FORMAT = "lexiscope-space-1"


@dataclass(frozen=True)
class EmbeddingSpace:
    """Word vectors and their provenance.

    Attributes
    ----------
    words
        The words, unique, in the order of the rows.
    vectors
        float32, shape (n_words, dim), finite.
    provenance
        How the space was made: kind, corpus, model, seed, casing and the like (JSON values).
    columns
        Further arrays with one row a word, such as the softmax ``bias`` or a convergence certificate.
    """

    words: tuple[str, ...]
    vectors: NDArray[np.float32]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors):
            raise LexiscopeError(
                f"{len(self.words)} words and a matrix of shape {self.vectors.shape} do not fit"
            )
        if len(self.index) != len(self.words):
            raise LexiscopeError("a word occurs twice in an embedding space")
        if not np.isfinite(self.vectors).all():
            row = int(np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))[0])
            raise LexiscopeError(f"the vector of {self.words[row]!r} has NaN or infinite values")
        for name, column in self.columns.items():
            if len(column) != len(self.words):
                raise LexiscopeError(f"column {name!r} has {len(column)} rows, not {len(self)}")

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.vectors[self.index[word]]
        return vector

    def restricted_to(self, words: Sequence[str]) -> EmbeddingSpace:
        """The same space over those of ``words`` that it has, in their order."""
        kept = [word for word in words if word in self.index]
        rows = np.fromiter((self.index[word] for word in kept), dtype=np.int64, count=len(kept))
        return EmbeddingSpace(
            words=tuple(kept),
            vectors=np.ascontiguousarray(self.vectors[rows]),
            provenance=self.provenance,
            columns={name: column[rows] for name, column in self.columns.items()},
        )


def save_space(space: EmbeddingSpace, path: str | Path) -> None:
    """Write a space to one safetensors file, atomically; the same space always gives the same bytes."""
    words = "\n".join(space.words).encode("utf-8")
    if any("\n" in word or not word for word in space.words):
        raise LexiscopeError("a word is empty or holds a line break", where=path)
    tensors: dict[str, NDArray[Any]] = {
        "vectors": np.ascontiguousarray(space.vectors, dtype=np.float32),
        "words": np.frombuffer(words, dtype=np.uint8),
    }
    for name, column in space.columns.items():
        tensors[f"column.{name}"] = np.ascontiguousarray(column)
    # One metadata key: safetensors writes several in an order that changes from run to run.
    header = {
        "format": FORMAT,
        "sha256": _content_digest(tensors),
        "provenance": dict(space.provenance),
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"lexiscope": json.dumps(header, sort_keys=True)})


def load_space(path: str | Path) -> EmbeddingSpace:
    """Read a space written by `save_space`, checking the digest of its content.

    Raises
    ------
    LexiscopeError
        If the file is missing, is not such a file, or its bytes have changed since it was written.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["lexiscope"])
            provenance, digest = header["provenance"], header["sha256"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise LexiscopeError("no such file", where=path) from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not an embedding space of Lexiscope ({error})", where=path) from None
    if header.get("format") != FORMAT or _content_digest(tensors) != digest:
        raise LexiscopeError(
            "the content does not match its own digest",
            where=path,
            remedy="delete the file and run the workflow again",
        )
    return EmbeddingSpace(
        words=tuple(tensors["words"].tobytes().decode("utf-8").split("\n"))
        if tensors["words"].size
        else (),
        vectors=tensors["vectors"],
        provenance=provenance,
        columns={
            name.removeprefix("column."): tensor
            for name, tensor in tensors.items()
            if name.startswith("column.")
        },
    )


def _content_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
