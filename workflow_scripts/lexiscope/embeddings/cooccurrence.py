"""How often words stand near each other: counted in bounded memory, stored in the order GloVe trains in.

The matrix is symmetric, so only its upper triangle is kept. It is cut into a grid of blocks: a block's
words and contexts fit in a processor's cache together, and blocks that share no row and no column can be
trained at the same time without two threads ever writing to the same vector (Gemulla et al. 2011,
*Large-scale matrix factorization with distributed stochastic gradient descent*).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path, read_json, sha256_file, write_json
from lexiscope.progress import Progress, logger

ENTRY = np.dtype([("row", "<u2"), ("column", "<u2"), ("log_count", "<f4")])
"""A cell of a block: row and column within the block, and the natural logarithm of the count."""

CACHE_BYTES = 4 << 20
MIN_BLOCKS = 32  # a side; as many threads can work at once
MAX_ROWS = 1 << 16

# Counts are sums of 1/distance. As whole multiples of 2**-28 their sum does not depend on the order of
# addition, so neither the memory at hand nor the cut of the shards can change a bit of the result.
UNIT = 1 << 28

SLOT_BYTES = 16  # of the hash table: a key and a count
FIRST_SLOTS = 1 << 16
MAX_LOAD = 0.6
CHUNK_TOKENS = 1 << 20
MERGE_ROWS = 1 << 20

HEADER, ENTRIES, STARTS = "cooccurrences.json", "entries.bin", "starts.npy"

Run = tuple[NDArray[np.uint64], NDArray[np.int64]]
"""Sorted unique keys, and the count of each in units."""


@dataclass(frozen=True)
class Grid:
    """How words are dealt out to blocks: word i is row ``i // n_blocks`` of block ``i % n_blocks``.

    Words come sorted by count, so dealing them out in turn gives all blocks about the same work.
    """

    n_words: int
    n_blocks: int

    @classmethod
    def fitting(cls, n_words: int, row_bytes: int) -> Grid:
        """The grid whose blocks fit the cache, if a word and a context take ``row_bytes`` each."""
        rows = min(max(1, CACHE_BYTES // (2 * row_bytes)), MAX_ROWS)
        return cls(n_words, max(min(MIN_BLOCKS, n_words), -(-n_words // rows)))

    @property
    def rows(self) -> int:
        """Rows of a block (the last may be unused)."""
        return -(-self.n_words // self.n_blocks)

    def positions(self) -> NDArray[np.int64]:
        """Where the vector of each word stands in a matrix ordered by block, shape (n_words,)."""
        words = np.arange(self.n_words, dtype=np.int64)
        return words % self.n_blocks * self.rows + words // self.n_blocks


@dataclass(frozen=True)
class Cooccurrences:
    """The upper triangle of the co-occurrence matrix, block after block.

    Attributes
    ----------
    grid
        How words map to blocks and rows.
    entries
        The cells (dtype `ENTRY`), a memory map, sorted by block, row and column.
    starts
        int64, shape (n_blocks**2 + 1,): block (p, q), p <= q, is
        ``entries[starts[p * n_blocks + q] : starts[p * n_blocks + q + 1]]``.
    """

    grid: Grid
    entries: NDArray[Any]
    starts: NDArray[np.int64]

    @property
    def n_cells(self) -> int:
        """Cells of the full, symmetric matrix that are not zero."""
        blocks = np.arange(self.grid.n_blocks) * (self.grid.n_blocks + 1)
        on_diagonal = sum(
            int(np.count_nonzero(block["row"] == block["column"]))
            for block in (self.entries[self.starts[b] : self.starts[b + 1]] for b in blocks)
        )
        return 2 * len(self.entries) - on_diagonal


def count_cooccurrences(
    shards: Sequence[NDArray[Any]],
    *,
    first_word: int,
    end_of_sentence: int,
    grid: Grid,
    window: int,
    memory_mb: int,
    directory: Path,
    source: str,
) -> Cooccurrences:
    """Count pairs at most ``window`` words apart, each as 1/distance, and store them under ``directory``.

    As in the code released with Pennington et al. 2014, words outside the vocabulary are removed before the
    window is laid, and no window crosses the end of a sentence.

    Parameters
    ----------
    shards
        One-dimensional integer arrays of token ids; a sentence may go on in the next shard.
    first_word
        Ids from here on are words (id ``first_word + i`` is word i of the grid); lower ones are special.
    end_of_sentence
        The id that ends a sentence.
    memory_mb
        About the memory to use; counts beyond it are sorted and spilt to ``directory``.
    source
        A digest of the corpus: a matrix that is there already and was made from the same is used again.

    Raises
    ------
    LexiscopeError
        If no two words stand in one sentence.
    """
    made_of = {"source": source, "window": window, "grid": asdict(grid), "unit": UNIT}
    found = _read(directory, made_of, grid)
    if found is not None:
        logger.info("co-occurrences: %d cells, counted by an earlier run", found.n_cells)
        return found
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="runs-", dir=directory) as runs:
        counter = _Counter(grid, first_word, end_of_sentence, window, memory_mb, Path(runs))
        with Progress("co-occurrences", total=sum(map(len, shards)), unit="token") as progress:
            for shard in shards:
                for start in range(0, len(shard), CHUNK_TOKENS):
                    chunk = np.array(shard[start : start + CHUNK_TOKENS])
                    counter.add(chunk)
                    progress.advance(len(chunk))
        _write(directory, made_of, grid, merge_runs(counter.finish()))
    counted = _read(directory, made_of, grid)
    if counted is None:
        raise LexiscopeError("the co-occurrence counts changed while they were written", where=directory)
    return counted


def _read(directory: Path, made_of: dict[str, Any], grid: Grid) -> Cooccurrences | None:
    header, entries, starts = (directory / name for name in (HEADER, ENTRIES, STARTS))
    if not (header.exists() and entries.exists() and starts.exists()):
        return None
    content = read_json(header)
    if content["made_of"] != made_of or content["sha256"] != [sha256_file(entries), sha256_file(starts)]:
        return None
    return Cooccurrences(grid, np.memmap(entries, dtype=ENTRY, mode="r"), np.load(starts))


def _write(directory: Path, made_of: dict[str, Any], grid: Grid, merged: Iterator[Run]) -> None:
    bits = _bits(grid.rows)
    mask = np.uint64((1 << bits) - 1)
    sizes = np.zeros(grid.n_blocks**2, dtype=np.int64)
    with atomic_path(directory / ENTRIES) as temporary, temporary.open("wb") as stream:
        for keys, counts in merged:
            entries = np.empty(len(keys), dtype=ENTRY)
            entries["row"] = keys >> np.uint64(bits) & mask
            entries["column"] = keys & mask
            entries["log_count"] = np.log(counts / UNIT)
            stream.write(entries.data)
            blocks = (keys >> np.uint64(2 * bits)).astype(np.int64)
            sizes += np.bincount(blocks, minlength=len(sizes))
    if not sizes.any():
        raise LexiscopeError("no two words of the vocabulary stand in one sentence of the corpus")
    with atomic_path(directory / STARTS) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes))))
    digests = [sha256_file(directory / name) for name in (ENTRIES, STARTS)]
    # Written last: counts without it are unfinished.
    write_json(directory / HEADER, {"made_of": made_of, "sha256": digests})


class _Counter:
    """Counts pairs in a hash table that grows up to its bound and is then spilt as a sorted run."""

    def __init__(
        self, grid: Grid, first_word: int, end_of_sentence: int, window: int, memory_mb: int, runs: Path
    ) -> None:
        n_ids = first_word + grid.n_words
        words = np.arange(grid.n_words)
        bits = _bits(grid.rows)
        # A key is (block of the first, block of the second, row of the first, row of the second), so that
        # sorted keys are sorted by block. Both parts are laid out for each id, to add up to a key.
        self._blocks = np.full(n_ids, -1, dtype=np.int64)
        self._blocks[first_word:] = words % grid.n_blocks
        self._rows = np.zeros(n_ids, dtype=np.int64)
        self._rows[first_word:] = words // grid.n_blocks
        self._n_blocks, self._row_bits = grid.n_blocks, bits
        self._end_of_sentence = end_of_sentence
        self._weights = np.array([0, *(round(UNIT / d) for d in range(1, window + 1))], dtype=np.int64)
        self._recent = np.zeros(window, dtype=np.int64)
        self._state = np.zeros(2, dtype=np.int64)  # words in the sentence so far, slots in use
        # A power of two; the table takes up to half of the memory, sorting it the rest.
        self._max_slots = max(FIRST_SLOTS, 1 << (memory_mb * (1 << 19) // SLOT_BYTES).bit_length() - 1)
        self._table = np.zeros((FIRST_SLOTS, 2), dtype=np.uint64)
        self._directory = runs
        self._spilt: list[Run] = []

    def add(self, tokens: NDArray[Any]) -> None:
        """Count the pairs of the next tokens of the corpus."""
        position = 0
        while position < len(tokens):
            position += _count(
                tokens[position:],
                self._end_of_sentence,
                self._blocks,
                self._rows,
                self._n_blocks,
                self._row_bits,
                self._weights,
                self._recent,
                self._state,
                self._table,
                _shift(self._table),
                int(MAX_LOAD * len(self._table)),
            )
            if position < len(tokens):
                self._make_room()

    def finish(self) -> list[Run]:
        """What was spilt, and what is left."""
        return [*self._spilt, self._drain()]

    def _make_room(self) -> None:
        if len(self._table) < self._max_slots:
            larger = np.zeros((min(4 * len(self._table), self._max_slots), 2), dtype=np.uint64)
            _rehash(self._table, larger, _shift(larger))
            self._table = larger
            return
        parts = []
        for name, part in zip(("keys", "counts"), self._drain(), strict=True):
            path = self._directory / f"{len(self._spilt):05d}.{name}.npy"
            np.save(path, part)
            parts.append(np.load(path, mmap_mode="r"))
        self._spilt.append((parts[0], parts[1]))
        self._table[:] = 0
        self._state[1] = 0

    def _drain(self) -> Run:
        # Keys are stored plus one, so that an untouched slot is zero.
        used = self._table[self._table[:, 0] != 0]
        order = np.argsort(used[:, 0])
        return used[order, 0] - np.uint64(1), used[order, 1].astype(np.int64)


def merge_runs(runs: Iterable[Run]) -> Iterator[Run]:
    """Merge sorted runs into one, adding up the counts of equal keys, part by part.

    Each part takes at most `MERGE_ROWS` rows from a run, whatever the runs' length.
    """
    left = [run for run in runs if len(run[0])]
    while left:
        limit = min(keys[min(MERGE_ROWS, len(keys)) - 1] for keys, _ in left)
        ends = [int(np.searchsorted(keys[:MERGE_ROWS], limit, side="right")) for keys, _ in left]
        keys = np.concatenate([run[0][:end] for run, end in zip(left, ends, strict=True)])
        counts = np.concatenate([run[1][:end] for run, end in zip(left, ends, strict=True)])
        left = [(k[end:], c[end:]) for (k, c), end in zip(left, ends, strict=True) if end < len(k)]
        if len(ends) > 1:
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
        firsts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        yield keys[firsts], np.add.reduceat(counts, firsts)


def _bits(rows: int) -> int:
    return max(1, (rows - 1).bit_length())


def _shift(table: NDArray[np.uint64]) -> np.uint64:
    """How far a 64-bit hash is shifted to make a slot of ``table``, whose length is a power of two."""
    return np.uint64(64 - (len(table).bit_length() - 1))


@njit(cache=True, nogil=True)
def _slot_of(key: np.uint64, table: NDArray[np.uint64], shift: np.uint64) -> np.uint64:
    """The slot that holds ``key``, or the free one where it belongs (Fibonacci hashing, linear probing)."""
    slot = key * np.uint64(0x9E3779B97F4A7C15) >> shift
    while table[slot, 0] != key and table[slot, 0] != 0:
        slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def _count(
    tokens: NDArray[Any],
    end_of_sentence: int,
    blocks: NDArray[np.int64],
    rows: NDArray[np.int64],
    n_blocks: int,
    row_bits: int,
    weights: NDArray[np.int64],
    recent: NDArray[np.int64],
    state: NDArray[np.int64],
    table: NDArray[np.uint64],
    shift: np.uint64,
    max_used: int,
) -> int:
    """Count the pairs of ``tokens`` until they, or the free slots of ``table``, run out.

    Returns how many tokens were read.
    """
    window = len(recent)
    length, used = state[0], state[1]
    read = 0
    for token in tokens:
        if used + window > max_used:
            break
        read += 1
        if token == end_of_sentence:
            length = 0
            continue
        block, row = blocks[token], rows[token]
        if block < 0:
            continue
        for distance in range(1, min(length, window) + 1):
            other = recent[(length - distance) % window]
            other_block, other_row = blocks[other], rows[other]
            weight = weights[distance]
            if block < other_block or (block == other_block and row <= other_row):
                high, low = block * n_blocks + other_block, (row << row_bits) + other_row
                if row == other_row and block == other_block:
                    weight *= 2  # X + X' counts a word beside itself twice
            else:
                high, low = other_block * n_blocks + block, (other_row << row_bits) + row
            key = np.uint64((high << 2 * row_bits) + low + 1)
            slot = _slot_of(key, table, shift)
            if table[slot, 0] == 0:
                table[slot, 0] = key
                used += 1
            table[slot, 1] += np.uint64(weight)
        recent[length % window] = token
        length += 1
    state[0], state[1] = length, used
    return read


@njit(cache=True, nogil=True)
def _rehash(table: NDArray[np.uint64], larger: NDArray[np.uint64], shift: np.uint64) -> None:
    """Copy the used slots of ``table`` to the ``larger`` empty one."""
    for old in range(len(table)):
        if table[old, 0] != 0:
            slot = _slot_of(table[old, 0], larger, shift)
            larger[slot, 0] = table[old, 0]
            larger[slot, 1] = table[old, 1]
