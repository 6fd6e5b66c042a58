"""What every stage's entry point shares: its log file, and errors a user can read."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from lexiscope.errors import LexiscopeError
from lexiscope.progress import ON_TERMINAL

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("lexiscope")


def stage_entry(function: Callable[P, R]) -> Callable[..., R]:
    """Let ``function`` be called by a workflow script with one more keyword, ``log``.

    All log lines go to that file. Standard error, where many jobs of a workflow talk at once, gets those
    that tell how far long work is, warnings, and the end, each with the name of the job. A
    `LexiscopeError` ends the process with its message alone; any other exception keeps its traceback,
    which also goes to the log.
    """

    @functools.wraps(function)
    def entry(*args: Any, log: str | Path | None = None, **kwargs: Any) -> R:
        if log is None:
            return function(*args, **kwargs)
        handlers = _open_log(Path(log), function.__name__)
        started = time.monotonic()
        try:
            result = function(*args, **kwargs)
            logger.info("finished in %.1f s", time.monotonic() - started, extra=ON_TERMINAL)
            return result
        except LexiscopeError as error:
            logger.error("%s", error)
            sys.exit(1)
        except Exception:
            logger.exception("%s failed", function.__name__)
            raise
        finally:
            for handler in handlers:
                logger.removeHandler(handler)
                handler.close()

    return entry


def _open_log(path: Path, stage: str) -> list[logging.Handler]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    terminal = logging.StreamHandler(sys.stderr)
    job = (stage if path.stem == stage else f"{stage} {path.stem}").replace("%", "%%")
    terminal.setFormatter(logging.Formatter(f"%(asctime)s {job}: %(message)s", "%H:%M:%S"))
    terminal.addFilter(_is_for_terminals)
    for handler in (file, terminal):
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return [file, terminal]


def _is_for_terminals(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or ON_TERMINAL.items() <= record.__dict__.items()
