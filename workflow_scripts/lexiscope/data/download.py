"""Fetch a dataset's files: to a temporary name, verified, then moved to their place.

Failures of the network are tried again, after growing pauses; wrong content never is, and the next address
gets its turn. A file that is already there and right is not fetched again. There are no partial files to
resume from: a broken transfer starts anew.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests
from pooch import HTTPDownloader

from lexiscope.data.archives import extract_members
from lexiscope.data.catalogue import DataFile, Dataset, Remote
from lexiscope.data.checksums import Content, difference, read_content
from lexiscope.errors import LexiscopeError
from lexiscope.files import CHUNK_BYTES, atomic_path, existing_path
from lexiscope.progress import Progress

logger = logging.getLogger("lexiscope")

ARCHIVES_FOLDER = "archives"
BUSY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses by which a server says: not now."""


@dataclass(frozen=True)
class Patience:
    """How often and for how long to try one address; pauses and timeout are in seconds."""

    attempts: int = 4
    first_pause: float = 2.0
    timeout: float = 60.0

    def pause(self, attempt: int) -> float:
        """The pause after attempt number ``attempt`` (from 1): it doubles each time."""
        return self.first_pause * 2.0 ** (attempt - 1)


class _NetworkError(Exception):
    """The transfer failed, and may work the next time."""


class _UselessAddressError(Exception):
    """The address does not give the file, and will not the next time."""


def fetch_dataset(dataset: Dataset, root: Path, patience: Patience = Patience()) -> None:
    """Fetch those files of a dataset that are not in the data root yet.

    A file comes from the first of its addresses that gives the right content, else from its archive. An
    archive is removed once its members are out. Optional files that nothing offers are left out.

    Raises
    ------
    LexiscopeError
        If a file has no address, no address gives it, or its content is wrong; every address tried is named
        with its reason.
    """
    members: dict[str, list[DataFile]] = {}
    for file in (single for series in dataset.files for single in series.expand()):
        if _is_at_hand(file, root / file.path) or _fetched_alone(file, root, patience):
            continue
        if file.archive is not None:
            members.setdefault(file.archive, []).append(file)
        elif not file.optional:
            raise LexiscopeError(
                f"{file.path!r} of dataset {dataset.key!r} cannot be downloaded: no address is known",
                where=root,
                remedy="put it there by hand, or use a mirror that has it",
            )
    for name, files in members.items():
        place = root / ARCHIVES_FOLDER / dataset.key / name
        _fetch_members(dataset.archives[name], place, files, root, patience)


def fetch_file(facts: Remote, target: Path, patience: Patience = Patience()) -> None:
    """Fetch one file from the first of its addresses that gives the right content.

    Raises
    ------
    LexiscopeError
        If none does; each address is named with its reason.
    """
    problems = []
    for url in facts.live_urls:
        try:
            _fetch_patiently(url, facts, target, patience)
        except (_NetworkError, _UselessAddressError) as error:
            logger.warning("%s: %s", url, error)
            problems.append(f"{url}: {error}")
        else:
            return
    raise LexiscopeError(
        f"cannot be downloaded ({'; '.join(problems) or 'no address is known'})",
        where=target,
        remedy="check the network (HTTP_PROXY is heeded), or put the file there by hand",
    )


def _fetched_alone(file: DataFile, root: Path, patience: Patience) -> bool:
    """Fetch a file from its own addresses; False if it has none, or none works and an archive may."""
    if not file.live_urls:
        return False
    try:
        fetch_file(file, root / file.path, patience)
    except LexiscopeError as error:
        if file.archive is None:
            raise
        logger.warning("%s; trying the archive %s", error.problem, file.archive)
        return False
    return True


def _fetch_members(
    facts: Remote, archive: Path, files: Sequence[DataFile], root: Path, patience: Patience
) -> None:
    by_member = {str(file.member): file for file in files}

    def check(member: str, path: Path) -> None:
        problem = difference(_content(path, by_member[member]), by_member[member])
        if problem is not None:
            raise LexiscopeError(
                f"member {member!r} is not {by_member[member].path}: {problem}", where=archive
            )

    if not _is_at_hand(facts, archive):
        fetch_file(facts, archive, patience)
    extract_members(archive, {name: file.path for name, file in by_member.items()}, root, check=check)
    archive.unlink()
    with contextlib.suppress(OSError):  # another dataset's archive may lie beside it
        archive.parent.rmdir()
        archive.parent.parent.rmdir()


def _is_at_hand(facts: Remote, path: Path) -> bool:
    """Whether the file is there and right; one with nothing to check it by counts as right."""
    try:
        stored = existing_path(path)
    except LexiscopeError:
        return False
    if facts.checksum is None and facts.bytes is None:
        return True
    problem = difference(_content(stored, facts, packed=stored != path), facts)
    if problem is not None:
        logger.warning("%s: %s; it is fetched again", stored, problem)
    return problem is None


def _fetch_patiently(url: str, facts: Remote, target: Path, patience: Patience) -> None:
    for attempt in range(1, patience.attempts + 1):
        try:
            with atomic_path(target) as temporary:
                _transfer(url, facts, temporary, target.name, patience.timeout)
                _verify(facts, temporary, target.name)
            return
        except _NetworkError as error:
            if attempt == patience.attempts:
                raise _NetworkError(f"{error} ({attempt} attempts)") from None
            pause = patience.pause(attempt)
            logger.warning("%s: %s; trying again in %g s", url, error, pause)
            time.sleep(pause)


def _transfer(url: str, facts: Remote, path: Path, name: str, timeout: float) -> None:
    # Without "identity" a server may send a .gz file as compressed plain text, which would be unpacked.
    headers = {"Accept-Encoding": "identity"}
    downloader = HTTPDownloader(chunk_size=CHUNK_BYTES, timeout=timeout, headers=headers)
    try:
        with (
            path.open("wb") as stream,
            Progress(f"downloading {name}", total=facts.bytes, unit="B") as progress,
        ):
            downloader(url, _Counted(stream, progress, facts.bytes), None)
    except requests.HTTPError as error:
        response = error.response
        assert response is not None  # raise_for_status always gives it
        kind = _NetworkError if response.status_code in BUSY_STATUSES else _UselessAddressError
        raise kind(f"the server answers {response.status_code} {response.reason}") from None
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        raise _NetworkError(f"{type(error).__name__}: {error}") from None
    except requests.RequestException as error:
        raise _UselessAddressError(f"{type(error).__name__}: {error}") from None


def _verify(facts: Remote, path: Path, name: str) -> None:
    size = path.stat().st_size
    if facts.bytes is not None and size < facts.bytes:
        # A server that states no length can break off unnoticed.
        raise _NetworkError(f"the transfer broke off after {size} of {facts.bytes} bytes")
    content = _content(path, facts)
    if problem := difference(content, facts):
        raise _UselessAddressError(problem)
    if facts.checksum is None:
        logger.warning("%s: no checksum is published; got SHA-256 %s", name, content.hashes["sha256"])


def _content(path: Path, facts: Remote, *, packed: bool = False) -> Content:
    return read_content(path, [facts.checksum.algorithm] if facts.checksum else [], packed=packed)


class _Counted:
    """A file that reports what is written to it, and refuses more than ``limit`` bytes."""

    def __init__(self, stream: IO[bytes], progress: Progress, limit: int | None) -> None:
        self._stream, self._progress, self._limit = stream, progress, limit
        self._written = 0

    def write(self, chunk: bytes) -> None:
        self._written += len(chunk)
        if self._limit is not None and self._written > self._limit:
            raise _UselessAddressError(f"wrong size: more than the {self._limit} bytes expected")
        self._stream.write(chunk)
        self._progress.advance(len(chunk))

    def flush(self) -> None:
        self._stream.flush()
