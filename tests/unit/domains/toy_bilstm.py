"""Texts that a bidirectional LSTM learns in a second, and the LSTM's definition as a plain loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexiscope.domains.bilstm import BiLSTM
from lexiscope.domains.bilstm_training import Trainer
from lexiscope.domains.config import BiLMConfig, DomainClassifierConfig
from lexiscope.domains.labelled_text import labelled_file

SMALL: dict[str, Any] = {
    "hidden_size": 6,
    "embedding_dim": 5,
    "batch_size": 8,
    "epochs": 3,
    "learning_rate": 0.02,
    "dropout": 0.1,
}
CLASSIFIER = {**SMALL, "kind": "domain_classifier", "domains": "topics"}
BILM = {**SMALL, "kind": "bilm", "corpus": "text"}

DOMAINS = (3, 7, 8)
"""Numbers of domains, with gaps as when small clusters are dropped."""


def classifier_config(**change: Any) -> DomainClassifierConfig:
    return DomainClassifierConfig.model_validate({**CLASSIFIER, **change})


def bilm_config(**change: Any) -> BiLMConfig:
    return BiLMConfig.model_validate({**BILM, **change})


def write_labelled(folder: Path, texts: dict[str, list[tuple[int, str]]]) -> Path:
    """Write texts by part, as paragraphs and as sentences alike."""
    for part, lines in texts.items():
        for level in ("paragraphs", "sentences"):
            path = labelled_file(folder, level, part)  # type: ignore[arg-type]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{domain}\t{text}\n" for domain, text in lines), encoding="utf-8")
    (folder / "domains.json").write_text('{"config": {"casing": "lower"}}', encoding="utf-8")
    return folder


def topics(n: int, seed: int) -> list[tuple[int, str]]:
    """Paragraphs of about half words of their domain, half words of all domains."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(n):
        domain = DOMAINS[number % 3 if number % 4 else 0]  # the first domain is the most frequent one
        words = [
            f"d{domain}w{generator.integers(6)}"
            if generator.random() < 0.5
            else f"all{generator.integers(8)}"
            for _ in range(int(generator.integers(4, 12)))
        ]
        made.append((domain, " ".join([f"d{domain}w0", *words])))
    return made


def plain_states(lstm: nn.LSTM, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell states of one sequence (t, e), by the textbook's equations."""
    w_ih, w_hh, b_ih, b_hh = lstm.parameters()
    size = w_hh.shape[1]
    hidden, cell = torch.zeros(size), torch.zeros(size)
    all_hidden, all_cells = [], []
    for one in inputs:
        gates = w_ih @ one + b_ih + w_hh @ hidden + b_hh
        i, f, g, o = (gates[k * size : (k + 1) * size] for k in range(4))
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        all_hidden.append(hidden)
        all_cells.append(cell)
    return torch.stack(all_hidden), torch.stack(all_cells)


@torch.no_grad()
def plain_both(model: BiLSTM, ids: NDArray[np.int32], state: str) -> tuple[Tensor, Tensor]:
    """Forward and backward states (t, h) of one sequence, both at the symbols in their order."""
    embedded = model.embedding[torch.from_numpy(ids.astype(np.int64))]
    which = ("hidden", "cell").index(state)
    forward = plain_states(model.forward_lstm, embedded)[which]
    return forward, plain_states(model.backward_lstm, embedded.flip(0))[which].flip(0)


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training stop as a kill would, before the step numbered ``steps``."""
    one_step = Trainer.train_step
    done = 0

    def stopping(self: Trainer, rows: NDArray[np.int64]) -> int:
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return one_step(self, rows)

    monkeypatch.setattr(Trainer, "train_step", stopping)


class Run:
    """Paths and arguments of a training in one folder."""

    def __init__(self, entry: Callable[..., None], folder: Path, **arguments: Any) -> None:
        self.entry = entry
        self.output, self.history = folder / "space.safetensors", folder / "history.json"
        self.checkpoint = folder / "checkpoint"
        self.arguments: dict[str, Any] = {
            "output": self.output,
            "history": self.history,
            "checkpoint": self.checkpoint,
            "seed": 1,
            "threads": 1,
            "device": "cpu",
            **arguments,
        }

    def start(self, **change: Any) -> Run:
        self.entry(**{**self.arguments, **change})
        return self

    def records(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = json.loads(self.history.read_text())
        return records

    def figures(self) -> list[dict[str, Any]]:
        """The history without what a clock tells."""
        return [{k: v for k, v in record.items() if "second" not in k} for record in self.records()]


def assert_resumes(whole: Run, resumed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted twice, in two epochs, ``resumed`` must give what ``whole`` gives in one go."""
    whole.start()
    resumed.arguments["config"] = {**resumed.arguments["config"], "checkpoint_minutes": 1e-9}
    for steps in (3, 12):
        with monkeypatch.context() as patch:
            interrupt_after(steps, patch)
            with pytest.raises(KeyboardInterrupt):
                resumed.start()
    assert not resumed.output.exists()
    resumed.start()
    assert resumed.output.read_bytes() == whole.output.read_bytes()
    assert resumed.figures() == whole.figures()
    assert not resumed.checkpoint.exists()
