"""The score tables, laid out like the papers': a row a space, a column a task."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import measure_of
from lexiscope.report import formats
from lexiscope.report.cells import (
    Cell,
    Column,
    Row,
    over_seeds,
)
from lexiscope.report.comparisons import Comparisons, Key, Tally, tally
from lexiscope.report.paper_values import PAPERS, TABLES, find_paper_value
from lexiscope.report.task_order import Place, is_summary, place_of

POINT = "@"
"""Stands between name and λ in what a solution along a λ path is called; no name of a space may have it."""

SHARED = "vocabulary=shared"
"""In the protocol of a score on the words that all spaces have."""


@dataclass(frozen=True)
class ScoreTable:
    """All spaces on the tasks that stand together in one table.

    Attributes
    ----------
    notes
        Footnotes, each with its mark.
    shared
        The same on the words that all spaces have, where the study asked for both and they differ.
    is_shared
        Whether these scores are on the words that all spaces have.
    matrix
        For each row, the tests against the space of each row; empty without tests.
    """

    anchor: str
    place: Place
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[tuple[str, str], ...] = ()
    shared: ScoreTable | None = None
    is_shared: bool = False
    matrix: tuple[tuple[Tally | None, ...], ...] = ()

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
    def is_figure(self) -> bool:
        """Whether the papers show these tasks as bars; a table without a model is shown as such too."""
        return self.place.table != "" and self.place.table not in ("table1", "table2", "table3", "table4")

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
    def problems(self) -> list[tuple[str, Column, Score]]:
        """Every score that could not be computed, with the spaces that have the same trouble."""
        found: dict[tuple[Column, str, str], list[tuple[str, Score]]] = defaultdict(list)
        for position, column in enumerate(self.columns):
            for row in self.rows:
                cell = row.cells[position]
                failures = [score for score in cell.all_scores if score.status != "ok"]
                for score in failures if len(failures) < len(cell.all_scores) else failures[:1]:
                    name = row.label if cell.status != "ok" else f"{row.label} (seed {score.seed})"
                    found[column, score.status, score.error].append((name, score))
        return [
            (
                "Every space" if len(rows) == len(self.rows) > 1 else ", ".join(name for name, _ in rows),
                column,
                rows[0][1],
            )
            for (column, _, _), rows in found.items()
        ]

    @property
    def n_tested(self) -> int:
        """Number of columns with paired tests."""
        return sum(column.is_tested for column in self.columns)

    @property
    def seeded(self) -> list[tuple[Row, list[int]]]:
        """The rows of several seeds, with the seeds."""
        found = []
        for row in self.rows:
            seeds = sorted({score.seed for cell in row.cells for score in cell.seeds})
            if seeds:
                found.append((row, seeds))
        return found

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
    def judged_by(self) -> str:
        """How a score is told apart from the best: ``tests``, ``intervals`` or ``both``."""
        tested = {column.is_tested for column in self.columns}
        return "both" if len(tested) == 2 else "tests" if True in tested else "intervals"

    @property
    def has_constants(self) -> bool:
        """Whether any classifier gave every item the same answer."""
        return any(cell.is_constant for cell in self.cells)

    @property
    def has_paper_constants(self) -> bool:
        """Whether any value of the papers is that of such a classifier."""
        return any(cell.paper is not None and cell.paper.constant for cell in self.cells)

    @property
    def baseline_label(self) -> str:
        """What the baselines are: chance, the largest class, or either; empty where there are none."""
        labels = {
            _baseline_label(column)
            for position, column in enumerate(self.columns)
            if any(cell.score and cell.score.baseline is not None for cell in self._at(position))
        }
        return labels.pop() if len(labels) == 1 else "Chance or majority" if labels else ""

    def _at(self, position: int) -> list[Cell]:
        return [row.cells[position] for row in self.rows]

    @property
    def has_cell_coverage(self) -> bool:
        """Whether coverage differs between spaces in any column."""
        return any(column.coverage is None for column in self.columns)


def _baseline_label(column: Column) -> str:
    measure = measure_of(column.dataset, column.metric)
    return "Majority" if measure is not None and measure.baseline is None else "Chance"


def is_path_point(score: Score) -> bool:
    """Whether a score is that of a solution along a λ path, not that of a space of the study."""
    return POINT in score.space


def is_restricted(score: Score) -> bool:
    """Whether a score is on the words that all spaces have."""
    return SHARED in score.protocol.split()


def own_scores(scores: Sequence[Score]) -> list[Score]:
    """Those on the spaces' own vocabularies; all if there are none."""
    return [score for score in scores if not is_restricted(score)] or list(scores)


def summary_scores(scores: Iterable[Score]) -> list[Score]:
    """The scores that the tables show: of the spaces of the study, on the split that the papers print."""
    return [score for score in scores if is_summary(score) and not is_path_point(score)]


def score_tables(
    scores: Sequence[Score], kinds: Mapping[str, str], comparisons: Comparisons | None = None
) -> list[ScoreTable]:
    """Group the scores into tables.

    Parameters
    ----------
    scores
        Rows of the scores table, of the splits that one table is to show.
    kinds
        Kind of each space, in the order of the study; spaces it lacks follow in the order of the scores.
    comparisons
        The paired tests between the spaces; without them, intervals say what is separated.
    """
    by_table: dict[str, list[Score]] = defaultdict(list)
    for score in sorted(scores, key=_order):
        by_table[place_of(score).table].append(score)
    order = list(dict.fromkeys([*kinds, *(score.space for score in scores)]))
    builder = _Builder(order, kinds, comparisons or Comparisons())
    return [builder.build(f"scores-{number}", rows) for number, rows in enumerate(by_table.values(), 1)]


def _order(score: Score) -> tuple[tuple[int, ...], str, str, str]:
    # Datasets that the registry does not know come last and keep a fixed order of their own.
    return place_of(score).rank, score.dataset, score.metric, score.split


class _Builder:
    """Builds the tables of one study."""

    def __init__(self, order: Sequence[str], kinds: Mapping[str, str], comparisons: Comparisons) -> None:
        self.order = order
        self.kinds = kinds
        self.comparisons = comparisons

    def build(self, anchor: str, scores: Sequence[Score]) -> ScoreTable:
        """One table, and what there is to show of the shared vocabulary beside it."""
        own = [score for score in scores if not is_restricted(score)]
        restricted = [score for score in scores if is_restricted(score)]
        if not own:
            return replace(self._table(anchor, restricted, self.comparisons), is_shared=True)
        table = self._table(anchor, own, self.comparisons)
        if not restricted:
            return table
        # A space that loses no word by the restriction need not have been scored again.
        at_hand = {_identity(score) for score in restricted}
        tasks = {_key(score) for score in restricted}
        rest = [score for score in own if _key(score) in tasks and _identity(score) not in at_hand]
        both = sorted([*restricted, *rest], key=_order)
        if {_identity(score): score.value for score in own if _key(score) in tasks} == {
            _identity(score): score.value for score in both
        }:
            return table
        # The tests are on the scores of the spaces' own vocabularies.
        shared = replace(self._table(f"{anchor}-shared", both, Comparisons()), is_shared=True)
        return replace(table, shared=shared)

    def _table(self, anchor: str, scores: Sequence[Score], comparisons: Comparisons) -> ScoreTable:
        by_column: dict[Key, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
        for score in scores:
            by_column[_key(score)][score.space].append(score)
        notes = _Footnotes()
        columns, cells = [], []
        spaces = sorted({score.space for score in scores}, key=self.order.index)
        for key, by_space in by_column.items():
            found = self._cells(key, by_space, comparisons)
            columns.append(_column(list(found.values()), is_tested=key in comparisons))
            cells.append(found)
        rows = tuple(
            Row(
                space=space,
                label=space,
                kind=self.kinds.get(space, ""),
                cells=tuple(notes.mark(column.get(space, Cell(None))) for column in cells),
            )
            for space in spaces
        )
        return ScoreTable(
            anchor=anchor,
            place=place_of(scores[0]),
            columns=tuple(columns),
            rows=rows,
            notes=tuple(notes.found),
            matrix=_matrix(columns, spaces, comparisons),
        )

    def _cells(
        self, key: Key, by_space: Mapping[str, list[Score]], comparisons: Comparisons
    ) -> dict[str, Cell]:
        means = {space: over_seeds(scores) for space, scores in by_space.items()}
        best = best_scores(list(means.values()))

        def is_level(score: Score) -> bool:
            """Whether a score that is not the best is not separated from it either."""
            if score.value is None:
                return False
            signs = [comparisons.sign(key, score.space, other.space) for other in best]
            return any(
                intervals_overlap(score, other) if sign is None else sign == 0
                for sign, other in zip(signs, best, strict=True)
            )

        return {
            space: Cell(
                score=score,
                best=score in best,
                overlaps=score not in best and is_level(score),
                paper=find_paper_value(
                    kind=self.kinds.get(space, ""),
                    dataset=score.dataset,
                    metric=score.metric,
                    split=score.split,
                ),
                seeds=tuple(sorted(by_space[space], key=_seed)) if len(by_space[space]) > 1 else (),
            )
            for space, score in means.items()
        }


def _seed(score: Score) -> int:
    return score.seed


def _key(score: Score) -> Key:
    return score.dataset, score.split, score.metric


def _identity(score: Score) -> tuple[object, ...]:
    return (*_key(score), score.space, score.seed)


class _Footnotes:
    """Gives every different note a letter."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._marks: dict[str, str] = {}

    def mark(self, cell: Cell) -> Cell:
        """The cell with the marks of its notes."""
        notes = dict.fromkeys(score.note for score in cell.all_scores if score.note)
        return replace(cell, notes=tuple(self._mark(note) for note in notes))

    def _mark(self, note: str) -> str:
        if note not in self._marks:
            letters = string.ascii_lowercase
            turn, letter = divmod(len(self._marks), len(letters))
            self._marks[note] = letters[letter] * (turn + 1)
            self.found.append((self._marks[note], note))
        return self._marks[note]


def _column(cells: Sequence[Cell], *, is_tested: bool) -> Column:
    scores = [cell.score for cell in cells if cell.score is not None]
    first = scores[0]
    ok = [cell for cell in cells if cell.status == "ok"]
    coverages = {cell.coverage for cell in ok} or {formats.MISSING}
    baselines = {score.baseline for score in scores if score.status == "ok"}
    return Column(
        place=place_of(first),
        dataset=first.dataset,
        split=first.split,
        metric=first.metric,
        higher_is_better=first.higher_is_better,
        coverage=coverages.pop() if len(coverages) == 1 else None,
        baseline=baselines.pop() if len(baselines) == 1 else None,
        is_tested=is_tested,
    )


def _matrix(
    columns: Sequence[Column], spaces: Sequence[str], comparisons: Comparisons
) -> tuple[tuple[Tally | None, ...], ...]:
    keys = [(column.dataset, column.split, column.metric) for column in columns if column.is_tested]
    if not keys:
        return ()
    return tuple(tuple(tally(comparisons, keys, one, other) for other in spaces) for one in spaces)


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
