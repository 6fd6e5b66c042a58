"""A score table as a template sees it: columns, rows, and what there is to say of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import measure_of
from lexiscope.report.cells import Cell, Column, Row
from lexiscope.report.comparisons import Tally
from lexiscope.report.paper_values import PAPERS, TABLES
from lexiscope.report.task_order import BASELINES, Place

TABULATED = ("table1", "table2", "table3", "table4", BASELINES, "verwimp_table1")
"""The tables that the papers print as such, not as bars."""

PERPLEXITY = "perplexity"
"""A metric that is measured against the size of a vocabulary, not against chance."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that language models predict, and how much of the test text they make up.

    Attributes
    ----------
    size
        Words, ``</s>`` and ``<unk>`` included; the perplexity of a uniform model.
    n_known, n_tokens
        Test tokens that are such words, and all of them.
    """

    size: int
    n_known: int
    n_tokens: int


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
    below
        Models without a space that stand beside those of this table, where there are any.
    """

    anchor: str
    place: Place
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[tuple[str, str], ...] = ()
    shared: ScoreTable | None = None
    is_shared: bool = False
    matrix: tuple[tuple[Tally | None, ...], ...] = ()
    below: ScoreTable | None = None

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
        return self.place.table != "" and self.place.table not in TABULATED

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
        tested = {
            column.is_tested
            for position, column in enumerate(self.columns)
            if column.is_tested or any(cell.interval for cell in self._at(position))
        }
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
            if column.metric != PERPLEXITY
            and any(cell.score and cell.score.baseline is not None for cell in self._at(position))
        }
        return labels.pop() if len(labels) == 1 else "Chance or majority" if labels else ""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the language models whose perplexities the table shows; None for other tables."""
        scored = [
            cell.score
            for position, column in enumerate(self.columns)
            if column.metric == PERPLEXITY and not column.place.is_aside
            for cell in self._at(position)
            if cell.score is not None and cell.score.baseline is not None
        ]
        if not scored:
            return None
        first = scored[0]
        return Vocabulary(round(first.baseline or 0), first.n_used, first.n_total)

    def _at(self, position: int) -> list[Cell]:
        return [row.cells[position] for row in self.rows]

    @property
    def has_cell_coverage(self) -> bool:
        """Whether coverage differs between spaces in any column."""
        return any(column.coverage is None for column in self.columns)


def _baseline_label(column: Column) -> str:
    measure = measure_of(column.dataset, column.metric)
    return "Majority" if measure is not None and measure.baseline is None else "Chance"
