"""Activation maximisation: the exact solver against Adam, on a softmax layer that the project trained.

    python benchmarks/am_solver.py results/small/spaces/output.safetensors [--l2 1e-5 0.02] [--words 1024]
        [--rounds 3] [--threads 2] [--device auto] [--precision float32] [--dense]

For each λ it first finds f*, to 0.01 %, and the learning rate with which Adam comes within 0.2 % of it
soonest. Then the contenders take turns, on the same words, with the same products in the same precision:

- Adam as the paper runs it (learning rate 0.001, 100 epochs), wherever that ends;
- Adam as well tuned as it gets, stopped as soon as its mean objective is within 0.2 % of f*;
- the exact solver, every word certified within 1 %. What it computes once a layer is counted in
  proportion to the words. Its passes are those over all of W; what it does on a sample of W is in its time.

Medians over the rounds are compared. ``--dense`` adds the released program's way of updating (all rows at
every step) against the deferred one, for one epoch over the whole layer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.activation_maximisation import as_coded
from lexiscope.activation_maximisation.adam import AdamRows
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.exact import ExactSolver, Solution
from lexiscope.activation_maximisation.paper import maximise_block
from lexiscope.activation_maximisation.softmax import SoftmaxLayer
from lexiscope.devices import choose_device
from lexiscope.embeddings.space import load_space

TOLERANCE, REFERENCE, CLOSE = 0.01, 1e-4, 1.002
RATES = (0.03, 0.1, 0.3)
MOST_EPOCHS, TUNING_WORDS = 200, 64


def clocked(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that ``work`` takes, a GPU's share included."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def settings(l2: float, **others: object) -> ActivationMaximisationConfig:
    base = {"kind": "activation_maximisation", "of": "output", "l2": l2}
    return ActivationMaximisationConfig.model_validate(base | others)


def start_of(layer: SoftmaxLayer, n_words: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    start = torch.rand(n_words, layer.dim, generator=generator) * 0.1 - 0.05
    return start.to(layer.weight.device)


def mean_objective(layer: SoftmaxLayer, inputs: Tensor, words: Tensor, l2: float) -> float:
    loss = layer.cross_entropy(inputs.double(), words).loss
    return float((loss + l2 * inputs.double().square().sum(dim=1)).mean())


def epochs_to_goal(layer: SoftmaxLayer, words: Tensor, l2: float, rate: float, goal: float) -> int:
    """Epochs until Adam's mean objective is at most ``goal``; more than allowed if it never is."""
    rows = AdamRows.start(start_of(layer, len(words)))
    for step in range(1, MOST_EPOCHS + 1):
        loss, gradient = layer.cross_entropy(rows.value, words)
        if float((loss + l2 * rows.value.square().sum(dim=1)).mean()) <= goal:
            return step - 1
        rows.step(gradient.add_(rows.value, alpha=2 * l2), step, rate)
    return MOST_EPOCHS + 1


def tune(layer: SoftmaxLayer, words: Tensor, l2: float) -> tuple[float, int]:
    """The learning rate that needs the fewest epochs, and how many."""
    some = words[:: max(1, len(words) // TUNING_WORDS)]
    goal = CLOSE * mean_objective(layer, solve(layer, some, l2, tolerance=REFERENCE).inputs, some, l2)
    found = {rate: epochs_to_goal(layer, some, l2, rate, goal) for rate in RATES}
    best = min(found, key=lambda rate: found[rate])
    return best, found[best]


def solve(
    layer: SoftmaxLayer, words: Tensor, l2: float, tolerance: float = TOLERANCE, *, reduced: bool = False
) -> Solution:
    return ExactSolver(layer, l2, tolerance, seed=1, reduced=reduced).solve(words)


def matrix_rate(layer: SoftmaxLayer, n_words: int) -> float:
    """Floating-point operations a second of a plain product of this shape."""
    inputs = torch.randn(n_words, layer.dim, device=layer.weight.device)
    product = lambda: inputs @ layer.weight.T  # noqa: E731
    product()
    seconds = statistics.median(clocked(product, layer.weight.device) for _ in range(5))
    return 2.0 * n_words * layer.n_words * layer.dim / seconds


def peak_megabytes(path: str, l2: float, n_words: int) -> float:
    """Memory that solving a block takes beyond the layer itself, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return float(pool.apply(_peak_of_a_process, (path, l2, n_words)))


def _peak_of_a_process(path: str, l2: float, n_words: int) -> float:
    torch.set_num_threads(1)
    space = load_space(path)
    layer = SoftmaxLayer.from_space(space, bias="auto", device=torch.device("cpu"))
    del space
    solve(layer, evenly(layer, 64), l2)  # what the libraries take once
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    solve(layer, evenly(layer, n_words), l2)
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """A line of Linux's account of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def evenly(layer: SoftmaxLayer, n_words: int) -> Tensor:
    last = layer.n_words - 1
    chosen = torch.linspace(0, last, min(n_words, layer.n_words), dtype=torch.float64)
    return chosen.long().to(layer.weight.device)


def compare(layer: SoftmaxLayer, words: Tensor, l2: float, options: argparse.Namespace) -> None:
    device, reduced = layer.weight.device, options.precision == "mixed"
    optimum = mean_objective(layer, solve(layer, words, l2, tolerance=REFERENCE).inputs, words, l2)
    rate, epochs = tune(layer, words, l2)
    paper = settings(l2, precision=options.precision)
    tuned = settings(l2, learning_rate=rate, epochs=epochs, precision=options.precision)
    start = start_of(layer, len(words))
    seconds: dict[str, list[float]] = {"paper": [], "tuned": [], "exact": []}
    ends: dict[str, Tensor] = {}
    solver: ExactSolver | None = None
    solution: Solution | None = None

    def run_adam(name: str, config: ActivationMaximisationConfig) -> None:
        ends[name] = maximise_block(layer, start, words, config)

    def run_prepare() -> None:
        nonlocal solver
        solver = ExactSolver(layer, l2, TOLERANCE, seed=1, reduced=reduced)

    def run_exact() -> None:
        nonlocal solution
        assert solver is not None
        solution = solver.solve(words)

    for _ in range(options.rounds):
        seconds["paper"].append(clocked(lambda: run_adam("paper", paper), device))
        prepare = clocked(run_prepare, device)
        solve_time = clocked(run_exact, device)
        seconds["exact"].append(solve_time + prepare * len(words) / layer.n_words)
        seconds["tuned"].append(clocked(lambda: run_adam("tuned", tuned), device))
    assert solution is not None
    median = {name: statistics.median(values) for name, values in seconds.items()}
    gap = solution.certificate / solution.objective
    passes = {"paper": float(paper.epochs), "tuned": float(epochs), "exact": solution.passes}
    inputs = {**ends, "exact": solution.inputs}
    labels = {
        "paper": "Adam, lr 0.001 × 100 (the paper)",
        "tuned": f"Adam, lr {rate:g} × {epochs} (best tuned)"
        + (" did not get there" if epochs > MOST_EPOCHS else ""),
        "exact": "exact",
    }
    print(f"\nλ = {l2:g}: f* = {optimum:.6g} in the mean")
    print(f"{'':42}{'seconds':>9}{'ratio':>8}{'passes':>9}{'objective / f*':>16}")
    for name in ("paper", "tuned", "exact"):
        relative = mean_objective(layer, inputs[name], words, l2) / optimum
        print(
            f"{labels[name]:42}{median[name]:9.2f}{median[name] / median['exact']:8.1f}"
            f"{passes[name]:9.2f}{relative:16.5g}"
        )
    quantiles = torch.quantile(gap.double().cpu(), torch.tensor([0.5, 0.95, 1.0], dtype=torch.float64))
    print(
        "certificate / objective: median {:.2%}, 95 % of words {:.2%}, worst word {:.2%}".format(
            *quantiles.tolist()
        )
    )
    work = 4.0 * solution.passes * len(words) * layer.n_words * layer.dim
    share = work / median["exact"] / matrix_rate(layer, len(words))
    print(f"its passes over W alone, at the speed of a plain product, are {share:.0%} of its time")


def compare_dense(layer: SoftmaxLayer, batch_size: int, rounds: int) -> None:
    """One epoch of ``as_coded``: rows moved when they are needed, against all rows at every step."""
    config = settings(1e-5, objective="as_coded", batch_size=batch_size)
    start, words = start_of(layer, layer.n_words), torch.arange(layer.n_words, device=layer.weight.device)
    device = layer.weight.device

    def deferred() -> None:
        as_coded.run_epoch(as_coded.Training.start(start), layer, words, config, seed=1, epoch=0)

    def dense() -> None:
        rows = AdamRows.start(start.clone())
        for step, batch in enumerate(torch.split(words, batch_size), start=1):
            gradient = rows.value * (2 * config.l2)
            gradient[batch] += layer.cross_entropy(rows.value[batch], batch).gradient / len(batch)
            rows.step(gradient, step, config.learning_rate)

    times = [(clocked(deferred, device), clocked(dense, device)) for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"\nas_coded, one epoch: deferred {ours:.2f} s, dense {theirs:.2f} s, ratio {theirs / ours:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("layer", help="an lm_output space or a layer file")
    parser.add_argument("--l2", type=float, nargs="+", default=[1e-5, 0.02])
    parser.add_argument("--words", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["float32", "mixed"], default="float32")
    parser.add_argument("--dense", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    layer = SoftmaxLayer.from_space(load_space(options.layer), bias="auto", device=device)
    words = evenly(layer, options.words)
    print(
        f"V = {layer.n_words:,}, d = {layer.dim}, {len(words):,} words, {options.precision} products, "
        f"{device.type}, {options.threads} threads, medians of {options.rounds} rounds"
    )
    for l2 in options.l2:
        compare(layer, words, l2, options)
    if options.dense:
        compare_dense(layer, 1024, options.rounds)
    if device.type == "cpu":
        peak = peak_megabytes(options.layer, options.l2[0], options.words)
        print(f"\npeak memory of the exact solver beyond the layer: {peak:.0f} MiB")
    else:
        print(f"\npeak memory on the device: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
