"""Start several processes that call one function together, as ``torchrun`` does, on one machine.

A workflow script makes one call, so the call itself starts the processes. All end when one fails, and when
the process that started them is gone, however it ended.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lexiscope.digests import PACKAGE_ROOT
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json, write_json

RENDEZVOUS = "LEXISCOPE_RENDEZVOUS"
"""Environment variable with the address where the processes meet."""

PARENT_CHECK_SECONDS = 0.2
CALL, MEETING_POINT = "call.json", "meeting-point"

logger = logging.getLogger("lexiscope")


def run_in_processes(function: Callable[..., None], arguments: Mapping[str, Any], processes: int) -> None:
    """Call a function in several new processes at once and wait for all of them.

    They find ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE`` in their environment; what they log is
    logged here.

    Parameters
    ----------
    function
        A function of a module of this package.
    arguments
        Keyword arguments, JSON values.
    processes
        How many.

    Raises
    ------
    LexiscopeError
        The one that a process raised; or, if one ended otherwise, how it ended.
    """
    with tempfile.TemporaryDirectory(prefix="lexiscope-") as name:
        folder = Path(name)
        call = {"module": function.__module__, "name": function.__name__, "arguments": dict(arguments)}
        write_json(folder / CALL, {**call, "parent": os.getpid()})
        ended: queue.Queue[_Worker] = queue.Queue()
        workers: list[_Worker] = []
        try:
            for rank in range(processes):
                workers.append(_Worker(rank, processes, folder, ended))
            for _ in workers:
                if ended.get().process.returncode != 0:
                    raise _what_went_wrong(workers, folder)
        finally:
            for worker in workers:
                worker.stop()


class _Worker:
    """A process, and a thread here that reads what it says."""

    def __init__(self, rank: int, processes: int, folder: Path, ended: queue.Queue[_Worker]) -> None:
        self.rank, self.name = rank, f"process {rank} of {processes}"
        self.last_line = ""
        self._ended = ended
        self.process = subprocess.Popen(
            # -P: modules in the working folder must not stand in for others.
            [sys.executable, "-P", "-m", __name__, str(folder)],
            env=_environment(rank, processes, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        logger.info("%s started, pid %d", self.name, self.process.pid)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        level = logging.WARNING
        for line in self.process.stdout:
            # Lines without a level go on with a message, or come from elsewhere.
            first, _, rest = line.rstrip().partition(" ")
            known = logging.getLevelNamesMapping().get(first)
            level, text = (level, line.rstrip()) if known is None else (known, rest)
            self.last_line = text or self.last_line
            logger.log(level, "%s%s", "" if self.rank == 0 else f"{self.name}: ", text)
        self.process.wait()
        self._ended.put(self)

    def stop(self) -> None:
        """End it if it still runs."""
        self.process.kill()
        self._thread.join()


def _environment(rank: int, processes: int, folder: Path) -> dict[str, str]:
    environment = dict(os.environ)
    package = str(PACKAGE_ROOT.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
    environment[RENDEZVOUS] = (folder / MEETING_POINT).as_uri()
    # All are on this machine: nothing is sent over its network, nor received from it.
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback:
        environment.setdefault("GLOO_SOCKET_IFNAME", loopback)
    return environment


def _what_went_wrong(workers: list[_Worker], folder: Path) -> LexiscopeError:
    # The others fail because the first did: an error meant for the user tells most, then a signal.
    for worker in workers:
        path = _error_file(folder, worker.rank)
        if path.exists():
            return LexiscopeError(**read_json(path))
    failed = [worker for worker in workers if worker.process.poll() not in (None, 0)]
    worker = min(failed, key=lambda one: one.process.returncode)
    code = worker.process.returncode
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    last = f"; its last line: {worker.last_line}" if worker.last_line else ""
    return LexiscopeError(
        f"{worker.name} {how}{last}",
        remedy="if memory ran out, lower processes or batch_size; what it logged stands above",
    )


def _error_file(folder: Path, rank: int) -> Path:
    return folder / f"error-{rank}.json"


def main() -> None:
    """Be one of the processes: ``python -m lexiscope.language_models.launch FOLDER``."""
    folder = Path(sys.argv[1])
    call = read_json(folder / CALL)
    end_with_parent(call["parent"], folder)
    # Ctrl-C reaches the parent too, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        getattr(importlib.import_module(call["module"]), call["name"])(**call["arguments"])
    except LexiscopeError as error:
        told = {"problem": error.problem, "where": error.where, "line": error.line, "remedy": error.remedy}
        write_json(_error_file(folder, int(os.environ["RANK"])), told)
        sys.exit(1)
    except Exception:
        logger.exception("%s failed", call["name"])
        sys.exit(1)


def end_with_parent(parent: int, folder: Path | None = None) -> None:
    """From now on, end this process as soon as ``parent`` is no longer its parent.

    A process that is killed cannot tell its children, who would wait for each other for ever. ``folder`` is
    removed then.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
