"""Where each score stands in the tables: the order, the groups and the labels of the task registry."""

from __future__ import annotations

from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import MEASURES, TASKS

SUMMARY_SPLIT = "test"
"""The split that the papers' tables show; others (a single participant, say) get a table of their own."""

TITLES = {
    ("derby2020", "table1"): "Intrinsic evaluation",
    ("derby2020", "table2"): "Sentence classification",
    ("derby2020", "table3"): "Semantic relatedness",
    ("derby2020", "figure1"): "Semantic textual similarity",
    ("derby2020", "figure2"): "Probing",
    ("derby2020", "table4"): "Language modelling",
}
"""What each table of the papers is about."""


@dataclass(frozen=True)
class Place:
    """The place of one measure.

    Attributes
    ----------
    paper, table
        The table of a paper that prints it, as in the registry; empty for an unknown task.
    title
        What that table is about.
    group, label
        Headings above and of its column.
    rank
        Sorts measures as the papers do.
    """

    paper: str
    table: str
    title: str
    group: str
    label: str
    rank: int


_GROUPS = {
    measure: group.label
    for group in TASKS.values()
    for dataset in group.datasets
    for measure in dataset.measures
}
_RANKS = {key: rank for rank, key in enumerate(MEASURES)}


def place_of(score: Score) -> Place:
    """The place of a score; one that the registry does not know comes last, under its own names."""
    measure = MEASURES.get((score.dataset, score.metric))
    if measure is None:
        return Place("", "", "Other tasks", score.task.replace("_", " "), score.dataset, len(MEASURES))
    group = _GROUPS[measure]
    return Place(
        paper=measure.paper,
        table=measure.table,
        title=TITLES.get((measure.paper, measure.table), group),
        group=group,
        # The heading above already says "BrainBench".
        label=measure.label.removeprefix(f"{group} "),
        rank=_RANKS[score.dataset, score.metric],
    )
