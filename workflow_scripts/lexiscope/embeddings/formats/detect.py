"""What a file of vectors is, told by its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from lexiscope.embeddings.config import FileFormat
from lexiscope.errors import LexiscopeError

HEADER = re.compile(rb"[ \t]*(\d+)[ \t]+(\d+)[ \t]*\r?\n?")
NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
SEPARATOR = re.compile(rb"[ \t]+")
BOM = b"\xef\xbb\xbf"
LINES_LOOKED_AT = 5

FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")

_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "run 'git lfs pull'"),
    (b"\x93NUMPY", "a NumPy array without words", "save words and vectors with numpy.savez"),
    (b"\xff\xfe", "text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    (b"BZh", "packed with bzip2", "unpack it: bunzip2"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it: unxz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it: unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", "save words and vectors with numpy.savez"),
    (b"PAR1", "a Parquet file", "save words and vectors with numpy.savez"),
)


def detect_format(head: bytes, path: Path) -> FileFormat | None:
    """The format of a file whose unpacked content begins with ``head``; None if it is like none known.

    Text of word2vec and of GloVe differ only by the header, and word2vec's binary from its text by what
    follows the header.

    Raises
    ------
    LexiscopeError
        If it is something else that is known: a web page, a Git LFS pointer, another archive.
    """
    _refuse_foreign(head, path)
    if head.startswith(FASTTEXT_MAGIC):
        return "fasttext_bin"
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if len(head) > 9 and head[0] == 0x80 and head[1] in range(2, 6):
        return "gensim"
    if head[8:9] == b"{" and head[5:8] == b"\0\0\0":
        return "lexiscope"
    return _detect_by_lines(head.removeprefix(BOM))


def _refuse_foreign(head: bytes, path: Path) -> None:
    start = head.removeprefix(BOM).lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise LexiscopeError(
            "a web page, not vectors", where=path, remedy="open it to see why, and download again"
        )
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise LexiscopeError(what, where=path, remedy=remedy)


def _detect_by_lines(head: bytes) -> FileFormat | None:
    header = HEADER.match(head)
    if header is None or (header.end() < len(head) and not header[0].endswith(b"\n")):
        return "glove" if _looks_like_text(head) else None
    body = head[header.end() :]
    return "word2vec" if not body.strip() or _looks_like_text(body) else "word2vec_binary"


def _looks_like_text(body: bytes) -> bool:
    """Whether one of the first lines is a word and mostly numbers."""
    return any(_is_vector_line(line) for line in body.split(b"\n", LINES_LOOKED_AT)[:LINES_LOOKED_AT])


def _is_vector_line(line: bytes) -> bool:
    fields = SEPARATOR.split(line.strip())[1:]
    return bool(fields) and 2 * sum(1 for field in fields if NUMBER.fullmatch(field)) > len(fields)
