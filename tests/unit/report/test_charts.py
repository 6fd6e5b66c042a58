"""The charts: valid drawings, the page's colours, text alternatives."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from fabricated_run import SIX, failed, plausible_scores, score

from lexiscope.report.charts import MAX_POINTS, bias_chart, training_chart
from lexiscope.report.drawing import LIGHT, Chart, standalone
from lexiscope.report.gather import Bias, History, Validation
from lexiscope.report.score_charts import score_figures
from lexiscope.report.score_table import ScoreTable
from lexiscope.report.tables import score_tables

KINDS = {space: section["kind"] for space, section in SIX.items()}


def drawn(chart: Chart) -> list[dict[str, Any]]:
    """The larger of a chart's data sets: the other holds what is written at the ends of lines."""
    datasets: list[list[dict[str, Any]]] = list(chart.specification["datasets"].values())
    return max(datasets, key=len)


def score_charts(tables: list[ScoreTable], *, papers: bool = True) -> list[Chart]:
    return [chart for figure in score_figures(tables, papers=papers) for chart in figure.charts]


def history(*perplexities: tuple[int, float | None, float | None]) -> History:
    records = [
        Validation(epoch, None, None, train, valid, None, None) for epoch, train, valid in perplexities
    ]
    return History(tuple(records), None)


def bias_of(n: int) -> Bias:
    generator = np.random.default_rng(0)
    log_count = np.linspace(12, 1, n)
    return Bias(
        "output", tuple(f"w{i}" for i in range(n)), log_count, log_count + generator.normal(size=n), 0.9
    )


@pytest.fixture(scope="module")
def charts() -> list[Chart]:
    training = training_chart("jlm", history((1, 900.0, 800.0), (2, 200.0, 240.0)))
    bias = bias_chart(bias_of(40))
    assert training is not None
    assert bias is not None
    return [*score_charts(score_tables(plausible_scores(SIX), KINDS)), training, bias]


def test_one_chart_a_task(charts: list[Chart]) -> None:
    assert len(charts) == 9 + 2
    assert len({chart.anchor for chart in charts}) == len(charts)


def test_the_drawings_are_svg_with_ids_of_their_own(charts: list[Chart]) -> None:
    seen: set[str] = set()
    for chart in charts:
        root = ElementTree.fromstring(chart.svg)
        assert root.tag.endswith("svg")
        ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
        assert not ids & seen
        seen |= ids
        assert set(re.findall(r"url\(#([^)]+)\)", chart.svg)) <= ids


def test_every_colour_is_a_variable_of_the_page(charts: list[Chart]) -> None:
    style = files("lexiscope.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    light = style.partition("@media")[0]
    for variable, colour in LIGHT.items():
        assert re.search(rf"{variable}:\s*{colour};", light), variable
    for chart in charts:
        assert set(re.findall(r"var\((--[\w-]+)\)", chart.svg)) <= set(LIGHT)
        colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', chart.svg))
        assert {c for c in colours if not c.startswith("var(")} <= {"none", "transparent"}


def test_a_figure_stands_alone(charts: list[Chart]) -> None:
    for chart in charts:
        figure = standalone(chart.svg)
        assert "var(" not in figure
        ElementTree.fromstring(figure)


def test_the_text_alternative_has_the_numbers(charts: list[Chart]) -> None:
    assert re.search(r"^MEN, Spearman ρ: word2vec 0\.\d{3} \[0\.\d\d, 0\.\d\d\]", charts[3].description)
    assert charts[-2].description.endswith(
        "it ends at 200.0 on the training text and 240.0 on the validation text."
    )


def test_tasks_of_one_metric_share_their_scale(charts: list[Chart]) -> None:
    layers = [layer["encoding"]["x"] for chart in charts[:7] for layer in chart.specification["layer"]]
    domains = {str(x["scale"]["domain"]) for x in layers if "scale" in x}
    assert len(domains) == 1


def test_a_gap_is_shown_as_one() -> None:
    scores = [score(space="am"), score(space="glove"), failed("too few", space="word2vec")]
    (chart,) = score_charts(score_tables(scores, KINDS))
    assert "skipped" in chart.svg
    assert "word2vec" in chart.svg


BARS = ("sts", "probing")


@pytest.fixture(scope="module")
def bars() -> dict[str, Chart]:
    spaces = {name: SIX[name] for name in ("word2vec", "input", "random")}
    found = score_charts(score_tables(plausible_scores(spaces, groups=BARS), KINDS))
    return {chart.title: chart for chart in found}


def values_of(chart: Chart, field: str) -> list[Any]:
    return [
        datum[field]
        for data in chart.specification["datasets"].values()
        for datum in data
        if field in datum and "metric" in datum
    ]


def test_similarity_is_a_figure_of_grouped_bars(bars: dict[str, Chart]) -> None:
    chart = bars["STS13"]
    assert sorted(set(values_of(chart, "metric"))) == ["Pearson r", "Spearman ρ"]
    assert [value for value in values_of(chart, "paper") if value is not None] == [0.443, 0.443]
    assert chart.specification["layer"][0]["mark"]["type"] == "bar"
    assert chart.svg.count('aria-roledescription="bar"') == 6
    assert "Pearson × 100: word2vec" in chart.description
    assert "Spearman × 100: word2vec" in chart.description


def test_probing_is_a_figure_of_bars_with_the_majority_as_a_line(bars: dict[str, Chart]) -> None:
    assert len(bars) == 5 + 10
    chart = bars["SentLen"]
    rules = [layer for layer in chart.specification["layer"] if layer["mark"].get("strokeDash") == [3, 3]]
    assert len(rules) == 1
    assert "Chance or majority: 50.00." in chart.description
    assert ">80</text>" in chart.svg, "axes are labelled in per cent"


def test_bars_begin_at_zero_and_share_their_scale(bars: dict[str, Chart]) -> None:
    for titles in (("STS12", "STS16"), ("SentLen", "CoordInv")):
        domains = {str(bars[title].specification["layer"][0]["encoding"]["x"]["scale"]) for title in titles}
        assert len(domains) == 1
        domain = bars[titles[0]].specification["layer"][0]["encoding"]["x"]["scale"]["domain"]
        assert domain[0] <= 0


def test_a_constant_classifier_is_told_of_in_a_chart() -> None:
    for dataset, mark in (("tense", ">one class</text>"), ("mrpc", 'fill="var(--surface)"')):
        common = {"dataset": dataset, "metric": "accuracy", "baseline": 0.5}
        scores = [score(space="am", constant=True, **common), score(space="glove", **common)]
        (chart,) = score_charts(score_tables(scores, KINDS))
        assert mark in chart.svg
        scores = [replace(one, constant=False) for one in scores]
        (chart,) = score_charts(score_tables(scores, KINDS))
        assert mark not in chart.svg


def test_the_font_is_named_once_a_drawing(charts: list[Chart]) -> None:
    assert all(chart.svg.count("font-family") == 1 for chart in charts)


def test_a_task_that_nobody_could_do_has_no_chart() -> None:
    assert score_charts(score_tables([failed("a"), failed("b", space="glove")], KINDS)) == []


@pytest.mark.parametrize("changes", [{"ci_low": None, "ci_high": None}, {"baseline": None}])
def test_scores_without_interval_or_baseline(changes: dict[str, None]) -> None:
    (chart,) = score_charts(score_tables([score(**changes), score(space="glove", **changes)], KINDS))
    ElementTree.fromstring(chart.svg)


def test_a_hostile_name_is_text() -> None:
    (chart,) = score_charts(score_tables([score(space="<script>alert(1)</script>"), score()], KINDS))
    assert "<script" not in chart.svg
    ElementTree.fromstring(chart.svg)


@pytest.mark.parametrize("records", [[], [(1, None, None)]])
def test_no_perplexity_no_chart(records: list[tuple[int, None, None]]) -> None:
    assert training_chart("jlm", history(*records)) is None


@pytest.mark.parametrize("records", [[(1, None, 90.0)], [(1, 90.0, 90.0)], [(1, 5.0, 1.2), (2, 4.0, 1.1)]])
def test_short_and_odd_histories(records: list[tuple[int, float | None, float | None]]) -> None:
    chart = training_chart("jlm", history(*records))
    assert chart is not None
    ElementTree.fromstring(chart.svg)


def test_several_validations_an_epoch_are_spread_over_it() -> None:
    chart = training_chart("jlm", history((1, None, 9.0), (1, None, 8.0), (2, None, 7.0), (2, None, 6.0)))
    assert chart is not None
    assert [datum["epoch"] for datum in drawn(chart)] == [0.5, 1, 1.5, 2]


def test_a_large_scatter_plot_is_thinned_and_says_the_whole() -> None:
    chart = bias_chart(bias_of(20_000))
    assert chart is not None
    assert len(drawn(chart)) == MAX_POINTS - 71  # every 14th word
    assert "20,000 words" in chart.description


def test_two_words_are_no_plot() -> None:
    assert bias_chart(bias_of(2)) is None


def test_drawing_twice_gives_the_same() -> None:
    tables = score_tables(plausible_scores(SIX), KINDS)
    assert score_charts(tables)[:2] == score_charts(tables)[:2]


def test_the_papers_values_can_be_left_out() -> None:
    tables = score_tables(plausible_scores(SIX), KINDS)
    for papers in (True, False):
        charts = score_charts(tables, papers=papers)
        values = [
            datum["paper"]
            for chart in charts
            for data in chart.specification["datasets"].values()
            for datum in data
            if "paper" in datum and datum["space"] != "random"
        ]
        assert len(values) == 9 * 6
        assert all((value is not None) == papers for value in values)
