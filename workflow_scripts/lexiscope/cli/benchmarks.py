"""The benchmarks named on the command line, and which of them lie in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexiscope.data.catalogue import load_catalogue
from lexiscope.data.prepare import dataset_inputs, take_stock
from lexiscope.data.receipt import Receipt
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import BUILT_PROBES, TASKS, TaskGroup, resolve_tasks

MINIATURE_MARKER = "miniature.json"

ALIASES = {"similarity": "word_similarity"}
"""Shorter names of task groups."""


@dataclass(frozen=True)
class Missing:
    """A dataset that is not there, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Found:
    """The datasets of one task group: those that are there, with their receipts, and those that are not."""

    group: TaskGroup
    receipts: dict[str, Receipt]
    missing: list[Missing]


def choose(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Dataset keys by task group; all of them when nothing is named.

    Raises
    ------
    LexiscopeError
        If a name is unknown.
    """
    groups = [name for name in TASKS if name != BUILT_PROBES]
    return resolve_tasks([ALIASES.get(name, name) for name in names] or groups)


def find(names: Sequence[str], root: Path) -> list[Found]:
    """Look for the datasets of some tasks in a folder of data sets, and check their files.

    Raises
    ------
    LexiscopeError
        If a name is unknown, the folder is none, or none of the datasets is there.
    """
    if not root.is_dir():
        raise LexiscopeError("there is no such folder", where=root, remedy="give it with --data")
    found = [_find_group(TASKS[task], keys, root) for task, keys in choose(names).items()]
    if not any(group.receipts for group in found):
        first = next(missing for group in found for missing in group.missing)
        raise LexiscopeError(f"none of the benchmarks is here; {first.key}: {first.reason}", where=root)
    return found


def _find_group(group: TaskGroup, keys: Sequence[str], root: Path) -> Found:
    receipts: dict[str, Receipt] = {}
    missing = []
    for key in keys:
        try:
            receipts[key] = take_stock(group.dataset(key).source, _kind_of(root), root)
        except LexiscopeError as error:
            missing.append(Missing(key, error.problem))
    return Found(group, receipts, missing)


def _kind_of(root: Path) -> str:
    """Generated data carry a marker; any other folder must hold the files that the catalogue knows."""
    return "miniature" if (root / MINIATURE_MARKER).is_file() else "mirror"


def is_there(source: str, root: Path) -> bool:
    """Whether the files of an entry of the catalogue lie in a folder; they are not read."""
    try:
        return bool(dataset_inputs(source, root))
    except LexiscopeError:
        return False


def title_of(source: str) -> str:
    """What an entry of the catalogue is called."""
    return load_catalogue()[source].title
