"""Data sets and spaces small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from lexiscope.data.receipt import Receipt, ReceiptFile
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.files import sha256_file

MakeReceipt = Callable[..., Receipt]


@pytest.fixture
def make_receipt(tmp_path: Path) -> MakeReceipt:
    """Build a receipt of files by role: ``make_receipt("men", {"pairs": [path]})``."""

    def make(dataset: str, files: Mapping[str, Sequence[Path]], root: Path = tmp_path) -> Receipt:
        entries = [
            ReceiptFile(str(path.relative_to(root)), role, sha256_file(path), path.stat().st_size)
            for role, paths in files.items()
            for path in paths
        ]
        return Receipt(dataset, "mirror", str(root), tuple(entries))

    return make


@pytest.fixture
def random_space() -> Callable[..., EmbeddingSpace]:
    """Build a space of random vectors for some words."""

    def make(words: Sequence[str], dim: int = 20, seed: int = 0) -> EmbeddingSpace:
        vectors = np.random.default_rng(seed).standard_normal((len(words), dim))
        return EmbeddingSpace(tuple(words), vectors.astype(np.float32))

    return make
