"""Language-modelling experiments: how each model was trained, and the curves of those of one kind."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import measure_of
from lexiscope.files import read_json
from lexiscope.report import formats
from lexiscope.report.drawing import WIDTH, Chart, draw, family_colour, log_axis, log_scale

HEIGHT, LABEL_HEIGHT = 230, 13
"""Pixels of a chart, and of a name at the end of a curve."""

LABEL_SHARE = 0.36
"""Share of the width that is kept for the names."""

CEILING = 10.0
"""Top of a chart, in multiples of the highest perplexity that a curve ends at: one step too long at the
start would squeeze all that follows into a line."""

MAX_DOTS, MAX_POINTS = 6, 20
"""Of more epochs none has a dot; of more than these a curve is drawn through some."""


@dataclass(frozen=True)
class Epoch:
    """Perplexities after an epoch; that of training is its running average."""

    number: int
    train: float | None
    valid: float | None
    test: float | None


@dataclass(frozen=True)
class Trained:
    """How one language model was trained.

    Attributes
    ----------
    dataset, space, seed
        As in the scores.
    missing_words
        Words of the vocabulary without a vector of their own.
    best_epoch
        The one that validates best.
    test, test_of_best
        Test perplexity after the last epoch, and after the best one.
    tokens_per_second
        Median over the epochs; ``together`` models were trained side by side at that speed.
    """

    dataset: str
    space: str
    seed: int
    missing_words: int
    epochs: tuple[Epoch, ...]
    best_epoch: int
    test: float | None
    test_of_best: float | None
    tokens_per_second: float | None
    together: int | None


@dataclass(frozen=True)
class ModelGroup:
    """The models whose scores stand in one dataset, with their curves."""

    dataset: str
    models: tuple[Trained, ...]
    chart: Chart | None

    @property
    def label(self) -> str:
        """What the tables call them."""
        return dataset_label(self.dataset)

    @property
    def n_models(self) -> int:
        """How many there are."""
        return len(self.models)


def dataset_label(dataset: str) -> str:
    """What the tables call the models of a dataset."""
    measure = measure_of(dataset, "perplexity")
    return dataset if measure is None else measure.label


def read_experiment(path: Path) -> list[Trained]:
    """The models of one job.

    Raises
    ------
    LexiscopeError
        If the file is missing or is not the history of an experiment.
    """
    content = read_json(path)
    try:
        return [_trained(model) for model in content]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not the history of an experiment ({error!r})", where=path) from None


def _trained(content: Mapping[str, Any]) -> Trained:
    records = content["epochs"]
    speeds = [
        record["tokens_per_second"] for record in records if record.get("tokens_per_second") is not None
    ]
    return Trained(
        dataset=str(content["dataset"]),
        space=str(content["space"]),
        seed=int(content["seed"]),
        missing_words=int(content["missing_words"]),
        epochs=tuple(
            Epoch(int(record["epoch"]), *(record.get(f"{split}_perplexity") for split in _SPLITS))
            for record in records
        ),
        best_epoch=int(content["final"]["best_epoch"]),
        test=content["final"]["test_perplexity"],
        test_of_best=content["final"]["test_perplexity_of_best_epoch"],
        tokens_per_second=statistics.median(speeds) if speeds else None,
        together=records[-1].get("together"),
    )


_SPLITS = ("train", "valid", "test")


def model_groups(models: Sequence[Trained], kinds: Mapping[str, str]) -> list[ModelGroup]:
    """The models by dataset, in the order of the tables; spaces in that of ``kinds``."""
    order = ["nnlm_in", "nnlm_out", "nnlm_tied", "nnlm_baseline", "lstm_lm", "lstm_lm_compressed"]
    datasets = dict.fromkeys(model.dataset for model in models)
    spaces = list(kinds)

    def place(model: Trained) -> tuple[bool, int, int]:
        known = model.space in kinds
        return known, spaces.index(model.space) if known else 0, model.seed

    groups = []
    for dataset in sorted(datasets, key=lambda name: order.index(name) if name in order else len(order)):
        own = tuple(sorted((model for model in models if model.dataset == dataset), key=place))
        groups.append(ModelGroup(dataset, own, curves(dataset, own, kinds)))
    return groups


def mean_curve(models: Sequence[Trained]) -> list[tuple[int, float]]:
    """Mean validation perplexity over the seeds, at each epoch that all of them have."""
    by_epoch: dict[int, list[float]] = {}
    for model in models:
        for epoch in model.epochs:
            if epoch.valid is not None and math.isfinite(epoch.valid):
                by_epoch.setdefault(epoch.number, []).append(epoch.valid)
    return [
        (number, statistics.fmean(values))
        for number, values in sorted(by_epoch.items())
        if len(values) == len(models)
    ]


def curves(dataset: str, models: Sequence[Trained], kinds: Mapping[str, str]) -> Chart | None:
    """Validation perplexity by epoch, a curve a space; None where there is none.

    What has a single epoch, as an n-gram model, is a level line beside the curves of others.
    """
    by_space: dict[str, list[Trained]] = {}
    for model in models:
        by_space.setdefault(model.space, []).append(model)
    found = {space: mean_curve(own) for space, own in by_space.items()}
    found = {space: curve for space, curve in found.items() if curve}
    if not found:
        return None
    last = max(curve[-1][0] for curve in found.values())
    values = [value for curve in found.values() for _, value in curve]
    low, high = min(values), min(max(values), CEILING * max(curve[-1][1] for curve in found.values()))
    # As many names as there are curves have to find room one below the other.
    height = max(HEIGHT, LABEL_HEIGHT * (len(found) + 2))
    data: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    colours = []
    for space, curve in found.items():
        flat = len(curve) == 1 and last > 1
        points = [(1, curve[0][1]), (last, curve[0][1])] if flat else _thinned(curve)
        data += [
            {"space": space, "epoch": epoch, "perplexity": round(value, 2), "flat": flat}
            for epoch, value in points
        ]
        ends.append({"space": space, "perplexity": points[-1][1]})
        colours.append(family_colour(formats.family(kinds.get(space) or space)))
    right = 1 + max(last - 1, 1) / (1 - LABEL_SHARE)
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, right], nice=False, zero=False),
        axis=alt.Axis(grid=False, values=_epoch_ticks(last), format="d"),
    )
    title = "perplexity (log scale)"
    y = alt.Y(
        "perplexity:Q",
        title=title,
        scale=log_scale(low, high),
        axis=log_axis(low, high),
    )
    colour = alt.Color("space:N", scale=alt.Scale(domain=list(found), range=colours), legend=None)
    base = _data(data).encode(x=x, y=y, color=colour)
    names = [
        {**end, "epoch": last, "at": at}
        for end, at in zip(ends, _kept_apart(ends, low, high, height), strict=True)
    ]
    tooltip = [alt.Tooltip("space:N"), alt.Tooltip("perplexity:Q", title="at the end", format=",.1f")]
    layers = [
        base.transform_filter("!datum.flat").mark_line(strokeWidth=1.6, clip=True),
        base.transform_filter("datum.flat").mark_line(strokeWidth=1.4, strokeDash=[4, 3]),
        _data(names)
        .mark_text(align="left", dx=7, fontSize=11, limit=92)
        .encode(
            x=x,
            y=alt.Y("at:Q", scale=log_scale(low, high), title=title),
            color=colour,
            text="space:N",
            tooltip=tooltip,
        ),
    ]
    if last <= MAX_DOTS:
        layers.append(
            base.mark_point(filled=True, size=22, opacity=1, clip=True).encode(
                tooltip=[*tooltip[:1], alt.Tooltip("epoch:Q"), alt.Tooltip("perplexity:Q", format=",.1f")]
            )
        )
    chart = alt.layer(*layers).properties(height=height)
    told = "; ".join(f"{end['space']} {formats.number(end['perplexity'], 1)}" for end in ends)
    return draw(
        anchor=f"curves-{dataset}",
        title=dataset_label(dataset),
        chart=chart,
        width=WIDTH,
        description=f"Validation perplexity by epoch. After the last of {last}: {told}.",
    )


def _thinned(curve: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Enough points to draw the same curve: the first, where it bends, and the last among them."""
    if len(curve) <= MAX_POINTS:
        return curve
    places = {round(len(curve) ** (step / (MAX_POINTS - 1))) - 1 for step in range(MAX_POINTS)}
    return [curve[place] for place in sorted(places)]


def _data(values: Sequence[Mapping[str, Any]]) -> Any:
    return alt.Chart(alt.InlineData(values=list(values)))


def _epoch_ticks(last: int) -> list[int]:
    """At most eight epochs, the first and the last among them.

    >>> _epoch_ticks(5), _epoch_ticks(39)
    ([1, 2, 3, 4, 5], [1, 7, 13, 19, 25, 31, 39])
    """
    step = max(1, math.ceil((last - 1) / 7))
    ticks = list(range(1, last + 1, step))
    if 0 < last - ticks[-1] <= step / 2:
        ticks.pop()
    return ticks if ticks[-1] == last else [*ticks, last]


def _kept_apart(ends: Sequence[Mapping[str, Any]], low: float, high: float, height: int) -> list[float]:
    """Heights for the names at the ends of the curves, in perplexities, none over another."""
    bottom, top = math.log(low / 1.05), math.log(high * 1.05)
    per_name = (top - bottom) * LABEL_HEIGHT / height
    wanted = [math.log(end["perplexity"]) for end in ends]
    order = sorted(range(len(ends)), key=wanted.__getitem__)
    placed: dict[int, float] = {}
    at = bottom - per_name / 2
    for number in order:
        at = max(wanted[number], at + per_name)
        placed[number] = at
    # What was pushed out at the top comes down again, with what is in its way.
    at = top + per_name / 2
    for number in reversed(order):
        at = min(placed[number], at - per_name)
        placed[number] = at
    return [round(math.exp(placed[number]), 4) for number in range(len(ends))]
