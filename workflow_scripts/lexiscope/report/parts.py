"""The parts of a dataset, such as the subsets of a year of STS, and the ways of averaging them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.report.cells import Cell, over_seeds
from lexiscope.report.formats import metric_label
from lexiscope.report.tables import is_path_point, own_scores
from lexiscope.report.task_order import place_of

TABLE = "figure1"
"""The table whose datasets have parts."""

COMBINED = {"mean": "mean of the subsets", "wmean": "mean weighted by pairs", "all": "all pairs together"}
"""The splits that stand for the whole of a dataset."""


@dataclass(frozen=True)
class PartTable:
    """One metric on every part: a row a part, a column a space.

    Attributes
    ----------
    rows
        For each part the dataset, what the part is called, and a cell a space.
    """

    metric: str
    spaces: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]


def part_tables(scores: Sequence[Score], kinds: Mapping[str, str]) -> list[PartTable]:
    """A table a metric, with the datasets in the order of the papers.

    Parameters
    ----------
    scores
        All scores of the study.
    kinds
        Kind of each space, in the order of the study.
    """
    by_metric: dict[str, list[Score]] = defaultdict(list)
    of_parts = [score for score in scores if place_of(score).table == TABLE and not is_path_point(score)]
    for score in sorted(own_scores(of_parts), key=lambda score: place_of(score).rank):
        by_metric[place_of(score).shown_as].append(score)
    return [_table(shown_as, rows, kinds) for shown_as, rows in by_metric.items()]


def _table(shown_as: str, scores: Sequence[Score], kinds: Mapping[str, str]) -> PartTable:
    spaces = list(dict.fromkeys([*kinds, *(score.space for score in scores)]))
    spaces = [space for space in spaces if any(score.space == space for score in scores)]
    found: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        found[score.dataset, score.split][score.space].append(score)
    order = list(found)
    combined = list(COMBINED)

    def place(part: tuple[str, str]) -> tuple[int, int, int]:
        """By dataset, the whole before its subsets, and these as they came."""
        datasets = list(dict.fromkeys(dataset for dataset, _ in order))
        rank = combined.index(part[1]) if part[1] in combined else len(combined)
        return datasets.index(part[0]), rank, order.index(part)

    rows = []
    for part in sorted(order, key=place):
        by_space = found[part]
        first = next(iter(by_space.values()))[0]
        cells = tuple(
            Cell(over_seeds(by_space[space])) if space in by_space else Cell(None) for space in spaces
        )
        rows.append((place_of(first).name, COMBINED.get(part[1], part[1]), cells))
    return PartTable(metric_label(shown_as), tuple(spaces), tuple(rows))
