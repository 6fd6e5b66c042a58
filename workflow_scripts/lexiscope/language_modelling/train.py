"""Train a group of language models side by side, with checkpoints, and evaluate them."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.checkpoints import Checkpoint
from lexiscope.devices import choose_device
from lexiscope.digests import code_digest
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json
from lexiscope.language_modelling.model import LanguageModelGroup, State
from lexiscope.language_modelling.optimizers import make_optimizer
from lexiscope.language_modelling.predict import perplexities, perplexity_of, token_log_probabilities
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_models.numerics import choose_precision, reproducible
from lexiscope.language_models.resume import pack, unpack
from lexiscope.language_models.softmax import SampledSoftmax
from lexiscope.language_models.streams import NO_TARGET, Streams
from lexiscope.progress import Progress

logger = logging.getLogger("lexiscope")

EXACT_LOSS_EVERY = 20
"""With a sampled softmax, the exact loss of every so many windows makes up the training perplexity."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model after its last epoch, and what became of it on the way.

    Attributes
    ----------
    spec, settings
        What was trained, and how; no settings where nothing was (an n-gram model).
    history
        A record an epoch: ``epoch`` (from 1), ``learning_rate``, ``train_perplexity`` (running average,
        with dropout; with a sampled softmax over a part of the windows), ``valid_perplexity`` and
        ``test_perplexity`` (read in ``batch_size`` streams), ``tokens_per_second`` of this model's own
        training, ``seconds`` since the start, ``together`` (the models of its group).
    best_epoch
        That of the lowest validation perplexity.
    test_nats, best_test_nats
        float64, shape (n_sentences,): negative log-probability of each sentence of the test part, read as
        one stream, after the last epoch and after the best.
    weights, best_weights
        What was trained, after the last epoch and after the best; without the axis of models.
    """

    spec: ModelSpec
    settings: Settings | None
    history: list[dict[str, Any]]
    best_epoch: int
    test_nats: Floats
    best_test_nats: Floats
    weights: dict[str, Tensor]
    best_weights: dict[str, Tensor]


def train_group(
    text: RestrictedText,
    group: Sequence[ModelSpec],
    settings: Settings,
    *,
    threads: int = 1,
    device: str = "auto",
    checkpoint: Path,
) -> list[TrainedModel]:
    """Train models of equal shapes on one text; each becomes what it would become alone.

    Killed at any time and called again, it goes on from its last checkpoint; on a CPU with as many threads
    it then ends with the same numbers.

    Parameters
    ----------
    text
        The text.
    group
        The models, in the order of the answer; see `groups_of`.
    settings
        How they are trained.
    threads, device
        CPU threads; ``auto``, ``cpu`` or ``cuda``.
    checkpoint
        A folder for unfinished work. It is left where it is: remove it, with `remove_checkpoint`, when
        the products are written.

    Raises
    ------
    LexiscopeError
        If the models do not fit together, the text is too short, or training diverges.
    """
    where = choose_device(device)
    with reproducible(where, group[0].seed, threads):
        trainer = Trainer(
            text, group, settings, where, Checkpoint(checkpoint, _identity(text, group, settings))
        )
        trainer.run()
        return trainer.finish()


def remove_checkpoint(checkpoint: Path) -> None:
    """Delete the unfinished work of a group whose products are written."""
    Checkpoint(checkpoint, "").remove()


def _identity(text: RestrictedText, group: Sequence[ModelSpec], settings: Settings) -> str:
    recipe = {key: value for key, value in asdict(settings).items() if key != "checkpoint_minutes"}
    models = [[spec.name, *map(str, spec.shape), spec.seed, spec.table_sha256] for spec in group]
    return digest_json([recipe, models, text.sha256, code_digest(Path(__file__)), torch.__version__])


@dataclass
class Progression:
    """Where training is; all of it JSON values. Lists have an entry a model."""

    epoch: int = 0
    window: int = 0
    saves: int = 0
    seconds: float = 0.0
    seconds_of_epoch: float = 0.0
    nats_of_epoch: list[float] = field(default_factory=list)
    tokens_of_epoch: int = 0
    best_perplexity: list[float] = field(default_factory=list)
    best_epoch: list[int] = field(default_factory=list)
    history: list[list[dict[str, Any]]] = field(default_factory=list)


class Trainer:
    """A group in training: everything a checkpoint holds, and the loop.

    The loss is summed over the steps of a window and averaged over streams: learning rate and clipping
    norm are on the scale of Zaremba et al. (2014), whose settings Derby et al. (2020) took over.
    """

    def __init__(
        self,
        text: RestrictedText,
        group: Sequence[ModelSpec],
        settings: Settings,
        device: torch.device,
        unfinished: Checkpoint,
    ) -> None:
        if text.n_tokens("train") < 2 * settings.batch_size:
            raise LexiscopeError(
                f"{text.n_tokens('train')} tokens are too few for {settings.batch_size} parallel streams",
                remedy="lower batch_size",
            )
        self.text, self.settings, self.device, self.unfinished = text, settings, device, unfinished
        self.precision = choose_precision(settings.precision, device)
        self.model = LanguageModelGroup(group, settings, len(text), device, self.precision)
        self.optimizer = make_optimizer(self.model.parameters(), settings)
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.streams = Streams(text.splits["train"].view(np.uint32), settings.batch_size, settings.unroll)
        self.hidden: State = self.model.initial_state(self.streams.n_streams)
        self.sampled = sampled_softmax(text.splits["train"], len(text), settings, device)
        n_models = len(group)
        self.at = Progression(
            nats_of_epoch=[0.0] * n_models,
            best_perplexity=[math.inf] * n_models,
            best_epoch=[0] * n_models,
            history=[[] for _ in group],
        )
        self._clock = self._saved_at = time.monotonic()

    def run(self) -> None:
        """Train all epochs."""
        n_parameters = sum(parameter.numel() for parameter in self.model.parameters()) // len(self.model)
        logger.info(
            "%d model(s) of %.3g million trained parameters each, in %s",
            len(self.model),
            n_parameters / 1e6,
            self.precision,
        )
        self._resume()
        n_tokens = self.text.n_tokens("train")
        n_read = sum(self.streams.n_targets(window) for window in range(self.at.window))
        label = f"training {len(self.model)} language model(s)"
        with Progress(label, total=self.settings.epochs * n_tokens, unit="tokens") as progress:
            progress.resume_at(self.at.epoch * n_tokens + n_read)
            while self.at.epoch < self.settings.epochs:
                read = self.train_step()
                if self.at.window == len(self.streams):
                    self._end_epoch()
                    self._save()
                elif time.monotonic() - self._saved_at >= 60 * self.settings.checkpoint_minutes:
                    self._save()
                progress.advance(read, f"epoch {min(self.at.epoch + 1, self.settings.epochs)}")

    def train_step(self) -> int:
        """Train on the next window; returns the number of its targets."""
        at = self.at
        inputs, targets = (ids.to(self.device) for ids in self.streams.window(at.window))
        self.model.train()
        outputs, self.hidden = self.model(inputs, self.hidden)
        losses, exact = self.losses(outputs, targets)
        torch.autograd.backward(losses.sum())
        self.optimizer.step(self.settings.learning_rate_of(at.epoch + 1))
        return self.end_step(losses, exact)

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is minimised, (K,), and the same over all words; not if that is neither known nor due."""
        chosen, n_streams = targets != NO_TARGET, self.streams.n_streams
        losses = self.model.loss(outputs, targets, chosen, n_streams, self.sampled)
        if self.sampled is None:
            return losses, losses
        if self.at.window % EXACT_LOSS_EVERY:
            return losses, None
        return losses, self.model.nats(outputs, targets, chosen) / n_streams

    def end_step(self, losses: Tensor, exact: Tensor | None) -> int:
        """Note the losses and go on to the next window; returns the number of this one's targets."""
        at = self.at
        for number, loss in enumerate(losses.tolist()):
            if not math.isfinite(loss):
                raise LexiscopeError(
                    f"training of {self.model.specs[number].name!r} diverged: the loss is {loss} in epoch "
                    f"{at.epoch + 1}",
                    remedy="lower learning_rate or clip_norm, or set precision: float32",
                )
        if exact is not None:
            for number, loss in enumerate(exact.tolist()):
                at.nats_of_epoch[number] += loss * self.streams.n_streams
            at.tokens_of_epoch += self.streams.n_targets(at.window)
        at.window += 1
        at.seconds_of_epoch += self._lap()
        return self.streams.n_targets(at.window - 1)

    def _end_epoch(self) -> None:
        at, settings = self.at, self.settings
        at.epoch += 1
        held_out = {
            split: perplexities(
                self.model,
                self.text.splits[split],
                n_streams=settings.batch_size,
                precision=self.precision,
            )
            for split in ("valid", "test")
        }
        self._lap()
        n_tokens = self.text.n_tokens("train")
        for number, spec in enumerate(self.model.specs):
            record = {
                "epoch": at.epoch,
                "learning_rate": settings.learning_rate_of(at.epoch),
                "train_perplexity": perplexity_of(at.nats_of_epoch[number], at.tokens_of_epoch),
                "valid_perplexity": held_out["valid"][number],
                "test_perplexity": held_out["test"][number],
                "tokens_per_second": n_tokens / max(at.seconds_of_epoch, 1e-9),
                "seconds": at.seconds,
                "together": len(self.model),
            }
            at.history[number].append(record)
            logger.info(
                "%s, epoch %d: perplexity %.2f (train), %.2f (valid), %.2f (test); %.0f tokens/s",
                spec.name,
                at.epoch,
                *(record[key] for key in ("train_perplexity", "valid_perplexity", "test_perplexity")),
                record["tokens_per_second"],
            )
            if held_out["valid"][number] < at.best_perplexity[number]:
                at.best_perplexity[number], at.best_epoch[number] = held_out["valid"][number], at.epoch
                for name, tensor in self.model.state_dict().items():
                    self.best[name][number] = tensor[number]
        at.window, at.seconds_of_epoch = 0, 0.0
        at.nats_of_epoch, at.tokens_of_epoch = [0.0] * len(self.model), 0
        self.hidden = self.model.initial_state(self.streams.n_streams)

    def finish(self) -> list[TrainedModel]:
        """Read the test part at batch size 1 with the last weights and the best; float32."""
        last = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        nats = self._sentence_nats()
        weights = [self.model.weights_of(number) for number in range(len(self.model))]
        if all(epoch == self.at.epoch for epoch in self.at.best_epoch):
            best_nats, best_weights = nats, weights
        else:
            self.model.load_state_dict(self.best)
            best_nats = self._sentence_nats()
            best_weights = [self.model.weights_of(number) for number in range(len(self.model))]
            self.model.load_state_dict(last)
        return [
            TrainedModel(
                spec=spec,
                settings=self.settings,
                history=self.at.history[number],
                best_epoch=self.at.best_epoch[number],
                test_nats=nats[number],
                best_test_nats=best_nats[number],
                weights=weights[number],
                best_weights=best_weights[number],
            )
            for number, spec in enumerate(self.model.specs)
        ]

    def _sentence_nats(self) -> Floats:
        found = -token_log_probabilities(self.model, self.text.splits["test"])
        return self.text.sums_of_sentences("test", found)

    def _lap(self) -> float:
        now = time.monotonic()
        lap, self._clock = now - self._clock, now
        self.at.seconds += lap
        return lap

    def _generators(self) -> list[torch.Generator]:
        """All that is drawn from in training."""
        drawing = None if self.sampled is None else self.sampled.generator
        return [*self.model.generators, *([] if drawing is None else [drawing])]

    # Checkpoints -------------------------------------------------------------------------------------

    def _save(self) -> None:
        # Two names in turn: should the newer file be damaged, the older one is still there.
        self.at.saves += 1
        tensors = {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {"hidden.h": self.hidden[0], "hidden.c": self.hidden[1]}
        for number, generator in enumerate(self._generators()):
            tensors[f"generator.{number}"] = generator.get_state()
        arrays = pack(self.model, self.optimizer.stateful, tensors, asdict(self.at))
        self.unfinished.save(f"state-{self.at.saves % 2}", arrays)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        found = [self.unfinished.load(f"state-{number}") for number in (0, 1)]
        states = [(json.loads(a["json"].tobytes())["state"]["saves"], a) for a in found if a is not None]
        if not states:
            return
        _, arrays = max(states, key=lambda pair: pair[0])
        tensors, state = unpack(arrays, self.model, self.optimizer.stateful)
        self.at = Progression(**state)
        self.hidden = tensors["hidden.h"].to(self.device), tensors["hidden.c"].to(self.device)
        self.best = {name: tensors[f"best.{name}"].to(self.device) for name in self.best}
        for number, generator in enumerate(self._generators()):
            generator.set_state(tensors[f"generator.{number}"])
        self._clock = time.monotonic()
        logger.info("resuming in epoch %d, at window %d", self.at.epoch + 1, self.at.window)


def sampled_softmax(
    ids: NDArray[np.integer], n_words: int, settings: Settings, device: torch.device
) -> SampledSoftmax | None:
    """What draws words while a text is read, if the settings want it, else None.

    It draws the same ones for all models, so that it does not matter which are trained together.
    """
    if settings.softmax == "full":
        return None
    counts = np.bincount(ids, minlength=n_words).astype(np.int64)
    return SampledSoftmax(counts, settings.n_samples, device, torch.Generator().manual_seed(1))
