"""The λ path: what is read, what stands beside it, what the figure draws."""

from __future__ import annotations

import doctest
import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricated_run import CONTROLLED, GRID, failed, make_path, path_scores, plausible_scores, score

from lexiscope.errors import LexiscopeError
from lexiscope.files import write_json
from lexiscope.report import l2_path_chart
from lexiscope.report.drawing import Chart
from lexiscope.report.l2_path import L2Path, landmarks, read_path, task_paths
from lexiscope.report.l2_path_chart import HEIGHT, LINE_HEIGHT, path_chart, spread
from lexiscope.report.tables import score_tables, summary_scores

PATH = L2Path("am_path", "output", GRID, (1.0,) * 7, (0.01,) * 7, (5.0,) * 7, 20_000)
SCORES = plausible_scores(CONTROLLED)
ALL = [*SCORES, *path_scores("am_path", SCORES)]


def charts(scores: Any = ALL, path: L2Path = PATH, spaces: Any = CONTROLLED) -> list[Chart]:
    marks = landmarks(path, spaces)
    return [path_chart(path, marks, task) for task in task_paths(path, marks, scores)]


def data_of(chart: Chart, key: str) -> list[dict[str, Any]]:
    """Every datum of a chart that has a key."""
    return [datum for data in chart.specification["datasets"].values() for datum in data if key in datum]


def test_the_file_of_a_path(tmp_path: Path) -> None:
    write_json(tmp_path / "path.json", make_path("output", 812))
    path = read_path("am_path", tmp_path)
    assert (path.of, path.n_words, path.l2) == ("output", 812, GRID)
    assert path.spaces[:2] == ["am_path@1e-06", "am_path@1e-05"]
    assert path.rows[1] == (1e-5, 0.0016, 0.0099 / 2, 5.1 - 0.4)


@pytest.mark.parametrize(
    "changes",
    [
        {"l2": []},
        {"l2": [0.0, 1.0]},
        {"l2": [1e-3, 1e-5]},
        {"l2": [1e-5, 1e-5]},
        {"l2": ["small"]},
        {"objective": [1.0]},
        {"n_words": None},
        {"of": ...},
    ],
)
def test_what_is_no_path(tmp_path: Path, changes: dict[str, Any]) -> None:
    content = make_path("output", 812) | changes
    write_json(tmp_path / "path.json", {key: value for key, value in content.items() if value is not ...})
    with pytest.raises(LexiscopeError, match=r"path\.json"):
        read_path("am_path", tmp_path)


def test_the_landmarks_are_those_of_the_same_output_space() -> None:
    others = {
        "elsewhere": {"kind": "centred", "of": "other", "weights": "bias"},
        "am_other": {"kind": "activation_maximisation", "of": "other", "objective": "paper", "l2": 1.0},
        "am_free": {"kind": "activation_maximisation", "of": "output", "objective": "paper", "l2": 0.0},
        "plainly": {"kind": "centred", "of": "output", "weights": "uniform"},
    }
    marks = landmarks(PATH, {**others, **CONTROLLED})
    assert marks.output == "output"
    assert marks.centred == "output_centred"
    assert marks.effective_l2 == pytest.approx(0.2)
    assert {(point.space, round(point.l2, 9)) for point in marks.points} == {
        ("am", 1e-5),
        ("am_as_coded", 0.2),
    }


def test_the_as_coded_penalty_is_that_of_the_studys_own_space() -> None:
    as_coded = {**CONTROLLED["am_as_coded"], "l2": 1e-3}
    assert landmarks(PATH, {"am_as_coded": as_coded}).effective_l2 == pytest.approx(20.0)
    assert landmarks(PATH, {}).effective_l2 == pytest.approx(0.2)


def test_centring_by_the_bias_is_the_limit_itself() -> None:
    by_count = {"kind": "centred", "of": "output", "weights": "count"}
    by_bias = {**by_count, "weights": "bias"}
    assert landmarks(PATH, {"a": by_count, "b": by_bias}).centred == "b"
    assert landmarks(PATH, {"a": by_count}).centred == "a"
    assert landmarks(PATH, {}).centred is None


def test_no_solution_of_a_path_is_in_the_ordinary_tables() -> None:
    (table,) = score_tables(summary_scores(ALL), {})
    assert {row.space for row in table.rows} == set(CONTROLLED)


def test_every_task_has_a_chart_with_every_lambda() -> None:
    found = charts()
    assert [chart.title for chart in found][:4] == ["WordSim353-Sim", "SimLex-999", "WordSim353-Rel", "MEN"]
    assert len({chart.anchor for chart in found}) == len(found) == 9
    for chart in found:
        line = data_of(chart, "segment")
        assert [datum["l2"] for datum in line] == list(GRID)
        assert all(datum["low"] < datum["value"] < datum["high"] for datum in line)
        ElementTree.fromstring(chart.svg)


def test_what_the_figure_marks() -> None:
    men = charts()[3]
    rules = {datum["text"]: datum["l2"] for datum in data_of(men, "l2") if "value" not in datum}
    assert rules == {"paper’s λ": 1e-5, "as coded, λ·V": pytest.approx(0.2)}
    for name in ("output", "output_centred", "am", "am_as_coded"):
        (expected,) = [s.value for s in SCORES if s.space == name and s.dataset == "men"]
        (drawn,) = [datum["value"] for datum in data_of(men, "space") if datum["space"] == name]
        assert drawn == expected
    assert {"exact", "output", "centred"} <= {datum["text"] for datum in data_of(men, "height")}


def test_a_lambda_without_a_score_breaks_the_line() -> None:
    gap = "am_path@0.001"
    scores = [s for s in ALL if not (s.space == gap and s.dataset == "men")]
    scores.append(failed("no pairs", space=gap))
    men = charts(scores)[3]
    segments = {datum["l2"]: datum["segment"] for datum in data_of(men, "segment")}
    assert set(segments) == set(GRID) - {1e-3}
    assert segments[1e-4] != segments[1e-2]
    assert "0.001 no score" in men.description


def test_the_text_alternative_has_the_numbers() -> None:
    text = charts()[3].description
    assert re.match(r"MEN, Spearman ρ, exact solutions by λ: 1e−6 0\.\d{3} \[0\.\d\d, 0\.\d\d\];", text)
    assert re.search(r"Beside them: output 0\.\d{3} .*am_as_coded at 0\.2 0\.\d{3}", text)


def test_a_path_alone_is_drawn_without_references() -> None:
    found = charts(path_scores("am_path", SCORES), spaces={})
    assert len(found) == 9
    assert "Beside them" not in found[0].description


def test_a_single_lambda_without_intervals_is_a_point() -> None:
    path = replace(PATH, l2=(1e-5,), objective=(None,), gap=(None,), passes=(None,))
    alone = score(space="am_path@1e-05", value=0.4, ci_low=None, ci_high=None)
    (chart,) = charts([alone], path=path, spaces={})
    ElementTree.fromstring(chart.svg)
    assert "nan" not in chart.svg.lower()


def test_an_unscored_path_has_no_chart() -> None:
    assert charts(SCORES) == []
    assert charts([failed("no data", space=name) for name in PATH.spaces]) == []


def test_scores_of_parts_of_a_dataset_are_left_out() -> None:
    assert charts([replace(s, split="b1") for s in ALL]) == []


def test_labels_are_clear_of_one_another_and_stay_inside() -> None:
    for heights in ([3.0, 3.0, 3.0, 3.0], [HEIGHT, HEIGHT - 1.0, 20.0], [50.0]):
        placed = sorted(spread(heights))
        assert all(b - a >= LINE_HEIGHT - 1e-9 for a, b in itertools.pairwise(placed))
        assert placed[-1] <= HEIGHT
    outcome = doctest.testmod(l2_path_chart)
    assert (outcome.attempted, outcome.failed) == (1, 0)
