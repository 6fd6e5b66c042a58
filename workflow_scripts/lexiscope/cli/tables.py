"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import measure_of
from lexiscope.report.neighbours import Neighbour
from lexiscope.report.tables import best_scores

CONSTANT_MARK = "†"


def score_table(scores: Sequence[Score], spaces: Sequence[str]) -> Table:
    """A row for each measure on its headline split, a column for each space; the best in bold.

    Accuracies are in per cent, correlations times 100.
    """
    table = Table(title=None, header_style="bold", row_styles=["", "dim"] if len(scores) > 40 else None)
    # In a narrow terminal cells are broken between a value, its interval and its coverage, and names never.
    for heading in ("task", "metric"):
        table.add_column(heading, no_wrap=True)
    table.add_column("baseline", justify="right", no_wrap=True)
    for space in spaces:
        table.add_column(escape(space), justify="right")
    for (dataset, metric), row in _by_measure(scores).items():
        measure = measure_of(dataset, metric)
        label = dataset if measure is None else measure.label
        best = best_scores(row.values())
        baseline = next((score.baseline for score in row.values() if score.baseline is not None), None)
        cells = [_cell(row[space], best=row[space] in best) if space in row else "" for space in spaces]
        table.add_row(label, metric.replace("_", " "), _number(baseline), *cells)
    return table


def _by_measure(scores: Sequence[Score]) -> dict[tuple[str, str], dict[str, Score]]:
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        measure = measure_of(score.dataset, score.metric)
        if measure is None or score.split == measure.split:
            rows.setdefault((score.dataset, score.metric), {})[score.space] = score
    return rows


def _cell(score: Score, *, best: bool) -> str:
    if score.value is None:
        return f"[red]{score.status}[/red]"
    value = _number(score.value) + (CONSTANT_MARK if score.constant else "")
    text = f"[bold]{value}[/bold]" if best else value
    if score.ci_low is not None and score.ci_high is not None:
        text += f" [dim][{_number(score.ci_low)},\N{NO-BREAK SPACE}{_number(score.ci_high)}][/dim]"
    return f"{text} [dim]{score.n_used}/{score.n_total}[/dim]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def remarks(scores: Sequence[Score], spaces: Sequence[str]) -> list[str]:
    """What a reader of the table has to know beside it: gaps with their reasons, and constant answers."""
    several = len(spaces) > 1
    lines = [
        f"{score.dataset}{f' ({score.space})' if several else ''}: {score.status}, {score.error}"
        for score in scores
        if score.status != "ok"
    ]
    if any(score.constant for score in scores):
        lines.append(f"{CONSTANT_MARK} the classifier gives every item the same answer")
    return list(dict.fromkeys(lines))


def neighbour_table(word: str, found: Mapping[str, Sequence[Neighbour] | None]) -> Table:
    """The nearest neighbours of a word, a column for each space."""
    table = Table(title=f"nearest to [bold]{word}[/bold]", header_style="bold")
    table.add_column("", justify="right")
    for space in found:
        table.add_column(escape(space))
    depth = max((len(neighbours or ()) for neighbours in found.values()), default=0)
    for rank in range(depth):
        cells = [
            f"{escape(neighbours[rank].word)} [dim]{neighbours[rank].cosine:.3f}[/dim]"
            if neighbours and rank < len(neighbours)
            else ""
            for neighbours in found.values()
        ]
        table.add_row(str(rank + 1), *cells)
    return table
