"""Which code made a product: a digest that changes when, and only when, that code does.

Snakemake reruns a rule when its script changes, but does not see the modules that the script imports.
Every rule therefore carries the digest of its script's whole import closure inside this package. Comments,
docstrings and layout do not count, so that tidying up does not retrain a language model.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "lexiscope"
PACKAGE_ROOT = Path(__file__).resolve().parent
DATA_SUFFIXES = {".yaml", ".csv", ".txt", ".j2", ".css", ".js"}


@functools.cache
def code_digest(script: str | Path) -> str:
    """SHA-256 (16 hex digits) of a script and of all modules of this package that it imports.

    Files that a module's folder holds beside it (templates, tables) count when the module's package is a
    stage of which they are part.
    """
    digest = hashlib.sha256()
    for path in sorted(closure(Path(script))):
        digest.update(path.name.encode() + b"\0" + _fingerprint(path))
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


def _data_files(module: Path) -> Iterator[Path]:
    """Data files that the module names: their file or folder name stands in one of its strings."""
    names = set(_strings(module))
    for path in sorted(module.parent.rglob("*")):
        if path.suffix not in DATA_SUFFIXES:
            continue
        relative = path.relative_to(module.parent)
        if any(part in text for text in names for part in (path.name, *relative.parts[:-1])):
            yield path


@functools.cache
def _tree(path: Path) -> ast.Module:
    """The module without its docstrings, parsed once for all questions asked of it."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@functools.cache
def _imports(path: Path) -> tuple[Path, ...]:
    modules: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found: list[Path] = []
    for name in modules:
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
def _fingerprint(path: Path) -> bytes:
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).digest()
    return hashlib.sha256(ast.dump(_tree(path)).encode()).digest()
