"""Streaming readers: files to chunks of whole lines, and chunks to lines of one tokenised sentence each.

A line ends at a line feed (LF, CRLF) and nowhere else. A reader sorts every line into one of
`LINE_CATEGORIES` and counts it there, so that nothing can get lost unseen: their sum is ``lines`` plus
``line_cuts``.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lexiscope.corpora.segmentation import Segmenter, decode, without_controls, without_markup
from lexiscope.errors import LexiscopeError
from lexiscope.files import existing_path, open_binary

Reader = Literal["sentences", "wikitext", "wikiextractor", "text"]

TOKENISED_CHUNK_BYTES, UNTOKENISED_CHUNK_BYTES = 1 << 23, 1 << 19
"""Text that is handled at a time (tokenising takes long); a line that is longer is cut at white space."""

LINE_CATEGORIES = ("text_lines", "blank_lines", "heading_lines", "title_lines", "markup_lines")

_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_WIKITEXT_HEADING = re.compile(r"(=(?: =)*) [^=\s].* \1\Z")
_WIKITEXT_JOINT = re.compile(r" @([-,.])@ ")
_DOC = re.compile(r"<doc\b.*>\Z|</doc>\Z")
_TITLE = re.compile(r'\btitle="(.*)"')
_ENDING = frozenset(".!?")
_CLOSING = frozenset([")", "]", "''"])


@dataclass(frozen=True)
class Chunk:
    """A part of a file: lines, the last of which is cut where ``ends_in_line``."""

    text: bytes
    ends_in_line: bool = False


def chunk_bytes(reader: Reader) -> int:
    """The most text that a chunk of this reader has."""
    return UNTOKENISED_CHUNK_BYTES if reader in ("wikiextractor", "text") else TOKENISED_CHUNK_BYTES


def read_chunks(path: Path, reader: Reader, size: int | None = None) -> Iterator[Chunk]:
    """Yield the whole of a file in chunks of at most ``size`` bytes, cut after line ends.

    WikiExtractor's text is cut between articles, so that a title stays with its ``<doc …>`` line. Only
    where one line (one article) is longer than a chunk is the cut at white space (at a line end).

    Raises
    ------
    LexiscopeError
        If the file is missing, is UTF-16, or is a damaged ``.gz``.
    """
    try:
        yield from _cut(
            path, b"\n<doc " if reader == "wikiextractor" else b"\n", size or chunk_bytes(reader)
        )
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LexiscopeError(f"the gzip file is damaged or incomplete ({error})", where=path) from None


def _cut(path: Path, mark: bytes, size: int) -> Iterator[Chunk]:
    with open_binary(path) as stream:
        pending = stream.read(size - 1)
        if pending.startswith(_UTF16_BOMS):
            raise LexiscopeError(
                "the text is UTF-16, not UTF-8", where=path, remedy="convert it with iconv"
            )
        pending = pending.removeprefix(_UTF8_BOM)
        while block := stream.read(size - len(pending)):
            pending += block
            if len(pending) < size:
                continue
            stop = pending.rfind(mark) + 1 or pending.rfind(b"\n") + 1
            in_line = stop == 0
            stop = stop or _cut_in_line(pending)
            yield Chunk(pending[:stop], ends_in_line=in_line)
            pending = pending[stop:]
        if pending:
            yield Chunk(pending)


def _cut_in_line(text: bytes) -> int:
    """Where to cut a text without line end: after its last white space, else between two characters."""
    space = max(text.rfind(byte, 0, len(text) - 1) for byte in (b" ", b"\t", b"\r"))
    if space >= 0:
        return space + 1
    stop = len(text) - 1
    while stop > len(text) - 4 and text[stop] & 0xC0 == 0x80:  # the inside of a UTF-8 character
        stop -= 1
    return stop


def text_bytes(path: Path) -> int:
    """Size of a file's text, to measure progress by; for ``.gz`` as its trailer says (modulo 4 GiB)."""
    path = existing_path(path)
    if path.suffix != ".gz":
        return path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 4, 0))
        return int.from_bytes(stream.read(4), "little")


def to_sentences(chunk: Chunk, reader: Reader, segmenter: Segmenter, counts: Counter[str]) -> bytes:
    """One tokenised sentence a line; the lines of the chunk are counted in ``counts``.

    With the reader ``sentences`` this is the chunk itself, whose lines are sorted into text and blank when
    their tokens are seen (`lexiscope.corpora.interning.intern`).
    """
    text = chunk.text if chunk.text.endswith(b"\n") else chunk.text + b"\n"
    counts["line_cuts"] += chunk.ends_in_line
    counts["lines"] += text.count(b"\n") - chunk.ends_in_line
    if reader == "sentences":
        return text
    lines = [
        without_controls(decode(line.removesuffix(b"\r"), counts), counts).strip()
        for line in text.split(b"\n")[:-1]
    ]
    if reader == "wikitext":
        sentences = _wikitext(lines, counts)
    else:
        paragraphs = (_wikiextractor if reader == "wikiextractor" else _text)(lines, counts)
        sentences = (sentence for paragraph in paragraphs for sentence in segmenter.sentences(paragraph))
    return "".join(f"{sentence}\n" for sentence in sentences).encode("utf-8")


def _wikitext(lines: list[str], counts: Counter[str]) -> Iterator[str]:
    for line in lines:
        if not line:
            counts["blank_lines"] += 1
        elif _WIKITEXT_HEADING.match(line):
            counts["heading_lines"] += 1
        else:
            counts["text_lines"] += 1
            yield from split_wikitext(_WIKITEXT_JOINT.sub(r"\1", line))


def split_wikitext(paragraph: str) -> Iterator[str]:
    """Split a paragraph of WikiText, whose tokens stand apart, into sentences.

    A sentence ends with a token ``.``, ``!`` or ``?``, together with a closing quotation mark and closing
    brackets right after it, unless the next token begins with a lower-case letter. (Abbreviations keep
    their full stop in WikiText, so that ``.`` alone does end a sentence.)
    """
    tokens = paragraph.split()
    start, in_quotation, ended = 0, False, False
    for position, token in enumerate(tokens):
        if ended and not (token in _CLOSING or (token == '"' and in_quotation)):
            ended = False
            if not token[0].islower():
                yield " ".join(tokens[start:position])
                start = position
        if token == '"':
            in_quotation = not in_quotation
        ended = ended or token in _ENDING
    if start < len(tokens):
        yield " ".join(tokens[start:])


def _text(lines: list[str], counts: Counter[str]) -> Iterator[str]:
    for line in lines:
        counts["text_lines" if line else "blank_lines"] += 1
        if line:
            yield line


def _wikiextractor(lines: list[str], counts: Counter[str]) -> Iterator[str]:
    title = None
    for line in lines:
        if not line:
            counts["blank_lines"] += 1
        elif _DOC.match(line):
            counts["markup_lines"] += 1
            found = _TITLE.search(line)
            title = without_markup(found[1]) if found else None
        elif title is not None and without_markup(line) == title:
            counts["title_lines"] += 1
            title = None
        elif paragraph := without_markup(line).strip():
            counts["text_lines"] += 1
            title = None
            yield paragraph
        else:
            counts["markup_lines"] += 1
