"""The LSTM language model of Zaremba et al. (2014) on the Penn Treebank, beside PyTorch's own example.

    git clone https://github.com/pytorch/examples
    python benchmarks/nnlm_reference.py --examples examples --data ../shared/data [--softmax sampled]

Both train the same model on the same text, untied, 2 x 650 units with dropout 0.5, over the usual 10,000
words: Lexiscope as its ``untied`` baseline, and the unchanged ``word_language_model/main.py``. The example
averages its loss over the 35 steps of a window where Lexiscope adds them up, so it is given 35 times the
learning rate and a 35th of the clipping norm, which is the same step. What remains different: initial
weights (the example's tables are from a range twice as wide, its LSTM is PyTorch's), and evaluation (the
example leaves out the last few tokens). Each runs in one thread, at the same time.

At full length (``--epochs 39 --device cuda``) the level to reach is that of Zaremba et al.'s medium model:
perplexity 86.2 (validation) and 82.7 (test). On a processor an epoch takes a quarter of an hour or more.
``--hidden 200`` is quicker. Without ``--examples`` only Lexiscope's model is trained.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.corpora.vocabulary import EOS, SPECIALS
from lexiscope.files import open_binary
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.train import TrainedModel, train_group

UNROLL, CLIP_NORM = 35, 5.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=Path, help="a checkout of pytorch/examples")
    parser.add_argument("--data", type=Path, required=True, help="a folder with ptb/ptb.train.txt")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=650)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--softmax", choices=("full", "sampled"), default="full")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    lines = {split: read_lines(options.data / "ptb" / f"ptb.{split}.txt") for split in SPLITS}
    with tempfile.TemporaryDirectory() as folder:
        example = start_example(options, lines, Path(folder)) if options.examples else None
        ours = train(options, lines, Path(folder) / "checkpoint")
        printed = example.communicate()[0] if example else None
    if example and example.returncode:
        sys.exit(f"the example failed:\n{printed}")
    tell(ours, printed)


def read_lines(path: Path) -> list[list[str]]:
    with open_binary(path) as stream:
        return [line.split() for line in stream.read().decode("utf-8").splitlines()]


def text_of(lines: Mapping[Split, list[list[str]]]) -> RestrictedText:
    """The text over all words of its training part, by falling count."""
    tokens = {
        split: [word for words in sentences for word in (*words, EOS)] for split, sentences in lines.items()
    }
    counts = Counter(word for word in tokens["train"] if word not in SPECIALS)
    words = (*SPECIALS, *(word for word, _ in counts.most_common()))
    ids = {word: number for number, word in enumerate(words)}
    splits: dict[Split, np.ndarray] = {
        split: np.array([ids[word] for word in part], dtype=np.int32) for split, part in tokens.items()
    }
    return RestrictedText(words, splits, source="")


def start_example(
    options: argparse.Namespace, lines: Mapping[Split, list[list[str]]], folder: Path
) -> subprocess.Popen[str]:
    """PyTorch's example on the same text, with the step on its scale."""
    script = (options.examples / "word_language_model" / "main.py").resolve()
    if not script.is_file():
        sys.exit(f"{options.examples}: this is not a checkout of pytorch/examples")
    for split, sentences in lines.items():
        text = "".join(f"{' '.join(words)}\n" for words in sentences)
        (folder / f"{split}.txt").write_text(text, encoding="utf-8")
    arguments = {
        "data": folder,
        "emsize": options.hidden,
        "nhid": options.hidden,
        "dropout": 0.5,
        "bptt": UNROLL,
        "lr": 1.0 * UNROLL,
        "clip": CLIP_NORM / UNROLL,
        "epochs": options.epochs,
        "seed": options.seed,
    }
    command = [sys.executable, str(script)]
    command += [f"--{name}={value}" for name, value in arguments.items()]
    command += ["--accel"] if options.device == "cuda" else []
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)


def train(
    options: argparse.Namespace, lines: Mapping[Split, list[list[str]]], checkpoint: Path
) -> TrainedModel:
    """The ``untied`` model in Lexiscope; its learning rate falls after epoch 6, as in Zaremba et al."""
    text = text_of(lines)
    print(f"{len(text)} words; tokens: {', '.join(f'{s} {text.n_tokens(s)}' for s in SPLITS)}")
    settings = Settings(
        hidden_size=options.hidden,
        num_layers=2,
        dropout=0.5,
        batch_size=20,
        unroll=UNROLL,
        epochs=options.epochs,
        learning_rate=1.0,
        optimizer="sgd",
        schedule="paper",
        clip_norm=CLIP_NORM,
        softmax=options.softmax,
    )
    spec = ModelSpec("untied", "trainable", "trainable", seed=options.seed)
    (trained,) = train_group(text, [spec], settings, device=options.device, checkpoint=checkpoint)
    return trained


def tell(ours: TrainedModel, printed: str | None) -> None:
    """Print the perplexities, beside those of the example if it ran."""
    if printed is None:
        for record in ours.history:
            print(f"epoch {record['epoch']}: valid {record['valid_perplexity']:.1f}, ", end="")
            print(f"test {record['test_perplexity']:.1f}, {record['tokens_per_second']:.0f} tokens/s")
        return
    valid = re.findall(r"end of epoch.*valid ppl\s+([\d.]+)", printed)
    (test,) = re.findall(r"test ppl\s+([\d.]+)", printed)
    print("| epoch | valid, PyTorch's example | valid, Lexiscope | ratio |")
    print("|---|---|---|---|")
    for record, theirs in zip(ours.history, map(float, valid), strict=True):
        own = record["valid_perplexity"]
        print(f"| {record['epoch']} | {theirs:.1f} | {own:.1f} | {own / theirs:.3f} |")
    own = ours.history[-1]["test_perplexity"]
    print(f"| test | {float(test):.1f} | {own:.1f} | {own / float(test):.3f} |")


if __name__ == "__main__":
    main()
