"""Training a language model: tokens a second, against a plain PyTorch loop over the same model.

    python benchmarks/language_model_training.py [--vocabulary 49000] [--dim 256] [--rounds 5]

The plain loop is what one writes first: the character CNN (`nn.Conv1d`) at every position of a window, its
words cut at the longest of them, `nn.LSTM`, a full softmax with `cross_entropy`, clipping, Adam over all
parameters, float32. Then Lexiscope's own gains come one after the other: the character CNN once for each
different word (also in the plain loop), its trainer with the full softmax in float32, with the sampled
softmax, with bfloat16 products. The sampled softmax does less work for a step, not the same work faster;
its time includes the exact loss that the trainer measures every 50 steps.

Sizes are those of presets/small.yaml. The text is generated (Zipf-distributed words, the rarer the longer).
Contenders take turns, a step each, so that a busy machine slows all of them; medians are compared. Before
that the plain loop is given Lexiscope's weights, and must then have the same loss.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.vocabulary import Vocabulary
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.characters import N_CHARACTERS, PADDING
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.distributed import World
from lexiscope.language_models.numerics import choose_precision
from lexiscope.language_models.optimizers import BETAS
from lexiscope.language_models.softmax import exact_total_loss, full_loss
from lexiscope.language_models.streams import Streams
from lexiscope.language_models.train import METER_EVERY, Trainer

WARM_UP = 1


class Text:
    """What a trainer reads of an encoded corpus: ids of generated text, and their words."""

    def __init__(self, n_words: int, n_tokens: int) -> None:
        random = np.random.default_rng(1)
        weights = (np.arange(n_words) + 2.7) ** -1.0
        self._ids = random.choice(n_words, n_tokens, p=weights / weights.sum()).astype(np.uint32)
        lengths = 1 + random.poisson(1.5 * np.log10(np.arange(n_words) + 2))
        letters = random.integers(97, 123, (n_words, lengths.max())).astype(np.uint8)
        # A number after the letters keeps words apart.
        words = [bytes(row[:n]).decode() for row, n in zip(letters, lengths.tolist(), strict=True)]
        seen: dict[str, int] = {}
        for number, word in enumerate(words):
            seen[word] = seen.get(word, 0) + 1
            words[number] = word + (f"{seen[word]:d}" if seen[word] > 1 else "")
        counts = (weights / weights.sum() * 8e6).astype(np.int64)
        self.vocabulary = Vocabulary(("<unk>", "</s>", *words[2:]), counts)

    def tokens(self, split: str) -> NDArray[np.uint32]:
        return self._ids if split == "train" else self._ids[:1000]

    def n_tokens(self, split: str) -> int:
        return len(self.tokens(split))


class PlainModel(nn.Module):
    """The model as one writes it first."""

    def __init__(self, config: CharCNNLSTMConfig, spellings: Tensor, distinct: bool) -> None:
        super().__init__()
        d, h, c = config.embedding_dim, config.hidden_size, config.char_dim
        n_filters = sum(count for _, count in config.filters)
        self.spellings, self.distinct = spellings, distinct
        self.widest = max(width for width, _ in config.filters)
        self.characters = nn.Embedding(N_CHARACTERS, c)
        self.convolutions = nn.ModuleList(nn.Conv1d(c, count, width) for width, count in config.filters)
        self.highways = nn.ModuleList(nn.Linear(n_filters, 2 * n_filters) for _ in range(config.n_highway))
        self.projection = nn.Linear(n_filters, d)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(d, h, config.num_layers, proj_size=d if h > d else 0)
        self.softmax = nn.Linear(d, len(spellings))

    def char_cnn(self, words: Tensor) -> Tensor:
        """(n, l) → (n, d)."""
        used = int((words != PADDING).sum(1).max()) + self.widest
        embedded = self.characters(words[:, :used].int()).transpose(1, 2)  # (n, c, l)
        pooled = [functional.relu(convolution(embedded)).amax(2) for convolution in self.convolutions]
        features = torch.cat(pooled, dim=1)
        for highway in self.highways:
            gate, transformed = highway(features).chunk(2, dim=1)
            gate = torch.sigmoid(gate)
            features = gate * torch.relu(transformed) + (1 - gate) * features
        embedded_words: Tensor = self.projection(features)
        return embedded_words

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """(t, b) → logits (t, b, V)."""
        if self.distinct:
            words, position = torch.unique(inputs, return_inverse=True)
            embedded = self.char_cnn(self.spellings[words])[position]
        else:
            embedded = self.char_cnn(self.spellings[inputs.flatten()]).unflatten(0, inputs.shape)
        outputs, state = self.lstm(self.dropout(embedded), state)
        return self.softmax(self.dropout(outputs)), state

    def copy_weights(self, model: CharCNNLSTM) -> None:
        """Take over Lexiscope's weights, whose convolutions are products with windows of characters."""
        theirs = dict(model.char_cnn.named_parameters())
        for name, parameter in self.named_parameters():
            first, *_, last = name.split(".")
            if first == "convolutions" and last == "weight":
                count, c, width = parameter.shape
                parameter.data.copy_(theirs[name].view(count, width, c).transpose(1, 2))
            elif name in theirs:
                parameter.data.copy_(theirs[name])
            else:
                name = name.replace("softmax.", "softmax_")
                parameter.data.copy_(dict(model.named_parameters())[name])


class PlainLoop:
    """The loop as one writes it first."""

    def __init__(self, config: CharCNNLSTMConfig, text: Text, trainer: Trainer, distinct: bool) -> None:
        self.config, self.device = config, trainer.device
        self.model = PlainModel(config, trainer.model.spellings, distinct).to(self.device)
        self.model.copy_weights(trainer.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate, betas=BETAS)
        self.streams = Streams(text.tokens("train"), config.batch_size, config.unroll)
        self.state: Any = None
        self.window = 0

    def loss(self) -> Tensor:
        """Mean loss of the next window."""
        inputs, targets = (ids.to(self.device) for ids in self.streams.window(self.window))
        logits, state = self.model(inputs, self.state)
        self.state = tuple(part.detach() for part in state)
        self.window += 1
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.loss().backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()


@torch.no_grad()
def check_same_loss(plain: PlainLoop, trainer: Trainer) -> None:
    """Both models have the same loss on the first window, or the comparison would be worth nothing."""
    trainer.model.eval()
    plain.model.eval()
    inputs, targets = (ids.to(trainer.device) for ids in trainer.streams.window(0))
    outputs, _ = trainer.model(inputs, trainer.hidden)
    ours = full_loss(outputs.flatten(0, 1), targets.flatten(), *trainer.model.output_layer())
    torch.testing.assert_close(plain.loss(), ours, rtol=1e-4, atol=0.0)
    plain.model.train()
    plain.state, plain.window = None, 0


def take_turns(
    contenders: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median wall time of each contender."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(WARM_UP + rounds):
        for name, function in contenders.items():
            start = time.perf_counter()
            function()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, size in (("vocabulary", 49_000), ("dim", 256), ("hidden", 512), ("samples", 1024)):
        parser.add_argument(f"--{name}", type=int, default=size)
    for name, size in (("streams", 64), ("unroll", 32), ("rounds", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Run all contenders and print the table."""
    device = torch.device(options.device)
    steps = WARM_UP + options.rounds + 1
    text = Text(options.vocabulary, options.streams * options.unroll * steps)
    shared = {
        "kind": "char_cnn_lstm",
        "corpus": "text",
        "embedding_dim": options.dim,
        "hidden_size": options.hidden,
        "n_samples": options.samples,
        "batch_size": options.streams,
        "unroll": options.unroll,
    }

    def trainer(softmax: str, precision: str) -> Trainer:
        torch.manual_seed(1)
        config = CharCNNLSTMConfig(**shared, softmax=softmax, precision=precision)
        return Trainer(config, text, World(device=device), Checkpoint(folder, "benchmark"))

    full = trainer("full", "float32")
    plain, distinct = (PlainLoop(full.config, text, full, way) for way in (False, True))
    for loop in (plain, distinct):
        check_same_loss(loop, full)
    sampled = {"Lexiscope, sampled softmax, float32": trainer("sampled", "float32")}
    if choose_precision("auto", device) == torch.bfloat16:
        sampled["Lexiscope, sampled softmax, bfloat16"] = trainer("sampled", "bfloat16")
    n_tokens = options.streams * options.unroll
    outputs = torch.randn(n_tokens, options.dim, device=device)
    targets = torch.randint(options.vocabulary, (n_tokens,), device=device)
    meter = "the exact loss"
    medians = take_turns(
        {
            "plain PyTorch, float32": plain.step,
            "the same, characters once a word": distinct.step,
            "Lexiscope, full softmax, float32": full.train_step,
            **{name: one.train_step for name, one in sampled.items()},
            meter: lambda: exact_total_loss(outputs, targets, *full.model.output_layer()),
        },
        options.rounds,
        device,
    )
    metered = medians.pop(meter) / METER_EVERY
    for name in sampled:
        medians[name] += metered
    print(
        f"{options.vocabulary} words, embedding {options.dim}, LSTM {options.hidden}, {options.samples} "
        f"samples, {options.streams} x {options.unroll} tokens a step, {options.device}, "
        f"{options.threads} thread(s), median of {options.rounds}"
    )
    first = before = next(iter(medians.values()))
    for name, seconds in medians.items():
        print(
            f"{name:38} {1e3 * seconds:9.1f} ms {n_tokens / seconds:10.0f} tokens/s "
            f"{first / seconds:7.2f} x {before / seconds:7.2f} x the row above"
        )
        before = seconds
    if len(sampled) == 1:
        print("(this processor has no bfloat16 products of its own)")


if __name__ == "__main__":
    main()
