"""The table in the terminal."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from fabricated_run import SIX, fabricate, failed, make_claims, make_comparisons, score
from rich.console import Console

from lexiscope.errors import LexiscopeError
from lexiscope.files import write_text
from lexiscope.report.headline import main, print_headline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = fabricate(tmp_path)
    folder = tmp_path / "report"
    folder.mkdir()
    shutil.copy(run["scores"], folder)
    write_text(folder / "report.html", "")
    return folder


def printed(folder: Path, width: int) -> str:
    stream = StringIO()
    console = Console(file=stream, width=width)
    print_headline(folder / "scores.parquet", folder / "report.html", console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_space_and_task_at_any_width(folder: Path, width: int) -> None:
    text = printed(folder, width)
    assert all(space in text for space in SIX)
    assert "BrainBench fMRI" in text
    assert "2,820/3,000" in text
    assert "…" not in text
    assert ("[0." in text) == (width == 200)
    assert max(len(line) for line in text.splitlines() if "Report:" not in line) <= width


def test_the_finding_and_the_place(folder: Path) -> None:
    text = printed(folder, 120)
    assert "best score on" in text
    assert text.rstrip().endswith(f"Report: {folder / 'report.html'}")


def test_one_asterisk_a_task(folder: Path) -> None:
    table = printed(folder, 200).partition("* best of the task")[0]
    assert table.count("*") == 9


def test_a_gap_gives_its_reason(tmp_path: Path) -> None:
    run = fabricate(tmp_path, scores=[score(), failed("[no] pairs", space="glove")])
    write_text(tmp_path / "report.html", "")
    stream = StringIO()
    print_headline(run["scores"], tmp_path / "report.html", Console(file=stream, width=80))
    assert "glove on MEN: skipped: [no] pairs" in stream.getvalue()


def test_solutions_along_a_path_are_left_out(tmp_path: Path) -> None:
    scores = [score(), score(space="glove", value=0.4), score(space="am_path@1e-05", value=0.9)]
    run = fabricate(tmp_path, scores=scores)
    write_text(tmp_path / "report.html", "")
    stream = StringIO()
    print_headline(run["scores"], tmp_path / "report.html", Console(file=stream, width=80))
    assert "@" not in stream.getvalue()
    assert "am has the best score on the only task" in stream.getvalue()


def test_tests_claims_and_constants_are_told_where_they_are(tmp_path: Path) -> None:
    scores = [
        score(space="am", dataset="mrpc", metric="accuracy", constant=True),
        score(space="glove", dataset="mrpc", metric="accuracy", value=0.52),
        score(space="am", dataset="mrpc", metric="f1", value=0.99),
        *(failed(f"reason {n}", space="am", dataset=f"set{n}") for n in range(11)),
    ]
    run = fabricate(tmp_path, scores=scores, claims=make_claims(), comparisons=make_comparisons(scores))
    write_text(tmp_path / "report.html", "")
    stream = StringIO()
    print_headline(
        run["scores"], tmp_path / "report.html", Console(file=stream, width=140),
        comparisons=run["comparisons"], claims=run["claims"],
    )  # fmt: skip
    text = stream.getvalue()
    assert "50.00≈!" in text
    assert "99.00" not in text, "one measure a task"
    assert "≈ not separated from the best by the paired test; ! gives every item the same answer" in text
    assert "Claims of the papers: 10 supported, 2 contradicted, 2 not decided, 8 not tested." in text
    assert "3 more problems are in the report" in text


def test_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 0
    assert "Intrinsic evaluation" in capsys.readouterr().out
    assert main([]) == 2
    assert main([str(folder / "elsewhere")]) == 1
    assert "no report there" in capsys.readouterr().err


def test_without_a_report_there_is_no_headline(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no report there"):
        print_headline(tmp_path / "scores.parquet", tmp_path / "report.html")
