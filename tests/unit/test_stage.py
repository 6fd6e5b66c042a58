"""Entry points of stages: logs, and errors a user can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.progress import logger
from lexiscope.stage import stage_entry


@stage_entry
def divide(a: float, b: float) -> float:
    if b == 0:
        raise LexiscopeError("division by zero", where="study.yaml", line=3, remedy="choose another b")
    logger.info("dividing")
    return a / b


def test_without_a_log_it_is_the_function() -> None:
    assert divide(6, 3) == 2
    with pytest.raises(LexiscopeError):
        divide(1, 0)


def test_the_log_holds_the_lines(tmp_path: Path) -> None:
    assert divide(6, 3, log=tmp_path / "logs" / "x.log") == 2
    assert "dividing" in (tmp_path / "logs" / "x.log").read_text()
    assert not logger.handlers


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
