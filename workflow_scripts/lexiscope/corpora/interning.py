"""From lines of tokens to integers, a chunk at a time.

The tokens of a chunk are hashed by Arrow, in C++, straight from the bytes; everything else that has to be
done to a token (repairing bytes, lower-casing, white space that is not ASCII) is done once for each
*distinct* token. The ids are the chunk's own: whoever collects the chunks maps them to common ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lexiscope.corpora.config import MAX_SENTENCE_TOKENS
from lexiscope.corpora.segmentation import decode, without_controls
from lexiscope.corpora.vocabulary import EOS, EOS_ID, SPECIALS, UNK, UNK_ID

Casing = Literal["as_is", "lower"]

_CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
_TO_SPACE = bytes(32 if byte < 32 and byte != 10 else byte for byte in range(256))


@dataclass(frozen=True)
class InternedChunk:
    """Tokens of a chunk as integers.

    Attributes
    ----------
    words
        The distinct words, UTF-8, with line feeds between; ids 0 and 1 are the specials, so the first word
        has id 2.
    ids
        int32, shape (n_tokens,): every sentence followed by `EOS_ID`.
    """

    words: bytes
    ids: NDArray[np.int32]


def intern(text: bytes, casing: Casing, counts: Counter[str]) -> InternedChunk:
    """Turn lines of tokens into ids.

    White space and control characters separate tokens. A token ``<unk>`` gets `UNK_ID`; ``</s>`` in the text
    is left out and counted (``reserved_tokens``), since only the end of a line ends a sentence. Lines without
    a token are left out and counted as ``empty_sentences``; ``sentence_cuts`` are made in sentences of more
    than `MAX_SENTENCE_TOKENS`.

    Parameters
    ----------
    text
        Lines, each with its line feed.
    casing
        Whether tokens are lower-cased.
    counts
        Counted up: ``bad_bytes``, ``control_characters``, ``reserved_tokens``, ``empty_sentences``,
        ``sentence_cuts``, ``sentences`` (those given out).
    """
    counts["control_characters"] += len(text) - len(text.translate(None, _CONTROL_BYTES))
    counts["control_characters"] += text.count(b"\r") - text.count(b"\r\n")
    codes, distinct = _distinct_tokens(text)
    table = _TokenTable(casing)
    frequencies = np.bincount(codes, minlength=len(distinct)).tolist()
    for token, frequency in zip(distinct, frequencies, strict=True):
        table.add(token, frequency, counts)
    ids = table.look_up(codes)
    ids = _without_empty_sentences(ids, counts)
    ids = _with_sentences_cut(ids, counts)
    return InternedChunk(b"\n".join(table.words), ids)


def _distinct_tokens(text: bytes) -> tuple[NDArray[np.int32], list[bytes]]:
    """The number of every token's type, and the types, each with the one white-space byte that ends it.

    Two spaces in a row give the type ``b" "``, an empty token; a line feed is a type of its own.
    """
    text = text.translate(_TO_SPACE).replace(b"\n", b" \n")
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) <= 32)
    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    np.add(ends, 1, out=offsets[1:], casting="unsafe")
    tokens = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    ).dictionary_encode()
    return tokens.indices.to_numpy(), tokens.dictionary.to_pylist()


class _TokenTable:
    """What each distinct token becomes: usually one id, sometimes none or several."""

    def __init__(self, casing: Casing) -> None:
        self._lower = casing == "lower"
        self._index: dict[bytes, int] = {}
        self._single: list[int] = []
        self._several: dict[int, list[int]] = {}

    @property
    def words(self) -> list[bytes]:
        return list(self._index)

    def add(self, token: bytes, frequency: int, counts: Counter[str]) -> None:
        if token == b"\n":
            self._single.append(EOS_ID)
            return
        ids = [self._id(word) for word in self._words(token[:-1], frequency, counts)]
        if len(ids) != 1:
            self._several[len(self._single)] = ids
        self._single.append(ids[0] if ids else UNK_ID)

    def _words(self, token: bytes, frequency: int, counts: Counter[str]) -> list[bytes]:
        """The words in a token, of which all but a few have exactly one."""
        if token.isascii() and b"\x7f" not in token:
            words = [token.lower() if self._lower else token] if token else []
        else:
            found: Counter[str] = Counter()
            text = without_controls(decode(token, found), found)
            for key, number in found.items():
                counts[key] += number * frequency
            words = [word.encode() for word in (text.lower() if self._lower else text).split()]
        reserved = words.count(EOS.encode())
        if reserved:
            counts["reserved_tokens"] += reserved * frequency
            words = [word for word in words if word != EOS.encode()]
        return words

    def _id(self, word: bytes) -> int:
        if word == UNK.encode():
            return UNK_ID
        return self._index.setdefault(word, len(self._index) + len(SPECIALS))

    def look_up(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        single = np.array(self._single, dtype=np.int32)
        if not self._several:
            return single[codes]
        lengths = np.ones(len(single), dtype=np.int64)
        for code, ids in self._several.items():
            lengths[code] = len(ids)
        kept = codes[lengths[codes] > 0]
        repeats = lengths[kept]
        out = np.repeat(single[kept], repeats)
        starts = np.cumsum(repeats) - repeats
        for position in np.flatnonzero(repeats > 1).tolist():
            ids = self._several[int(kept[position])]
            out[starts[position] : starts[position] + len(ids)] = ids
        return out


def _without_empty_sentences(ids: NDArray[np.int32], counts: Counter[str]) -> NDArray[np.int32]:
    ends = ids == EOS_ID
    empty = ends.copy()
    empty[1:] &= ends[:-1]
    n_empty = int(np.count_nonzero(empty))
    counts["empty_sentences"] += n_empty
    counts["sentences"] += int(np.count_nonzero(ends)) - n_empty
    return ids[~empty] if n_empty else ids


def _with_sentences_cut(ids: NDArray[np.int32], counts: Counter[str]) -> NDArray[np.int32]:
    """``ids`` with a further `EOS_ID` after every `MAX_SENTENCE_TOKENS` tokens of a sentence."""
    ends = np.flatnonzero(ids == EOS_ID)
    lengths = np.diff(ends, prepend=-1) - 1
    long = np.flatnonzero(lengths > MAX_SENTENCE_TOKENS)
    cuts = [
        np.arange(ends[number] - lengths[number] + MAX_SENTENCE_TOKENS, ends[number], MAX_SENTENCE_TOKENS)
        for number in long.tolist()
    ]
    if not cuts:
        return ids
    positions = np.concatenate(cuts)
    counts["sentence_cuts"] += len(positions)
    counts["sentences"] += len(positions)
    return np.insert(ids, positions, EOS_ID)
