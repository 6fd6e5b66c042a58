"""Progress lines."""

from __future__ import annotations

import logging

import pytest

from lexiscope import progress
from lexiscope.progress import Progress


def test_lines_tell_share_rate_and_time_left(caplog: pytest.LogCaptureFixture, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    with (
        caplog.at_level(logging.INFO, logger="lexiscope"),
        Progress("work", total=4000, unit="words") as bar,
    ):
        bar.advance(1000, "loss 2.5")
    assert "work: 25 %, 100 words/s, 30 s left, loss 2.5" in caplog.text
    assert "work: done, 1k words in 20 s (50 words/s)" in caplog.text


def test_work_done_by_an_earlier_run_does_not_count_as_speed(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    clock = iter([0.0, 10.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    bar = Progress("work", total=1000, unit="words")
    with bar:
        bar.resume_at(900)
        bar.done += 50
        assert bar.describe() == "95 %, 5 words/s, 10 s left"
