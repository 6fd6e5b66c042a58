"""Unfinished work on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexiscope.checkpoints import Checkpoint

ARRAYS = {"step": np.array(3), "values": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_round_trip(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "work").save("a", ARRAYS)
    loaded = Checkpoint(tmp_path, "work").load("a")
    assert loaded is not None
    assert loaded["step"] == 3
    assert loaded["step"].shape == ()
    np.testing.assert_array_equal(loaded["values"], ARRAYS["values"])


def test_other_work_is_not_mixed_in(tmp_path: Path) -> None:
    Checkpoint(tmp_path, "work").save("a", ARRAYS)
    assert Checkpoint(tmp_path, "other").load("a") is None
    assert Checkpoint(tmp_path, "work").load("b") is None


@pytest.mark.parametrize("offset", [0, 40, -1])
def test_a_damaged_checkpoint_counts_as_absent(tmp_path: Path, offset: int) -> None:
    checkpoint = Checkpoint(tmp_path, "work")
    checkpoint.save("a", ARRAYS)
    path = tmp_path / "a.safetensors"
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    assert checkpoint.load("a") is None


def test_removal(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c", "work")
    checkpoint.save("a", ARRAYS)
    checkpoint.remove()
    checkpoint.remove()
    assert not (tmp_path / "c").exists()
