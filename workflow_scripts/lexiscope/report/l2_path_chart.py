"""The chart of one task along a λ path."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.drawing import WIDTH, Chart, draw, family_colour, score_axis
from lexiscope.report.l2_path import PAPER_L2, L2Path, Landmarks, TaskPath
from lexiscope.report.task_order import place_of

HEIGHT = 200
LINE_HEIGHT = 13
"""Pixels that one line of text needs."""

_HEADROOM = 0.2
"""Share of the height kept free above the scores, for the names of the vertical rules."""

_SIDE = 0.12
"""Powers of ten between the outermost value of λ and the border."""

_SHAPES = {"paper": "square", "as_coded": "triangle-up"}


def path_chart(path: L2Path, marks: Landmarks, task: TaskPath) -> Chart:
    """The score of the exact solutions by λ, with everything that the study has to hold against it."""
    frame = _Frame(path, marks, task)
    curve = _curve(path, task)
    layers = [
        *_rules(marks, frame),
        *_levels(marks, task, frame),
        *_path(curve, frame, task.column.metric_label),
        *_adam(marks, task, frame),
        _end_labels(marks, task, curve, frame),
    ]
    return draw(
        anchor=f"path-{path.name}-{task.column.anchor}",
        title=task.column.name,
        chart=alt.layer(*layers).properties(height=HEIGHT),
        width=WIDTH,
        description=_description(path, marks, task),
    )


class _Frame:
    """The two axes, and where a value comes to stand on them."""

    def __init__(self, path: L2Path, marks: Landmarks, task: TaskPath) -> None:
        l2 = [*path.l2, PAPER_L2, marks.effective_l2, *(point.l2 for point in marks.points)]
        self.left = math.log10(min(l2)) - _SIDE
        self.right = math.log10(max(l2)) + _SIDE
        scores = [*(score for score in task.scores if score is not None), *task.references.values()]
        values = [
            value
            for score in scores
            for value in (score.value, score.ci_low, score.ci_high)
            # The intervals of the references are not drawn.
            if value is not None and (value == score.value or score in task.scores)
        ]
        low, high = min(values), max(values)
        span = (high - low) or abs(high) or 1.0
        self.bottom = low - 0.04 * span
        self.top = high + _HEADROOM * span
        powers = range(math.ceil(self.left), math.floor(self.right) + 1)
        shown = powers[:: max(1, -(-len(powers) // 5))]
        names = ", ".join(f"'{power}': '{formats.general(10.0**power)}'" for power in shown)
        self.x = alt.X(
            "l2:Q",
            title="λ (log scale)",
            scale=alt.Scale(type="log", domain=[10**self.left, 10**self.right], nice=False),
            axis=alt.Axis(
                values=[10.0**power for power in shown],
                labelExpr=f"({{{names}}})[round(log(datum.value) / LN10)]",
                grid=False,
            ),
        )
        self.metric = task.column.place.shown_as
        self.y_scale = alt.Scale(domain=[self.bottom, self.top], nice=False, zero=False)
        self.y = self.vertical("value", task.column.metric_label)

    def vertical(self, field: str, title: str) -> Any:
        """The vertical axis for one field of the data."""
        return alt.Y(f"{field}:Q", title=title, scale=self.y_scale, axis=score_axis(self.metric))

    def is_right(self, l2: float) -> bool:
        """Whether a λ stands in the right half, where its label is written to the left."""
        return math.log10(l2) > (self.left + self.right) / 2

    def pixel(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT * (self.top - value) / (self.top - self.bottom)


def _data(values: Sequence[dict[str, Any]]) -> Any:
    return alt.Chart(alt.InlineData(values=list(values)))


def _curve(path: L2Path, task: TaskPath) -> list[dict[str, Any]]:
    """The scored solutions; a new segment of the line begins after a λ without a score."""
    data: list[dict[str, Any]] = []
    segment = 0
    for l2, score in zip(path.l2, task.scores, strict=True):
        if score is None or score.value is None:
            segment += 1
            continue
        data.append({**_datum(score), "l2": l2, "lambda": formats.general(l2), "segment": segment})
    return data


def _datum(score: Score) -> dict[str, Any]:
    shown_as = place_of(score).shown_as
    return {
        "space": score.space,
        "value": score.value,
        "low": score.value if score.ci_low is None else score.ci_low,
        "high": score.value if score.ci_high is None else score.ci_high,
        "text": formats.score(score.value, shown_as),
        "interval": formats.interval(score.ci_low, score.ci_high, shown_as) or formats.MISSING,
    }


def _tooltip(metric: str) -> list[Any]:
    return [
        alt.Tooltip("space:N", title="space"),
        alt.Tooltip("lambda:N", title="λ"),
        alt.Tooltip("text:N", title=metric),
        alt.Tooltip("interval:N", title="interval"),
    ]


def _rules(marks: Landmarks, frame: _Frame) -> list[Any]:
    """The papers' λ and the as-coded one, each with its name at the top, on a line of its own."""
    layers = []
    for line, (l2, text) in enumerate(((PAPER_L2, "paper’s λ"), (marks.effective_l2, "as coded, λ·V"))):
        right = frame.is_right(l2)
        data = _data([{"l2": l2, "text": text}])
        layers += [
            data.mark_rule(color="var(--muted)", strokeWidth=1).encode(x=frame.x),
            *_text(data, align="right" if right else "left", dx=-4 if right else 4, color="var(--muted)")(
                x=frame.x, y=alt.value(6 + LINE_HEIGHT * line)
            ),
        ]
    return layers


def _text(data: Any, *, color: str, **mark: Any) -> Any:
    """Layers of text on a halo, so that it can be read over lines."""
    halo = {"stroke": "var(--page)", "strokeWidth": 3, "strokeJoin": "round", "color": "var(--page)"}

    def encoded(**encoding: Any) -> list[Any]:
        return [
            data.mark_text(fontSize=11, **mark, **look).encode(text="text:N", **encoding)
            for look in (halo, {"color": color})
        ]

    return encoded


def _levels(marks: Landmarks, task: TaskPath, frame: _Frame) -> list[Any]:
    """The scores of the plain and of the centred output space."""
    layers = []
    for role, name in marks.levels:
        if name in task.references:
            dash = [5, 3] if role == "centred" else [1, 0]
            layers.append(
                _data([_datum(task.references[name])])
                .mark_rule(color=family_colour("control"), strokeWidth=1.3, strokeDash=dash)
                .encode(y=frame.y)
            )
    return layers


def _path(curve: Sequence[dict[str, Any]], frame: _Frame, metric: str) -> list[Any]:
    base = _data(curve).encode(x=frame.x, detail="segment:N")
    colour = family_colour("language model")
    return [
        base.mark_area(color=colour, opacity=0.16).encode(y=frame.vertical("low", metric), y2="high:Q"),
        base.mark_line(color=colour, strokeWidth=2).encode(y=frame.y),
        base.mark_point(filled=True, size=26, opacity=1, color=colour).encode(
            y=frame.y, tooltip=_tooltip(metric)
        ),
    ]


def _adam(marks: Landmarks, task: TaskPath, frame: _Frame) -> list[Any]:
    """What Adam made, each with its name beside it."""
    points = [point for point in marks.points if point.space in task.references]
    layers: list[Any] = []
    for right in (False, True):
        side = [point for point in points if frame.is_right(point.l2) == right]
        heights = [frame.pixel(_value(task.references[point.space])) for point in side]
        for point, height, label in zip(side, heights, spread(heights), strict=True):
            score = task.references[point.space]
            data = _data([{**_datum(score), "l2": point.l2, "lambda": formats.general(point.l2)}])
            named = _data([{"l2": point.l2, "value": score.value, "text": point.space}])
            layers += [
                data.mark_point(
                    filled=True, size=64, opacity=1, color="var(--ink)", stroke="var(--page)",
                    strokeWidth=1, shape=_SHAPES[point.objective],
                ).encode(x=frame.x, y=frame.y, tooltip=_tooltip(task.column.metric_label)),
                *_text(
                    named, align="right" if right else "left", dx=-8 if right else 8, dy=label - height,
                    color="var(--ink)", limit=110,
                )(x=frame.x, y=frame.y),
            ]  # fmt: skip
    return layers


def _end_labels(marks: Landmarks, task: TaskPath, curve: Sequence[dict[str, Any]], frame: _Frame) -> Any:
    """The names of the lines, beyond the right border and clear of one another."""
    labels = [("exact", float(curve[-1]["value"]), family_colour("language model"))]
    for role, name in marks.levels:
        if name in task.references:
            labels.append((role, _value(task.references[name]), "var(--muted)"))
    heights = spread([frame.pixel(value) for _, value, _ in labels])
    data = [
        {"text": text, "height": height, "colour": colour}
        for (text, _, colour), height in zip(labels, heights, strict=True)
    ]
    return (
        _data(data)
        .mark_text(align="left", dx=5, fontSize=11)
        .encode(
            x=alt.value("width"),
            y=alt.Y("height:Q", scale=None, axis=None),
            text="text:N",
            color=alt.Color("colour:N", scale=None, legend=None),
        )
    )


def _value(score: Score) -> float:
    assert score.value is not None  # a `TaskPath` has no reference without one
    return score.value


def spread(heights: Sequence[float]) -> list[float]:
    """Where to write labels so that none covers another and all stay in the picture.

    >>> spread([50.0, 52.0, 120.0]), spread([198.0, 199.0])
    ([50.0, 63.0, 120.0], [187.0, 200.0])
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for before, here in itertools.pairwise(order):
        placed[here] = max(placed[here], placed[before] + LINE_HEIGHT)
    limit = float(HEIGHT)
    for here in reversed(order):
        placed[here] = min(placed[here], limit)
        limit = placed[here] - LINE_HEIGHT
    return placed


def _description(path: L2Path, marks: Landmarks, task: TaskPath) -> str:
    along = [
        f"{formats.general(l2)} {_told(score)}" for l2, score in zip(path.l2, task.scores, strict=True)
    ]
    named = [(name, name) for _, name in marks.levels]
    named += [(point.space, f"{point.space} at {formats.general(point.l2)}") for point in marks.points]
    beside = [f"{text} {_told(task.references[name])}" for name, text in named if name in task.references]
    text = f"{task.column.name}, {task.column.metric_label}, exact solutions by λ: {'; '.join(along)}."
    return f"{text} Beside them: {'; '.join(beside)}." if beside else text


def _told(score: Score | None) -> str:
    if score is None or score.value is None:
        return "no score"
    shown_as = place_of(score).shown_as
    interval = formats.interval(score.ci_low, score.ci_high, shown_as)
    return f"{formats.score(score.value, shown_as)} {interval}".strip()
