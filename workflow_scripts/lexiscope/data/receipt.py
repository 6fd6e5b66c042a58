"""A dataset at hand: which files it has, where they lie, and their hashes.

Preparing a dataset, whatever its source, ends in one small JSON file, the receipt. Later stages take the
receipt as their input and find the files through it; they never build a path of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json, existing_path, read_json, write_json


@dataclass(frozen=True)
class ReceiptFile:
    """One file of a dataset.

    Attributes
    ----------
    path
        Relative to the receipt's ``root``, as the catalogue has it: without the ``.gz`` of a packed copy.
    role
        What the file is for.
    sha256, bytes
        Of its plain content, so that a packed copy and a plain one have the same receipt.
    """

    path: str
    role: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Receipt:
    """The files of one dataset from one source.

    Attributes
    ----------
    dataset
        Key in the catalogue.
    source
        ``miniature``, ``mirror`` or ``download``.
    root
        The folder that holds the data, in the layout all sources share.
    files
        In the order in which they are to be read.
    """

    dataset: str
    source: str
    root: str
    files: tuple[ReceiptFile, ...]

    @property
    def sha256(self) -> str:
        """One digest for the whole dataset: that of its files' paths and hashes."""
        return digest_json([[file.path, file.sha256] for file in self.files])

    def paths(self, role: str) -> list[Path]:
        """The files of one role as they are stored (some as ``.gz``), in reading order.

        Empty when the dataset has none of that role.

        Raises
        ------
        LexiscopeError
            If a file has gone since the receipt was written.
        """
        return [existing_path(Path(self.root) / file.path) for file in self.files if file.role == role]

    def path(self, role: str) -> Path:
        """The only file of a role.

        Raises
        ------
        LexiscopeError
            If the dataset has none, or several.
        """
        paths = self.paths(role)
        if len(paths) != 1:
            raise LexiscopeError(
                f"dataset {self.dataset!r} has {len(paths)} files for {role!r}, one was expected",
                where=self.root,
            )
        return paths[0]


def write_receipt(receipt: Receipt, path: str | Path) -> None:
    """Write a receipt atomically."""
    write_json(path, asdict(receipt))


def read_receipt(path: str | Path) -> Receipt:
    """Read a receipt.

    Raises
    ------
    LexiscopeError
        If it is missing or not a receipt.
    """
    content = read_json(path)
    try:
        files = tuple(ReceiptFile(**file) for file in content.pop("files"))
        return Receipt(files=files, **content)
    except (AttributeError, KeyError, TypeError) as error:
        raise LexiscopeError(f"not a dataset receipt ({error})", where=path) from None
