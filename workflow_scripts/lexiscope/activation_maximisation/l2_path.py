"""The λ path: exact solutions over a grid of λ, each started from the one before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexiscope.activation_maximisation.config import L2PathConfig
from lexiscope.activation_maximisation.maximise import found_space, identity, solve_exactly
from lexiscope.activation_maximisation.problem import Problem
from lexiscope.checkpoints import Checkpoint
from lexiscope.devices import choose_device
from lexiscope.embeddings.space import save_space
from lexiscope.files import write_json
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def follow_l2_path(
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
    """Solve activation maximisation exactly for every λ of a grid.

    It goes from the largest λ, where the optimum is near the origin, to the smallest.

    Parameters
    ----------
    output_space, layer
        As for `maximise_activation`.
    config
        An `L2PathConfig`, as a mapping.
    output
        A folder: a space for each λ, by rising λ, and last of all ``path.json``, which lists them.
    checkpoint, seed, threads, device
        As for `maximise_activation`.
    """
    torch.set_num_threads(threads)
    settings = L2PathConfig.model_validate(config)
    target = choose_device(device)
    problem = Problem.read(output_space, layer, settings, target)
    unfinished = Checkpoint(Path(checkpoint), identity(problem, config, seed))
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    grid = sorted(settings.l2)
    summaries: dict[float, dict[str, Any]] = {}
    inputs = None
    for number, l2 in reversed(list(enumerate(grid))):
        inputs, passes = solve_exactly(
            problem, settings, l2, seed, unfinished, start=inputs, prefix=f"l2-{number:02d}-"
        )
        columns = problem.judge(inputs, l2)
        provenance = {
            "seed": seed,
            "threads": threads,
            "device": target.type,
            "l2": l2,
            "passes": round(passes, 3),
        }
        file = f"{number:02d}.safetensors"
        save_space(found_space(problem, settings, inputs, columns, provenance), folder / file)
        gap = float((columns["certificate"] / columns["objective"]).max())
        objective = float(columns["objective"].mean(dtype=np.float64))
        logger.info("λ = %g: objective %.4g, largest gap %.2g, %.2f passes", l2, objective, gap, passes)
        summaries[l2] = {"files": file, "objective": objective, "gap": gap, "passes": round(passes, 3)}
    listed = {key: [summaries[l2][key] for l2 in grid] for key in ("files", "objective", "gap", "passes")}
    write_json(folder / "path.json", {"of": settings.of, "l2": grid, "n_words": len(problem), **listed})
    unfinished.remove()
