"""Strict YAML: duplicate keys are errors, and every key remembers its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lexiscope.errors import LexiscopeError

KeyPath = tuple[str | int, ...]


class Position(NamedTuple):
    """Where a key stands: its file and its 1-based line."""

    file: str
    line: int


class Document(NamedTuple):
    """The content of a YAML file, and the position of each of its keys."""

    content: dict[str, Any]
    positions: dict[KeyPath, Position]


def read_yaml(path: str | Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    LexiscopeError
        If the file is missing, is not UTF-8, not YAML, not a mapping, or gives a key twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LexiscopeError("no such study file", where=path) from None
    except UnicodeDecodeError as error:
        raise LexiscopeError(f"not UTF-8 ({error})", where=path) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise LexiscopeError(f"not valid YAML ({error.problem})", where=path, line=line) from None
    except yaml.YAMLError as error:  # a control character, for one, carries no mark
        raise LexiscopeError(f"not valid YAML ({error})", where=path) from None
    positions: dict[KeyPath, Position] = {}
    if root is None:
        return Document({}, positions)
    if not isinstance(root, yaml.MappingNode):
        raise LexiscopeError("a study file is a mapping of keys to values", where=path, line=1)
    _walk(root, (), str(path), positions)
    loader = yaml.SafeLoader(text)
    try:
        return Document(loader.construct_document(root), positions)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise LexiscopeError(f"not valid YAML ({error.problem})", where=path, line=line) from None
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: KeyPath, file: str, positions: dict[KeyPath, Position]) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            positions[(*path, number)] = Position(file, child.start_mark.line + 1)
            _walk(child, (*path, number), file, positions)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    for key_node, child in node.value:
        here = (*path, str(key_node.value))
        line = key_node.start_mark.line + 1
        if here in positions:
            raise LexiscopeError(
                f"the key {'.'.join(map(str, here))} is given twice, first in line {positions[here].line}",
                where=file,
                line=line,
                remedy="keep one of the two",
            )
        positions[here] = Position(file, line)
        _walk(child, here, file, positions)


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on it, mapping by mapping; lists and values are replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = deep_merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
