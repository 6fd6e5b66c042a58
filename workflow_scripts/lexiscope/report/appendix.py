"""The appendix of Derby et al. (2020): the bias predicted from word vectors, and maps of words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.report import formats
from lexiscope.report.drawing import WIDE, Chart, draw, family_colour

PREDICTORS = {
    "mean": "the mean alone",
    "output": "output vectors",
    "am": "AM vectors",
    "output + am": "both",
}
"""What a regression is given, in words."""

MAP_HEIGHT = 440
NARROW = 320
"""The width at which the names in a map are kept clear of one another, that of a telephone."""


@dataclass(frozen=True)
class Regression:
    """How well the target is predicted from some vectors, on words held out; None where it was not."""

    predictors: str
    mse: float | None
    mse_low: float | None
    mse_high: float | None
    r2: float | None
    r2_low: float | None
    r2_high: float | None
    n_dimensions: int

    @property
    def label(self) -> str:
        """What it was given, in words."""
        return PREDICTORS.get(self.predictors, self.predictors)


@dataclass(frozen=True)
class Difference:
    """By how much the error of one regression exceeds another's on the same divisions."""

    a: str
    b: str
    mse_difference: float | None
    low: float | None
    high: float | None

    @property
    def label(self) -> str:
        """The two, in words."""
        return f"{PREDICTORS.get(self.a, self.a)} − {PREDICTORS.get(self.b, self.b)}"

    @property
    def verdict(self) -> str:
        """Which of the two the interval favours."""
        if self.low is None or self.high is None:
            return formats.MISSING
        if self.low <= 0 <= self.high:
            return "not decided"
        better = self.a if self.high < 0 else self.b
        return f"{PREDICTORS.get(better, better)} better"


@dataclass(frozen=True)
class BiasPrediction:
    """The bias, or where a model has none the log frequency, predicted from the vectors of its words."""

    space: str
    of: str
    target: str | None
    n_words: int
    n_splits: int
    test_share: float
    confidence: float
    status: str
    reason: str
    rows: tuple[Regression, ...]
    differences: tuple[Difference, ...]

    @property
    def target_label(self) -> str:
        """What was predicted."""
        return {"bias": "softmax bias", "log_count": "ln(count)"}.get(self.target or "", formats.MISSING)


@dataclass(frozen=True)
class WordMap:
    """Words in two spaces, drawn in one plane.

    Attributes
    ----------
    start_xy, end_xy
        Where each word lies in the two spaces.
    n_asked, n_used
        Words that were asked for, and those that are mapped.
    """

    name: str
    start: str
    end: str
    words: tuple[str, ...]
    start_xy: tuple[tuple[float, float], ...]
    end_xy: tuple[tuple[float, float], ...]
    perplexity: float | None
    kl_divergence: float | None
    n_asked: int
    n_used: int
    status: str
    reason: str


def read_bias_prediction(path: Path) -> BiasPrediction:
    """What came of predicting the bias.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not what it should be.
    """
    content = read_json(path)
    try:
        return BiasPrediction(
            space=str(content["space"]),
            of=str(content["of"]),
            target=content["target"],
            n_words=int(content["n_words"]),
            n_splits=int(content["n_splits"]),
            test_share=float(content["test_share"]),
            confidence=float(content["confidence"]),
            status=str(content["status"]),
            reason=str(content.get("reason") or ""),
            rows=tuple(Regression(**row) for row in content["rows"]),
            differences=tuple(Difference(**row) for row in content["differences"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a prediction of the bias ({error!r})", where=path) from None


def read_map(name: str, path: Path) -> WordMap:
    """A map of words.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not what it should be.
    """
    content = read_json(path)
    try:
        found = WordMap(
            name=name,
            start=str(content["start"]),
            end=str(content["end"]),
            words=tuple(str(word) for word in content["words"]),
            start_xy=tuple((float(x), float(y)) for x, y in content["start_xy"]),
            end_xy=tuple((float(x), float(y)) for x, y in content["end_xy"]),
            perplexity=_optional(content.get("perplexity")),
            kl_divergence=_optional(content.get("kl_divergence")),
            n_asked=int(content["n_asked"]),
            n_used=int(content["n_used"]),
            status=str(content["status"]),
            reason=str(content.get("reason") or ""),
        )
        numbers = [value for xy in (*found.start_xy, *found.end_xy) for value in xy]
        if not len(found.words) == len(found.start_xy) == len(found.end_xy):
            raise ValueError(f"{len(found.words)} words, {len(numbers)} coordinates")
        if not all(map(math.isfinite, numbers)):
            raise ValueError("a coordinate is not finite")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a map of words ({error!r})", where=path) from None
    return found


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def map_chart(found: WordMap) -> Chart | None:
    """Every word as a line from a ring to a dot; None where nothing was mapped."""
    if not found.words:
        return None
    colour = family_colour("language model")
    data: list[dict[str, Any]] = [
        {
            "word": word, "x": round(x, 3), "y": round(y, 3), "x2": round(x2, 3), "y2": round(y2, 3),
            "start": found.start, "end": found.end,
        }
        for word, (x, y), (x2, y2) in zip(found.words, found.start_xy, found.end_xy, strict=True)
    ]  # fmt: skip
    xs, ys = (
        [value for datum in data for value in (datum[axis], datum[f"{axis}2"])] for axis in ("x", "y")
    )
    x_scale, y_scale = (alt.Scale(domain=_padded(values), nice=False, zero=False) for values in (xs, ys))
    hidden: Any = None
    base = alt.Chart(alt.InlineData(values=data))
    start = {
        "x": alt.X("x:Q", scale=x_scale, axis=hidden),
        "y": alt.Y("y:Q", scale=y_scale, axis=hidden),
    }
    end = {
        "x": alt.X("x2:Q", scale=x_scale, axis=hidden),
        "y": alt.Y("y2:Q", scale=y_scale, axis=hidden),
    }
    tooltip = [
        alt.Tooltip("word:N"),
        alt.Tooltip("start:N", title="from"),
        alt.Tooltip("end:N", title="to"),
    ]
    named = [data[i] for i in _clear_of_one_another(data, _padded(xs), _padded(ys))]
    names = alt.Chart(alt.InlineData(values=named))
    halo = {"stroke": "var(--page)", "strokeWidth": 3, "strokeJoin": "round"}
    chart = alt.layer(
        base.mark_rule(color=colour, opacity=0.45, strokeWidth=1.2).encode(**start, x2="x2:Q", y2="y2:Q"),
        base.mark_point(filled=False, size=16, color="var(--muted)", strokeWidth=1).encode(
            **start, tooltip=tooltip
        ),
        base.mark_point(filled=True, size=28, opacity=1, color=colour).encode(**end, tooltip=tooltip),
        *(
            names.mark_text(align="left", dx=6, dy=-1, fontSize=11, **look).encode(**end, text="word:N")
            for look in ({"color": "var(--page)", **halo}, {"color": "var(--ink)"})
        ),
    ).properties(height=MAP_HEIGHT)
    return draw(
        anchor=f"map-{found.name}",
        title=found.name,
        chart=chart,
        width=WIDE,
        description=(
            f"A t-SNE map of {len(found.words)} words, with a line for each from its place in "
            f"{found.start} to its place in {found.end}: {', '.join(found.words)}."
        ),
    )


def _padded(values: Sequence[float]) -> list[float]:
    """The range of an axis, with a little air."""
    low, high = min(values), max(values)
    air = 0.04 * ((high - low) or 1.0)
    return [low - air, high + air]


def _clear_of_one_another(
    data: Sequence[dict[str, Any]], x_range: Sequence[float], y_range: Sequence[float]
) -> list[int]:
    """Which words can be named without one name covering another or leaving the map."""
    taken: list[tuple[float, float, float]] = []
    chosen = []
    for i, datum in enumerate(data):
        x = (datum["x2"] - x_range[0]) / (x_range[1] - x_range[0]) * NARROW
        y = (datum["y2"] - y_range[0]) / (y_range[1] - y_range[0]) * MAP_HEIGHT
        right = x + 12 + 6.5 * len(datum["word"])
        if right <= NARROW and all(
            abs(y - other) > 13 or right < begin or end < x for begin, end, other in taken
        ):
            taken.append((x, right, y))
            chosen.append(i)
    return chosen
