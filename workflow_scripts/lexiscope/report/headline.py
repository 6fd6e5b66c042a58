"""The scores of a finished study as a table in the terminal, and where its report lies.

``python -m lexiscope.report.headline reports/miniature`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lexiscope.errors import LexiscopeError
from lexiscope.report import formats
from lexiscope.report.finding import find
from lexiscope.report.gather import read_scores
from lexiscope.report.tables import Cell, ScoreTable, score_tables
from lexiscope.report.task_order import SUMMARY_SPLIT

WIDE = 19
"""Columns of the terminal that a cell with its interval takes, as ``≈ 0.763 [0.71, 0.82]`` at its shortest."""


def print_headline(scores: Path, report: Path, console: Console | None = None) -> None:
    """Print the table of scores, the finding and the place of the report.

    Parameters
    ----------
    scores
        The merged table of a study.
    report
        Its page.
    console
        Where to print; standard output by default. Intervals are shown where the terminal is wide enough.

    Raises
    ------
    LexiscopeError
        If the scores cannot be read or the page does not exist.
    """
    console = console or Console()
    if not report.exists():
        raise LexiscopeError("no report there", where=report, remedy="run the study first")
    rows = [score for score in read_scores(scores) if score.split == SUMMARY_SPLIT]
    tables = score_tables(rows, {})
    for table in tables:
        console.print(_rich_table(table, console.width))
        console.print(_notes(table))
    finding = find(tables)
    console.print()
    console.print(Text(f"{finding.lead} {finding.caution}".strip()))
    console.print(Text(f"Report: {report}"), soft_wrap=True)


def _rich_table(table: ScoreTable, width: int) -> Table:
    """Tasks down, spaces across: a terminal has room for few columns, and a study has few spaces."""
    with_intervals = width >= 30 + WIDE * len(table.rows)
    printed = Table(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    printed.add_column("task")
    printed.add_column("items", justify="right", style="dim")
    for row in table.rows:
        printed.add_column(Text(row.label), justify="right")
    for position, column in enumerate(table.columns):
        cells = [_text(row.cells[position], with_intervals) for row in table.rows]
        group = column.place.group
        name = column.label if group == "Word similarity" else f"{group} {column.label}"
        printed.add_row(Text(name), column.coverage or "varies", *cells)
    return printed


def _text(cell: Cell, with_interval: bool) -> Text:
    if cell.value is None:
        return Text(formats.MISSING if cell.status == "absent" else cell.status, style="italic dim")
    text = Text("≈ " if cell.overlaps else "")
    text.append(cell.text, style="bold" if cell.best else "")
    text.append("*" if cell.best else " ")  # bold is lost in a log file
    if with_interval and cell.interval:
        text.append(f" {cell.interval}", style="dim")
    return text


def _notes(table: ScoreTable) -> Text:
    notes = ["* best of the task"]
    if table.has_overlaps:
        notes.append("≈ its interval overlaps that of the best")
    text = Text("; ".join(notes), style="dim")
    for row, column, score in table.problems:
        text.append(f"\n{row.label} on {column.label}: {score.status}: {score.error}")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the headline of the study whose report folder is given; the status for the shell."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        print("usage: python -m lexiscope.report.headline reports/<study>", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        print_headline(folder / "scores.parquet", folder / "report.html")
    except LexiscopeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
