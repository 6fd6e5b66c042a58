"""Take named files out of a tar or zip archive that is not trusted.

Only the members asked for are read, only if they are regular files, and only into places inside the folder
given: nothing in the archive decides where a byte is written. The standard library's ``extractall`` is not
used, because its filters can be bypassed (CVE-2025-4517).
"""

from __future__ import annotations

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lexiscope.errors import LexiscopeError
from lexiscope.files import CHUNK_BYTES, atomic_path
from lexiscope.progress import Progress

MAX_MEMBER_BYTES = 64 << 30
"""No file of the catalogue is near this size: a member that claims more is a bomb, or damage."""

Check = Callable[[str, Path], None]


@dataclass(frozen=True)
class _Entry:
    """One entry of an archive; ``open`` works until the next entry is asked for."""

    name: str
    is_regular_file: bool
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes]]


def extract_members(
    archive: Path,
    members: Mapping[str, str],
    folder: Path,
    *,
    check: Check | None = None,
    max_bytes: int = MAX_MEMBER_BYTES,
) -> None:
    """Write members of an archive to files under ``folder``.

    The entries are checked before anything is written (a tar file is read through for that), and each file
    takes its place whole.

    Parameters
    ----------
    archive
        A zip file, or a tar file, compressed or not.
    members
        Path in the archive → path under ``folder``.
    check
        Called with the member's path and a temporary file of its content; an error raised here keeps the
        file from taking its place.
    max_bytes
        Largest size of one member, in bytes.

    Raises
    ------
    LexiscopeError
        If the archive is damaged; if a member is missing, occurs twice, is no regular file or is too large;
        or if its place would lie outside ``folder``.
    """
    targets = {_plain(member): _inside(folder, path) for member, path in members.items()}
    _inspect(archive, set(targets), max_bytes)
    with Progress(f"unpacking {archive.name}", total=len(targets), unit="file") as progress:
        for entry in entries(archive):
            if entry.name not in targets:
                continue
            with atomic_path(targets[entry.name]) as temporary:
                _write(archive, entry, temporary)
                if check is not None:
                    check(entry.name, temporary)
            progress.advance(1)


def read_members(
    archive: Path, wanted: Callable[[str], bool], *, max_bytes: int, max_total_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of those members of an archive whose paths are wanted, in its order.

    Nothing is written. Damage that shows only later in the archive ends the iteration then.

    Parameters
    ----------
    archive
        A zip file, or a tar file, compressed or not.
    wanted
        Whether to read the member of this path.
    max_bytes, max_total_bytes
        Largest size of one member, and of all that are read.

    Raises
    ------
    LexiscopeError
        If the archive is missing or damaged; if a member wanted occurs twice, is no regular file, or is too
        large; or if they are too large together.
    """
    if not archive.is_file():
        raise LexiscopeError("no such file", where=archive)
    seen: set[str] = set()
    total = 0
    for entry in entries(archive):
        # A folder's path may be one that a file wanted could have.
        if entry.is_folder or not wanted(entry.name):
            continue
        _check_entry(archive, entry, seen, max_bytes)
        total += entry.size
        if total > max_total_bytes:
            raise LexiscopeError(
                f"unpacks to more than the limit of {max_total_bytes} bytes", where=archive
            )
        with damage_told(archive), entry.open() as stream:
            content = stream.read(entry.size + 1)
        if len(content) != entry.size:
            raise LexiscopeError(
                f"{entry.name!r} does not have the {entry.size} bytes stated", where=archive
            )
        yield entry.name, content


def _inspect(archive: Path, wanted: set[str], max_bytes: int) -> None:
    seen: set[str] = set()
    for entry in entries(archive):
        if entry.name in wanted:
            _check_entry(archive, entry, seen, max_bytes)
    if missing := sorted(wanted - seen):
        raise LexiscopeError(f"the archive has no {missing[0]!r} ({len(missing)} missing)", where=archive)


def _check_entry(archive: Path, entry: _Entry, seen: set[str], max_bytes: int) -> None:
    """Refuse an entry that cannot be read safely, or whose path was ``seen``; else add it to those."""
    if entry.name in seen:
        raise LexiscopeError(f"{entry.name!r} occurs twice in the archive", where=archive)
    if not entry.is_regular_file:
        raise LexiscopeError(f"{entry.name!r} is a link or no regular file", where=archive)
    if entry.size > max_bytes:
        raise LexiscopeError(
            f"{entry.name!r} unpacks to {entry.size} bytes, over the limit of {max_bytes}", where=archive
        )
    seen.add(entry.name)


def _write(archive: Path, entry: _Entry, path: Path) -> None:
    written = 0
    with damage_told(archive):
        stream = entry.open()
    with stream, path.open("wb") as output:
        while True:
            with damage_told(archive):
                chunk = stream.read(CHUNK_BYTES)
            if not chunk:
                break
            written += len(chunk)
            output.write(chunk)
    if written != entry.size:
        raise LexiscopeError(f"{entry.name!r} has {written} bytes, {entry.size} stated", where=archive)


def entries(archive: Path) -> Iterator[_Entry]:
    """What a zip or tar file holds, in its order; each can be opened until the next is asked for."""
    with archive.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    with damage_told(archive):
        yield from _zip_entries(archive) if is_zip else _tar_entries(archive)


def _tar_entries(archive: Path) -> Iterator[_Entry]:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:

            def open_member(member: tarfile.TarInfo = member) -> IO[bytes]:
                stream = tar.extractfile(member)
                assert stream is not None  # it is a regular file
                return stream

            yield _Entry(_plain(member.name), member.isreg(), member.isdir(), member.size, open_member)
        # The compressor's checksum comes after the end of the tar, where the tar reader does not look.
        while tar.fileobj is not None and tar.fileobj.read(CHUNK_BYTES):
            pass


def _zip_entries(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            # Archives made on Windows give no file type; theirs is 0.
            kind = stat.S_IFMT(member.external_attr >> 16)
            regular = not member.is_dir() and kind in (0, stat.S_IFREG)

            def open_member(member: zipfile.ZipInfo = member) -> IO[bytes]:
                return packed.open(member)

            yield _Entry(_plain(member.filename), regular, member.is_dir(), member.file_size, open_member)


@contextlib.contextmanager
def damage_told(archive: Path) -> Iterator[None]:
    """Turn what the readers of archives raise into one error (gzip and bzip2 tell of damage by OSError)."""
    try:
        yield
    except LexiscopeError:
        raise
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise LexiscopeError(
            f"the archive is damaged or of an unknown kind ({error})", where=archive
        ) from None


def _plain(member: str) -> str:
    return member.removeprefix("./")


def _inside(folder: Path, path: str) -> Path:
    target = folder / path
    # Resolved, because a folder on the way may be a link to elsewhere.
    if not target.resolve().is_relative_to(folder.resolve()):
        raise LexiscopeError(f"{path!r} would lie outside the folder", where=folder)
    return target
