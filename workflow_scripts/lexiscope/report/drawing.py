"""How a chart is drawn: Vega-Lite to SVG, in colours that follow the scheme of the page.

Colours are CSS variables of the page (``var(--ink)``), which the browser's Vega and the SVG both carry
through, so a chart follows the light or dark scheme without being drawn again. `standalone` puts the light
scheme's values in their place, for the files under ``figures/``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from lexiscope.report import formats

LIGHT = {
    "--page": "#fbfaf7",
    "--surface": "#ffffff",
    "--ink": "#1c2430",
    "--muted": "#5b6675",
    "--line": "#dfe3e8",
    "--family-distributional": "#1f66ad",
    "--family-language-model": "#c2470a",
    "--family-imported": "#0b7f63",
    "--family-control": "#77808c",
    "--family-classifier": "#7b3fb5",
    "--domain-0": "#1f66ad",
    "--domain-1": "#c2470a",
    "--domain-2": "#0b7f63",
    "--domain-3": "#7b3fb5",
    "--domain-4": "#a3740a",
    "--domain-5": "#c0307a",
    "--domain-6": "#4a7a12",
    "--domain-7": "#5b6675",
}
"""The colours that charts use, in the light scheme; the style sheet sets the same ones."""

WIDTH = 340
WIDE = 640


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes
    ----------
    anchor
        Unique on the page; also the file name of the figure.
    specification
        Vega-Lite.
    svg
        The same, drawn, with the page's variables as colours.
    description
        What a reader who cannot see the chart should know.
    """

    anchor: str
    title: str
    specification: dict[str, Any]
    svg: str
    description: str


def standalone(svg: str) -> str:
    """A drawing with the light scheme's colours instead of the page's variables."""
    for variable, colour in LIGHT.items():
        svg = svg.replace(f"var({variable})", colour)
    return svg.replace('fill="none"', 'style="background:#ffffff" fill="none"', 1)


def family_colour(family: str) -> str:
    """The CSS variable of a family of spaces."""
    return f"var(--family-{family.replace(' ', '-')})"


def score_axis(metric: str, **options: Any) -> Any:
    """An axis of scores on their own scale, with labels as the papers print the metric."""
    factor = formats.shown(metric).factor
    if factor != 1:
        options["labelExpr"] = f"format(datum.value * {factor:g}, '.6~g')"
    return alt.Axis(tickCount=5, **options)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2 and 5 times powers of ten, or equal steps if they are few.

    >>> round_ticks(90, 1200)
    [100.0, 200.0, 500.0, 1000.0]
    >>> round_ticks(213, 692)
    [300.0, 400.0, 500.0, 600.0, 700.0]
    >>> round_ticks(95, 118)
    [95.0, 100.0, 105.0, 110.0, 115.0, 120.0]
    """
    low, high = low / 1.05, high * 1.05
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    if len(inside) >= 3:
        return inside
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(power / divisor for divisor in (1, 2, 5, 10) if (high - low) * divisor >= 4 * power)
    return [round(step * place, 6) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_scale(low: float, high: float) -> Any:
    """A logarithmic scale with a little air, as "nice" would go out to powers of ten."""
    return alt.Scale(type="log", domain=[low / 1.05, high * 1.05], nice=False)


def log_axis(low: float, high: float, **options: Any) -> Any:
    """An axis with round numbers for a logarithmic scale."""
    return alt.Axis(values=round_ticks(low, high), format=",.6~g", **options)


def draw(*, anchor: str, title: str, chart: Any, width: int, description: str) -> Chart:
    """Draw an Altair chart.

    Parameters
    ----------
    anchor, title, description
        As in `Chart`.
    chart
        What to draw, without its width.
    width
        Of the drawing, in pixels; the interactive chart is as wide as its box.
    """
    anchor = formats.anchor(anchor)
    specification: dict[str, Any] = chart.properties(
        width=width,
        background="transparent",
        padding=2,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    ).to_dict(validate=False)
    specification["config"] = _CONFIG
    svg = vl_convert.vegalite_to_svg(specification)
    # The page makes the chart as wide as its box; the drawing above needed a number.
    specification["width"] = "container"
    return Chart(anchor, title, specification, _scoped(svg, anchor), description)


def _scoped(svg: str, anchor: str) -> str:
    """Give the ids inside a drawing a prefix, as many drawings stand on one page; name the font once."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{anchor}-\1"', svg)
    # The same font on each text would make up a quarter of the drawing.
    font = f' font-family="{_FONT}"'
    svg = svg.replace(font, "").replace("<svg ", f"<svg{font} ", 1)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{anchor}-\1)", svg)


_FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
)
_CONFIG: dict[str, Any] = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titlePadding": 8,
    },
    "axisY": {
        "labelLimit": 130,
        "titleAnchor": "end",
        "titleAngle": 0,
        "titleAlign": "left",
        "titleX": 0,
        "titleY": -8,
    },
    "axisYDiscrete": {
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "ticks": False,
        "domain": False,
        "grid": False,
    },
    "legend": {"labelColor": "var(--ink)", "labelFontSize": 12},
}
