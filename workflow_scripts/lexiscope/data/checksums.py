"""Hashes of data files, by any of the algorithms that publishers of data state."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lexiscope.data.catalogue import Algorithm, Remote
from lexiscope.errors import LexiscopeError
from lexiscope.files import CHUNK_BYTES
from lexiscope.progress import Progress

if TYPE_CHECKING:
    from hashlib import _Hash

NAMES: dict[Algorithm, str] = {
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "sha1": "SHA-1",
    "git_blob": "git blob id",
    "md5": "MD5",
}


@dataclass(frozen=True)
class Content:
    """What a file holds once unpacked: its size in bytes and its hashes by algorithm."""

    bytes: int
    hashes: dict[Algorithm, str]


def read_content(
    path: Path,
    algorithms: Iterable[Algorithm] = (),
    *,
    packed: bool = False,
    progress: Progress | None = None,
) -> Content:
    """Size and hashes of a file's content, read once.

    Parameters
    ----------
    algorithms
        Hashes to compute besides SHA-256.
    packed
        Whether ``path`` is a gzip copy, to be hashed as what it unpacks to.
    progress
        Told the bytes read.

    Raises
    ------
    LexiscopeError
        If a packed copy is damaged.
    """
    wanted = dict.fromkeys(("sha256", *algorithms))
    try:
        # A blob id starts with the size, which a packed copy only tells once it has been read through.
        size = _size(path, packed) if "git_blob" in wanted else 0
        hashers = {name: _hasher(name, size) for name in wanted}
        total = 0
        with _open(path, packed) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                total += len(chunk)
                for hasher in hashers.values():
                    hasher.update(chunk)
                if progress is not None:
                    progress.advance(len(chunk))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LexiscopeError(
            f"the gzip copy is damaged ({error})", where=path, remedy="replace it by a sound copy"
        ) from None
    return Content(total, {name: hasher.hexdigest() for name, hasher in hashers.items()})


def difference(content: Content, facts: Remote) -> str | None:
    """How ``content`` differs from what the catalogue knows of it, in words; None when it agrees."""
    checksum = facts.checksum
    if checksum is not None:
        found = content.hashes[checksum.algorithm]
        if found != checksum.value:
            return f"wrong {NAMES[checksum.algorithm]}: expected {checksum.value}, got {found}"
    elif facts.bytes is not None and content.bytes != facts.bytes:
        return f"wrong size: expected {facts.bytes} bytes, got {content.bytes}"
    return None


def _open(path: Path, packed: bool) -> IO[bytes]:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _size(path: Path, packed: bool) -> int:
    if not packed:
        return path.stat().st_size
    with _open(path, packed) as stream:
        return sum(len(chunk) for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""))


def _hasher(algorithm: Algorithm, size: int) -> _Hash:
    if algorithm != "git_blob":
        return hashlib.new(algorithm, usedforsecurity=False)
    hasher = hashlib.sha1(usedforsecurity=False)
    hasher.update(b"blob %d\0" % size)
    return hasher
