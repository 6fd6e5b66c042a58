"""Progress of long work: a bar on a terminal, dated log lines elsewhere, with rate and time left."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

LOG_INTERVAL_SECONDS = 5.0
ON_TERMINAL = {"on_terminal": True}
"""``extra`` of log records for those who watch a workflow; the others are for its log files."""

logger = logging.getLogger("lexiscope")


class Progress:
    """Report progress towards ``total`` units of work.

    Examples
    --------
    >>> with Progress("encoding", total=3, unit="line") as progress:
    ...     for _ in range(3):
    ...         progress.advance(1)
    """

    def __init__(self, label: str, *, total: float | None = None, unit: str = "it") -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0.0
        self._bar: RichProgress | None = None

    def __enter__(self) -> Progress:
        self._start = self._last = time.monotonic()
        self._base = self.done
        # Jobs of a workflow run side by side; their bars would overwrite each other, log lines do not.
        if sys.stderr.isatty() and not logger.handlers:
            self._bar = _make_bar()
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total, note="")
        return self

    def resume_at(self, done: float) -> None:
        """Start from ``done`` units finished by an earlier run; they do not count towards the rate."""
        self.done = self._base = done

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Count ``amount`` more units as done; ``note`` is shown beside the rate."""
        self.done += amount
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=f"{self._rate(now)} {note}")
        elif now - self._last >= LOG_INTERVAL_SECONDS:
            self._last = now
            logger.info("%s: %s", self.label, self.describe(now, note), extra=ON_TERMINAL)

    def describe(self, now: float | None = None, note: str = "") -> str:
        """The state in words: share done, rate, time left."""
        now = time.monotonic() if now is None else now
        parts = []
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        parts.append(self._rate(now))
        fresh = self.done - self._base
        if self.total and fresh > 0:
            left = (self.total - self.done) * (now - self._start) / fresh
            parts.append(f"{_duration(left)} left")
        if note:
            parts.append(note)
        return ", ".join(parts)

    def _rate(self, now: float) -> str:
        rate = (self.done - self._base) / max(now - self._start, 1e-9)
        return f"{_si(rate)} {self.unit}/s"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        now = time.monotonic()
        if kind is None:
            logger.info(
                "%s: done, %s %s in %s (%s)",
                self.label,
                _si(self.done),
                self.unit,
                _duration(now - self._start),
                self._rate(now),
            )


def _make_bar() -> RichProgress:
    # Imported here: rich takes longer to import than most uses of this module last.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _si(value: float) -> str:
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def _duration(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
