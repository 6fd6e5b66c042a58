"""Where each score stands in the tables: the order, the groups and the labels of the task registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import BUILT_PROBES, GROUPS, MEASURES, PROBES, Measure, measure_of

TITLES = {
    "table1": "Intrinsic evaluation",
    "table2": "Sentence classification",
    "table3": "Semantic relatedness",
    "figure1": "Semantic textual similarity",
    "figure2": "Probing",
    "table4": "Frozen embeddings in a language model",
    "table4_baselines": "Models without pre-trained vectors",
    "verwimp_table1": "Reverse transfer",
    "xprobe": "X-Probe, English",
}
"""What each table is about."""

TIMES_100 = ("table3", "figure1")
"""Where the papers print correlations a hundredfold."""

BASELINES = "table4_baselines"
"""The table of what stands below the models of Table 4."""

EVERY_SPLIT = ("table4", BASELINES)
"""Tables that show the splits of a dataset side by side; a task is counted by one of them alone."""

_SPLITS = ("train", "valid", "test")

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
    is_aside
        Whether it is of another split than the one that counts.
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
    is_aside: bool = False


def place_of(score: Score) -> Place:
    """The place of a score; one that the registry does not know comes last, under its own names."""
    place = place_of_measure(score.dataset, score.metric)
    if place is None:
        return Place(
            paper="",
            table="",
            title="Other tasks",
            group=score.task.replace("_", " "),
            label=score.dataset,
            name=score.dataset,
            shown_as=score.metric,
            rank=(_UNKNOWN,),
        )
    return _of_split(place, score.split) if place.table in EVERY_SPLIT else place


@cache
def _of_split(place: Place, split: str) -> Place:
    """The place of one of the splits that stand side by side."""
    if split not in _SPLITS:
        return place
    rank = (*place.rank, _SPLITS.index(split))
    if split == place.split:
        return replace(place, label=split, rank=rank)
    name = f"{place.name}, {split}"
    return replace(place, label=split, name=name, rank=rank, split=split, is_main=False, is_aside=True)


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
    papers = {_table_of(measure): measure.paper for measure in MEASURES.values() if measure.paper}
    return {
        (measure.dataset, measure.metric): _place(number, measure, group, papers, is_main=is_main)
        for number, (measure, group, is_main) in enumerate(_measures())
    }


def _measures() -> Iterator[tuple[Measure, str, bool]]:
    """Each measure with its group's label, and whether it is the main one of its task."""
    for group in GROUPS:
        for dataset in group.datasets:
            first = dataset.measures[0]
            seen: set[str] = set()
            for measure in dataset.measures:
                is_main = measure.dataset not in seen and measure.paper == first.paper
                yield measure, group.label, is_main and _table_of(measure) != BASELINES
                seen.add(measure.dataset)


def _table_of(measure: Measure) -> str:
    """The table that a measure stands in here: two papers have a first one, and baselines stand below."""
    if measure.dataset == "nnlm_baseline":
        return BASELINES
    if measure.dataset.startswith("lstm_lm"):
        return "verwimp_table1"
    return measure.table


def _place(number: int, measure: Measure, group: str, papers: dict[str, str], *, is_main: bool) -> Place:
    table = _table_of(measure)
    rank: tuple[int, ...] = (number,)
    if table in TIMES_100:
        # The papers keep Pearson and Spearman apart; what is trained and the plain cosine are two methods.
        is_cosine = measure.dataset.endswith(COSINE)
        rank = (_first_of(table), measure.metric != "pearson", is_cosine, number)
        if table == "table3":
            group = "Cosine" if is_cosine else "Regression"
    if table in EVERY_SPLIT:
        group = measure.label
    elif table == "verwimp_table1":
        group = "A space as input"
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
