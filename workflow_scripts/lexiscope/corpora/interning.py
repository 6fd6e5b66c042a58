"""From lines of tokens to integers, a chunk at a time.

The tokens of a chunk are hashed by Arrow, in C++, straight from the bytes; everything else that has to be
done to a token (repairing bytes, lower-casing, white space that is not ASCII) is done once for each
*distinct* token. The ids are the chunk's own: whoever collects the chunks maps them to common ones.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lexiscope.corpora.config import MAX_SENTENCE_TOKENS
from lexiscope.corpora.segmentation import decode, without_controls
from lexiscope.corpora.vocabulary import EOS, EOS_ID, SPECIALS, UNK

Casing = Literal["as_is", "lower"]

_CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
_TO_SPACE = bytes(32 if byte < 32 and byte != 10 else byte for byte in range(256))
_UNK, _EOS, _LINE_END, _NOTHING = UNK.encode(), EOS.encode(), b"\n", b""
_NO_ID = -1


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

    White space and control characters separate tokens. A token ``<unk>`` gets `UNK_ID`; ``</s>`` in the
    text is left out, since only the end of a line ends a sentence. Lines without a token are left out.
    Sentences of more than `MAX_SENTENCE_TOKENS` are cut.

    Parameters
    ----------
    text
        Lines, each with its line feed.
    casing
        Whether tokens are lower-cased.
    counts
        Counted up: ``bad_bytes``, ``control_characters``, ``reserved_tokens`` (``</s>``),
        ``empty_sentences`` (left out), ``sentence_cuts`` and ``sentences`` (given out).
    """
    counts["control_characters"] += len(text) - len(text.translate(None, _CONTROL_BYTES))
    counts["control_characters"] += text.count(b"\r") - text.count(b"\r\n")
    codes, types = _encode_types(text)
    words, several = _words_of_types(types, casing, np.bincount(codes, minlength=len(types)), counts)
    # The specials first: their places are their ids.
    every = dict.fromkeys([_UNK, _LINE_END, *words, *itertools.chain.from_iterable(several.values())])
    every.pop(_NOTHING, None)
    index = dict(zip(every, range(len(every)), strict=True))
    index[_NOTHING] = _NO_ID
    number = np.fromiter(map(index.__getitem__, words), dtype=np.int32, count=len(words))
    ids = _look_up(
        codes, number, {code: [index[word] for word in found] for code, found in several.items()}
    )
    ids = _without_empty_sentences(ids, counts)
    ids = _with_sentences_cut(ids, counts)
    return InternedChunk(b"\n".join(list(every)[len(SPECIALS) :]), ids)


def _encode_types(text: bytes) -> tuple[NDArray[np.int32], list[bytes]]:
    """The type of every token, as a number, and the types; a line feed is one of them, so is ``b""``."""
    # Every token ends with exactly one space; two spaces in a row hold an empty token between them.
    text = text.translate(_TO_SPACE).replace(b"\n", b" \n ")
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 32)
    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    np.add(ends, 1, out=offsets[1:], casting="unsafe")
    tokens = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    ).dictionary_encode()
    if not len(ends):
        return np.empty(0, dtype=np.int32), []
    # Straight from Arrow's buffers: its to_numpy would import pandas. The types lie side by side in theirs.
    codes = np.frombuffer(tokens.indices.buffers()[1], dtype=np.int32, count=len(ends))
    return codes, tokens.dictionary.buffers()[2].to_pybytes().split(b" ")[:-1]


def _words_of_types(
    types: list[bytes], casing: Casing, frequencies: NDArray[np.int64], counts: Counter[str]
) -> tuple[list[bytes], dict[int, list[bytes]]]:
    """The word that each type is (``b""`` where it is none), and the words of those that are several."""
    content = b" ".join(types)
    words = content.lower().split(b" ") if casing == "lower" else types.copy()
    several: dict[int, list[bytes]] = {}
    for code in _types_to_examine(content, words):
        found = _examine(types[code], casing, int(frequencies[code]), counts)
        words[code] = found[0] if found else _NOTHING
        if len(found) > 1:
            several[code] = found
    return words, several


def _types_to_examine(content: bytes, words: list[bytes]) -> list[int]:
    """Numbers of the types that may be anything but a plain ASCII word.

    ``content`` has all types with spaces between.
    """
    array = np.frombuffer(content, dtype=np.uint8)
    unusual = np.searchsorted(np.flatnonzero(array == 32), np.flatnonzero(array >= 127))
    found = set(unusual.tolist())
    if _EOS in words:
        found.update(code for code, word in enumerate(words) if word == _EOS)
    return sorted(found)


def _examine(token: bytes, casing: Casing, frequency: int, counts: Counter[str]) -> list[bytes]:
    """The words in a token that occurs ``frequency`` times; what is found in it is counted as often."""
    found: Counter[str] = Counter()
    text = without_controls(decode(token, found), found)
    words = [word.encode("utf-8") for word in (text.lower() if casing == "lower" else text).split()]
    kept = [word for word in words if word != _EOS]
    found["reserved_tokens"] += len(words) - len(kept)
    for key, number in found.items():
        counts[key] += number * frequency
    return kept


def _look_up(
    codes: NDArray[np.int32], number: NDArray[np.int32], several: dict[int, list[int]]
) -> NDArray[np.int32]:
    """The id of each token's type; for the types in ``several`` those ids in the place of one."""
    ids = number[codes]
    if several:
        lengths = np.ones(len(number), dtype=np.int64)
        for code, found in several.items():
            lengths[code] = len(found)
        repeats = lengths[codes]
        starts = np.cumsum(repeats) - repeats
        ids = np.repeat(ids, repeats)
        for place in np.flatnonzero(repeats > 1).tolist():
            found = several[int(codes[place])]
            ids[starts[place] : starts[place] + len(found)] = found
    return ids if number.min(initial=0) > _NO_ID else ids[ids != _NO_ID]


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
    cuts = [
        np.arange(ends[number] - lengths[number] + MAX_SENTENCE_TOKENS, ends[number], MAX_SENTENCE_TOKENS)
        for number in np.flatnonzero(lengths > MAX_SENTENCE_TOKENS).tolist()
    ]
    if not cuts:
        return ids
    positions = np.concatenate(cuts)
    counts["sentence_cuts"] += len(positions)
    counts["sentences"] += len(positions)
    return np.insert(ids, positions, EOS_ID)
