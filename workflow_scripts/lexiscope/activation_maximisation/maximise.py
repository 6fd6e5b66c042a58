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
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.softmax import SoftmaxLayer
from lexiscope.checkpoints import Checkpoint
from lexiscope.devices import choose_device
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.files import digest_json, sha256_file
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def maximise_activation(
    *,
    output_space: Path,
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
    config
        An `ActivationMaximisationConfig`, as a mapping.
    output
        The space to write.
    checkpoint
        A folder for unfinished work; it is used to resume, and removed at the end.
    seed, threads, device
        Seed of start and order; CPU threads; ``auto``, ``cpu`` or ``cuda``.
    """
    torch.set_num_threads(threads)
    settings = ActivationMaximisationConfig.model_validate(config)
    target = choose_device(device)
    source = load_space(output_space)
    layer = SoftmaxLayer.from_space(source, bias=settings.bias, device=target)
    start = _random_start(layer, settings, seed)
    identity = digest_json([dict(config), seed, sha256_file(output_space)])
    unfinished = Checkpoint(Path(checkpoint), identity)
    solve = _solve_paper if settings.objective == "paper" else _solve_as_coded
    inputs = solve(layer, start, settings, seed, unfinished)
    columns = _judge(layer, inputs, settings)
    for name, column in columns.items():
        logger.info("%s: median %.4g, largest %.4g", name, np.median(column), column.max())
    provenance = {
        **source.provenance,
        "kind": settings.kind,
        "config": settings.model_dump(mode="json"),
        "seed": seed,
        "threads": threads,
        "device": target.type,
        "softmax_sha256": sha256_file(output_space),
    }
    kept = {name: source.columns[name] for name in ("count",) if name in source.columns}
    save_space(EmbeddingSpace(source.words, inputs.cpu().numpy(), provenance, {**kept, **columns}), output)
    unfinished.remove()


def _random_start(layer: SoftmaxLayer, config: ActivationMaximisationConfig, seed: int) -> Tensor:
    generator = np.random.default_rng(seed)
    shape = (layer.n_words, layer.dim)
    values = generator.random(shape, dtype=np.float32) * (2 * config.init_range) - config.init_range
    return torch.from_numpy(values).to(layer.weight.device)


def _solve_paper(
    layer: SoftmaxLayer,
    start: Tensor,
    config: ActivationMaximisationConfig,
    seed: int,
    unfinished: Checkpoint,
) -> Tensor:
    del seed  # the start is all that is random here
    inputs = torch.empty_like(start)
    words = torch.arange(layer.n_words, device=start.device)
    with Progress("activation maximisation", total=layer.n_words, unit="words") as progress:
        for block in torch.split(words, config.batch_size):
            name = f"block-{int(block[0]):08d}"
            found = unfinished.load(name)
            if found is not None:
                inputs[block] = torch.from_numpy(found["inputs"]).to(start.device)
                progress.resume_at(progress.done + len(block))
                continue
            inputs[block] = paper.maximise_block(layer, start[block], block, config)
            unfinished.save(name, {"inputs": inputs[block].cpu().numpy()})
            progress.advance(len(block))
    return inputs


def _solve_as_coded(
    layer: SoftmaxLayer,
    start: Tensor,
    config: ActivationMaximisationConfig,
    seed: int,
    unfinished: Checkpoint,
) -> Tensor:
    training = as_coded.Training.start(start)
    first_epoch = 0
    found = unfinished.load("epoch")
    if found is not None:
        first_epoch = int(found["epoch"])
        parts = [torch.from_numpy(found[name]).to(start.device) for name in ("value", "first", "second")]
        training.rows = AdamRows(*parts)
        training.step = int(found["step"])
        training.reached.fill_(training.step)
    with Progress("activation maximisation", total=config.epochs, unit="epochs") as progress:
        progress.resume_at(first_epoch)
        for epoch in range(first_epoch, config.epochs):
            as_coded.run_epoch(training, layer, config, seed, epoch)
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


def _judge(
    layer: SoftmaxLayer, inputs: Tensor, config: ActivationMaximisationConfig
) -> dict[str, NDArray[np.float32]]:
    """Final value of −log p + λ‖x‖² for each word, and the bound ‖∇‖² / 4λ of its distance to the minimum.

    The bound holds because the objective is 2λ-strongly convex; without a penalty there is none.
    """
    words = torch.arange(layer.n_words, device=inputs.device)
    loss, gradient = layer.cross_entropy(inputs, words)
    objective = loss + config.l2 * inputs.square().sum(dim=1)
    gradient += 2 * config.l2 * inputs
    columns = {"objective": objective}
    if config.l2 > 0:
        columns["certificate"] = gradient.square().sum(dim=1) / (4 * config.l2)
    return {name: column.cpu().numpy() for name, column in columns.items()}
