"""Activation maximisation of a whole output space: blocks, checkpoints, progress."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.activation_maximisation import as_coded, paper
from lexiscope.activation_maximisation.adam import AdamRows
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig, MaximisationConfig
from lexiscope.activation_maximisation.exact import ExactSolver
from lexiscope.activation_maximisation.problem import Problem
from lexiscope.checkpoints import Checkpoint
from lexiscope.devices import choose_device
from lexiscope.digests import code_digest
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.files import digest_json
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def maximise_activation(
    *,
    output_space: Path,
    layer: Path | None = None,
    config: Mapping[str, Any],
    output: Path,
    checkpoint: Path,
    seed: int,
    threads: int,
    device: str = "auto",
) -> None:
    """Find for each word of an output space the input that its softmax unit likes best.

    The columns ``objective`` (the minimised value: −log p + λ‖x‖²) and ``certificate`` (‖∇‖² / 4λ, an upper
    bound of how far that value still is from its minimum) tell how good each vector is.

    Parameters
    ----------
    output_space
        A space with the rows of a softmax layer and, unless ``config`` says otherwise, a column ``bias``.
    layer
        The whole layer of its model, for ``softmax_over: vocabulary``.
    config
        An `ActivationMaximisationConfig`, as a mapping.
    output
        The space to write.
    checkpoint
        A folder for unfinished work; it is used to resume, and removed at the end.
    seed, threads, device
        Seed of start, order and sample; CPU threads; ``auto``, ``cpu`` or ``cuda``.
    """
    torch.set_num_threads(threads)
    settings = ActivationMaximisationConfig.model_validate(config)
    target = choose_device(device)
    problem = Problem.read(output_space, layer, settings, target)
    unfinished = Checkpoint(Path(checkpoint), identity(problem, config, seed))
    details: dict[str, Any] = {}
    if settings.objective == "exact":
        inputs, passes = solve_exactly(problem, settings, settings.l2, seed, unfinished)
        details["passes"] = round(passes, 3)
    elif settings.objective == "as_coded":
        inputs = _solve_as_coded(problem, settings, seed, unfinished)
    else:
        inputs = _solve_paper(problem, settings, seed, unfinished)
    probability = settings.form == "probability"
    columns = problem.judge(inputs, settings.l2, probability=probability)
    for name, column in columns.items():
        logger.info("%s: median %.4g, largest %.4g", name, np.median(column), column.max())
    if "certificate" in columns:
        details["float64_check"] = problem.float64_check(inputs, columns, settings.l2)
    provenance = {"seed": seed, "threads": threads, "device": target.type, **details}
    save_space(found_space(problem, settings, inputs, columns, provenance), output)
    unfinished.remove()


def identity(problem: Problem, config: Mapping[str, Any], seed: int) -> str:
    """Digest of everything that unfinished work depends on."""
    return digest_json([dict(config), seed, problem.sha256, code_digest(Path(__file__)), torch.__version__])


def found_space(
    problem: Problem,
    config: MaximisationConfig,
    inputs: Tensor,
    columns: Mapping[str, NDArray[np.float32]],
    provenance: Mapping[str, Any],
) -> EmbeddingSpace:
    """The inputs (n, d) as a space, which keeps what is known of the words."""
    source = problem.space
    kept = {name: source.columns[name] for name in ("count",) if name in source.columns}
    return EmbeddingSpace(
        source.words,
        inputs.cpu().numpy(),
        {
            **source.provenance,
            "kind": "activation_maximisation",
            "config": config.model_dump(mode="json", exclude={"seeds"}),
            "softmax_sha256": problem.sha256,
            "softmax_words": problem.layer.n_words,
            **provenance,
        },
        {**kept, **columns},
    )


def solve_exactly(
    problem: Problem,
    config: MaximisationConfig,
    l2: float,
    seed: int,
    unfinished: Checkpoint,
    *,
    start: Tensor | None = None,
    prefix: str = "",
) -> tuple[Tensor, float]:
    """The optimal inputs of all words (n, d), and the passes over W that a word took on average.

    ``start`` are inputs to begin with, (n, d); ``prefix`` begins the checkpoints' names.
    """
    solver = ExactSolver(problem.layer, l2, config.tolerance, seed, reduced=config.precision == "mixed")
    inputs = torch.empty(len(problem), problem.layer.dim, device=problem.targets.device)
    spent, n_open = 0.0, 0
    with Progress(f"exact maximisation, λ = {l2:g}", total=len(problem), unit="words") as progress:
        for block in _blocks(problem, config):
            name = f"{prefix}block-{int(block[0]):08d}"
            found = unfinished.load(name)
            if found is not None:
                inputs[block] = torch.from_numpy(found["inputs"]).to(inputs.device)
                spent += float(found["spent"])
                n_open += int(found["open"])
                progress.resume_at(progress.done + len(block))
                continue
            begin = None if start is None else start[block]
            solution = solver.solve(problem.targets[block], begin)
            inputs[block] = solution.inputs
            spent_here = solution.passes * len(block)
            open_here = int((solution.certificate > config.tolerance * solution.objective).sum())
            spent, n_open = spent + spent_here, n_open + open_here
            arrays = {"inputs": solution.inputs.cpu().numpy()}
            unfinished.save(name, {**arrays, "spent": np.array(spent_here), "open": np.array(open_here)})
            progress.advance(len(block))
    if n_open:
        logger.warning("%d words could not be proved to be as near their optimum as was asked for", n_open)
    return inputs, spent / max(1, len(problem))


def _blocks(problem: Problem, config: MaximisationConfig) -> tuple[Tensor, ...]:
    words = torch.arange(len(problem), device=problem.targets.device)
    return torch.split(words, config.batch_size)


def _random_start(problem: Problem, config: ActivationMaximisationConfig, seed: int) -> Tensor:
    generator = np.random.default_rng(seed)
    shape = (len(problem), problem.layer.dim)
    values = generator.random(shape, dtype=np.float32) * (2 * config.init_range) - config.init_range
    return torch.from_numpy(values).to(problem.targets.device)


def _solve_paper(
    problem: Problem, config: ActivationMaximisationConfig, seed: int, unfinished: Checkpoint
) -> Tensor:
    start = _random_start(problem, config, seed)
    inputs = torch.empty_like(start)
    with Progress("activation maximisation", total=len(problem), unit="words") as progress:
        for block in _blocks(problem, config):
            name = f"block-{int(block[0]):08d}"
            found = unfinished.load(name)
            if found is not None:
                inputs[block] = torch.from_numpy(found["inputs"]).to(start.device)
                progress.resume_at(progress.done + len(block))
                continue
            inputs[block] = paper.maximise_block(
                problem.layer, start[block], problem.targets[block], config
            )
            unfinished.save(name, {"inputs": inputs[block].cpu().numpy()})
            progress.advance(len(block))
    return inputs


def _solve_as_coded(
    problem: Problem, config: ActivationMaximisationConfig, seed: int, unfinished: Checkpoint
) -> Tensor:
    training = as_coded.Training.start(_random_start(problem, config, seed))
    layers = paper.layers_by_epoch(problem.layer, config)
    device = problem.targets.device
    first_epoch = 0
    found = unfinished.load("epoch")
    if found is not None:
        first_epoch = int(found["epoch"])
        parts = [torch.from_numpy(found[name]).to(device) for name in ("value", "first", "second")]
        training.rows = AdamRows(*parts)
        training.step = int(found["step"])
        training.reached.fill_(training.step)
    with Progress("activation maximisation", total=config.epochs, unit="epochs") as progress:
        progress.resume_at(first_epoch)
        for epoch in range(first_epoch, config.epochs):
            as_coded.run_epoch(training, layers[epoch], problem.targets, config, seed, epoch)
            progress.advance(1)
            if unfinished.is_due() and epoch + 1 < config.epochs:
                rows = training.rows
                unfinished.save(
                    "epoch",
                    {
                        "value": rows.value.cpu().numpy(),
                        "first": rows.first.cpu().numpy(),
                        "second": rows.second.cpu().numpy(),
                        "epoch": np.array(epoch + 1),
                        "step": np.array(training.step),
                    },
                )
    return training.rows.value
