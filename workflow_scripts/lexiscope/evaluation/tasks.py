"""Which tasks there are: their datasets, the numbers each gives, and where the papers print them.

One workflow job evaluates one space on one task group. A dataset is what is prepared and read (it has a
receipt); a measure is one number reported on it (it has a column in a table).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lexiscope.errors import LexiscopeError

Scale = Literal["correlation", "proportion"]


@dataclass(frozen=True)
class Measure:
    """One reported number.

    Attributes
    ----------
    dataset
        Name in the ``dataset`` column of the scores, and the paper's ``task`` in the printed values.
    metric
        Name in the ``metric`` column.
    label
        Heading of its column in a table.
    paper, table
        Where it is printed.
    scale
        ``correlation`` (-1 to 1) or ``proportion`` (0 to 1).
    baseline
        What a space that knows nothing gets: the chance level.
    higher_is_better
        Direction.
    """

    dataset: str
    metric: str
    label: str
    paper: str
    table: str
    scale: Scale
    baseline: float
    higher_is_better: bool = True


@dataclass(frozen=True)
class Dataset:
    """Something to be scored on; ``key`` is its name in the catalogue of data."""

    key: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class TaskGroup:
    """Datasets that share one way of scoring and one workflow job."""

    name: str
    label: str
    datasets: tuple[Dataset, ...]

    def dataset(self, key: str) -> Dataset:
        """The dataset of that key.

        Raises
        ------
        LexiscopeError
            If the group has none of that key.
        """
        for dataset in self.datasets:
            if dataset.key == key:
                return dataset
        keys = [dataset.key for dataset in self.datasets]
        raise LexiscopeError(f"task {self.name!r} has no dataset {key!r}", remedy=_suggestion(key, keys))


def _similarity(key: str, label: str) -> Dataset:
    return Dataset(key, (Measure(key, "spearman", label, "derby2020", "table1", "correlation", 0.0),))


def _brainbench(dataset: str, label: str) -> Measure:
    return Measure(dataset, "two_vs_two_accuracy", label, "derby2020", "table1", "proportion", 0.5)


# In the order of Table 1 of Derby et al. (2020).
TASKS: dict[str, TaskGroup] = {
    group.name: group
    for group in (
        TaskGroup(
            "word_similarity",
            "Word similarity",
            (
                _similarity("ws353_similarity", "WordSim353-Sim"),
                _similarity("simlex999", "SimLex-999"),
                _similarity("ws353_relatedness", "WordSim353-Rel"),
                _similarity("men", "MEN"),
                _similarity("mturk287", "MTurk-287"),
                _similarity("ws353", "WordSim353"),
                _similarity("rareword", "RareWords"),
            ),
        ),
        TaskGroup(
            "brainbench",
            "BrainBench",
            (
                Dataset(
                    "brainbench",
                    (
                        _brainbench("brainbench_fmri", "BrainBench fMRI"),
                        _brainbench("brainbench_meg", "BrainBench MEG"),
                    ),
                ),
            ),
        ),
    )
}

MEASURES: dict[tuple[str, str], Measure] = {
    (measure.dataset, measure.metric): measure
    for group in TASKS.values()
    for dataset in group.datasets
    for measure in dataset.measures
}
"""Every measure by (dataset, metric), in table order."""


def resolve_tasks(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Turn what a user lists under ``tasks`` into dataset keys by task group.

    A name is that of a group (all its datasets) or of one dataset. Groups and datasets come in the order of
    the registry, each once, whatever the order of the names.

    Raises
    ------
    LexiscopeError
        If a name is unknown.

    Examples
    --------
    >>> resolve_tasks(["brainbench", "men", "simlex999"])
    {'word_similarity': ('simlex999', 'men'), 'brainbench': ('brainbench',)}
    """
    known = set(TASKS) | {dataset.key for group in TASKS.values() for dataset in group.datasets}
    for name in names:
        if name not in known:
            raise LexiscopeError(f"unknown task {name!r}", remedy=_suggestion(name, sorted(known)))
    wanted = set(names)
    chosen = {
        group.name: tuple(
            dataset.key for dataset in group.datasets if group.name in wanted or dataset.key in wanted
        )
        for group in TASKS.values()
    }
    return {group: datasets for group, datasets in chosen.items() if datasets}


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
