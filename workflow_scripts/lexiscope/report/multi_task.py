"""Language models that predict the domain as well: what the weight of that second task does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.report import formats
from lexiscope.report.drawing import WIDTH, Chart, draw, family_colour

HEIGHT = 170


@dataclass(frozen=True)
class Change:
    """A figure less that of the lowest weight."""

    difference: float
    ci_low: float | None
    ci_high: float | None
    p_holm: float | None


@dataclass(frozen=True)
class Weight:
    """The models of one weight, means over their seeds."""

    weight: float
    n_seeds: int
    perplexity: float | None
    domain_accuracy: float | None
    rank: float | None
    perplexity_change: Change | None
    rank_change: Change | None

    @property
    def label(self) -> str:
        """The weight as a name."""
        return formats.general(self.weight)


@dataclass(frozen=True)
class Run:
    """One model: value and interval of each figure; None where it is not defined."""

    weight: float
    seed: int
    perplexity: Estimate | None
    domain_accuracy: Estimate | None
    rank: Estimate | None


Estimate = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class MultiTask:
    """All models on one labelled text.

    Attributes
    ----------
    majority
        Share of the test tokens in the most frequent domain.
    n_places
        Places of topical words in the test part.
    topical
        Topical words of each domain.
    """

    n_domains: int
    vocabulary_size: int
    n_test: int
    majority: float
    n_places: int
    topical: tuple[tuple[str, tuple[str, ...]], ...]
    weights: tuple[Weight, ...]
    charts: tuple[Chart, ...]


def read_multi_task(path: Path, number: int = 1) -> MultiTask:
    """What came of the models, with its charts; ``number`` keeps several apart on the page.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not what it should be.
    """
    content = read_json(path)
    try:
        weights = tuple(_weight(row) for row in content["weights"])
        runs = [_run(row) for row in content["runs"]]
        topical = content["topical"]
        majority = float(content["majority"])
        return MultiTask(
            n_domains=len(content["domains"]),
            vocabulary_size=int(content["vocabulary_size"]),
            n_test=int(content["tokens"]["test"]),
            majority=majority,
            n_places=int(topical["places"]),
            topical=tuple((str(name), tuple(map(str, words))) for name, words in topical["words"].items()),
            weights=weights,
            charts=tuple(_charts(weights, runs, majority, number)),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a multi-task experiment ({error!r})", where=path) from None


def _weight(row: Mapping[str, Any]) -> Weight:
    against: Mapping[str, Any] = row["against"] or {}
    return Weight(
        weight=float(row["weight"]),
        n_seeds=len(row["seeds"]),
        perplexity=row["perplexity"],
        domain_accuracy=row["domain_accuracy"],
        rank=row["geometric_mean_rank"],
        perplexity_change=_change(against.get("perplexity")),
        rank_change=_change(against.get("geometric_mean_rank")),
    )


def _change(found: Mapping[str, Any] | None) -> Change | None:
    if found is None:
        return None
    return Change(float(found["difference"]), found["ci_low"], found["ci_high"], found["p_holm"])


def _run(row: Mapping[str, Any]) -> Run:
    rank = _estimate(row["mean_log_rank"])
    return Run(
        weight=float(row["weight"]),
        seed=int(row["seed"]),
        perplexity=_estimate(row["perplexity"]),
        domain_accuracy=_estimate(row["domain_accuracy"]),
        rank=rank and (math.exp(rank[0]), _exp(rank[1]), _exp(rank[2])),
    )


def _exp(value: float | None) -> float | None:
    return None if value is None else math.exp(value)


def _estimate(found: Mapping[str, Any] | None) -> Estimate | None:
    if found is None or found["value"] is None:
        return None
    return float(found["value"]), found["ci_low"], found["ci_high"]


FIGURES = {
    "perplexity": ("Perplexity", "perplexity, lower is better", 1.0),
    "domain_accuracy": ("Domains told", "tokens whose domain is told, %", 100.0),
    "rank": ("Rank of topical words", "geometric mean rank, lower is better", 1.0),
}
"""Of each figure the title, the axis, and what it is multiplied by."""


def _charts(weights: Sequence[Weight], runs: Sequence[Run], majority: float, number: int) -> list[Chart]:
    found = []
    for name, (title, axis, factor) in FIGURES.items():
        means = [
            {"weight": weight.label, "value": factor * getattr(weight, name)}
            for weight in weights
            if getattr(weight, name) is not None
        ]
        if not means:
            continue
        data = []
        for run in runs:
            estimate: Estimate | None = getattr(run, name)
            if estimate is None:
                continue
            value, low, high = estimate
            data.append(
                {
                    "weight": formats.general(run.weight),
                    "seed": run.seed,
                    "value": factor * value,
                    "low": factor * (value if low is None else low),
                    "high": factor * (value if high is None else high),
                }
            )
        level = 100 * majority if name == "domain_accuracy" else None
        found.append(
            draw(
                anchor=f"multi-task-{number}-{name}",
                title=title,
                chart=_chart(means, data, [weight.label for weight in weights], axis, level),
                width=WIDTH,
                description=f"{axis} by weight of the second task: "
                + "; ".join(
                    f"{mean['weight']} {formats.number(float(str(mean['value'])), 1)}" for mean in means
                )
                + ".",
            )
        )
    return found


def _chart(
    means: Sequence[Mapping[str, Any]],
    data: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    title: str,
    level: float | None,
) -> Any:
    """The means as a line, each model as a dot with its interval beside it."""
    x = alt.X(
        "weight:O",
        sort=list(order),
        title="weight of the second task",
        axis=alt.Axis(grid=False, labelAngle=0),
    )
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    offset = alt.XOffset("seed:O")
    colour = family_colour("language model")
    own = alt.Chart(alt.InlineData(values=list(data))).encode(x=x, xOffset=offset)
    tooltip = [
        alt.Tooltip("weight:O"),
        alt.Tooltip("seed:O"),
        alt.Tooltip("value:Q", format=",.2f"),
        alt.Tooltip("low:Q", title="from", format=",.2f"),
        alt.Tooltip("high:Q", title="to", format=",.2f"),
    ]
    layers = [
        own.mark_rule(color=colour, opacity=0.35, strokeWidth=1.5).encode(
            y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q"
        ),
        own.mark_point(filled=True, size=30, color=colour, opacity=0.6).encode(y=y, tooltip=tooltip),
        alt.Chart(alt.InlineData(values=list(means)))
        .mark_line(color="var(--ink)", strokeWidth=1.6)
        .encode(x=x, y=y),
    ]
    if level is not None:
        rule = alt.Chart(alt.InlineData(values=[{"value": level}]))
        layers.append(rule.mark_rule(strokeDash=[3, 3], color="var(--muted)").encode(y=y))
    return alt.layer(*layers).properties(height=HEIGHT)
