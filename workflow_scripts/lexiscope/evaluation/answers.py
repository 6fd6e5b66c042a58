"""Who answered what: the items of many spaces on one dataset, side by side.

The table of items has millions of rows. It is read one task group at a time, without the items' names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, read_table
from lexiscope.evaluation.tasks import measure_of

Run = tuple[str, int]
"""A space, and one seed that it was made with."""

PATH_MARK = "@"
"""Stands in the names of the solutions along a λ path, which are not compared with one another."""

SCORE_COLUMNS = [
    *("study", "task", "dataset", "metric", "split", "higher_is_better"),
    *("space", "seed", "status"),
]

ITEM_COLUMNS = ("space", "seed", "dataset", "split", "item_id", "gold", "prediction", "used")


@dataclass(frozen=True)
class Headline:
    """A number that stands in the tables, and who has it.

    Attributes
    ----------
    study, task, dataset, metric, split
        Which number.
    higher_is_better
        Its direction.
    seeds
        The seeds of each space that has a value, by space; spaces in the order of the scores.
    """

    study: str
    task: str
    dataset: str
    metric: str
    split: str
    higher_is_better: bool
    seeds: Mapping[str, tuple[int, ...]]

    def runs_in(self, answers: Answers) -> dict[str, list[int]]:
        """The runs of each space that has answers, as indices into ``answers.runs``."""
        number_of = {run: number for number, run in enumerate(answers.runs)}
        runs = {
            space: [number_of[space, seed] for seed in seeds if (space, seed) in number_of]
            for space, seeds in self.seeds.items()
        }
        return {space: numbers for space, numbers in runs.items() if numbers}


def read_headlines(path: str | Path) -> list[Headline]:
    """Read from the table of scores which spaces have which of the tables' numbers, in its order.

    Solutions along a λ path are left out.

    Raises
    ------
    LexiscopeError
        If it is not a table of scores.
    """
    found: dict[tuple[str, ...], Headline] = {}
    seeds: dict[tuple[str, ...], dict[str, set[int]]] = {}
    for row in read_table(path, SCORE_SCHEMA).select(SCORE_COLUMNS).to_pylist():
        measure = measure_of(row["dataset"], row["metric"])
        if measure is None or row["split"] != measure.split or PATH_MARK in row["space"]:
            continue
        key = (row["study"], row["task"], row["dataset"], row["metric"])
        found.setdefault(key, Headline(*key, row["split"], row["higher_is_better"], {}))
        # With two vocabularies a space has two scores; its items are those of its own words.
        if row["status"] == "ok":
            seeds.setdefault(key, {}).setdefault(row["space"], set()).add(row["seed"])
    return [
        replace(headline, seeds={space: tuple(sorted(own)) for space, own in seeds.get(key, {}).items()})
        for key, headline in found.items()
    ]


@dataclass(frozen=True)
class Answers:
    """What each run answered on the items of one dataset.

    Attributes
    ----------
    dataset
        Its name.
    runs
        The spaces and seeds.
    splits
        Names of the splits, in the order of their first items.
    split_of
        Index into ``splits`` of each item, shape (n_items,).
    gold
        Shape (n_items,); NaN where there is none.
    predictions
        Shape (n_runs, n_items); NaN where a run has none.
    used
        Shape (n_runs, n_items): whether the answer came from vectors.
    """

    dataset: str
    runs: tuple[Run, ...]
    splits: tuple[str, ...]
    split_of: NDArray[np.int64]
    gold: NDArray[np.float64]
    predictions: NDArray[np.float64]
    used: NDArray[np.bool_]


def read_answers(
    path: str | Path, *, study: str, task: str, datasets: Collection[str], spaces: Collection[str]
) -> Iterator[Answers]:
    """Read the items of one task group, and yield them dataset by dataset.

    Parameters
    ----------
    path
        The table of items.
    study, task, datasets, spaces
        Which of them. The datasets come in the order given; those without items are passed over.

    Raises
    ------
    LexiscopeError
        If it is not a table of items, if a run has two answers to one item, or if two runs were given
        different gold answers.
    """
    table = _read_task(path, study, task)
    table = table.filter(pc.is_in(table["space"], pa.array(sorted(spaces), pa.string())))
    for dataset in datasets:
        rows = table.filter(pc.equal(table["dataset"], dataset))
        if len(rows):
            yield _side_by_side(rows, dataset, path)


def _read_task(path: str | Path, study: str, task: str) -> pa.Table:
    try:
        if not pq.read_schema(path).equals(ITEM_SCHEMA):
            raise LexiscopeError("its columns are not those of this table", where=path)
        chosen = [("study", "==", study), ("task", "==", task)]
        return pq.read_table(path, columns=list(ITEM_COLUMNS), filters=chosen, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise LexiscopeError(f"not a readable Parquet file ({error})", where=path) from None


def _side_by_side(rows: pa.Table, dataset: str, path: str | Path) -> Answers:
    items, item_of = np.unique(_numbers(rows, "item_id"), return_inverse=True)
    spaces, space_of = _names(rows, "space")
    splits, split_of = _names(rows, "split")
    seeds, seed_of = np.unique(_numbers(rows, "seed"), return_inverse=True)
    pairs, run_of = np.unique(space_of * len(seeds) + seed_of, return_inverse=True)
    runs = tuple((spaces[pair // len(seeds)], int(seeds[pair % len(seeds)])) for pair in pairs)
    cells = run_of * len(items) + item_of
    filled = np.bincount(cells, minlength=len(runs) * len(items))
    if filled.max() > 1:
        space, seed = runs[int(filled.argmax()) // len(items)]
        raise LexiscopeError(
            f"space {space!r} (seed {seed}) answered an item of {dataset!r} twice", where=path
        )
    gold = np.full(len(items), np.nan)
    split = np.zeros(len(items), dtype=np.int64)
    gold[item_of], split[item_of] = _numbers(rows, "gold"), split_of
    same_gold = np.array_equal(gold[item_of], _numbers(rows, "gold"), equal_nan=True)
    if not same_gold or (split[item_of] != split_of).any():
        raise LexiscopeError(f"the spaces were given different items of {dataset!r}", where=path)
    predictions = np.full((len(runs), len(items)), np.nan)
    predictions[run_of, item_of] = _numbers(rows, "prediction")
    used = np.zeros((len(runs), len(items)), dtype=np.bool_)
    used[run_of, item_of] = _numbers(rows, "used")
    order = np.argsort([int(np.flatnonzero(split == code)[0]) for code in range(len(splits))])
    return Answers(
        dataset=dataset,
        runs=runs,
        splits=tuple(splits[code] for code in order),
        split_of=np.argsort(order)[split],
        gold=gold,
        predictions=predictions,
        used=used,
    )


def _numbers(rows: pa.Table, column: str) -> NDArray[np.generic]:
    numbers: NDArray[np.generic] = rows[column].to_numpy()
    return numbers


def _names(rows: pa.Table, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """The names of a column, sorted, and the index of each row's."""
    encoded = rows[column].combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    place = np.argsort(np.argsort(names))
    return sorted(names), place[encoded.indices.to_numpy()]
