"""The one atomic writer."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.files import (
    atomic_path,
    digest_json,
    open_binary,
    read_json,
    sha256_file,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def die_half_way() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_half_way()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_file_appears_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("all")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "all"


def test_products_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_json_has_one_form(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": "é"})
    write_json(tmp_path / "b", {"a": "é", "b": 1})
    assert sha256_file(tmp_path / "a") == sha256_file(tmp_path / "b")
    assert read_json(tmp_path / "a") == {"a": "é", "b": 1}
    assert digest_json({"b": 1, "a": 2}) == digest_json({"a": 2, "b": 1})


def test_bad_json_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{\n"a": }')
    with pytest.raises(LexiscopeError) as caught:
        read_json(tmp_path / "a")
    assert caught.value.line == 2


def test_a_packed_copy_stands_in(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"text"))
    with open_binary(tmp_path / "a.txt") as stream:
        assert stream.read() == b"text"
    with pytest.raises(LexiscopeError, match="no such file"):
        open_binary(tmp_path / "b.txt")
