"""The score tables, laid out like the papers': a row a space, a column a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.paper_values import PAPERS, TABLES, PaperValue, find_paper_value
from lexiscope.report.task_order import Place, is_summary, place_of

POINT = "@"
"""Stands between name and λ in what a solution along a λ path is called; no name of a space may have it."""


@dataclass(frozen=True)
class Column:
    """One task of a table.

    Attributes
    ----------
    coverage
        Items used of all, where it is the same for every space; otherwise each cell has its own.
    baseline
        What chance or the majority scores, where it is the same for every space.
    """

    place: Place
    dataset: str
    split: str
    metric: str
    higher_is_better: bool
    coverage: str | None
    baseline: float | None

    @property
    def label(self) -> str:
        """Heading of the column."""
        return self.place.label

    @property
    def anchor(self) -> str:
        """A name that is unique on the page."""
        return formats.anchor(f"{self.dataset}-{self.metric}-{self.split}")

    @property
    def metric_label(self) -> str:
        """The metric in words, with the direction where lower is better."""
        label = formats.metric_label(self.place.shown_as)
        return label if self.higher_is_better else f"{label}, lower is better"

    @property
    def baseline_text(self) -> str:
        """The baseline as the papers print the metric."""
        return formats.score(self.baseline, self.place.shown_as)


@dataclass(frozen=True)
class Cell:
    """One space's score on one task."""

    score: Score | None
    best: bool = False
    overlaps: bool = False
    paper: PaperValue | None = None

    @property
    def shown_as(self) -> str:
        """How the score is printed: a key of `formats.METRICS`."""
        return "" if self.score is None else place_of(self.score).shown_as

    @property
    def value(self) -> float | None:
        """The score, None where there is none."""
        return None if self.score is None else self.score.value

    @property
    def text(self) -> str:
        """The score with its metric's decimals."""
        return formats.score(self.value, self.shown_as)

    @property
    def interval(self) -> str:
        """The confidence interval in brackets."""
        if self.score is None:
            return ""
        return formats.interval(self.score.ci_low, self.score.ci_high, self.shown_as)

    @property
    def coverage(self) -> str:
        """Items used of all."""
        return "" if self.score is None else coverage(self.score)

    @property
    def paper_text(self) -> str:
        """The paper's value with the metric's decimals."""
        return "" if self.paper is None else formats.score(self.paper.value, self.shown_as)

    @property
    def status(self) -> str:
        """``ok``, ``skipped``, ``failed``, or ``absent`` where the table has no such row."""
        return "absent" if self.score is None else self.score.status


@dataclass(frozen=True)
class Row:
    """One space of a table, with its cells in the order of the columns."""

    space: str
    label: str
    kind: str
    cells: tuple[Cell, ...]

    @property
    def family(self) -> str:
        """The family that gives the row its colour."""
        return formats.family(self.kind)

    @property
    def kind_label(self) -> str:
        """The kind of space in words, empty where it would repeat the name."""
        label = formats.short_kind_label(self.kind)
        return "" if label.lower() == self.label.lower() else label


@dataclass(frozen=True)
class ScoreTable:
    """All spaces on the tasks that stand together in one table."""

    anchor: str
    place: Place
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What the table is about."""
        return self.place.title

    @property
    def source(self) -> str:
        """The table of a paper after which it is laid out; empty where there is none."""
        if not self.place.paper:
            return ""
        return f"{TABLES.get(self.place.table, self.place.table)} of {PAPERS[self.place.paper]}"

    @property
    def groups(self) -> list[tuple[str, str, int]]:
        """Headings above the columns: task group, metric, number of columns."""
        found: list[tuple[str, str, int]] = []
        for column in self.columns:
            heading = (column.place.group, column.metric_label)
            if found and found[-1][:2] == heading:
                found[-1] = (*heading, found[-1][2] + 1)
            else:
                found.append((*heading, 1))
        return found

    @property
    def cells(self) -> list[Cell]:
        """Every cell."""
        return [cell for row in self.rows for cell in row.cells]

    @property
    def problems(self) -> list[tuple[Row, Column, Score]]:
        """Every score that could not be computed."""
        return [
            (row, column, cell.score)
            for row in self.rows
            for column, cell in zip(self.columns, row.cells, strict=True)
            if cell.score is not None and cell.score.status != "ok"
        ]

    @property
    def has_papers(self) -> bool:
        """Whether a paper prints a value for any cell."""
        return any(cell.paper for cell in self.cells)

    @property
    def has_intervals(self) -> bool:
        """Whether any cell has an interval."""
        return any(cell.interval for cell in self.cells)

    @property
    def has_best(self) -> bool:
        """Whether there was anything to compare."""
        return any(cell.best for cell in self.cells)

    @property
    def has_overlaps(self) -> bool:
        """Whether any cell is marked as not separated from the best."""
        return any(cell.overlaps for cell in self.cells)

    @property
    def has_baselines(self) -> bool:
        """Whether any column has a baseline."""
        return any(column.baseline is not None for column in self.columns)

    @property
    def has_cell_coverage(self) -> bool:
        """Whether coverage differs between spaces in any column."""
        return any(column.coverage is None for column in self.columns)


def coverage(score: Score) -> str:
    """Items used of all."""
    return f"{score.n_used:,}/{score.n_total:,}"


def is_path_point(score: Score) -> bool:
    """Whether a score is that of a solution along a λ path, not that of a space of the study."""
    return POINT in score.space


def summary_scores(scores: Iterable[Score]) -> list[Score]:
    """The scores that the tables show: of the spaces of the study, on the split that the papers print."""
    return [score for score in scores if is_summary(score) and not is_path_point(score)]


def score_tables(scores: Sequence[Score], kinds: Mapping[str, str]) -> list[ScoreTable]:
    """Group the scores into tables.

    Parameters
    ----------
    scores
        Rows of the scores table, of the splits that one table is to show.
    kinds
        Kind of each space, in the order of the study; spaces it lacks follow in the order of the scores.
    """
    by_table: dict[str, list[Score]] = defaultdict(list)
    for score in sorted(scores, key=_order):
        by_table[place_of(score).table].append(score)
    order = list(dict.fromkeys([*kinds, *(score.space for score in scores)]))
    return [_table(number, rows, order, kinds) for number, rows in enumerate(by_table.values(), 1)]


def _order(score: Score) -> tuple[tuple[int, ...], str, str, str]:
    # Datasets that the registry does not know come last and keep a fixed order of their own.
    return place_of(score).rank, score.dataset, score.metric, score.split


def _table(number: int, scores: list[Score], order: list[str], kinds: Mapping[str, str]) -> ScoreTable:
    by_column: dict[tuple[str, str, str], list[Score]] = defaultdict(list)
    for score in scores:
        by_column[score.dataset, score.split, score.metric].append(score)
    columns = tuple(_column(rows) for rows in by_column.values())
    runs = sorted(
        {(score.space, score.seed) for score in scores}, key=lambda run: (order.index(run[0]), run[1])
    )
    seeds = {space: [seed for name, seed in runs if name == space] for space, _ in runs}
    cells = [_cells(rows, kinds) for rows in by_column.values()]
    return ScoreTable(
        anchor=f"scores-{number}",
        place=place_of(scores[0]),
        columns=columns,
        rows=tuple(
            Row(
                space=space,
                label=space if len(seeds[space]) == 1 else f"{space}, seed {seed}",
                kind=kinds.get(space, ""),
                cells=tuple(column.get((space, seed), Cell(None)) for column in cells),
            )
            for space, seed in runs
        ),
    )


def _column(scores: list[Score]) -> Column:
    first = scores[0]
    ok = [score for score in scores if score.status == "ok"]
    coverages = {coverage(score) for score in ok}
    baselines = {score.baseline for score in ok}
    return Column(
        place=place_of(first),
        dataset=first.dataset,
        split=first.split,
        metric=first.metric,
        higher_is_better=first.higher_is_better,
        coverage=coverages.pop() if len(coverages) == 1 else None,
        baseline=baselines.pop() if len(baselines) == 1 else None,
    )


def _cells(scores: list[Score], kinds: Mapping[str, str]) -> dict[tuple[str, int], Cell]:
    best = best_scores(scores)
    return {
        (score.space, score.seed): Cell(
            score=score,
            best=score in best,
            overlaps=score not in best and any(intervals_overlap(score, other) for other in best),
            paper=find_paper_value(
                kind=kinds.get(score.space, ""),
                dataset=score.dataset,
                metric=score.metric,
                split=score.split,
            ),
        )
        for score in scores
    }


def best_scores(scores: Iterable[Score]) -> list[Score]:
    """The best of one column; several where they are equal, none where nothing is compared.

    A score alone in its column is not the best of anything.
    """
    ok = [score for score in scores if score.value is not None]
    if len(ok) < 2:
        return []
    values = [score.value for score in ok if score.value is not None]
    best = max(values) if ok[0].higher_is_better else min(values)
    return [score for score in ok if score.value == best]


def intervals_overlap(one: Score, other: Score) -> bool:
    """Whether two confidence intervals share a point; False where either is missing."""
    if one.ci_low is None or one.ci_high is None or other.ci_low is None or other.ci_high is None:
        return False
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high
