"""Ids on their way to the disk: provisional ones in scratch files, then final ones in shards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import SPLITS, Ids, Split, sentence_blocks
from lexiscope.corpora.interning import InternedChunk
from lexiscope.corpora.vocabulary import EOS, EOS_ID, SPECIALS, UNK, UNK_ID, Vocabulary
from lexiscope.files import atomic_path, sha256_file


class WordCounter:
    """All words seen, numbered in the order in which they came, with their counts in the training text."""

    def __init__(self) -> None:
        self._index: dict[bytes, int] = {}
        self._counts = np.zeros(1 << 16, dtype=np.int64)

    def provisional_ids(self, chunk: InternedChunk) -> NDArray[np.uint32]:
        """The provisional id of each of a chunk's own ids, specials included."""
        words = chunk.words.split(b"\n") if chunk.words else []
        # One look-up a word, in C: this is the work that cannot be shared out.
        found = map(self._index.get, words, itertools.repeat(-1))
        ids = np.fromiter(found, dtype=np.int64, count=len(words))
        fresh = np.flatnonzero(ids < 0)
        numbers = range(len(self._index) + len(SPECIALS), len(self._index) + len(SPECIALS) + len(fresh))
        self._index.update(zip([words[place] for place in fresh.tolist()], numbers, strict=True))
        ids[fresh] = numbers
        return np.concatenate([np.arange(len(SPECIALS)), ids]).astype(np.uint32)

    def count(self, ids: NDArray[np.uint32], frequencies: NDArray[np.int64]) -> None:
        """Add ``frequencies`` to the counts of the provisional ``ids``, which are unique."""
        needed = len(self._index) + len(SPECIALS)
        if needed > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(needed, dtype=np.int64)])
        self._counts[ids] += frequencies

    def vocabulary(self, min_count: int, max_words: int | None) -> tuple[Vocabulary, NDArray[np.uint32]]:
        """The vocabulary, and the final id of every provisional one (`UNK_ID` for the words left out)."""
        n_specials = len(SPECIALS)
        n_words = len(self._index)
        counts = self._counts[n_specials : n_specials + n_words]
        every = list(self._index)
        kept = np.flatnonzero(counts >= min_count).tolist()
        kept.sort(key=every.__getitem__)
        kept.sort(key=counts.tolist().__getitem__, reverse=True)  # a stable sort: ties stay as they are
        kept = kept[:max_words]
        final = np.zeros(n_words + n_specials, dtype=np.uint32)
        final[EOS_ID] = EOS_ID
        final[np.array(kept, dtype=np.int64) + n_specials] = np.arange(len(kept)) + n_specials
        n_unknown = int(self._counts.sum() - self._counts[EOS_ID] - counts[kept].sum())
        text = b"\n".join(every[number] for number in kept).decode("utf-8")
        words = (UNK, EOS, *(text.split("\n") if kept else ()))
        return Vocabulary(words, np.array([n_unknown, self._counts[EOS_ID], *counts[kept]])), final


class Scratch:
    """One growing file of provisional ids (uint32) a split."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Scratch:
        self._files = {
            split: self._stack.enter_context((self._folder / split).open("wb")) for split in SPLITS
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def append(self, split: Split, ids: NDArray[np.uint32]) -> None:
        """Add ids at the end of a split."""
        ids.tofile(self._files[split])

    def ids(self, split: Split) -> NDArray[np.uint32]:
        """All ids of a split as a memory map, once the writing is over."""
        path = self._folder / split
        return np.memmap(path, np.uint32, "r") if path.stat().st_size else np.empty(0, dtype=np.uint32)


def write_shards(
    ids: NDArray[np.uint32], final: Ids, folder: Path, split: Split, size: int
) -> Iterator[dict[str, Any]]:
    """Write the shards of a split; yield for each its entry in the manifest.

    Parameters
    ----------
    ids
        Provisional ids of the whole split, shape (n_tokens,).
    final
        Final id of each provisional one, in the type that the shards shall have.
    folder, split
        Where the files ``<split>-<number>.npy`` go.
    size
        Most tokens in a shard.
    """
    for number, block in enumerate(sentence_blocks(ids, size)):
        shard = final[block]
        path = folder / f"{split}-{number:05d}.npy"
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, shard, allow_pickle=False)
        yield {
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": sha256_file(path),
            "tokens": len(shard),
            "sentences": int(np.count_nonzero(shard == EOS_ID)),
            "unknown": int(np.count_nonzero(shard == UNK_ID)),
        }
