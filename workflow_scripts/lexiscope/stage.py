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

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("lexiscope")


def stage_entry(function: Callable[P, R]) -> Callable[..., R]:
    """Let ``function`` be called by a workflow script with one more keyword, ``log``.

    Log lines go to that file and to standard error. A `LexiscopeError` ends the process with its message
    alone; any other exception keeps its traceback, which also goes to the log.
    """

    @functools.wraps(function)
    def entry(*args: Any, log: str | Path | None = None, **kwargs: Any) -> R:
        if log is None:
            return function(*args, **kwargs)
        handlers = _open_log(Path(log))
        started = time.monotonic()
        try:
            result = function(*args, **kwargs)
            logger.info("%s finished in %.1f s", function.__name__, time.monotonic() - started)
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


def _open_log(path: Path) -> list[logging.Handler]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.FileHandler(path, mode="w", encoding="utf-8"),
        logging.StreamHandler(sys.stderr),
    ]
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handlers
