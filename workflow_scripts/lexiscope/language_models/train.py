"""Train a language model: truncated back-propagation, validation, early stopping, checkpoints."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.encoded import SPLITS, EncodedCorpus
from lexiscope.digests import code_digest
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json, write_json
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM, State
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.distributed import World, is_worker, join
from lexiscope.language_models.launch import run_in_processes
from lexiscope.language_models.model_file import save_model, vocabulary_digest
from lexiscope.language_models.numerics import autocast, choose_precision, reproducible
from lexiscope.language_models.optimizers import clip_gradients, make_optimizers, scheduled_rate
from lexiscope.language_models.perplexity import perplexity
from lexiscope.language_models.resume import below, pack, random_states, set_random_states, unpack
from lexiscope.language_models.softmax import SampledSoftmax, exact_total_loss, full_loss
from lexiscope.language_models.streams import NO_TARGET, Streams
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

METER_EVERY = 50
"""With the sampled softmax, every so many steps the exact training loss is measured too."""


@stage_entry
def train_language_model(
    *,
    corpus: Path,
    config: Mapping[str, Any],
    output: Path,
    history: Path,
    checkpoint: Path,
    seed: int,
    threads: int,
    device: str = "auto",
) -> None:
    """Train a language model on an encoded corpus and keep the weights that validate best.

    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many
    threads the model file is then the same to the byte.

    With several ``processes`` it starts them itself and waits for them, unless it is called by each of
    them: under ``torchrun``, with as many processes, it joins the others. Rank 0 writes the products.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    config
        A `CharCNNLSTMConfig`, as a mapping.
    output
        The model file to write, last of all.
    history
        The JSON list of validations to write: ``epoch``, ``step``, ``tokens`` read so far,
        ``learning_rate``, ``train_loss`` (as optimised, nats per token), ``train_perplexity`` and
        ``valid_perplexity`` (full softmax), ``tokens_per_second`` of training, ``seconds`` since the start.
        The last record has ``event: final``, and perplexities ``valid_perplexity`` and
        ``test_perplexity`` of the kept weights.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    seed, threads, device
        Seed of weights, dropout and samples; CPU threads of all processes; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If a split of the corpus is empty, training diverges, or a process ends before its time.
    """
    settings = CharCNNLSTMConfig.model_validate(config)
    data = EncodedCorpus.open(corpus)
    _check_splits(data, settings)
    recipe = settings.model_dump(mode="json", exclude={"checkpoint_minutes"})
    if settings.processes > 1 and not is_worker():
        paths = {"corpus": corpus, "output": output, "history": history, "checkpoint": checkpoint}
        arguments: dict[str, Any] = {name: str(Path(path).absolute()) for name, path in paths.items()}
        arguments |= {"config": settings.model_dump(mode="json"), "device": device}
        arguments |= {"seed": seed, "threads": threads}
        run_in_processes(train_language_model, arguments, settings.processes)
        return
    identity = digest_json([recipe, data.sha256, seed, code_digest(Path(__file__)), torch.__version__])
    unfinished = Checkpoint(Path(checkpoint), identity)
    with (
        join(settings.processes, device) as world,
        reproducible(world.device, seed, max(1, threads // world.size)),
    ):
        trainer = Trainer(settings, data, world, unfinished)
        trainer.run()
        final = trainer.evaluate_best()
    if world.rank > 0:
        return
    metadata = {
        "config": recipe,
        "vocabulary_sha256": vocabulary_digest(data.vocabulary.words),
        "corpus": data.sha256,
        "casing": data.manifest["casing"],
        "seed": seed,
        "threads": threads,
        "device": world.device.type,
        "precision": str(trainer.precision).removeprefix("torch."),
        **final,
    }
    write_json(history, [*trainer.state.history, {"event": "final", **final}])
    save_model(trainer.best, metadata, output)
    unfinished.remove()


def _check_splits(data: EncodedCorpus, config: CharCNNLSTMConfig) -> None:
    for split in SPLITS:
        if data.n_tokens(split) == 0:
            raise LexiscopeError(
                f"the corpus has no text in its split {split!r}",
                where=data.path,
                remedy="give the corpus a larger share 'held_out', or a source with such a split",
            )
    if data.n_tokens("train") < 2 * config.batch_size:
        raise LexiscopeError(
            f"{data.n_tokens('train')} tokens are too few for {config.batch_size} parallel streams",
            where=data.path,
            remedy="lower the model's batch_size",
        )


@dataclass
class TrainingState:
    """Where training is; all of it JSON values.

    Sums marked "since" are over the windows since the last validation.
    """

    epoch: int = 0
    window: int = 0
    step: int = 0
    tokens: int = 0
    finished: bool = False
    best_perplexity: float | None = None
    best_step: int = 0
    n_worse: int = 0
    saves: int = 0
    seconds: float = 0.0
    loss_since: float = 0.0
    tokens_since: int = 0
    exact_loss_since: float = 0.0
    exact_tokens_since: int = 0
    seconds_since: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """A model in training: everything a checkpoint holds, and the loop."""

    def __init__(
        self, config: CharCNNLSTMConfig, data: EncodedCorpus, world: World, unfinished: Checkpoint
    ) -> None:
        self.config, self.data, self.world, self.unfinished = config, data, world, unfinished
        self.device = device = world.device
        self.precision = choose_precision(config.precision, device)
        self.model = CharCNNLSTM(config, data.vocabulary.words).to(device)
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.optimizers = make_optimizers(self.model, config)
        generator = None
        if world.size > 1:
            # All draw the samples that one process would draw; dropout is each process's own.
            generator = torch.Generator()
            generator.set_state(torch.get_rng_state())
            torch.manual_seed(world.seed())
        self.sampled = SampledSoftmax(data.vocabulary.counts, config.n_samples, device, generator)
        self.streams = Streams(data.tokens("train"), config.batch_size, config.unroll)
        self.columns = world.share(self.streams.n_streams)
        self.valid = data.tokens("valid")[: config.valid_tokens]
        self.hidden: State
        self._start_streams()
        self.state = TrainingState()
        self._clock = self._saved_at = time.monotonic()

    def run(self) -> None:
        """Train until the epochs are over or patience is at its end."""
        n_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        logger.info("%.3g million parameters, trained in %s", n_parameters / 1e6, self.precision)
        self._resume()
        state, config = self.state, self.config
        total = config.epochs * self.data.n_tokens("train")
        with Progress("training the language model", total=total, unit="tokens") as progress:
            progress.resume_at(state.tokens)
            while not state.finished:
                n_tokens = self.train_step()
                at_end = state.window == len(self.streams)
                if at_end or (config.eval_every and state.step % config.eval_every == 0):
                    self._validate()
                if at_end:
                    self._start_epoch()
                if self.world.any(at_end or state.finished or self._checkpoint_is_due()):
                    self._save()
                progress.advance(n_tokens, self._note())

    def evaluate_best(self) -> dict[str, Any]:
        """Perplexities of the best weights in float32, full softmax, all tokens."""
        self.model.load_state_dict(self.best)
        result: dict[str, Any] = {"best_step": self.state.best_step, "steps": self.state.step}
        for split in ("valid", "test"):
            result[f"{split}_perplexity"] = perplexity(
                self.model, self.data.tokens(split), world=self.world
            )
            logger.info("%s perplexity %.2f", split, result[f"{split}_perplexity"])
        return result

    # One step ----------------------------------------------------------------------------------------

    def train_step(self) -> int:
        """Take one step of the optimisers; returns the number of targets, in all processes."""
        state, config, streams = self.state, self.config, self.streams
        rate = scheduled_rate(state.step, config.epochs * -(-len(streams) // config.accumulate), config)
        windows = range(state.window, min(state.window + config.accumulate, len(streams)))
        n_tokens = sum(streams.n_targets(window) for window in windows)
        loss = 0.0
        for window in windows:
            value, outputs, targets = self._add_window(window, n_tokens)
            loss += value
        self.world.add_gradients(self.model.parameters())
        clip_gradients(self.model.parameters(), config.clip_norm)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        (loss,) = self.world.sum(loss)
        state.loss_since += loss * n_tokens
        if config.softmax == "full":
            state.exact_loss_since += loss * n_tokens
            state.exact_tokens_since += n_tokens
        elif state.step % METER_EVERY == 0:
            exact = exact_total_loss(outputs, targets, *self.model.output_layer())
            state.exact_loss_since += self.world.sum(exact)[0]
            state.exact_tokens_since += streams.n_targets(windows[-1])
        state.tokens_since += n_tokens
        state.tokens += n_tokens
        state.window += len(windows)
        state.step += 1
        state.seconds_since += self._lap()
        return n_tokens

    def _add_window(self, window: int, n_tokens: int) -> tuple[float, Tensor, Tensor]:
        """Add a window's gradients, as its part of a step of ``n_tokens`` targets.

        Returns its part of the step's loss, what the softmax was applied to (n, d) and its targets (n,).
        """
        inputs, batch = (ids.to(self.device) for ids in self.streams.window(window))
        self.model.train()
        with autocast(self.device, self.precision):
            outputs, hidden = self.model(inputs[:, self.columns], self.hidden)  # (t, b, d)
            present = batch != NO_TARGET
            outputs, targets = _chosen(outputs, batch[:, self.columns], present[:, self.columns])
            layer = self.model.softmax_weight, self.model.softmax_bias
            if self.config.softmax == "sampled":
                loss = self.sampled.loss(outputs, targets, *layer, n_tokens, batch[present])
            else:
                loss = full_loss(outputs, targets, *layer, n_tokens)
        value = loss.item()
        if not math.isfinite(value):
            raise LexiscopeError(
                f"training diverged: the loss is {value} at step {self.state.step}",
                remedy="lower learning_rate or clip_norm, or set precision: float32",
            )
        torch.autograd.backward(loss)
        # float32 holds a bfloat16 state exactly, and a checkpoint can store it.
        self.hidden = hidden[0].detach().float(), hidden[1].detach().float()
        return value, outputs, targets

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
        if state.best_perplexity:
            parts.append(f"best valid perplexity {state.best_perplexity:.1f}")
        return ", ".join(parts)

    # Validation --------------------------------------------------------------------------------------

    def _validate(self) -> None:
        state = self.state
        found = perplexity(self.model, self.valid, self.precision, self.world)
        if state.best_perplexity is None or found < state.best_perplexity:
            state.best_perplexity, state.best_step, state.n_worse = found, state.step, 0
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        else:
            state.n_worse += 1
        if state.n_worse >= self.config.patience:
            logger.info("early stop: %d validations without improvement", state.n_worse)
            state.finished = True
        self._lap()
        record = {
            "event": "validation",
            "epoch": state.epoch + 1,
            "step": state.step,
            "tokens": state.tokens,
            "learning_rate": self.optimizers[0].param_groups[0]["lr"],
            "train_loss": state.loss_since / state.tokens_since,
            "train_perplexity": _perplexity_or_none(state.exact_loss_since, state.exact_tokens_since),
            "valid_perplexity": found,
            "tokens_per_second": state.tokens_since / max(state.seconds_since, 1e-9),
            "seconds": state.seconds,
        }
        state.history.append(record)
        logger.info(
            "epoch %(epoch)d, step %(step)d: train loss %(train_loss).3f, valid perplexity "
            "%(valid_perplexity).2f, %(tokens_per_second).0f tokens/s",
            record,
        )
        state.loss_since = state.exact_loss_since = state.seconds_since = 0.0
        state.tokens_since = state.exact_tokens_since = 0

    def _start_epoch(self) -> None:
        self.state.epoch += 1
        self.state.window = 0
        self.state.finished |= self.state.epoch == self.config.epochs
        self._start_streams()

    def _start_streams(self) -> None:
        self.hidden = self.model.initial_state(self.columns.stop - self.columns.start)

    # Checkpoints -------------------------------------------------------------------------------------

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self.config.checkpoint_minutes

    def _save(self) -> None:
        # Two names in turn: should the newer file be damaged, the older one is still there.
        self.state.saves += 1
        own = {"hidden.0": self.hidden[0], "hidden.1": self.hidden[1]}
        own |= random_states(self.device, self.sampled.generator)
        tensors = {f"best.{name}": tensor for name, tensor in self.best.items()}
        for name, tensor in own.items():
            for rank, one in enumerate(self.world.gather(tensor)):
                tensors[f"{rank}.{name}"] = one
        if self.world.rank == 0:
            arrays = pack(self.model, self.optimizers, tensors, asdict(self.state))
            self.unfinished.save(f"state-{self.state.saves % 2}", arrays)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        found = [self.unfinished.load(f"state-{number}") for number in (0, 1)]
        states = [(json.loads(a["json"].tobytes())["state"]["saves"], a) for a in found if a is not None]
        saves, arrays = max(states, key=lambda pair: pair[0], default=(0, None))
        if self.world.sum(saves) != [self.world.size * saves]:
            raise LexiscopeError(
                "the processes do not see the same checkpoints",
                where=self.unfinished.folder,
                remedy="keep the results on a file system that all machines share",
            )
        if arrays is None:
            return
        tensors, state = unpack(arrays, self.model, self.optimizers)
        own = below(f"{self.world.rank}.", tensors)
        set_random_states(own, self.device, self.sampled.generator)
        self.hidden = own["hidden.0"].to(self.device), own["hidden.1"].to(self.device)
        self.best = {name: tensors[f"best.{name}"].to(self.device) for name in self.best}
        self.state = TrainingState(**state)
        self._clock = time.monotonic()
        logger.info("resuming after step %d (epoch %d)", self.state.step, self.state.epoch + 1)


def _chosen(outputs: Tensor, targets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and targets of the positions chosen: (t, b, d) and twice (t, b) → (n, d) and (n,)."""
    if chosen.all():
        return outputs.flatten(0, 1), targets.flatten()
    return outputs[chosen], targets[chosen]


def _perplexity_or_none(total_loss: float, n_tokens: int) -> float | None:
    return math.exp(min(700.0, total_loss / n_tokens)) if n_tokens else None
