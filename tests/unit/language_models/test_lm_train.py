from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TINY

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.errors import LexiscopeError
from lexiscope.language_models import train
from lexiscope.language_models.model_file import load_model
from lexiscope.language_models.perplexity import perplexity

SCRIPT = """
import json, sys
from lexiscope.language_models.train import train_language_model
train_language_model(**json.loads(sys.argv[1]))
"""


class Run:
    """Paths and arguments of a training in one folder."""

    def __init__(self, folder: Path, corpus: Path, **change: Any) -> None:
        self.model, self.history = folder / "model.safetensors", folder / "history.json"
        self.checkpoint = folder / "checkpoint"
        self.arguments: dict[str, Any] = {
            "corpus": str(corpus),
            "config": {**TINY, **change},
            "output": str(self.model),
            "history": str(self.history),
            "checkpoint": str(self.checkpoint),
            "seed": 1,
            "threads": 1,
            "device": "cpu",
        }

    def start(self) -> Run:
        train.train_language_model(**self.arguments)
        return self

    def records(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = json.loads(self.history.read_text())
        return records


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training stop as a kill would, before the step numbered ``steps``."""
    one_step = train.Trainer.train_step
    done = 0

    def stopping(self: train.Trainer) -> int:
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return one_step(self)

    monkeypatch.setattr(train.Trainer, "train_step", stopping)


def unigram_perplexity(corpus: EncodedCorpus) -> float:
    counts = torch.from_numpy(corpus.vocabulary.counts).double() + 0.5
    log_probability = (counts / counts.sum()).log()
    tokens = torch.from_numpy(corpus.tokens("test").astype("int64"))
    return float((-log_probability[tokens].mean()).exp())


def test_training_learns_what_the_unigram_model_cannot(
    tmp_path: Path, corpus_path: Path, corpus: EncodedCorpus
) -> None:
    run = Run(tmp_path, corpus_path, epochs=8, patience=8).start()
    *validations, final = run.records()
    assert final["test_perplexity"] < 0.75 * unigram_perplexity(corpus)
    assert [record["epoch"] for record in validations] == list(range(1, 9))
    assert validations[-1]["tokens"] == 8 * corpus.n_tokens("train")
    for record in validations:
        assert record["tokens_per_second"] > 0
        assert record["train_perplexity"] > 1
        assert record["seconds"] > 0
    assert not run.checkpoint.exists()


def test_the_model_file_tells_what_it_is_and_has_the_perplexity_it_says(
    tmp_path: Path, corpus_path: Path, corpus: EncodedCorpus
) -> None:
    run = Run(tmp_path, corpus_path).start()
    model, metadata = load_model(run.model, corpus.vocabulary.words)
    assert metadata["seed"] == 1
    assert metadata["corpus"] == corpus.sha256
    assert metadata["config"]["hidden_size"] == TINY["hidden_size"]
    for split in ("valid", "test"):
        assert metadata[f"{split}_perplexity"] == pytest.approx(perplexity(model, corpus.tokens(split)))
    assert "second" not in json.dumps(metadata), "timings would differ from run to run"


def test_killed_for_real_and_started_again_it_gives_the_same_bytes(
    tmp_path: Path, corpus_path: Path
) -> None:
    whole = Run(tmp_path / "whole", corpus_path).start()
    killed = Run(tmp_path / "killed", corpus_path, checkpoint_minutes=0)
    path = str(Path(train.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(killed.arguments)],
        env={**os.environ, "PYTHONPATH": path},
    )
    deadline = time.monotonic() + 120
    while not (killed.checkpoint / "state-0.safetensors").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.model.exists()
    killed.start()
    assert killed.model.read_bytes() == whole.model.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"softmax": "full", "num_layers": 2, "dropout": 0.3},
        {"optimizer": "adagrad", "eval_every": 7},
        {"precision": "bfloat16", "eval_every": 11, "valid_tokens": 50, "patience": 99},
    ],
    ids=["full-adam", "sampled-adagrad", "bfloat16"],
)
def test_resumed_training_gives_the_same_bytes(
    change: dict[str, Any], tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Run(tmp_path / "whole", corpus_path, **change).start()
    resumed = Run(tmp_path / "resumed", corpus_path, checkpoint_minutes=0, **change)
    for steps in (9, 50):
        with monkeypatch.context() as patch:
            interrupt_after(steps, patch)
            with pytest.raises(KeyboardInterrupt):
                resumed.start()
    resumed.start()
    assert resumed.model.read_bytes() == whole.model.read_bytes()
    without_times = [
        [{k: v for k, v in record.items() if "second" not in k} for record in run.records()]
        for run in (whole, resumed)
    ]
    assert without_times[0] == without_times[1]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Run(tmp_path / "whole", corpus_path, epochs=1).start()
    run = Run(tmp_path / "damaged", corpus_path, epochs=1, checkpoint_minutes=0)
    with monkeypatch.context() as patch:
        interrupt_after(10, patch)
        with pytest.raises(KeyboardInterrupt):
            run.start()
    newest = run.checkpoint / "state-0.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with caplog.at_level(logging.INFO, logger="lexiscope"):
        run.start()
    assert "damaged" in caplog.text
    assert "resuming after step 9" in caplog.text
    assert run.model.read_bytes() == whole.model.read_bytes()


def test_with_all_checkpoints_damaged_it_starts_anew(
    tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(tmp_path, corpus_path, checkpoint_minutes=0, epochs=1)
    with monkeypatch.context() as patch:
        interrupt_after(5, patch)
        with pytest.raises(KeyboardInterrupt):
            run.start()
    for path in run.checkpoint.glob("*.safetensors"):
        path.write_bytes(b"nonsense")
    with caplog.at_level(logging.INFO, logger="lexiscope"):
        run.start()
    assert "resuming" not in caplog.text
    assert run.model.exists()


def test_a_checkpoint_of_other_settings_is_not_used(
    tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = Run(tmp_path / "fresh", corpus_path, epochs=1, hidden_size=24).start()
    run = Run(tmp_path / "other", corpus_path, checkpoint_minutes=0, epochs=1)
    with monkeypatch.context() as patch:
        interrupt_after(5, patch)
        with pytest.raises(KeyboardInterrupt):
            run.start()
    run.arguments["config"]["hidden_size"] = 24
    with caplog.at_level(logging.INFO, logger="lexiscope"):
        run.start()
    assert "of other settings or data and is not used" in caplog.text
    assert "resuming" not in caplog.text
    assert run.model.read_bytes() == fresh.model.read_bytes()


def test_patience_ends_training_and_the_best_weights_are_kept(
    tmp_path: Path, corpus_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([50.0, 40.0, 45.0, 44.0, 43.0])
    weights: list[dict[str, torch.Tensor]] = []

    def scripted(model: torch.nn.Module, *_: Any, **__: Any) -> float:
        weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(told, 40.0)

    monkeypatch.setattr(train, "perplexity", scripted)
    run = Run(tmp_path, corpus_path, epochs=9, patience=3).start()
    *validations, final = run.records()
    assert len(validations) == 5
    assert final["best_step"] == validations[1]["step"]
    kept = load_file(run.model)
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights[1].items())


def test_divergence_is_a_clear_error(tmp_path: Path, corpus_path: Path) -> None:
    run = Run(tmp_path, corpus_path, learning_rate=1e30, warmup_steps=0)
    with pytest.raises(LexiscopeError, match=r"diverged.*learning_rate"):
        run.start()
    assert not run.model.exists()


def test_an_empty_split_is_an_error_before_training(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c\n" * 50)
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=tmp_path / "corpus", seed=1, threads=1)
    with pytest.raises(LexiscopeError, match=r"no text in its split 'valid'.*held_out"):
        Run(tmp_path, tmp_path / "corpus").start()


def test_too_many_streams_are_an_error(tmp_path: Path, corpus_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="too few for 4000 parallel streams"):
        Run(tmp_path, corpus_path, batch_size=4000).start()


def test_training_leaves_the_global_state_alone(tmp_path: Path, corpus_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Run(tmp_path, corpus_path, epochs=1).start()
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
