"""A file of vectors on the disk: unpacked, hashed and measured while it is read once."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.progress import Progress

HEAD_BYTES = 1 << 16
READ_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


class VectorSource:
    """One file of vectors.

    Attributes
    ----------
    path
        As the user gave it.
    size
        Bytes on the disk.
    packed
        Whether it is packed with gzip, by its content.

    Raises
    ------
    LexiscopeError
        If it is missing, is not a file, is empty or cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise LexiscopeError("a folder, not a file of vectors", where=path)
        if not self.path.exists():
            raise LexiscopeError("no such file", where=path, remedy=_neighbours(self.path))
        self.size = self.path.stat().st_size
        if not self.size:
            raise LexiscopeError("the file is empty", where=path)
        try:
            with self.path.open("rb") as stream:
                self.packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        except OSError as error:
            raise LexiscopeError(f"cannot be read ({error.strerror})", where=path) from None
        self._sha256: str | None = None

    @cached_property
    def head(self) -> bytes:
        """The first `HEAD_BYTES` of the unpacked content."""
        with self._explained(), self.path.open("rb") as stream:
            return _unpacked(stream, self.packed).read(HEAD_BYTES)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file as it lies on the disk; free after a whole `reading`."""
        return self._sha256 or sha256_file(self.path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """Open the unpacked content; bytes left unread are hashed at the end."""
        with (
            self._explained(),
            self.path.open("rb", buffering=0) as raw,
            Progress(f"reading {self.path.name}", total=self.size, unit="B") as progress,
        ):
            hashing = _Hashing(raw, progress)
            stream = io.BufferedReader(hashing, READ_BYTES)
            yield _unpacked(stream, self.packed)
            while stream.read(READ_BYTES):
                pass
            self._sha256 = hashing.digest.hexdigest()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise LexiscopeError(
                f"the gzip file is cut off or damaged ({error})",
                where=self.path,
                remedy="fetch the file again",
            ) from None


class _Hashing(io.RawIOBase):
    """Passes a raw stream on, hashing and counting its bytes."""

    def __init__(self, raw: io.FileIO, progress: Progress) -> None:
        self.raw, self.progress = raw, progress
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self.raw.readinto(buffer) or 0
        self.digest.update(buffer[:count])
        self.progress.advance(count)
        return count


def _unpacked(stream: IO[bytes] | io.BufferedReader, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream) if packed else stream)


def _neighbours(path: Path) -> str | None:
    """A remedy that names the files of the same folder whose names are close."""
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either"
    names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    close = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else None
