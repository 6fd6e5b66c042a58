"""Where each score stands in the tables: the order, the groups and the labels of the task registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import BUILT_PROBES, MEASURES, PROBES, TASKS, Measure, measure_of

TITLES = {
    "table1": "Intrinsic evaluation",
    "table2": "Sentence classification",
    "table3": "Semantic relatedness",
    "figure1": "Semantic textual similarity",
    "figure2": "Probing",
    "table4": "Language modelling",
    "xprobe": "X-Probe, English",
}
"""What each table is about."""

TIMES_100 = ("table3", "figure1")
"""Where the papers print correlations a hundredfold."""

COSINE = "_cosine"
"""Ends the name of a dataset that is scored once more without training."""

_UNKNOWN = 10 * len(MEASURES)


@dataclass(frozen=True)
class Place:
    """The place of one measure.

    Attributes
    ----------
    paper, table
        The table of a paper that is its model, as in the registry; the paper is empty where there is none,
        and both for an unknown task.
    title
        What that table is about.
    group, label
        Headings above and of its column.
    name
        What it is called where no heading says the rest.
    shown_as
        How its scores are printed: a key of `formats.METRICS`.
    rank
        Sorts measures as the papers do.
    split
        The split that the table shows.
    is_main
        Whether it is the one measure by which its task is counted; MRPC has two, and is one task.
    """

    paper: str
    table: str
    title: str
    group: str
    label: str
    name: str
    shown_as: str
    rank: tuple[int, ...]
    split: str = "test"
    is_main: bool = True


def place_of(score: Score) -> Place:
    """The place of a score; one that the registry does not know comes last, under its own names."""
    return place_of_measure(score.dataset, score.metric) or Place(
        paper="",
        table="",
        title="Other tasks",
        group=score.task.replace("_", " "),
        label=score.dataset,
        name=score.dataset,
        shown_as=score.metric,
        rank=(_UNKNOWN,),
    )


def is_summary(score: Score) -> bool:
    """Whether a score is the one of its measure that the tables show, not one of a part of the dataset."""
    return score.split == place_of(score).split


@cache
def place_of_measure(dataset: str, metric: str) -> Place | None:
    """The place of a measure of the registry or of a built probe; None for any other."""
    if (place := _places().get((dataset, metric))) is not None:
        return place
    measure = measure_of(dataset, metric)
    return None if measure is None else _built_probe(measure)


@cache
def _places() -> dict[tuple[str, str], Place]:
    papers = {measure.table: measure.paper for measure in MEASURES.values() if measure.paper}
    return {
        (measure.dataset, measure.metric): _place(number, measure, group, papers, is_main=is_main)
        for number, (measure, group, is_main) in enumerate(_measures())
    }


def _measures() -> Iterator[tuple[Measure, str, bool]]:
    """Each measure with its group's label, and whether it is the main one of its task."""
    for group in TASKS.values():
        for dataset in group.datasets:
            first = dataset.measures[0]
            seen: set[str] = set()
            for measure in dataset.measures:
                yield measure, group.label, measure.dataset not in seen and measure.paper == first.paper
                seen.add(measure.dataset)


def _place(number: int, measure: Measure, group: str, papers: dict[str, str], *, is_main: bool) -> Place:
    table = measure.table
    rank: tuple[int, ...] = (number,)
    if table in TIMES_100:
        # The papers keep Pearson and Spearman apart; what is trained and the plain cosine are two methods.
        is_cosine = measure.dataset.endswith(COSINE)
        rank = (_first_of(table), measure.metric != "pearson", is_cosine, number)
        if table == "table3":
            group = "Cosine" if is_cosine else "Regression"
    shown_as = f"{measure.metric}_x100" if table in TIMES_100 else measure.metric
    return Place(
        paper=papers.get(table, ""),
        table=table,
        title=TITLES.get(table, group),
        group=group,
        # The heading above already says "BrainBench".
        label=measure.label.removeprefix(f"{group} ").removesuffix(" cosine"),
        name=measure.label,
        shown_as=shown_as,
        rank=rank,
        split=measure.split,
        is_main=is_main,
    )


@cache
def _first_of(table: str) -> int:
    return next(number for number, measure in enumerate(MEASURES.values()) if measure.table == table)


def _built_probe(measure: Measure) -> Place:
    """Every built probe has a table of its own, under its own name."""
    probe, task = measure.dataset.split("/", 1)
    tasks = list(PROBES)
    return Place(
        paper="",
        table=f"{BUILT_PROBES}/{probe}",
        title=f"Probe {probe}, built from a treebank",
        group=probe,
        label=PROBES.get(task, task),
        name=measure.label,
        shown_as=measure.metric,
        rank=(len(MEASURES), tasks.index(task) if task in tasks else len(tasks)),
        split=measure.split,
    )
