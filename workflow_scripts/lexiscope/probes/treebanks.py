"""The texts of a treebank: plain files, packed ones, and members of archives, as lines with their places.

Archives are read where they lie. What is not a regular file, or is larger than any treebank, is refused;
nothing is written anywhere.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from lexiscope.data.archives import damage_told, entries
from lexiscope.data.receipt import Receipt
from lexiscope.errors import LexiscopeError
from lexiscope.files import open_binary
from lexiscope.probes.config import TreebankFormat, format_of_file

logger = logging.getLogger("lexiscope")

Part = Literal["tr", "va", "te"]
PARTS: tuple[Part, ...] = ("tr", "va", "te")
"""SentEval's names of training, validation and test."""

MAX_TEXT_BYTES = 4 << 30
"""Largest member of an archive that is read; one that claims more is damage, or a bomb."""

_ROLES: dict[str, Part] = {"train": "tr", "valid": "va", "test": "te"}
_NAMES: dict[str, Part] = {"train": "tr", "dev": "va", "valid": "va", "test": "te"}
_PART_IN_NAME = re.compile(r"(?:^|[-_.])(train|dev|valid|test)(?=[-_.]|$)", re.IGNORECASE)
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")

Lines = Iterator[tuple[int, str]]
"""A text's lines without their ends, each with its number (from 1)."""


@dataclass(frozen=True)
class TreebankFile:
    """A file of a treebank, and the part it belongs to if the treebank comes in parts."""

    path: Path
    part: Part | None = None


@dataclass(frozen=True)
class TreebankText:
    """One text of a treebank; its lines can be read once, before the next text is asked for.

    Attributes
    ----------
    where
        For error messages.
    name
        The file's name, which is the same wherever the treebank lies.
    """

    where: str
    name: str
    part: Part | None
    lines: Lines


def files_of_receipt(receipt: Receipt, format_: TreebankFormat) -> list[TreebankFile]:
    """The files of a dataset that may hold trees of this format, with parts if it comes in all three.

    Raises
    ------
    LexiscopeError
        If it has none.
    """
    files = [
        TreebankFile(path, _ROLES.get(role))
        for role in dict.fromkeys(file.role for file in receipt.files)
        for path in receipt.paths(role)
        if _is_archive(path) or format_of_file(path.name) == format_
    ]
    if not files:
        raise LexiscopeError(f"dataset {receipt.dataset!r} has no file of trees", where=receipt.root)
    return _in_parts(files)


def files_by_name(paths: Iterable[Path]) -> list[TreebankFile]:
    """The user's files, with parts if their names (``…-train…``, ``…-dev…``, ``…-test…``) tell all three.

    >>> files_by_name([Path("a-ud-train.conllu"), Path("a-ud-dev.conllu")])[0].part is None
    True
    """
    matches = ((path, _PART_IN_NAME.search(path.name)) for path in paths)
    return _in_parts(
        [TreebankFile(path, _NAMES[match[1].lower()] if match else None) for path, match in matches]
    )


def _in_parts(files: list[TreebankFile]) -> list[TreebankFile]:
    """The files with their parts if each part has some and no file is of none, else without."""
    if {file.part for file in files} == set(PARTS):
        return files
    if any(file.part for file in files):
        logger.warning("the treebank is not in three parts (train, dev, test): new ones are drawn")
    return [TreebankFile(file.path) for file in files]


def read_texts(files: Sequence[TreebankFile], format_: TreebankFormat) -> Iterator[TreebankText]:
    """Yield the texts of a treebank in order; those in an archive in the archive's order.

    Raises
    ------
    LexiscopeError
        If a file is missing, damaged or not UTF-8.
    """
    for file in files:
        if _is_archive(file.path):
            yield from _members(file, format_)
            continue
        with open_binary(file.path) as stream:
            lines = _lines(stream, str(file.path), file.path)
            yield TreebankText(str(file.path), file.path.name.removesuffix(".gz"), file.part, lines)


def _members(file: TreebankFile, format_: TreebankFormat) -> Iterator[TreebankText]:
    for entry in entries(file.path):
        if format_of_file(entry.name) != format_ or not entry.is_regular_file:
            continue
        where = f"{file.path}:{entry.name}"
        if entry.size > MAX_TEXT_BYTES:
            raise LexiscopeError(f"unpacks to {entry.size} bytes, over the limit", where=where)
        with damage_told(file.path):
            stream = entry.open()
        with stream:
            lines = _lines(stream, where, file.path)
            yield TreebankText(where, PurePosixPath(entry.name).name, file.part, lines)


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(_ARCHIVES)


def _lines(stream: IO[bytes], where: str, file: Path) -> Lines:
    number = 0
    while True:
        with damage_told(file):
            raw = stream.readline()
        if not raw:
            return
        number += 1
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise LexiscopeError(
                f"not UTF-8 (byte {raw[error.start]:#04x})",
                where=where,
                line=number,
                remedy="convert the file, for example with iconv",
            ) from None
        yield number, line.rstrip("\r\n")
