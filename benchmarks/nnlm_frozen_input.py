"""Epochs of an LSTM language model with frozen input: speed and perplexity, beside a plain PyTorch loop.

    python benchmarks/nnlm_frozen_input.py --data ../shared/data [--epochs 2] [--masks 11]

The plain loop is that of `nnlm_training.py`: `nn.Embedding` (frozen), `nn.LSTM`, `nn.Linear`, the full
softmax, float32. It and Lexiscope's models begin with the same weights and train on the Penn Treebank's
usual 10,000 words, over one table of word2vec vectors trained on the same text. They take turns, a window
each, so that a busy machine slows all of them. Tokens a second are of training alone; the perplexities of
validation and test part, over all words, are Lexiscope's for every contender's weights.

Dropout masks differ between contenders, which alone moves perplexities by about one per cent. ``--masks
11`` trains Lexiscope's model once more, with other masks and other drawn words; ``--softmax sampled full``
once more with the full softmax.

With 2 x 650 units an epoch of plain loop and sampled softmax takes 20 to 45 minutes on a processor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gensim.models import Word2Vec
from nnlm_reference import read_lines, text_of
from nnlm_training import OurLoop, PlainLoop, timed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.corpora.encoded import SPLITS
from lexiscope.corpora.vocabulary import EOS
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.predict import perplexities
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_models.numerics import choose_precision

PLAIN = "plain PyTorch"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with ptb/ptb.train.txt")
    for name, size in (("epochs", 2), ("hidden", 650), ("dim", 650), ("layers", 2), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--max-tokens", type=int, help="train on the first so many")
    parser.add_argument("--softmax", nargs="+", choices=("sampled", "full"), default=["sampled"])
    parser.add_argument("--masks", nargs="*", type=int, default=[], help="seeds of further dropout masks")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lines = {split: read_lines(options.data / "ptb" / f"ptb.{split}.txt") for split in SPLITS}
    text = text_of(lines)
    table = word_vectors(lines["train"], text.words, options.dim)
    with threadpool_limits(options.threads, user_api="blas"):
        compare(text, table, options)


def word_vectors(lines: Sequence[list[str]], words: Sequence[str], dim: int) -> NDArray[np.float32]:
    """word2vec of the training text, a row a word; zeros for those that do not occur in it."""
    sentences = [[*line, EOS] for line in lines]
    trained = Word2Vec(sentences, vector_size=dim, min_count=1, epochs=5, workers=1, seed=1).wv
    table = np.zeros((len(words), dim), dtype=np.float32)
    for number, word in enumerate(words):
        if word in trained:
            table[number] = trained[word]
    return table


def compare(text: RestrictedText, table: NDArray[np.float32], options: argparse.Namespace) -> None:
    """Train all contenders, a window each in turn, and print a row of each after every epoch."""
    device = torch.device(options.device)
    settings = Settings(
        hidden_size=options.hidden,
        num_layers=options.layers,
        dropout=0.5,
        batch_size=20,
        unroll=35,
        epochs=options.epochs,
        learning_rate=1.0,
        optimizer="sgd",
    )
    precision = choose_precision(options.precision, device)
    kind = str(precision).removeprefix("torch.")
    spec = ModelSpec("frozen", "frozen", "trainable", table, seed=1)

    def group(dtype: torch.dtype = torch.float32, **further: Any) -> LanguageModelGroup:
        return LanguageModelGroup([spec], replace(settings, **further), len(text), device, dtype)

    ids = text.splits["train"][: options.max_tokens].view(np.uint32)
    plain = PlainLoop(ids, settings, table, group())
    torch.manual_seed(1)  # of the plain loop's dropout
    loops: dict[str, PlainLoop | OurLoop] = {PLAIN: plain}
    for softmax in options.softmax:
        for masks in (None, *options.masks):
            ours = OurLoop(ids, group(precision, softmax=softmax))
            if masks is not None:
                draw_from(ours, masks)
            other = "" if masks is None else f", masks {masks}"
            loops[f"Lexiscope, {softmax} softmax{other}"] = ours
    reader = group()  # takes the plain loop's weights, to read with them
    n_windows = len(plain.streams) - 1  # the last one is shorter, and not full
    n_tokens = n_windows * settings.batch_size * settings.unroll
    print(
        f"{options.layers} x {options.hidden}, {len(text)} words, frozen input of {options.dim}, "
        f"{n_tokens} tokens an epoch, {device}, {options.threads} thread(s), Lexiscope in {kind}"
    )
    print("| epoch | | ms a window, median | tokens/s | | valid | test | |\n" + 8 * "|---" + "|")
    for epoch in range(1, options.epochs + 1):
        times = train_epoch(loops, n_windows, device)
        found = {}
        for name, loop in loops.items():
            model = loop.model if isinstance(loop, OurLoop) else plain.model.copied_to(reader)
            found[name] = [
                perplexities(model, text.splits[split], n_streams=settings.batch_size)[0]
                for split in ("valid", "test")
            ]
        for name, (valid, test) in found.items():
            median, total = statistics.median(times[name]), sum(times[name])
            more = 100 * (np.array([valid, test]) / found[PLAIN] - 1)
            print(
                f"| {epoch} | {name} | {1e3 * median:.0f} | {n_tokens / total:.0f} | "
                f"{sum(times[PLAIN]) / total:.2f} x | {valid:.2f} | {test:.2f} | "
                f"{more[0]:+.1f} %, {more[1]:+.1f} % |",
                flush=True,
            )


def draw_from(loop: OurLoop, seed: int) -> None:
    """Let a loop draw its dropout masks and words from another seed; its initial weights stay."""
    model, sampled = loop.model, loop.sampled
    model.generators = [torch.Generator(model.device).manual_seed(seed) for _ in model.generators]
    if sampled is not None and sampled.generator is not None:
        sampled.generator.manual_seed(seed)


def train_epoch(
    loops: dict[str, PlainLoop | OurLoop], n_windows: int, device: torch.device
) -> dict[str, list[float]]:
    """Train all on the windows of an epoch; returns the seconds of each window."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    for loop in loops.values():
        loop.start_again()
    for number in range(n_windows):
        for name, loop in loops.items():
            times[name].append(timed(loop.step, device))
        if number % 100 == 99:
            print(
                f"window {number + 1} of {n_windows}, "
                + ", ".join(f"{name} {sum(taken):.0f} s" for name, taken in times.items()),
                file=sys.stderr,
                flush=True,
            )
    return times


if __name__ == "__main__":
    main()
