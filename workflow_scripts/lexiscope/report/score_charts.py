"""The charts of scores: a dot with its interval for what the papers tabulate, bars for what they draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt

from lexiscope.report import formats
from lexiscope.report.cells import Cell, Column, Row
from lexiscope.report.drawing import (
    WIDTH,
    Chart,
    draw,
    family_colour,
    log_axis,
    log_scale,
    score_axis,
)
from lexiscope.report.score_table import PERPLEXITY, ScoreTable

ROW_HEIGHT = 22
BAR_HEIGHT = 9
"""Pixels of a space in a chart of dots, and of one bar."""

OWN_SCALE = ("accuracy", "f1")
"""Metrics whose tasks differ so much in difficulty that dots on one scale would hide the spaces."""

ONE_CLASS = "one class"
"""Written beside the score of a classifier that gives every item the same answer."""

Entries = Sequence[tuple[Row, Cell]]


@dataclass(frozen=True)
class Figure:
    """The charts of one table."""

    table: ScoreTable
    charts: tuple[Chart, ...]


def score_figures(tables: Iterable[ScoreTable], *, papers: bool = True) -> list[Figure]:
    """The charts of each table that has any; ``papers`` says whether the papers' values are drawn too."""
    shown = [table if papers else _without_papers(table) for table in tables]
    figures = [Figure(table, tuple(_charts(table))) for table in shown]
    return [figure for figure in figures if figure.charts]


def _without_papers(table: ScoreTable) -> ScoreTable:
    rows = (
        replace(row, cells=tuple(replace(cell, paper=None) for cell in row.cells)) for row in table.rows
    )
    return replace(table, rows=tuple(rows))


def _charts(table: ScoreTable) -> Iterable[Chart]:
    """A chart a task; in a figure, the correlations of one task share theirs."""
    for positions in _together(table):
        columns = [table.columns[position] for position in positions]
        entries = [[(row, row.cells[position]) for row in table.rows] for position in positions]
        if not any(cell.value is not None for column in entries for _, cell in column):
            continue
        if table.is_figure:
            yield _bar_chart(columns, entries, _domain(table, columns[0], zero=True))
        else:
            yield _dot_chart(columns[0], entries[0], _domain(table, columns[0], zero=False))


def _together(table: ScoreTable) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for position, column in enumerate(table.columns):
        if column.place.is_aside:
            continue
        groups.setdefault(column.dataset if table.is_figure else position, []).append(position)
    return list(groups.values())


def _domain(table: ScoreTable, column: Column, *, zero: bool) -> list[float]:
    """The scale that a column shares with the others of its metric, or its own."""
    alone = column.metric in OWN_SCALE and not zero
    values: list[float] = [0.0] if zero else []
    for position, other in enumerate(table.columns):
        if other is not column and (alone or (not zero and other.metric != column.metric)):
            continue
        if other.place.is_aside:
            continue
        for row in table.rows:
            score, paper = row.cells[position].score, row.cells[position].paper
            if score is not None and score.value is not None:
                baseline = None if other.metric == PERPLEXITY else score.baseline
                ends = (score.value, score.ci_low, score.ci_high, baseline)
                values += [value for value in ends if value is not None]
            if paper is not None:
                values.append(paper.value)
    return [min(values), max(values)]


def _datum(row: Row, cell: Cell, column: Column) -> dict[str, Any]:
    assert cell.score is not None
    return {
        "space": row.label,
        "metric": formats.metric_label(column.metric),
        "value": cell.score.value,
        "low": cell.score.value if cell.score.ci_low is None else cell.score.ci_low,
        "high": cell.score.value if cell.score.ci_high is None else cell.score.ci_high,
        "paper": None if cell.paper is None else cell.paper.value,
        "colour": family_colour(row.family),
        "fill": "var(--surface)" if cell.is_constant else family_colour(row.family),
        "text": cell.text + (f" {cell.spread_text} over seeds" if cell.spread_text else ""),
        "interval": cell.interval or formats.MISSING,
        "coverage": cell.coverage,
        "papertext": cell.paper_text or formats.MISSING,
        "flag": ONE_CLASS if cell.is_constant else "",
    }


def _tooltip(metric: str) -> list[Any]:
    return [
        alt.Tooltip("space:N", title="space"),
        alt.Tooltip("text:N", title=metric),
        alt.Tooltip("interval:N", title="interval"),
        alt.Tooltip("coverage:N", title="used"),
        alt.Tooltip("papertext:N", title="paper"),
    ]


def _data(values: Sequence[dict[str, Any]]) -> Any:
    return alt.Chart(alt.InlineData(values=list(values)))


def _baseline_rule(column: Column, x: Any) -> list[Any]:
    """A dashed line at what chance or the majority scores."""
    if column.baseline is None or column.metric == PERPLEXITY:  # that of a uniform model is far off
        return []
    data = _data([{"value": column.baseline}])
    return [data.mark_rule(strokeDash=[3, 3], color="var(--ink)", opacity=0.7).encode(x=x)]


def _gap_texts(entries: Entries, y: Any) -> list[Any]:
    """What stands in place of a score that could not be computed."""
    gaps = [{"space": row.label, "text": cell.status} for row, cell in entries if cell.value is None]
    if not gaps:
        return []
    mark = _data(gaps).mark_text(align="right", dx=-4, fontStyle="italic", color="var(--muted)")
    return [mark.encode(x=alt.value("width"), y=y, text="text:N")]


def _dot_chart(column: Column, entries: Entries, domain: list[float]) -> Chart:
    data = [_datum(row, cell, column) for row, cell in entries if cell.value is not None]
    if column.metric == PERPLEXITY:
        scale, axis = log_scale(*domain), log_axis(*domain, labelOverlap=True)
    else:
        scale = alt.Scale(domain=domain, nice=True, zero=False)
        axis = score_axis(column.place.shown_as)
    x = alt.X("value:Q", scale=scale, title=column.metric_label, axis=axis)
    y = alt.Y("space:N", sort=[row.label for row, _ in entries], title=None)
    colour = alt.Color("colour:N", scale=None, legend=None)
    tooltip = _tooltip(column.metric_label)
    base = _data(data).encode(y=y)
    layers = [
        *_baseline_rule(column, x),
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(x=_end("low", x), x2="high:Q", color=colour),
        base.transform_filter("isValid(datum.paper)")
        .mark_point(shape="diamond", size=52, filled=False, strokeWidth=1.3, color="var(--muted)")
        .encode(x=_end("paper", x), tooltip=tooltip),
        base.mark_point(size=70, filled=True, opacity=1, strokeWidth=1).encode(
            x=x,
            fill=alt.Fill("fill:N", scale=None, legend=None),
            stroke=alt.Stroke("colour:N", scale=None, legend=None),
            tooltip=tooltip,
        ),
        *_gap_texts(entries, y),
    ]
    return draw(
        anchor=f"scores-{column.anchor}",
        title=column.name,
        chart=alt.layer(*layers).properties(height=ROW_HEIGHT * len(entries)),
        width=WIDTH,
        description=_description([column], [entries]),
    )


def _end(field: str, x: Any) -> Any:
    """The same horizontal axis for another field."""
    other = x.copy()
    other.shorthand = f"{field}:Q"
    return other


def _bar_chart(columns: Sequence[Column], entries: Sequence[Entries], domain: list[float]) -> Chart:
    """A bar a space and correlation; the first in full colour, a second one pale."""
    first = columns[0]
    data = [
        {**_datum(row, cell, column), "opacity": 1.0 if column is first else 0.45}
        for column, cells in zip(columns, entries, strict=True)
        for row, cell in cells
        if cell.value is not None
    ]
    title = ", ".join(column.metric_label for column in columns) if len(columns) > 1 else first.metric_label
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=domain, nice=True, zero=True),
        title=title,
        axis=score_axis(first.place.shown_as),
    )
    spaces = [row.label for row, _ in entries[0]]
    bars = len(columns)
    y = alt.Y("space:N", sort=spaces, title=None, scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15))
    offset = alt.YOffset("metric:N", sort=[formats.metric_label(column.metric) for column in columns])
    base = _data(data).encode(y=y, **({"yOffset": offset} if bars > 1 else {}))
    tooltip = _tooltip(title)
    if bars > 1:
        tooltip[1:2] = [alt.Tooltip("metric:N", title="metric"), alt.Tooltip("text:N", title="score")]
    layers = [
        base.mark_bar(cornerRadius=0).encode(
            x=x,
            color=alt.Color("colour:N", scale=None, legend=None),
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
            tooltip=tooltip,
        ),
        *(_baseline_rule(first, x) if first.baseline else []),  # not where the bars begin anyway
        base.mark_rule(strokeWidth=1.2, color="var(--ink)").encode(x=_end("low", x), x2="high:Q"),
        base.transform_filter("isValid(datum.paper)")
        .mark_point(
            shape="diamond", size=40, filled=True, opacity=1, strokeWidth=1,
            color="var(--surface)", stroke="var(--ink)",
        )
        .encode(x=_end("paper", x), tooltip=tooltip),
        base.transform_filter("datum.flag != ''")
        .mark_text(align="left", dx=5, fontStyle="italic", fontSize=11, color="var(--ink)")
        .encode(x=_end("high", x), text="flag:N"),
        *_gap_texts(entries[0], y),
    ]  # fmt: skip
    height = len(spaces) * (BAR_HEIGHT * bars + 6 if bars > 1 else ROW_HEIGHT - 4)
    return draw(
        anchor=f"scores-{first.anchor}",
        title=first.name,
        chart=alt.layer(*layers).properties(height=height),
        width=WIDTH,
        description=_description(columns, entries),
    )


def _description(columns: Sequence[Column], entries: Sequence[Entries]) -> str:
    told = []
    for column, cells in zip(columns, entries, strict=True):
        parts = [
            f"{row.label} {cell.text} {cell.interval}".strip()
            for row, cell in cells
            if cell.value is not None
        ]
        known = column.baseline is not None and column.metric != PERPLEXITY
        baseline = f" Chance or majority: {column.baseline_text}." if known else ""
        told.append(f"{column.metric_label}: {'; '.join(parts)}.{baseline}")
    return f"{columns[0].name}, {' '.join(told)}"
