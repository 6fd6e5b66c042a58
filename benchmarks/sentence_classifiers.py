"""Sentence classifiers: SentEval's three schedules, against SentEval itself on the same features.

    python benchmarks/sentence_classifiers.py --senteval SentEval [--tasks MR TREC SST2] [--dim 300]
        [--classifiers senteval_derby convex] [--rounds 3] [--threads 1] [--outer-folds 1]
        [--data SentEval/data/downstream --space vectors.safetensors]

``--senteval`` is a checkout of the official repository; a temporary copy of it is changed so that it runs
without CUDA and on a current Python, nothing else. SentEval always runs with the settings of
``senteval_derby``, which are those of the first classifier unless it is the exact optimum.

Without ``--data`` the features are generated, in the numbers of MR (10,662 examples of 2 classes, nested
cross-validation), TREC (5,452 of 6, folds, 500 to test) and SST2 (67,349 of 2, given split); with it they
are the means of the vectors of ``--space``, lower-cased words, missing ones left out. Sentences are not
part of the time. SentEval takes minutes over MR: ``--outer-folds 1`` runs the first of its 10 outer folds,
and what is printed is 10 times that time. Its accuracy is then that of the first fold.

Contenders take turns, so that a busy machine slows all of them; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from senteval_checkout import copy_for_this_machine
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.evaluation.classification import sentence_examples
from lexiscope.evaluation.classifiers.config import ClassifierConfig, resolve_classifier
from lexiscope.evaluation.classifiers.schedules import cross_validate, tune_by_folds, tune_on_split
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.sentence_files import (
    LabelledSentences,
    read_one_class,
    read_questions,
    read_sentiment,
)

SHAPES = {"MR": (2, [10662]), "TREC": (6, [5452, 500]), "SST2": (2, [67349, 872, 1821])}
"""Classes, and examples in each part."""
SEED = 1111

Part = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Task:
    """Features and labels of each part, in SentEval's order."""

    name: str
    n_classes: int
    parts: list[Part]

    def solve(self, config: ClassifierConfig) -> float:
        """Accuracy on the test part."""
        if self.name == "MR":
            ((x, y),) = self.parts
            nested = cross_validate(x, y, self.n_classes, config=config, seed=SEED)
            return float(np.mean(nested.predictions == y))
        *_, (test_x, test_y) = self.parts
        if self.name == "TREC":
            tuned = tune_by_folds(*self.parts[0], test_x, self.n_classes, config=config, seed=SEED)
        else:
            train, valid, _ = self.parts
            tuned = tune_on_split(*train, *valid, test_x, self.n_classes, config=config, seed=SEED)
        return float(np.mean(tuned.predictions == test_y))

    def solve_by_senteval(self, tools: ModuleType, config: ClassifierConfig) -> float:
        settings = {
            "nclasses": self.n_classes,
            "seed": SEED,
            "usepytorch": True,
            "kfold": config.kfold,
            "classifier": {
                "nhid": config.n_hidden,
                "optim": config.optimizer,
                "batch_size": config.batch_size,
                "tenacity": config.tenacity,
                "epoch_size": config.epoch_size,
                "dropout": config.dropout,
            },
        }
        if self.name == "MR":
            return tools.InnerKFoldClassifier(*self.parts[0], settings).run()[1] / 100
        if self.name == "TREC":
            train, test = ({"X": x, "y": y} for x, y in self.parts)
            return tools.KFoldClassifier(train, test, settings).run()[1] / 100
        names = ("train", "valid", "test")
        features = {name: x for name, (x, _) in zip(names, self.parts, strict=True)}
        labels = {name: y for name, (_, y) in zip(names, self.parts, strict=True)}
        return tools.SplitClassifier(features, labels, settings).run()[1] / 100


def limit_outer_folds(tools: ModuleType, n_rows: int, n_folds: int) -> None:
    """Let a nested cross-validation of so many rows end after ``n_folds`` outer folds."""
    complete = tools.StratifiedKFold

    class FirstFolds(complete):
        def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Any]:
            folds = super().split(X, y, groups)
            return (
                (fold for _, fold in zip(range(n_folds), folds, strict=False))
                if len(X) == n_rows
                else folds
            )

    tools.StratifiedKFold = FirstFolds


def generate(name: str, dim: int) -> Task:
    """Features as small as those of averaged word vectors, and labels that a line predicts in part."""
    n_classes, sizes = SHAPES[name]
    random = np.random.default_rng(1)
    features = 0.1 * random.standard_normal((sum(sizes), dim), dtype=np.float32)
    signal = features @ random.standard_normal((dim, n_classes), dtype=np.float32)
    labels = (15 / np.sqrt(dim) * signal + random.gumbel(size=signal.shape)).argmax(axis=1)
    cuts = np.cumsum(sizes)[:-1]
    return Task(name, n_classes, list(zip(np.split(features, cuts), np.split(labels, cuts), strict=True)))


def read(name: str, data: Path, space: EmbeddingSpace) -> Task:
    """The means of the word vectors of the sentences of a task."""
    if name == "MR":
        folder = data / "MR"
        both = read_one_class(folder / "rt-polarity.pos", 1) + read_one_class(folder / "rt-polarity.neg", 0)
        parts: list[LabelledSentences] = [both]
    elif name == "TREC":
        parts = [read_questions(data / "TREC" / file) for file in ("train_5500.label", "TREC_10.label")]
    else:
        folder = data / "SST" / "binary"
        parts = [read_sentiment(folder / f"sentiment-{part}", 2) for part in ("train", "dev", "test")]
    examples = [sentence_examples(space, part, ProtocolConfig()) for part in parts]
    return Task(name, SHAPES[name][0], [(part.features, part.ordered_labels) for part in examples])


def clocked(work: Callable[[], float]) -> tuple[float, float]:
    """What ``work`` returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def compare(task: Task, tools: ModuleType, options: argparse.Namespace) -> None:
    configs = {name: resolve_classifier(name) for name in options.classifiers}
    theirs = next((one for one in configs.values() if one.optimizer != "exact"), ClassifierConfig())
    folds, scale = theirs.kfold, 1.0
    complete = tools.StratifiedKFold
    if task.name == "MR" and options.outer_folds < folds:
        limit_outer_folds(tools, len(task.parts[0][1]), options.outer_folds)
        scale = folds / options.outer_folds
    contenders = {"SentEval": lambda: task.solve_by_senteval(tools, theirs)}
    for name, config in configs.items():
        contenders[name] = lambda config=config: task.solve(config)
    accuracy: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, work in contenders.items():
            accuracy[name], taken = clocked(work)
            seconds[name].append(taken * (scale if name == "SentEval" else 1))
    tools.StratifiedKFold = complete

    sizes = " + ".join(f"{len(labels):,}" for _, labels in task.parts)
    print(f"\n{task.name}: {sizes} examples × {task.parts[0][0].shape[1]}, {task.n_classes} classes")
    if scale > 1:
        print(
            f"SentEval ran {options.outer_folds} of {folds} outer folds; seconds are {scale:g} times that"
        )
    print(f"{'':20}{'accuracy':>10}{'seconds':>10}{'faster':>9}")
    base = statistics.median(seconds["SentEval"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:20}{100 * accuracy[name]:9.2f}%{median:10.2f}{base / median:8.1f}×")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--senteval", type=Path, required=True, help="a checkout of SentEval")
    parser.add_argument("--tasks", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--dim", type=int, default=300, help="of generated features")
    parser.add_argument("--classifiers", nargs="+", default=["senteval_derby", "convex"], metavar="PRESET")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--outer-folds", type=int, default=10, help="of MR's nested folds, for SentEval")
    parser.add_argument("--data", type=Path, help="folder with MR, TREC and SST in SentEval's layout")
    parser.add_argument("--space", type=Path, help="word vectors, with --data")
    options = parser.parse_args()
    if (options.data is None) != (options.space is None):
        parser.error("--data and --space go together")

    torch.set_num_threads(options.threads)
    space = load_space(options.space) if options.space else None
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        copy_for_this_machine(options.senteval, Path(folder))
        from senteval.tools import validation as tools

        for name in options.classifiers:  # compiled, or loaded, before any clock runs
            for task in ("MR", "TREC"):
                n_classes, parts = SHAPES[task][0], generate(task, 4).parts
                some = Task(task, n_classes, [(x[:400], y[:400]) for x, y in parts])
                some.solve(resolve_classifier(name).model_copy(update={"kfold": 2}))
        print(f"{options.threads} thread(s), median of {options.rounds}")
        for name in options.tasks:
            task = read(name, options.data, space) if space is not None else generate(name, options.dim)
            compare(task, tools, options)


if __name__ == "__main__":
    main()
