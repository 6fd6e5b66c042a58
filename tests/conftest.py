"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
