"""Entry points of stages: logs, and errors a user can read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.progress import Progress, logger
from lexiscope.stage import stage_entry


@stage_entry
def divide(a: float, b: float) -> float:
    if b == 0:
        raise LexiscopeError("division by zero", where="study.yaml", line=3, remedy="choose another b")
    logger.info("dividing")
    if a < 0:
        logger.warning("below zero")
    return a / b


def test_without_a_log_it_is_the_function() -> None:
    assert divide(6, 3) == 2
    with pytest.raises(LexiscopeError):
        divide(1, 0)


def test_the_log_holds_the_lines(tmp_path: Path) -> None:
    assert divide(6, 3, log=tmp_path / "logs" / "x.log") == 2
    assert "dividing" in (tmp_path / "logs" / "x.log").read_text()
    assert not logger.handlers


def test_the_terminal_is_told_which_job_ended_and_of_what_to_beware(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    divide(-6, 3, log=tmp_path / "divide" / "100%.log")
    divide(6, 3, log=tmp_path / "divide.log")
    first, second, third = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d divide 100%: below zero", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d divide 100%: finished in 0.0 s", second)
    assert re.fullmatch(r"\d\d:\d\d:\d\d divide: finished in 0.0 s", third)


def test_the_terminal_is_told_how_far_long_work_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiscope.progress.LOG_INTERVAL_SECONDS", 0)

    @stage_entry
    def count() -> None:
        with Progress("counting", total=2) as progress:
            progress.advance(1)

    count(log=tmp_path / "count.log")
    assert "count: counting: 50 %" in capfd.readouterr().err


def test_a_users_mistake_is_one_line_without_traceback(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        divide(1, 0, log=tmp_path / "x.log")
    assert caught.value.code == 1
    text = (tmp_path / "x.log").read_text()
    assert "study.yaml:3: division by zero. Choose another b" in text
    assert "Traceback" not in text


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        divide("a", 2, log=tmp_path / "x.log")
    assert "Traceback" in (tmp_path / "x.log").read_text()
