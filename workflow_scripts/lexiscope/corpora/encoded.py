"""An encoded corpus on disk, as every trainer reads it.

A folder with ``vocabulary.tsv`` (the number of a line is the word's id), one-dimensional ``.npy`` shards of
ids for each split (every sentence is followed by ``</s>``, a shard holds whole sentences), and
``manifest.json`` with sizes and hashes. The manifest is written last: a folder without one is unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.vocabulary import EOS_ID, UNK_ID, Vocabulary, read_vocabulary
from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path, read_json, sha256_file

FORMAT = "lexiscope-corpus-1"
MANIFEST, VOCABULARY = "manifest.json", "vocabulary.tsv"

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

Ids = NDArray[np.unsignedinteger[Any]]
"""Ids in the type of their shards, uint16 or uint32."""

DECODE_TOKENS = 1 << 21
"""Tokens that are turned into text at a time (about 12 MB of text)."""


class ShardedIds:
    """Several shards that read as one 1-d array; a slice copies only what it covers.

    Supports ``len``, ``shape``, ``dtype``, indexing with an integer, a slice of step 1 or an array of
    positions, and conversion by ``numpy.asarray`` (which reads all of it into memory).
    """

    def __init__(self, shards: list[Ids]) -> None:
        self._shards = shards
        self._starts = np.cumsum([0, *(len(shard) for shard in shards)])
        self.dtype = shards[0].dtype
        self.shape = (int(self._starts[-1]),)
        self.ndim = 1

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise IndexError("shards are sliced with step 1")
            return self._range(start, max(start, stop))
        positions = np.asarray(key, dtype=np.int64)
        positions = np.where(positions < 0, positions + len(self), positions)
        if positions.size and (positions.min() < 0 or positions.max() >= len(self)):
            raise IndexError(f"position out of range for {len(self)} tokens")
        return self._take(positions)

    def _range(self, start: int, stop: int) -> Ids:
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = []
        for shard, offset in zip(self._shards[first:], self._starts[first:-1].tolist(), strict=True):
            if offset >= stop:
                break
            parts.append(shard[max(start - offset, 0) : stop - offset])
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=self.dtype)

    def _take(self, positions: NDArray[np.int64]) -> Any:
        taken = np.empty(positions.shape, dtype=self.dtype)
        shard_of = np.searchsorted(self._starts, positions, side="right") - 1
        for number in np.unique(shard_of).tolist():
            here = shard_of == number
            taken[here] = self._shards[number][positions[here] - self._starts[number]]
        return taken[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("several shards cannot become one array without a copy")
        whole = np.concatenate(self._shards)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __iter__(self) -> Iterator[Any]:
        for shard in self._shards:
            yield from shard


class EncodedCorpus:
    """A corpus written by `lexiscope.corpora.encode.encode_corpus`; make one with `open`.

    Attributes
    ----------
    path
        The folder.
    manifest
        Content of ``manifest.json``.
    vocabulary
        Words and counts.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], vocabulary: Vocabulary) -> None:
        self.path, self.manifest, self.vocabulary = path, manifest, vocabulary

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> EncodedCorpus:
        """Open an encoded corpus; the ids stay on disk.

        The size of every shard and the hash of the vocabulary are checked, with ``verify`` the hash of
        every shard as well.

        Raises
        ------
        LexiscopeError
            If the folder is unfinished, or holds other bytes than its manifest says.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise LexiscopeError(
                "not a finished encoded corpus (it has no manifest.json)",
                where=path,
                remedy="run the workflow again; it makes the corpus anew",
            )
        manifest = read_json(path / MANIFEST)
        try:
            shards = [shard for split in SPLITS for shard in manifest["splits"][split]["shards"]]
            vocabulary = manifest["vocabulary"]
            known = manifest["format"] == FORMAT
        except (KeyError, TypeError):
            known = False
        if not known:
            raise LexiscopeError(f"not a manifest of format {FORMAT}", where=path / MANIFEST)
        _check(path, vocabulary, verify=True)
        for shard in shards:
            _check(path, shard, verify=verify)
        return cls(path, manifest, read_vocabulary(path / VOCABULARY))

    @cached_property
    def sha256(self) -> str:
        """Digest of the manifest, which holds the digests of all else."""
        return sha256_file(self.path / MANIFEST)

    def shards(self, split: Split) -> list[Ids]:
        """The shards of a split as read-only memory maps; none if the split is empty."""
        files = self.manifest["splits"][split]["shards"]
        return [np.load(self.path / file["file"], mmap_mode="r", allow_pickle=False) for file in files]

    def tokens(self, split: Split) -> Ids | ShardedIds:
        """All ids of a split as one 1-d array: a memory map, or a view over several of them."""
        shards = self.shards(split)
        if not shards:
            return np.empty(0, dtype=self.manifest["dtype"])
        return shards[0] if len(shards) == 1 else ShardedIds(shards)

    def n_tokens(self, split: Split) -> int:
        """Number of ids of a split, ``</s>`` included."""
        return int(self.manifest["splits"][split]["tokens"])

    def n_sentences(self, split: Split) -> int:
        """Number of sentences of a split."""
        return int(self.manifest["splits"][split]["sentences"])

    def write_text(self, split: Split, path: str | Path, drop_unknown: bool = True) -> None:
        """Write a split as UTF-8 text, one sentence a line, words with single spaces between, atomically.

        With ``drop_unknown`` tokens outside the vocabulary are left out, as a trainer's ``min_count`` would
        do it, and so are sentences of which nothing remains; without it they appear as ``<unk>``.
        """
        text_of = _text_writer(self.vocabulary.words)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            for shard in self.shards(split):
                for ids in sentence_blocks(shard, DECODE_TOKENS):
                    kept = ids[ids != UNK_ID] if drop_unknown else ids
                    stream.write(text_of(_without_empty_sentences(kept)))


def _text_writer(words: Sequence[str]) -> Callable[[Ids], bytes]:
    """A function from ids, sentences with their ends, to lines of text."""
    import pyarrow as pa

    pieces = [f"{word} ".encode() for word in words]
    pieces[EOS_ID] = b"\n"
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    # Arrays are made from buffers since Arrow's own conversions import pandas, which takes its time.
    table = pa.Array.from_buffers(
        pa.large_binary(), len(pieces), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(pieces))]
    )

    def text_of(ids: Ids) -> bytes:
        if not len(ids):
            return b""
        kind = pa.uint16() if ids.dtype == np.uint16 else pa.uint32()
        positions = pa.Array.from_buffers(kind, len(ids), [None, pa.py_buffer(np.ascontiguousarray(ids))])
        # The bytes of the words taken lie side by side: the text, but for the space at a sentence's end.
        text: bytes = table.take(positions).buffers()[2].to_pybytes()
        return text.replace(b" \n", b"\n")

    return text_of


def sentence_blocks(ids: Ids, size: int) -> Iterator[Ids]:
    """Cut ``ids``, which end with ``</s>``, into blocks of whole sentences.

    A block has at most ``size`` ids, unless a single sentence has more.
    """
    start = 0
    while start < len(ids):
        stop = _last_sentence_end(ids[start : start + size])
        if stop == 0:
            stop = int(np.argmax(ids[start:] == EOS_ID)) + 1
        yield ids[start : start + stop]
        start += stop


def _last_sentence_end(block: Ids) -> int:
    """One more than the position of the last ``</s>``, 0 where there is none."""
    for width in (1024, len(block)):
        ends = np.flatnonzero(block[-width:] == EOS_ID)
        if len(ends):
            return max(len(block) - width, 0) + int(ends[-1]) + 1
    return 0


def _without_empty_sentences(ids: Ids) -> Ids:
    """``ids``, which begin at the start of a sentence, without the ``</s>`` that follow nothing."""
    ends = ids == EOS_ID
    empty = ends.copy()
    empty[1:] &= ends[:-1]
    kept: Ids = ids[~empty]
    return kept


def _check(folder: Path, entry: dict[str, Any], *, verify: bool) -> None:
    path = folder / entry["file"]
    found = path.stat().st_size if path.is_file() else None
    if found != entry["bytes"] or (verify and sha256_file(path) != entry["sha256"]):
        size = "is missing" if found is None else f"has {found} bytes" if found != entry["bytes"] else None
        raise LexiscopeError(
            f"the file {size}, the manifest says {entry['bytes']}"
            if size
            else "the file's content has changed since it was written",
            where=path,
            remedy="delete the folder and run the workflow again",
        )
