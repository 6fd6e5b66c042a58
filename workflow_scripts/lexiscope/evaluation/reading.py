"""Reading the small text files that test sets come in."""

from __future__ import annotations

import zlib
from pathlib import Path

from lexiscope.errors import LexiscopeError
from lexiscope.files import open_binary

UTF8_BOM = b"\xef\xbb\xbf"


def read_lines(path: str | Path) -> list[str]:
    """Read a UTF-8 file, plain or ``.gz``, as lines without their ends (LF or CRLF) and outer blanks.

    Line i of the file is element i - 1, empty lines included; empty lines at the end are not.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, or a line is not UTF-8.
    """
    try:
        with open_binary(path) as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise LexiscopeError(f"the file cannot be read ({error})", where=path) from None
    # Split before decoding: str.splitlines would also split at characters that belong to words.
    lines = content.removeprefix(UTF8_BOM).rstrip().split(b"\n")
    return [_decode(line, path, number) for number, line in enumerate(lines, start=1)]


def _decode(line: bytes, path: str | Path, number: int) -> str:
    try:
        return line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise LexiscopeError(
            f"byte {line[error.start]:#04x} is not UTF-8",
            where=path,
            line=number,
            remedy="convert the file to UTF-8, as with iconv -f latin1 -t utf-8",
        ) from None
