"""Training LSTM language models with frozen input: tokens a second, against a plain PyTorch loop.

    python benchmarks/nnlm_training.py [--dim 650] [--rounds 7] [--data ../shared/data]

The plain loop is what one writes first: a frozen `nn.Embedding`, `nn.LSTM`, `nn.Linear`,
`CrossEntropyLoss`, `clip_grad_norm_`, SGD, float32. Lexiscope trains the same model in its own layers, with
bfloat16 products where the processor has them, and with the sampled softmax; then several models in one go,
against one after another.

First both are given the same weights and must then, without dropout, have the same loss and, in float32,
take the same step. Contenders take turns, a window each, so that a busy machine slows all of them; medians
are compared. Words are drawn at random (Zipf), or are the Penn Treebank's in a folder ``--data``, which has
``ptb/ptb.train.txt`` (or with ``.gz``): its most frequent words, all others being ``<unk>``.

All begin with the same weights, and tell their perplexity over the windows trained on; Lexiscope also
trains in float32, with the same dropout, to tell what its precision does. The sampled softmax has no such
perplexity: what it does is seen in `nnlm_frozen_input.py` and `nnlm_reference.py`, which train for epochs.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.corpora.vocabulary import SPECIALS, UNK_ID
from lexiscope.files import open_binary
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.optimizers import make_optimizer
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.train import sampled_softmax
from lexiscope.language_models.numerics import choose_precision
from lexiscope.language_models.streams import Streams

WARM_UP = 1


def draw_ids(n_words: int, n_tokens: int) -> NDArray[np.uint32]:
    """Zipf-distributed ids."""
    weights = (np.arange(n_words) + 2.7) ** -1.0
    drawn = np.random.default_rng(1).choice(n_words, n_tokens, p=weights / weights.sum())
    return drawn.astype(np.uint32)


def read_ids(path: Path, n_words: int, n_tokens: int) -> NDArray[np.uint32]:
    """The first tokens of a text of one sentence a line, its most frequent words by descending count."""
    with open_binary(path) as stream:
        words = stream.read().decode("utf-8").replace("\n", " </s> ").split()
    common = Counter(word for word in words if word not in SPECIALS).most_common(n_words - len(SPECIALS))
    index = {word: number for number, word in enumerate((*SPECIALS, *(word for word, _ in common)))}
    ids = np.fromiter((index.get(word, UNK_ID) for word in words), dtype=np.uint32, count=len(words))
    return np.resize(ids, n_tokens)  # from the start again, if it is too short


class Plain(nn.Module):
    """The model as one writes it first."""

    def __init__(self, table: Tensor, settings: Settings, n_words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(table, freeze=True)
        size, n_layers = settings.hidden_size, settings.num_layers
        self.lstm = nn.LSTM(table.shape[1], size, n_layers, dropout=settings.dropout)
        self.dropout = nn.Dropout(settings.dropout)
        self.softmax = nn.Linear(size, n_words)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(T, B) → logits (T, B, V)."""
        outputs, state = self.lstm(self.dropout(self.embedding(ids)), state)
        return self.softmax(self.dropout(outputs)), state

    def shared_with(self, model: LanguageModelGroup) -> Iterator[tuple[Tensor, Tensor]]:
        """The weights that it has in common with a group of one: its own, and the group's."""
        for layer in range(model.settings.num_layers):
            for ours, theirs in (("w_ih", "weight_ih"), ("w_hh", "weight_hh")):
                yield getattr(self.lstm, f"{theirs}_l{layer}"), getattr(model, ours)[layer][0]
            for name in ("bias_ih", "bias_hh"):
                yield getattr(self.lstm, f"{name}_l{layer}"), getattr(model, name)[layer][0]
        assert model.softmax is not None
        assert model.output_bias is not None
        yield self.softmax.weight, model.softmax[0]
        yield self.softmax.bias, model.output_bias[0]

    @torch.no_grad()
    def copy_weights(self, model: LanguageModelGroup) -> None:
        """Take over the weights of a group of one."""
        for own, others in self.shared_with(model):
            own.copy_(others)

    @torch.no_grad()
    def copied_to(self, model: LanguageModelGroup) -> LanguageModelGroup:
        """The group of one, with these weights."""
        for own, others in self.shared_with(model):
            others.copy_(own)
        return model


class Loop:
    """What both loops have in common: a text, and the window they are at."""

    def __init__(self, ids: NDArray[np.uint32], settings: Settings, device: torch.device) -> None:
        self.streams = Streams(ids, settings.batch_size, settings.unroll)
        self.settings, self.device = settings, device
        self.window = 0

    def start_again(self) -> None:
        """Go back to the start of the text."""
        self.window = 0

    def next(self) -> tuple[Tensor, Tensor]:
        inputs, targets = self.streams.window(self.window)
        self.window += 1
        return inputs.to(self.device), targets.to(self.device)


class PlainLoop(Loop):
    def __init__(
        self,
        ids: NDArray[np.uint32],
        settings: Settings,
        table: NDArray[np.float32],
        start: LanguageModelGroup,
    ) -> None:
        super().__init__(ids, settings, start.device)
        self.model = Plain(torch.from_numpy(table), settings, len(table)).to(start.device)
        self.model.copy_weights(start)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=settings.learning_rate)
        self.criterion = nn.CrossEntropyLoss()
        self.state: tuple[Tensor, Tensor] | None = None

    def start_again(self) -> None:
        super().start_again()
        self.state = None

    def step(self) -> float:
        """Train on the next window; returns the mean loss."""
        inputs, targets = self.next()
        self.optimizer.zero_grad()
        logits, state = self.model(inputs, self.state)
        self.state = state[0].detach(), state[1].detach()
        loss = self.criterion(logits.flatten(0, 1), targets.flatten())
        torch.autograd.backward(loss * len(targets))  # the sum over steps, the mean over streams
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        return float(loss.detach())


class OurLoop(Loop):
    """As in `lexiscope.language_modelling.train.Trainer`."""

    def __init__(self, ids: NDArray[np.uint32], model: LanguageModelGroup) -> None:
        super().__init__(ids, model.settings, model.device)
        self.model = model
        self.sampled = sampled_softmax(ids, model.n_words, model.settings, model.device)
        self.optimizer = make_optimizer(model.parameters(), model.settings)
        self.start_again()

    def start_again(self) -> None:
        super().start_again()
        self.state = self.model.initial_state(self.streams.n_streams)

    def step(self) -> float:
        """Train on the next window; returns the mean loss of the first model."""
        inputs, targets = self.next()
        outputs, self.state = self.model(inputs, self.state)
        n_streams = self.streams.n_streams
        losses = self.model.loss(outputs, targets, divide_by=n_streams, sampled=self.sampled)
        torch.autograd.backward(losses.sum())
        self.optimizer.step(self.settings.learning_rate)
        first: float = losses.tolist()[0]
        return first / len(targets)


def timed(function: Callable[[], object], device: torch.device) -> float:
    """Wall time of a call, until the device has done its work."""
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def take_turns(
    contenders: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median wall time of each contender."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(WARM_UP + rounds):
        for name, function in contenders.items():
            seconds = timed(function, device)
            if number >= WARM_UP:
                times[name].append(seconds)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, size in (("vocabulary", 10000), ("dim", 650), ("hidden", 650), ("layers", 2), ("models", 4)):
        parser.add_argument(f"--{name}", type=int, default=size)
    for name, size in (("streams", 20), ("unroll", 35), ("rounds", 7), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--data", type=Path, help="folder with ptb/ptb.train.txt")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads, user_api="blas"):
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run all contenders and print the table."""
    device = torch.device(options.device)
    n_tokens = options.streams * options.unroll * (WARM_UP + options.rounds)
    if options.data is None:
        ids = draw_ids(options.vocabulary, n_tokens)
    else:
        ids = read_ids(options.data / "ptb" / "ptb.train.txt", options.vocabulary, n_tokens)
    settings = Settings(
        hidden_size=options.hidden,
        num_layers=options.layers,
        dropout=0.5,
        batch_size=options.streams,
        unroll=options.unroll,
        epochs=1,
        learning_rate=1.0,
        optimizer="sgd",
    )
    precision = choose_precision("auto", device)
    random = np.random.default_rng(2)
    table = random.standard_normal((options.vocabulary, options.dim)).astype(np.float32) * 0.1

    def group(
        seeds: range, dropout: float = 0.5, kind: torch.dtype = precision, **further: Any
    ) -> LanguageModelGroup:
        specs = [ModelSpec(f"model {seed}", "frozen", "trainable", table, seed=seed) for seed in seeds]
        chosen = replace(settings, dropout=dropout, **further)
        return LanguageModelGroup(specs, chosen, options.vocabulary, device, kind)

    check_same(ids, settings, table, group(range(1), 0.0, torch.float32))
    several = range(options.models)
    alone = [OurLoop(ids, group(range(seed, seed + 1))) for seed in several]
    plain, ours = PlainLoop(ids, settings, table, group(range(1))), OurLoop(ids, group(range(1)))
    exact = OurLoop(ids, group(range(1), kind=torch.float32))
    sampled = OurLoop(ids, group(range(1), softmax="sampled"))
    together = OurLoop(ids, group(several))
    kind = str(precision).removeprefix("torch.")
    first, by_one = "plain PyTorch, float32", f"{options.models} models one after another"
    full = {first: plain.step, "Lexiscope, float32": exact.step, f"Lexiscope, {kind}, auto": ours.step}
    losses: dict[str, list[float]] = {name: [] for name in full}

    def recorded(name: str) -> Callable[[], object]:
        return lambda: losses[name].append(full[name]())

    contenders = {name: recorded(name) for name in full}
    contenders[f"Lexiscope, {kind}, sampled softmax"] = sampled.step
    contenders[by_one] = lambda: [loop.step() for loop in alone]
    contenders[f"{options.models} models in one go"] = together.step
    medians = take_turns(contenders, options.rounds, device)
    print(
        f"{options.layers} x {options.hidden}, {options.vocabulary} words, frozen input of {options.dim}, "
        f"{options.streams} x {options.unroll} tokens a step, {options.device}, "
        f"{options.threads} thread(s), median of {options.rounds}"
    )
    per_step = options.streams * options.unroll
    for name, seconds in medians.items():
        n_models, base = (options.models, by_one) if "models" in name else (1, first)
        told = f"perplexity {math.exp(statistics.mean(losses[name])):.1f}" if name in losses else ""
        print(
            f"{name:36} {1e3 * seconds:9.1f} ms {n_models * per_step / seconds:8.0f} tokens/s "
            f"{medians[base] / seconds:6.2f} x  {told}"
        )


def check_same(
    ids: NDArray[np.uint32], settings: Settings, table: NDArray[np.float32], model: LanguageModelGroup
) -> None:
    """Without dropout, both have the same losses before and after a step, or nothing could be compared."""
    plain = PlainLoop(ids, replace(settings, dropout=0.0), table, model)
    ours = OurLoop(ids, model)
    for _ in range(2):
        np.testing.assert_allclose(ours.step(), plain.step(), rtol=1e-4)


if __name__ == "__main__":
    main()
