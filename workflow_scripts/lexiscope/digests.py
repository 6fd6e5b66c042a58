"""Which code made a product: a digest that changes when, and only when, that code does.

Snakemake reruns a rule when its script changes, but does not see the modules that the script imports.
Every rule therefore carries the digest of its script's whole import closure inside this package. Comments,
docstrings and layout do not count, so that tidying up does not retrain a language model.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "lexiscope"
PACKAGE_ROOT = Path(__file__).resolve().parent
DATA_SUFFIXES = {".yaml", ".csv", ".txt", ".j2", ".css", ".js"}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def code_digest(script: str | Path) -> str:
    """SHA-256 (16 hex digits) of a script and of all modules of this package that it imports.

    Files that a module's folder holds beside it (templates, tables) count when the module's package is a
    stage of which they are part.
    """
    digest = hashlib.sha256()
    for path in sorted(closure(Path(script))):
        content = _module(path).fingerprint if path.suffix == ".py" else _hash_of_file(path)
        digest.update(path.name.encode() + b"\0" + content)
    return digest.hexdigest()[:16]


def closure(script: Path) -> set[Path]:
    """The files that ``script`` is made of: itself, the modules it imports, and their data files."""
    found: set[Path] = set()
    waiting = [script.resolve()]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.suffix == ".py":
            waiting += _imports(path)
            if path.parent != PACKAGE_ROOT and PACKAGE_ROOT in path.parents:
                waiting += _data_files(path)
    return found


@dataclass(frozen=True)
class _Module:
    """What counts of a module: its code, the names it imports, and its strings without the docstrings."""

    fingerprint: bytes
    imported: frozenset[str]
    strings: frozenset[str]


@functools.cache
def _module(path: Path) -> _Module:
    """Read a module, in one pass: each start of a workflow, and of a job on a cluster, reads them all."""
    code: list[str] = []
    imported: set[str] = set()
    strings: set[str] = set()
    with _no_garbage():
        waiting: list[object] = [ast.parse(path.read_text(encoding="utf-8"), filename=str(path))]
    while waiting:
        node = waiting.pop()
        # Kinds of nodes, lengths of lists and all other values, in a fixed order, tell trees apart.
        if isinstance(node, ast.AST):
            code.append(type(node).__name__)
            if isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    strings.add(node.value)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                if node.module:
                    imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, DOCUMENTED):
                _drop_docstring(node)
            waiting += [getattr(node, name, None) for name in node._fields if name != "ctx"]
        elif isinstance(node, list):
            code.append(str(len(node)))
            waiting += node
        else:
            code.append(repr(node))
    fingerprint = hashlib.sha256("\n".join(code).encode()).digest()
    return _Module(fingerprint, frozenset(imported), frozenset(strings))


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Keep Python from looking for garbage. A tree has none, and the search takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del node.body[0]


@functools.cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The files of this package that a module imports."""
    found: list[Path] = []
    for name in _module(path).imported:
        parts = name.split(".")
        if parts[0] != PACKAGE:
            continue
        # Importing a.b.c also runs a/__init__.py and a/b/__init__.py.
        for depth in range(1, len(parts) + 1):
            base = PACKAGE_ROOT.joinpath(*parts[1:depth])
            for candidate in (base / "__init__.py", base.with_suffix(".py")):
                if candidate.is_file():
                    found.append(candidate)
    return tuple(found)


@functools.cache
def _data_files(path: Path) -> tuple[Path, ...]:
    """Data files that a module names: their file or folder name stands in one of its strings."""
    strings = _module(path).strings
    return tuple(
        file
        for file, names in _data_files_in(path.parent)
        if any(name in text for text in strings for name in names)
    )


@functools.cache
def _data_files_in(folder: Path) -> tuple[tuple[Path, set[str]], ...]:
    """All data files below a folder, with the names that tell of each: its own, and its folders'."""
    files = [path for path in folder.rglob("*") if path.suffix in DATA_SUFFIXES]
    return tuple((path, set(path.relative_to(folder).parts)) for path in files)


@functools.cache
def _hash_of_file(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
