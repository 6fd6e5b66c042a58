"""Streaming readers of documents, some of which come with a topic: straight from archives and text files.

20 Newsgroups
    A document is a message, its topic the group. Latin-1. Only what the author wrote himself stays
    (`body_of_message`): header, signature and quotations go.
Reuters-21578
    A document is a news item with a body; its topic is that of the item if it has exactly one. Latin-1. The
    headline (in capitals), the dateline and the closing "Reuter" go.
Wikipedia extracts
    A document is an article, without its title; each of its lines is a paragraph. It has no topic.
The user's own files
    A document is a paragraph, which ends at an empty line. It has no topic.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lexiscope.corpora.readers import Chunk, Reader, read_chunks
from lexiscope.corpora.segmentation import Segmenter, decode, without_controls, without_markup
from lexiscope.data.archives import read_members
from lexiscope.data.receipt import Receipt
from lexiscope.errors import LexiscopeError

MAX_MEMBER_BYTES, MAX_ARCHIVE_BYTES = 16 << 20, 1 << 30
"""Sizes no archive of documents comes near: one message or SGML file, and all of them together."""

MAX_SIGNATURE_LINES = 10

_DASHES = "-_=*~ \t"
_ATTRIBUTION = re.compile(r"\b(writes|wrote|says|said|writes in .*):\s*$|^(In article\b|Quoted from\b)")
_QUOTED = re.compile(r"\s{0,3}([A-Za-z]{0,3}>|[|:])")

_ITEM = re.compile(r"<REUTERS\b([^>]*)>(.*?)</REUTERS>", re.DOTALL)
_ATTRIBUTE = re.compile(r'([A-Z]+)="([^"]*)"')
_TOPICS = re.compile(r"<TOPICS>(.*?)</TOPICS>", re.DOTALL)
_TOPIC = re.compile(r"<D>(.*?)</D>")
_BODY = re.compile(r"<BODY>(.*?)</BODY>", re.DOTALL)
_CLOSING_WORD = re.compile(r"\s*\breuter\s*\Z", re.IGNORECASE)

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_ARTICLE = re.compile(r'<doc\b.*?(?:\btitle="(.*)")?>\Z')
_SGML_FILE = re.compile(r"reut2-\d+\.sgm")


@dataclass(frozen=True)
class Document:
    """A text and what is known about it.

    Attributes
    ----------
    paragraphs
        Running text; none is empty, and none has a line break.
    topic
        The true topic, where the source tells it.
    part
        ``train`` or ``test`` where the source is so divided, else ``all``.
    """

    paragraphs: tuple[str, ...]
    topic: str | None = None
    part: str = "all"

    @property
    def text(self) -> str:
        """The paragraphs, one a line."""
        return "\n".join(self.paragraphs)

    def sentences(self, segmenter: Segmenter, *, lower: bool = False) -> list[list[str]]:
        """For each paragraph that has tokens its sentences, each as tokens with single spaces between.

        The tokens are those of the corpora (`lexiscope.corpora.segmentation`).
        """
        split = (list(segmenter.sentences(paragraph)) for paragraph in self.paragraphs)
        return [[s.lower() for s in sentences] if lower else sentences for sentences in split if sentences]


def read_dataset(receipt: Receipt, counts: Counter[str]) -> Iterator[Document]:
    """Yield the documents of a dataset of the catalogue, in its order.

    Parameters
    ----------
    receipt
        Of 20newsgroups, reuters21578 or enwiki-extracts.
    counts
        Counts ``documents``, those without a paragraph among them (``empty_documents``: a message that only
        quotes, a news item without a body), and what was mended (``bad_bytes``, ``control_characters``).

    Raises
    ------
    LexiscopeError
        If the dataset is another one, a file is damaged, or an archive holds no such documents.
    """
    if receipt.dataset == "20newsgroups":
        documents = _newsgroups(receipt.path("archive"), counts)
    elif receipt.dataset == "reuters21578":
        documents = _reuters(receipt.path("archive"), counts)
    elif receipt.dataset == "enwiki-extracts":
        paths = receipt.paths("train")
        documents = (document for path in paths for document in _articles(path, counts))
    else:
        raise LexiscopeError(
            f"dataset {receipt.dataset!r} cannot be read as documents",
            remedy="known: 20newsgroups, reuters21578, enwiki-extracts",
        )
    yield from _counted(documents, counts)


def read_files(paths: Sequence[Path], counts: Counter[str]) -> Iterator[Document]:
    """Yield the paragraphs of the user's own UTF-8 files (``.gz`` as well), each as a document.

    Raises
    ------
    LexiscopeError
        If a file is missing, is UTF-16 or a damaged ``.gz``.
    """
    yield from _counted((document for path in paths for document in _paragraphs(path, counts)), counts)


def _counted(documents: Iterator[Document], counts: Counter[str]) -> Iterator[Document]:
    for document in documents:
        counts["documents"] += 1
        counts["empty_documents"] += not document.paragraphs
        yield document


# 20 Newsgroups ----------------------------------------------------------------------------------------


def _newsgroups(archive: Path, counts: Counter[str]) -> Iterator[Document]:
    """Messages from ``<folder>/<group>/<number>``; the folder's name may end in ``train`` or ``test``."""
    found = 0
    for name, raw in read_members(
        archive, _is_message, max_bytes=MAX_MEMBER_BYTES, max_total_bytes=MAX_ARCHIVE_BYTES
    ):
        found += 1
        folder, group = PurePosixPath(name).parts[-3:-1]
        part = next((part for part in ("train", "test") if folder.endswith(part)), "all")
        text = body_of_message(raw.decode("latin-1").replace("\r\n", "\n"))
        paragraphs = _joined(_PARAGRAPH_END.split(text), counts)
        yield Document(paragraphs, topic=group, part=part)
    if not found:
        raise LexiscopeError("the archive has no messages in folders named by their groups", where=archive)


def _is_message(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) >= 3 and parts[-1].isdigit()


def body_of_message(message: str) -> str:
    """What the author of a Usenet message wrote: without header, signature and quotations.

    The rules are near those of ``remove=("headers", "footers", "quotes")`` in scikit-learn's loader: 97 %
    of the words that it leaves are left here, and 99 % of the words left here are left by it.

    - The header ends at the first empty line. A message without one is all header.
    - The signature is the last block of lines after an empty line or one of dashes and the like, if the
      block is at most `MAX_SIGNATURE_LINES` long and text stands before it.
    - Lines that begin with ``>`` (after initials or not), ``|`` or ``:`` are quotations. So are the lines
      that introduce them ("In article …", "… writes:").
    """
    _, _, body = message.partition("\n\n")
    lines = body.strip("\n").split("\n")
    last = _text_end(lines, len(lines))  # a closing line of dashes has no signature after it
    first = last
    while first > 0 and lines[first - 1].strip(_DASHES):
        first -= 1
    if last - first <= MAX_SIGNATURE_LINES:
        last = _text_end(lines, first) or last
    return "\n".join(
        line for line in lines[:last] if not (_QUOTED.match(line) or _ATTRIBUTION.search(line))
    )


def _text_end(lines: Sequence[str], stop: int) -> int:
    """Where the text before ``stop`` ends: after its last line that is not empty or of dashes."""
    while stop > 0 and not lines[stop - 1].strip(_DASHES):
        stop -= 1
    return stop


# Reuters ----------------------------------------------------------------------------------------------


def _reuters(archive: Path, counts: Counter[str]) -> Iterator[Document]:
    found = 0
    for _, raw in read_members(
        archive,
        lambda name: _SGML_FILE.fullmatch(PurePosixPath(name).name) is not None,
        max_bytes=MAX_MEMBER_BYTES,
        max_total_bytes=MAX_ARCHIVE_BYTES,
    ):
        for attributes, content in _ITEM.findall(raw.decode("latin-1").replace("\r\n", "\n")):
            found += 1
            yield _news_item(dict(_ATTRIBUTE.findall(attributes)), content, counts)
    if not found:
        raise LexiscopeError(
            "the archive has no reut2-*.sgm with news items",
            where=archive,
            remedy="use the distribution in SGML, not one that was taken apart",
        )


def _news_item(attributes: dict[str, str], content: str, counts: Counter[str]) -> Document:
    listed = _TOPICS.search(content)
    topics = _TOPIC.findall(listed[1]) if listed else []
    body = _BODY.search(content)
    # Each paragraph begins with four spaces.
    text = _CLOSING_WORD.sub("", without_controls(without_markup(body[1]), counts)) if body else ""
    part = attributes.get("LEWISSPLIT", "").lower()
    return Document(
        paragraphs=_joined(re.split(r"\n {4}", text), counts),
        topic=without_markup(topics[0]) if len(topics) == 1 else None,
        part=part if part in ("train", "test") else "all",
    )


# Running text -----------------------------------------------------------------------------------------


def _lines(path: Path, reader: Reader, counts: Counter[str]) -> Iterator[str]:
    """Lines of a UTF-8 file, without white space at their ends; one longer than a chunk comes in parts."""
    chunk: Chunk
    for chunk in read_chunks(path, reader):
        text = chunk.text.removesuffix(b"\n")
        for line in text.split(b"\n"):
            yield without_controls(decode(line.removesuffix(b"\r"), counts), counts).strip()


def _articles(path: Path, counts: Counter[str]) -> Iterator[Document]:
    paragraphs: list[str] = []
    title: str | None = None
    in_article = False
    for line in _lines(path, "wikiextractor", counts):
        opening = _ARTICLE.match(line) if line.startswith("<doc") else None
        if opening or line == "</doc>":
            if in_article:
                yield Document(tuple(paragraphs))
            paragraphs, in_article = [], opening is not None
            title = without_markup(opening[1]) if opening and opening[1] else None
        elif paragraph := without_markup(line).strip():
            if not in_article:
                raise LexiscopeError(
                    "text outside <doc …> … </doc>: not what WikiExtractor writes", where=path
                )
            if paragraph != title:
                paragraphs.append(paragraph)
            title = None
    if in_article:
        yield Document(tuple(paragraphs))


def _paragraphs(path: Path, counts: Counter[str]) -> Iterator[Document]:
    lines: list[str] = []
    for line in _lines(path, "text", counts):
        if line:
            lines.append(line)
        elif lines:
            yield Document((" ".join(lines),))
            lines = []
    if lines:
        yield Document((" ".join(lines),))


def _joined(paragraphs: Sequence[str], counts: Counter[str]) -> tuple[str, ...]:
    """Paragraphs with their lines joined by single spaces, those without a word left out."""
    joined = (" ".join(without_controls(paragraph, counts).split()) for paragraph in paragraphs)
    return tuple(text for text in joined if any(character.isalnum() for character in text))
