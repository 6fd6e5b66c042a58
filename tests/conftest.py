"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Test processes fill the cores already: threads that wait for one another there take ten times as long.
# It is set before any test imports a library that reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def mirror_root() -> Path:
    """The folder of real data sets; the test is skipped on machines that have none."""
    root = Path(os.environ.get("LEXISCOPE_MIRROR", REPOSITORY.parent / "shared" / "data"))
    if not (root / "word-sim").is_dir():
        pytest.skip("no folder of real data sets (set LEXISCOPE_MIRROR)")
    return root.resolve()


class KeepStudiesTogether(LoadScopeScheduling):
    """Tests that share a finished study go to one process, which runs it once; all others go anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return file if "/workflow/" in file else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """What hands the tests out to processes, unless ``--dist`` asks for another."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # in the order of `pytest_collection_modifyitems`
    return KeepStudiesTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Studies come first: begun last, one would keep a single process busy while all others have ended."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)
