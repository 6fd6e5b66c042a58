"""Train a bidirectional LSTM by Adam on batches of like lengths, with checkpoints."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Adam, Optimizer, SparseAdam

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.encoded import Split
from lexiscope.domains.batches import Batch
from lexiscope.domains.bilstm import BiLSTM
from lexiscope.domains.config import BiLSTMConfig
from lexiscope.domains.sequences import Sequences, epoch_batches
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.optimizers import clip_gradients
from lexiscope.language_models.resume import below, pack, random_states, set_random_states, unpack
from lexiscope.progress import Progress

logger = logging.getLogger("lexiscope")


class Task(Protocol):
    """What a network is trained for."""

    name: str

    @property
    def model(self) -> BiLSTM:
        """The network."""
        ...

    @property
    def text(self) -> Sequences:
        """The training text."""
        ...

    def loss(self, batch: Batch) -> Tensor:
        """Mean loss of a batch of the training text, with a gradient."""
        ...

    def evaluate(self, part: Split) -> dict[str, float]:
        """Figures on ``valid`` or ``test``, without dropout; the best weights have the least ``loss``."""
        ...


@dataclass
class TrainingState:
    """Where training is; all of it JSON values. Sums marked "since" are over the epoch so far."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    tokens: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    saves: int = 0
    seconds: float = 0.0
    loss_since: float = 0.0
    tokens_since: int = 0
    seconds_since: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """A network in training: everything a checkpoint holds, and the loop.

    Parameters
    ----------
    task
        Network, text, loss and evaluation.
    config
        Epochs, batches, learning rate and the like.
    seed
        Of the order of batches; weights and dropout come from torch's global generator.
    sparse
        Parameters of the network whose gradients are sparse.
    unfinished
        Where checkpoints lie.
    """

    def __init__(
        self, task: Task, config: BiLSTMConfig, seed: int, sparse: Sequence[Tensor], unfinished: Checkpoint
    ) -> None:
        self.task, self.config, self.seed, self.unfinished = task, config, seed, unfinished
        self.model = task.model
        dense = [p for p in self.model.parameters() if all(p is not row for row in sparse)]
        self.optimizers: list[Optimizer] = [Adam(dense, lr=config.learning_rate, fused=True)]
        if sparse:
            self.optimizers.append(SparseAdam(list(sparse), lr=config.learning_rate))
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.state = TrainingState()
        self._clock = self._saved_at = time.monotonic()

    def run(self) -> None:
        """Train for all epochs and set the network to the weights of the epoch that validated best."""
        self._resume()
        state, config, text = self.state, self.config, self.task.text
        label = f"training the {self.task.name}"
        with Progress(label, total=config.epochs * text.n_tokens, unit="tokens") as progress:
            progress.resume_at(state.tokens)
            while state.epoch < config.epochs:
                batches = epoch_batches(text, config.batch_size, self.seed, state.epoch)
                for rows in batches[state.batch :]:
                    progress.advance(self.train_step(rows), self._note())
                    if state.batch < len(batches) and self._checkpoint_is_due():
                        self._save()
                self._end_epoch()
        self.model.load_state_dict(self.best)

    def train_step(self, rows: NDArray[np.int64]) -> int:
        """Train on the sequences ``rows``; returns their number of tokens."""
        state = self.state
        batch = Batch.of(self.task.text, rows, self.model.device)
        self.model.train()
        loss = self.task.loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise LexiscopeError(
                f"training diverged: the loss is {value} at step {state.step}",
                remedy="lower learning_rate or clip_norm",
            )
        torch.autograd.backward(loss)
        clip_gradients(self.model.parameters(), self.config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        n_tokens = self.task.text.tokens_in(rows)
        state.loss_since += value * n_tokens
        state.tokens_since += n_tokens
        state.tokens += n_tokens
        state.batch += 1
        state.step += 1
        state.seconds_since += self._lap()
        return n_tokens

    def _lap(self) -> float:
        now = time.monotonic()
        lap, self._clock = now - self._clock, now
        self.state.seconds += lap
        return lap

    def _note(self) -> str:
        state = self.state
        parts = [f"epoch {min(state.epoch + 1, self.config.epochs)}"]
        if state.tokens_since:
            parts.append(f"loss {state.loss_since / state.tokens_since:.3f}")
        return ", ".join(parts)

    def _end_epoch(self) -> None:
        state = self.state
        found = evaluate(self.task, "valid")
        state.epoch += 1
        state.batch = 0
        if state.best_loss is None or found["valid_loss"] < state.best_loss:
            state.best_loss, state.best_epoch = found["valid_loss"], state.epoch
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self._lap()
        record = {
            "event": "validation",
            "epoch": state.epoch,
            "step": state.step,
            "tokens": state.tokens,
            "learning_rate": self.config.learning_rate,
            "train_loss": state.loss_since / state.tokens_since,
            **found,
            "tokens_per_second": state.tokens_since / max(state.seconds_since, 1e-9),
            "seconds": state.seconds,
        }
        state.history.append(record)
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        logger.info("epoch %d: train_loss %.4g, %s", state.epoch, record["train_loss"], told)
        state.loss_since = state.seconds_since = 0.0
        state.tokens_since = 0
        self._save()

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self.config.checkpoint_minutes

    def _save(self) -> None:
        # Two names in turn: should the newer file be damaged, the older one is still there.
        self.state.saves += 1
        tensors = {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= random_states(self.model.device, None)
        arrays = pack(self.model, self.optimizers, tensors, asdict(self.state))
        self.unfinished.save(f"state-{self.state.saves % 2}", arrays)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        found = [self.unfinished.load(f"state-{number}") for number in (0, 1)]
        states = [(json.loads(a["json"].tobytes())["state"]["saves"], a) for a in found if a is not None]
        if not states:
            return
        _, arrays = max(states, key=lambda pair: pair[0])
        tensors, state = unpack(arrays, self.model, self.optimizers)
        set_random_states(tensors, self.model.device, None)
        best = below("best.", tensors)
        self.best = {name: best[name].to(self.model.device) for name in self.best}
        self.state = TrainingState(**state)
        self._clock = time.monotonic()
        logger.info("resuming after step %d (epoch %d)", self.state.step, self.state.epoch + 1)


def evaluate(task: Task, part: Split) -> dict[str, float]:
    """The task's figures on a part, named after it; the network is left in evaluation mode."""
    task.model.eval()
    return {f"{part}_{name}": value for name, value in task.evaluate(part).items()}
