"""Small corpora for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.data.receipt import Receipt, ReceiptFile, write_receipt


@pytest.fixture
def encode_text(tmp_path: Path) -> Callable[..., EncodedCorpus]:
    """Encode one text file: ``encode_text(content, tokenised=True, threads=1, seed=1, **config)``."""

    def encode(
        content: str | bytes, *, tokenised: bool = True, threads: int = 1, seed: int = 1, **config: Any
    ) -> EncodedCorpus:
        path = tmp_path / "text.txt"
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        source = {"text": str(path), "tokenised": tokenised, "max_tokens": config.pop("max_tokens", None)}
        settings = {"sources": [source], "held_out": 0, **config}
        output = tmp_path / "encoded"
        encode_corpus(receipts=[], config=settings, output=output, seed=seed, threads=threads)
        return EncodedCorpus.open(output, verify=True)

    return encode


@pytest.fixture
def make_receipt(tmp_path: Path) -> Callable[..., Path]:
    """Write files and their receipt: ``make_receipt("ptb", {"ptb/a.txt": ("train", content)})``."""

    def make(dataset: str, files: dict[str, tuple[str, bytes]]) -> Path:
        entries = []
        for name, (role, content) in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            entries.append(ReceiptFile(name.removesuffix(".gz"), role, "0" * 64, len(content)))
        receipt = tmp_path / f"{dataset}.json"
        write_receipt(Receipt(dataset, "mirror", str(tmp_path / "data"), tuple(entries)), receipt)
        return receipt

    return make
