"""A corpus of some hundred tokens, two spaces that know its words, labelled text, the least settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexiscope.corpora.encode import encode_corpus
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.files import write_json
from lexiscope.language_modelling.train import Trainer
from lexiscope.language_modelling.vocabulary import choose_vocabulary

KINDS, EACH = ("red", "blue"), 12
PROTOCOL: dict[str, Any] = {"n_bootstrap": 50}
SIZES: dict[str, Any] = {
    "corpus": "tiny",
    "hidden_size": 8,
    "num_layers": 1,
    "dropout": 0.2,
    "batch_size": 4,
    "unroll": 7,
    "epochs": 2,
    "seeds": [1, 2],
    "precision": "float32",
}


def identity_of(space: str) -> dict[str, Any]:
    """Fields of `Identity`, without the seed."""
    return {
        "study": "tiny",
        "space": space,
        "model": "made_up",
        "config_sha256": "c" * 64,
        "code_version": "0",
    }


@dataclass(frozen=True)
class Tiny:
    """The files of an experiment."""

    folder: Path
    corpus: Path
    spaces: dict[str, Path]
    vocabulary: Path

    @property
    def text(self) -> dict[str, Path]:
        """What every stage is given."""
        return {"corpus": self.corpus, "vocabulary": self.vocabulary}


def make_tiny(folder: Path) -> Tiny:
    """After a word of either colour mostly comes one of the same; no space has all words."""
    generator = np.random.default_rng(3)
    lines = []
    for number in range(90):
        kind = KINDS[number % 2]
        lines.append(
            " ".join(f"{kind}{i}" for i in generator.integers(EACH, size=generator.integers(3, 9)))
        )
    source = folder / "text.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"sources": [{"text": str(source), "tokenised": True}], "held_out": 0.1}
    encode_corpus(receipts=[], config=config, output=folder / "corpus", seed=1, threads=1)
    words = [f"{kind}{i}" for kind in KINDS for i in range(EACH)]
    spaces = {}
    for name, lacks in (("first", "red0"), ("second", "blue1")):
        own = tuple(word for word in words if word != lacks)
        vectors = generator.normal(size=(len(own), 5)).astype(np.float32)
        spaces[name] = folder / f"{name}.safetensors"
        save_space(EmbeddingSpace(own, vectors), spaces[name])
    vocabulary = folder / "vocabulary.txt"
    choose_vocabulary(corpus=folder / "corpus", spaces=list(spaces.values()), size=None, output=vocabulary)
    return Tiny(folder, folder / "corpus", spaces, vocabulary)


def write_labelled(folder: Path, seed: int = 5) -> Path:
    """Paragraphs of two sentences, those of the domain 3 first, then those of the domain 7.

    Each domain has six words of its own, and eight words are of both.
    """
    generator = np.random.default_rng(seed)
    for part, n_paragraphs in (("train", 30), ("valid", 6), ("test", 8)):
        lines: dict[str, list[str]] = {"paragraphs": [], "sentences": []}
        for number in range(n_paragraphs):
            domain = 3 if number < n_paragraphs / 2 else 7
            names = [*(f"own{chr(97 + domain)}{chr(97 + i)}" for i in range(6)), *"stuvwxyz"]
            sentences = [
                " ".join(generator.choice(names, generator.integers(2, 7)).tolist()) for _ in range(2)
            ]
            lines["sentences"] += [f"{domain}\t{sentence}\n" for sentence in sentences]
            lines["paragraphs"].append(f"{domain}\t{' '.join(sentences)}\n")
        (folder / part).mkdir(parents=True)
        for level, own in lines.items():
            (folder / part / f"{level}.txt").write_text("".join(own), encoding="utf-8")
    write_json(folder / "domains.json", {"config": {"casing": "as_is"}})
    return folder


class Killed(Exception):  # noqa: N818
    """Stands in for a kill: nothing in the library catches it."""


def kill_after(monkeypatch: pytest.MonkeyPatch, trainer: type[Trainer], n_steps: int) -> None:
    """Let training end, as by a kill, before its step number ``n_steps`` from 0."""
    step, done = trainer.train_step, iter(range(n_steps))

    def one_step(self: Trainer) -> int:
        if next(done, None) is None:
            raise Killed
        return step(self)

    monkeypatch.setattr(trainer, "train_step", one_step)
