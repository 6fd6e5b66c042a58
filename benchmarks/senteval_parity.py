"""The scores and the time of the same vectors in SentEval and here, task by task, in turns.

    python benchmarks/senteval_parity.py --senteval SentEval --data data --space vectors.safetensors
        [--seeds 1111 1112 1113] [--tasks MR STS12 ...] [--results parity.json] [--threads 1]

``--senteval`` is a checkout of the official repository (senteval_checkout.py says what is changed in a copy
of it); ``--data`` a folder of data sets as docs/data.md describes it. Both programs use the settings of
Derby et al. (2020), lower-cased words, and leave missing ones out, as SentEval's own example does. SentEval
takes its seed as a parameter; its nested folds are the same with every seed.

SentEval is given its own parameter ``similarity``: the cosine, rounded to 12 decimals. Without it, pairs of
sentences with the same words, whose cosine is 1, are ranked by their rounding errors.

What is done stands in ``--results``, and is not done again: to run on after a break, call the same command.
It prints a table in Markdown (docs/parity.md), with the mean over the seeds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from senteval_checkout import copy_for_this_machine
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.data.prepare import take_stock
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.evaluate import evaluate_group
from lexiscope.evaluation.scores import Identity
from lexiscope.evaluation.tasks import TASKS

NAMES = {
    "MR": "mr", "CR": "cr", "MPQA": "mpqa", "SUBJ": "subj", "SST2": "sst2", "SST5": "sst5", "TREC": "trec",
    "SICKEntailment": "sick_entailment", "MRPC": "mrpc", "SICKRelatedness": "sick_relatedness",
    "STSBenchmark": "stsbenchmark", "STS12": "sts12", "STS13": "sts13", "STS14": "sts14", "STS15": "sts15",
    "STS16": "sts16",
}  # fmt: skip
"""What SentEval calls each task, and Lexiscope."""

SETTINGS = {"nhid": 0, "optim": "adam", "batch_size": 128, "tenacity": 3, "epoch_size": 2}
PERCENT, ROUNDED = 100.0, 12

Scores = dict[str, float]
"""A task's numbers on the natural scale, by metric."""


def by_senteval(task: str, space: EmbeddingSpace, data: Path, seed: int) -> Scores:
    from senteval.engine import SE

    vectors = space.vectors.astype(np.float64)

    def batcher(_params: Any, batch: list[list[str]]) -> Any:
        rows = [[space.index[w] for w in map(str.lower, words) if w in space.index] for words in batch]
        return np.vstack([vectors[row].mean(axis=0) if row else np.zeros(space.dim) for row in rows])

    def similarity(u: Any, v: Any) -> float:
        norms = np.linalg.norm(u) * np.linalg.norm(v)
        return round(float(u @ v / norms), ROUNDED) if norms else 0.0

    parameters = {
        "task_path": str(data), "usepytorch": True, "kfold": 10, "seed": seed,
        "classifier": dict(SETTINGS), "similarity": similarity,
    }  # fmt: skip
    found = SE(parameters, batcher, lambda _params, _samples: None).eval(task)
    if task.startswith("STS1"):
        means = found["all"]
        return {metric: float(means[metric]["mean"]) for metric in ("pearson", "spearman")}
    if "pearson" in found:
        return {metric: float(found[metric]) for metric in ("pearson", "spearman")}
    scores = {"accuracy": found["acc"] / PERCENT}
    return scores | ({"f1": found["f1"] / PERCENT} if "f1" in found else {})


def by_lexiscope(task: str, space: EmbeddingSpace, data: Path, seed: int) -> Scores:
    key = NAMES[task]
    group = next(group for group in TASKS.values() if key in {dataset.key for dataset in group.datasets})
    dataset = group.dataset(key)
    evaluation = evaluate_group(
        space,
        group,
        {key: take_stock(dataset.source, "mirror", data)},
        protocol=ProtocolConfig(classifier="senteval_derby", seed=seed),
        identity=Identity("parity", "space", "", seed, "", ""),
    )
    headline = {measure.metric: measure.split for measure in dataset.measures if measure.dataset == key}
    return {
        score.metric: float(score.value)
        for score in evaluation.scores
        if score.dataset == key and headline.get(score.metric) == score.split and score.value is not None
    }


def unpacked(data: Path, folder: Path) -> Path:
    """SentEval's data without packed files, which it cannot read."""
    shutil.copytree(data / "senteval" / "downstream", folder / "downstream")
    for path in sorted((folder / "downstream").rglob("*.gz")):
        with gzip.open(path) as packed, path.with_suffix("").open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    return folder


def bound(task: str, metric: str) -> float:
    """How far the two may be apart."""
    if task.startswith("STS1"):
        return 1e-4
    return 0.01 if metric in ("pearson", "spearman") else 0.007


def print_table(results: dict[str, Any], tasks: list[str], seeds: list[int]) -> None:
    print(f"| task | metric | SentEval | Lexiscope | difference | may be | seeds {len(seeds)} |")
    print("|---|---|---|---|---|---|---|")
    for task in tasks:
        runs = [results[f"{task} {seed}"] for seed in seeds]
        for metric in runs[0]["senteval"]["scores"]:
            pairs = [
                (run["senteval"]["scores"][metric], run["lexiscope"]["scores"][metric]) for run in runs
            ]
            theirs, ours = (PERCENT * mean(values) for values in zip(*pairs, strict=True))
            allowed = PERCENT * bound(task, metric)
            verdict = "holds" if abs(ours - theirs) <= allowed else "**does not hold**"
            digits = 4 if allowed < 0.1 else 2
            print(
                f"| {task} | {metric} | {theirs:.{digits}f} | {ours:.{digits}f} "
                f"| {ours - theirs:+.{digits}f} | {allowed:g} | {verdict} |"
            )
    print()
    print("| task | SentEval, s | Lexiscope, s | faster |\n|---|---|---|---|")
    total = [0.0, 0.0]
    for task in [*tasks, "all"]:
        runs = [results[f"{task} {seed}"] for seed in seeds] if task != "all" else []
        both = (
            [mean(run[name]["seconds"] for run in runs) for name in ("senteval", "lexiscope")]
            if runs
            else total
        )
        total = total if task == "all" else [a + b for a, b in zip(total, both, strict=True)]
        print(f"| {task} | {both[0]:.2f} | {both[1]:.2f} | {both[0] / both[1]:.1f}× |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--senteval", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--space", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1111, 1112, 1113])
    parser.add_argument("--tasks", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--results", type=Path, default=Path("parity.json"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    space = load_space(options.space)
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name, threadpool_limits(options.threads):
        folder = Path(name)
        copy_for_this_machine(options.senteval, folder)
        data = unpacked(options.data, folder)
        for task in options.tasks:  # compiled code is loaded before any clock runs
            by_lexiscope(task, space.restricted_to(space.words[:500]), options.data, 1)
        for seed in options.seeds:
            for task in options.tasks:
                run = results.setdefault(f"{task} {seed}", {})
                for program, score, where in (
                    ("senteval", by_senteval, data),
                    ("lexiscope", by_lexiscope, options.data),
                ):
                    if program in run:
                        continue
                    start = time.perf_counter()
                    scores = score(task, space, where, seed)
                    run[program] = {"scores": scores, "seconds": time.perf_counter() - start}
                    options.results.write_text(json.dumps(results, indent=1))
                    print(f"{task} {seed} {program}: {run[program]}", file=sys.stderr, flush=True)
    print_table(results, options.tasks, options.seeds)


if __name__ == "__main__":
    main()
