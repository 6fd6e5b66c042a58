"""A small corpus and a small model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_model import TINY

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import build_lexicon
from lexiscope.language_models.config import CharCNNLSTMConfig


@pytest.fixture(scope="session")
def tiny_config() -> CharCNNLSTMConfig:
    return CharCNNLSTMConfig.model_validate(TINY)


@pytest.fixture(scope="session")
def corpus_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 2,000 tokens: after a word of either kind always comes one of the same kind."""
    folder = tmp_path_factory.mktemp("language-model")
    generator = np.random.default_rng(3)
    lines = []
    for number in range(300):
        kind = ("red", "blue")[number % 2]
        lines.append(" ".join(f"{kind}{i}" for i in generator.integers(12, size=generator.integers(3, 9))))
    text = folder / "text.txt"
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.1}
    encode_corpus(receipts=[], config=config, output=folder / "corpus", seed=1, threads=1)
    return folder / "corpus"


@pytest.fixture(scope="session")
def corpus(corpus_path: Path) -> EncodedCorpus:
    return EncodedCorpus.open(corpus_path)


@pytest.fixture(scope="session")
def lexicon_path(corpus_path: Path) -> Path:
    path = corpus_path.parent / "lexicon.tsv"
    build_lexicon(corpus=corpus_path, size=20, output=path)
    return path
