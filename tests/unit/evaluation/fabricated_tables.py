"""Scores and items made up for the tests of comparisons and claims."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lexiscope.evaluation.scores import Item, Score, Status


def score(
    space: str,
    dataset: str,
    metric: str,
    *,
    task: str = "transfer",
    split: str = "test",
    seed: int = 1,
    status: Status = "ok",
) -> Score:
    """A score of which only the place in the tables matters."""
    ok = status == "ok"
    blank: dict[str, Any] = dict.fromkeys(("ci_low", "ci_high", "baseline"))
    blank |= dict.fromkeys(("protocol", "note", "dataset_sha256", "config_sha256", "code_version"), "")
    return Score(
        study="s",
        space=space,
        model="m",
        seed=seed,
        task=task,
        dataset=dataset,
        split=split,
        metric=metric,
        value=0.5 if ok else None,
        n_used=1,
        n_total=1,
        status=status,
        error="" if ok else "why",
        higher_is_better=True,
        constant=False,
        **blank,
    )


def items_of(
    space: str,
    dataset: str,
    predictions: ArrayLike,
    gold: ArrayLike,
    *,
    task: str = "transfer",
    split: str = "test",
    seed: int = 1,
    used: ArrayLike | None = None,
    first_id: int = 0,
) -> list[Item]:
    """One item a prediction, all used unless said otherwise."""
    truth = np.asarray(gold, dtype=float).tolist()
    answers = np.asarray(predictions, dtype=float).tolist()
    taken = [True] * len(truth) if used is None else np.asarray(used).tolist()
    return [
        Item("s", space, seed, task, dataset, split, first_id + i, f"f:{i}", *answer)
        for i, answer in enumerate(zip(truth, answers, taken, strict=True))
    ]
