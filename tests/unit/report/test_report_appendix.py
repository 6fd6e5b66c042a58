"""The appendix: predictions of the bias and maps of words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricated_run import make_bias_prediction, make_map

from lexiscope.errors import LexiscopeError
from lexiscope.files import write_json
from lexiscope.report.appendix import WordMap, map_chart, read_bias_prediction, read_map
from lexiscope.report.paper_values import paper_bias_regression

YEARS = [str(year) for year in range(1900, 2020)]


def map_of(tmp_path: Path, **changes: Any) -> WordMap:
    write_json(tmp_path / "map.json", make_map(YEARS) | changes)
    return read_map("years", tmp_path / "map.json")


def test_a_prediction_of_the_bias(tmp_path: Path) -> None:
    write_json(tmp_path / "am.json", make_bias_prediction("am"))
    found = read_bias_prediction(tmp_path / "am.json")
    assert [row.label for row in found.rows] == ["the mean alone", "output vectors", "AM vectors", "both"]
    assert [row.verdict for row in found.differences] == ["AM vectors better", "not decided"]
    assert found.differences[0].label == "AM vectors − output vectors"
    assert found.target_label == "softmax bias"


def test_a_difference_names_the_better_of_the_two(tmp_path: Path) -> None:
    content = make_bias_prediction("am")
    content["differences"] = [
        {"a": "am", "b": "output", "mse_difference": 0.1, "low": 0.05, "high": 0.2},
        {"a": "am", "b": "mean", "mse_difference": 0.1, "low": None, "high": None},
    ]
    write_json(tmp_path / "am.json", content)
    verdicts = [row.verdict for row in read_bias_prediction(tmp_path / "am.json").differences]
    assert verdicts == ["output vectors better", "–"]


def test_a_prediction_that_was_skipped(tmp_path: Path) -> None:
    skipped = {"status": "skipped", "reason": "too few", "target": None, "rows": [], "differences": []}
    write_json(tmp_path / "am.json", make_bias_prediction("am") | skipped)
    found = read_bias_prediction(tmp_path / "am.json")
    assert (found.status, found.reason, found.target_label, found.rows) == ("skipped", "too few", "–", ())


@pytest.mark.parametrize("content", [[], {}, make_bias_prediction("am") | {"rows": [{"mse": 1.0}]}])
def test_what_is_no_prediction(tmp_path: Path, content: Any) -> None:
    write_json(tmp_path / "am.json", content)
    with pytest.raises(LexiscopeError, match=r"am\.json: not a prediction of the bias"):
        read_bias_prediction(tmp_path / "am.json")


def test_the_papers_errors() -> None:
    values = [paper_bias_regression(name) for name in ("output", "am", "output + am")]
    assert [value.value for value in values if value] == [0.301, 0.195, 0.182]
    assert paper_bias_regression("mean") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"words": YEARS[:-1]},
        {"end_xy": [[0.0, 0.0]]},
        {"start_xy": [[0.0, None]] * len(YEARS)},
        {"start_xy": [[0.0]] * len(YEARS)},
        {"n_used": "many"},
    ],
)
def test_what_is_no_map(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(LexiscopeError, match=r"map\.json: not a map of words"):
        map_of(tmp_path, **changes)


def test_a_map_has_every_word_and_names_that_are_clear_of_one_another(tmp_path: Path) -> None:
    found = map_of(tmp_path)
    chart = map_chart(found)
    assert chart is not None
    ElementTree.fromstring(chart.svg)
    every, named = sorted(chart.specification["datasets"].values(), key=len, reverse=True)[:2]
    assert [datum["word"] for datum in every] == YEARS
    assert 10 < len(named) < len(YEARS)
    assert (every[0]["x"], every[0]["x2"]) == (
        pytest.approx(found.start_xy[0][0], abs=1e-3),
        pytest.approx(found.end_xy[0][0], abs=1e-3),
    )
    assert all(word in chart.description for word in (found.start, found.end, "1900"))


def test_words_in_one_place_have_one_name(tmp_path: Path) -> None:
    point = [[1.0, 2.0]] * len(YEARS)
    chart = map_chart(map_of(tmp_path, start_xy=point, end_xy=point))
    assert chart is not None
    assert chart.svg.count(">1900<") == 2  # the name and its halo
    assert ">1901<" not in chart.svg


def test_a_map_of_nothing_is_not_drawn(tmp_path: Path) -> None:
    found = map_of(tmp_path, words=[], start_xy=[], end_xy=[], status="skipped", reason="3 words")
    assert map_chart(found) is None
    assert map_chart(replace(found, status="ok")) is None
