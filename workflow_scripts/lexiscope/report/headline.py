"""The scores of a finished study as a table in the terminal, and where its report lies.

``python -m lexiscope.report.headline reports/miniature`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lexiscope.errors import LexiscopeError
from lexiscope.report import formats
from lexiscope.report.cells import Cell, Row
from lexiscope.report.claims import count_verdicts, read_claims
from lexiscope.report.comparisons import read_comparisons
from lexiscope.report.finding import find
from lexiscope.report.gather import read_scores
from lexiscope.report.score_table import ScoreTable
from lexiscope.report.tables import score_tables, summary_scores

LOG_WIDTH = 120
"""Columns where the output is not a terminal."""

MAX_PROBLEMS = 8
"""Problems told of each table."""

PADDING = 3
"""Columns that rich puts around each cell, with its share of the lines between."""


def print_headline(
    scores: Path,
    report: Path,
    console: Console | None = None,
    *,
    comparisons: Path | None = None,
    claims: Path | None = None,
) -> None:
    """Print the main scores, the finding, what became of the claims, and the place of the report.

    Parameters
    ----------
    scores
        The merged table of a study.
    report
        Its page.
    console
        Where to print; standard output by default. Intervals are shown where there is room for them; where
        there is not even room for the scores, the spaces come in several blocks.
    comparisons
        The paired tests between the spaces; without them, intervals say what is separated.
    claims
        What became of the papers' claims.

    Raises
    ------
    LexiscopeError
        If the scores cannot be read or the page does not exist.
    """
    console = console or Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    if not report.exists():
        raise LexiscopeError("no report there", where=report, remedy="run the study first")
    tests = None if comparisons is None else read_comparisons(comparisons)
    tables = score_tables(summary_scores(read_scores(scores)), {}, tests)
    for table in map(_main_measures, tables):
        for block in _blocks(table, console.width):
            console.print(block)
        console.print(_notes(table))
    finding = find(tables)
    console.print()
    console.print(Text(f"{finding.lead} {finding.caution}".strip()))
    if claims is not None:
        console.print(Text(f"Claims of the papers: {count_verdicts(read_claims(claims))}."))
    console.print(Text(f"Report: {report}"), soft_wrap=True)


def _main_measures(table: ScoreTable) -> ScoreTable:
    """A table with one measure a task: the page has the others."""
    kept = [position for position, column in enumerate(table.columns) if column.place.is_main]
    rows = (replace(row, cells=tuple(row.cells[position] for position in kept)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[position] for position in kept), rows=tuple(rows))


def _blocks(table: ScoreTable, width: int) -> list[Table]:
    """Tasks down, spaces across; the spaces in as many blocks as the width makes needful."""
    names = [column.name for column in table.columns]
    coverages = [column.coverage or "varies" for column in table.columns]
    room = width - max(map(len, [*names, "task"])) - max(map(len, [*coverages, "items"])) - 2 * PADDING - 1
    cells = [[_text(cell, with_interval=True) for cell in row.cells] for row in table.rows]
    if sum(_width(row, texts) for row, texts in zip(table.rows, cells, strict=True)) > room:
        cells = [[_text(cell, with_interval=False) for cell in row.cells] for row in table.rows]
    blocks: list[Table] = []
    left = 0
    for row, texts in zip(table.rows, cells, strict=True):
        needed = _width(row, texts)
        if not blocks or needed > left:
            blocks.append(_empty_block("" if blocks else table.title))
            blocks[-1].add_column("task", no_wrap=True)
            blocks[-1].add_column("items", justify="right", style="dim", no_wrap=True)
            left = room
        blocks[-1].add_column(Text(row.label), justify="right", no_wrap=True)
        left -= needed
    columns = iter(cells)
    for block in blocks:
        shown = [next(columns) for _ in block.columns[2:]]
        for position, (name, coverage) in enumerate(zip(names, coverages, strict=True)):
            block.add_row(Text(name), coverage, *(texts[position] for texts in shown))
    return blocks


def _empty_block(title: str) -> Table:
    return Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)


def _width(row: Row, texts: Sequence[Text]) -> int:
    return PADDING + max(len(row.label), *(text.cell_len for text in texts))


def _text(cell: Cell, *, with_interval: bool) -> Text:
    """The score; the best carries an asterisk as well, since bold is lost in a log file."""
    if cell.value is None:
        return Text(formats.MISSING if cell.status == "absent" else cell.status, style="italic dim")
    text = Text(cell.text, style="bold" if cell.best else "")
    text.append("*" if cell.best else "≈" if cell.overlaps else " ")
    if cell.is_constant:
        text.append("!")
    if with_interval and cell.interval:
        text.append(f" {cell.interval}", style="not bold dim")
    return text


def _notes(table: ScoreTable) -> Text:
    notes = ["* best of the task"]
    if table.has_overlaps:
        by_tests = "not separated from the best by the paired test"
        notes.append(f"≈ {by_tests if table.n_tested else 'its interval overlaps that of the best'}")
    if table.has_constants:
        notes.append("! gives every item the same answer")
    if table.below is not None:
        told = [
            f"{row.label} {cell.text}"
            for row in table.below.rows
            for column, cell in zip(table.below.columns, row.cells, strict=True)
            if not column.place.is_aside
        ]
        notes.append(f"test perplexity without a space: {', '.join(told)}")
    text = Text("; ".join(notes), style="dim")
    for name, column, score in table.problems[:MAX_PROBLEMS]:
        text.append(f"\n{name} on {column.name}: {score.status}: {score.error}")
    if len(table.problems) > MAX_PROBLEMS:
        text.append(f"\n{len(table.problems) - MAX_PROBLEMS} more problems are in the report")
    return text


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the headline of the study whose report folder is given; the status for the shell."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        print("usage: python -m lexiscope.report.headline reports/<study>", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        print_headline(
            folder / "scores.parquet",
            folder / "report.html",
            comparisons=_existing(folder / "comparisons.parquet"),
            claims=_existing(folder / "claims.parquet"),
        )
    except LexiscopeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
