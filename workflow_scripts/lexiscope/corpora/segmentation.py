"""From a paragraph of running text to sentences of tokens, as One Billion Word has them.

Sentences are found by syntok, tokens by sacremoses, the Python form of the Moses tokeniser that made One
Billion Word: punctuation stands alone, ``'s`` is split off, abbreviations keep their full stop.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from lexiscope.corpora.vocabulary import UNK

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and line separators, but for tab and line feed. They count as white space."""

MAX_PIECE_CHARACTERS = 20_000
"""Longer paragraphs are cut at white space before sentences are looked for."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,500}>")


def decode(raw: bytes, counts: Counter[str]) -> str:
    """``raw`` as text; bytes that are not UTF-8 become U+FFFD and are counted as ``bad_bytes``."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        counts["bad_bytes"] += len(raw) - len(raw.decode("utf-8", "ignore").encode("utf-8"))
        return raw.decode("utf-8", "replace")


def without_controls(text: str, counts: Counter[str]) -> str:
    """``text`` with control characters replaced by spaces and counted as ``control_characters``."""
    cleaned, number = CONTROLS.subn(" ", text)
    counts["control_characters"] += number
    return cleaned


def without_markup(text: str) -> str:
    """``text`` with tags replaced by spaces and character references (``&amp;``) resolved."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    return html.unescape(text) if "&" in text else text


class Segmenter:
    """Splits paragraphs into sentences and those into tokens; the libraries are loaded at first use."""

    @cached_property
    def _moses(self) -> Any:
        from sacremoses import MosesTokenizer

        return MosesTokenizer(lang="en")

    @cached_property
    def _syntok(self) -> Any:
        from syntok import segmenter

        return segmenter

    def sentences(self, paragraph: str) -> Iterator[str]:
        """Yield the sentences of a paragraph, each as tokens with single spaces between; none is empty."""
        for piece in _pieces(paragraph):
            for sentence in self._split(piece):
                tokens = self._moses.tokenize(sentence, escape=False, return_str=True)
                if tokens:
                    yield tokens.replace("< unk >", UNK) if UNK in sentence else tokens

    def _split(self, text: str) -> Iterator[str]:
        # Slices of the text, from one sentence's start to the next one's: nothing can fall in between.
        starts = [
            sentence[0].offset
            for paragraph in self._syntok.process(text)
            for sentence in paragraph
            if sentence
        ]
        starts[:1] = [0]
        for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
            yield text[start:stop]


def _pieces(paragraph: str) -> Iterator[str]:
    start = 0
    while len(paragraph) - start > MAX_PIECE_CHARACTERS:
        stop = paragraph.rfind(" ", start + 1, start + MAX_PIECE_CHARACTERS)
        stop = start + MAX_PIECE_CHARACTERS if stop < 0 else stop
        yield paragraph[start:stop]
        start = stop
    yield paragraph[start:]
