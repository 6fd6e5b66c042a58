"""Strict YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexiscope.config.positions import Position, deep_merge, read_yaml
from lexiscope.errors import LexiscopeError


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_content_and_positions(tmp_path: Path) -> None:
    path = write(tmp_path, "study: x\nspaces:\n  a:\n    kind: file\ntasks: [men]\n")
    document = read_yaml(path)
    assert document.content == {"study": "x", "spaces": {"a": {"kind": "file"}}, "tasks": ["men"]}
    assert document.positions[("spaces", "a", "kind")] == Position(str(path), 4)
    assert document.positions[("tasks", 0)].line == 5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a is given twice, first in line 1"),
        ("s:\n  m: {k: 1, k: 2}\n", 2, "s.m.k is given twice"),
        ("a: [1\nb: 2\n", 2, "not valid YAML"),
        ("- a\n- b\n", 1, "mapping"),
        ("a: !!python/object:os.system {}\n", 1, "not valid YAML"),
        ("a: {? [x, y] : 1}\n", None, ""),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LexiscopeError) as caught:
        read_yaml(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    if line is not None:
        assert caught.value.line == line


@pytest.mark.parametrize("content", [b"a: \xff\n", b"a: \x00\n"])
def test_bad_bytes(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(LexiscopeError, match="not"):
        read_yaml(write(tmp_path, content))


def test_an_empty_file_is_an_empty_study(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, "# nothing\n")).content == {}


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such study file"):
        read_yaml(tmp_path / "none.yaml")


def test_deep_merge() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert deep_merge(base, {"a": {"c": 3}, "d": [2]}) == {"a": {"b": 1, "c": 3}, "d": [2]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}
