"""Co-occurrence counts against a plain Python count, in little memory and in much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexiscope.embeddings import cooccurrence
from lexiscope.embeddings.cooccurrence import Cooccurrences, Grid, count_cooccurrences, merge_runs
from lexiscope.errors import LexiscopeError


def count(shards: list[NDArray], grid: Grid, folder: Path, **changes: object) -> Cooccurrences:
    settings = {"window": 5, "memory_mb": 64, "source": "corpus", **changes}
    return count_cooccurrences(
        shards, first_word=2, end_of_sentence=1, grid=grid, directory=folder, **settings
    )


def plainly_counted(ids: NDArray, n_words: int, window: int) -> NDArray[np.float64]:
    counts = np.zeros((n_words, n_words))
    sentence: list[int] = []
    for token in ids.tolist():
        if token == 1:
            sentence = []
        elif token != 0:
            word = token - 2
            for distance, other in enumerate(reversed(sentence[-window:]), start=1):
                counts[word, other] += 1 / distance
                counts[other, word] += 1 / distance
            sentence.append(word)
    return counts


def dense(counts: Cooccurrences) -> NDArray[np.float64]:
    grid = counts.grid
    word_at = {position: word for word, position in enumerate(grid.positions().tolist())}
    matrix = np.zeros((grid.n_words, grid.n_words))
    for p in range(grid.n_blocks):
        for q in range(grid.n_blocks):
            number = p * grid.n_blocks + q
            block = counts.entries[counts.starts[number] : counts.starts[number + 1]]
            assert p <= q or not len(block)
            for row, column, log_count in block.tolist():
                a, b = word_at[p * grid.rows + row], word_at[q * grid.rows + column]
                assert matrix[a, b] == 0
                matrix[a, b] = matrix[b, a] = np.exp(log_count)
    return matrix


@pytest.mark.parametrize("window", [1, 2, 5, 15])
@pytest.mark.parametrize(("n_words", "n_blocks"), [(3, 1), (40, 7), (40, 40), (200, 3)])
def test_counts_are_those_of_a_plain_loop(n_words: int, n_blocks: int, window: int, tmp_path: Path) -> None:
    ids = np.random.default_rng(n_words).integers(0, n_words + 2, 3000).astype(np.uint16)
    counts = count([ids], Grid(n_words, n_blocks), tmp_path, window=window)
    expected = plainly_counted(ids, n_words, window)
    assert np.allclose(dense(counts), expected, rtol=1e-6, atol=0)
    assert counts.n_cells == np.count_nonzero(expected)


def test_a_word_beside_itself_counts_twice_as_in_x_plus_its_transpose(tmp_path: Path) -> None:
    ids = np.array([2, 2, 1, 2, 3, 2, 1], dtype=np.uint32)
    matrix = dense(count([ids], Grid(2, 2), tmp_path))
    assert np.allclose(matrix, [[2 + 2 / 2, 2], [2, 0]])


def test_unknown_words_take_no_place_and_windows_end_with_the_sentence(tmp_path: Path) -> None:
    ids = np.array([2, 0, 0, 0, 3, 1, 4, 1], dtype=np.uint16)
    matrix = dense(count([ids], Grid(3, 2), tmp_path, window=1))
    assert np.allclose(matrix, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_neither_shards_nor_memory_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_words = 400
    ids = np.random.default_rng(1).integers(0, n_words + 2, 30_000).astype(np.uint16)
    grid = Grid(n_words, 8)
    whole = count([ids], grid, tmp_path / "whole")
    monkeypatch.setattr(cooccurrence, "FIRST_SLOTS", 1 << 10)
    monkeypatch.setattr(cooccurrence, "MERGE_ROWS", 500)
    monkeypatch.setattr(cooccurrence, "CHUNK_TOKENS", 777)
    monkeypatch.setattr(cooccurrence, "SLOT_BYTES", 1 << 9)  # 1024 slots in a megabyte
    cut = count(np.array_split(ids, 7), grid, tmp_path / "cut", memory_mb=1)
    assert len(whole.entries) > 50 * 1024 * cooccurrence.MAX_LOAD
    assert whole.entries.tobytes() == cut.entries.tobytes()
    assert np.array_equal(whole.starts, cut.starts)
    names = {"entries.bin", "starts.npy", "cooccurrences.json"}
    assert {path.name for path in (tmp_path / "cut").iterdir()} == names


def test_the_table_grows_before_anything_is_spilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "FIRST_SLOTS", 1 << 4)
    ids = np.random.default_rng(2).integers(0, 52, 20_000).astype(np.uint16)
    counts = count([ids], Grid(50, 5), tmp_path, window=3)
    assert np.allclose(dense(counts), plainly_counted(ids, 50, 3), rtol=1e-6)


NOTHING = np.ones(0, dtype=np.uint16)


def test_counts_are_used_again(tmp_path: Path) -> None:
    ids = np.random.default_rng(3).integers(0, 22, 500).astype(np.uint16)
    count([ids], Grid(20, 4), tmp_path)
    again = count([NOTHING], Grid(20, 4), tmp_path)
    assert np.allclose(dense(again), plainly_counted(ids, 20, 5), rtol=1e-6)


@pytest.mark.parametrize("changes", [{"source": "another"}, {"window": 4}, {}])
def test_counts_that_do_not_fit_are_made_anew(changes: dict[str, object], tmp_path: Path) -> None:
    ids = np.random.default_rng(3).integers(0, 22, 500).astype(np.uint16)
    count([ids], Grid(20, 4), tmp_path)
    if not changes:
        content = bytearray((tmp_path / "entries.bin").read_bytes())
        content[5] ^= 1
        (tmp_path / "entries.bin").write_bytes(content)
    with pytest.raises(LexiscopeError, match="no two words"):
        count([NOTHING], Grid(20, 4), tmp_path, **changes)


def test_sentences_of_one_word_have_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no two words"):
        count([np.array([2, 1, 3, 0, 1], dtype=np.uint16)], Grid(2, 2), tmp_path)


@given(st.lists(st.dictionaries(st.integers(0, 60), st.integers(1, 9)), max_size=5), st.integers(1, 7))
def test_merging_adds_up_runs(runs: list[dict[int, int]], rows: int) -> None:
    expected: dict[int, int] = {}
    for run in runs:
        for key, value in run.items():
            expected[key] = expected.get(key, 0) + value
    arrays = [
        (np.array(sorted(run), dtype=np.uint64), np.array([run[k] for k in sorted(run)], dtype=np.int64))
        for run in runs
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooccurrence, "MERGE_ROWS", rows)
        parts = list(merge_runs(arrays))
    merged = [(k, c) for keys, counts in parts for k, c in zip(keys.tolist(), counts.tolist(), strict=True)]
    assert merged == sorted(expected.items())


@pytest.mark.parametrize(("n_words", "row_bytes"), [(1, 64), (31, 2432), (2500, 2432), (50_000, 2432)])
def test_a_grid_has_a_place_for_each_word_and_blocks_that_fit(n_words: int, row_bytes: int) -> None:
    grid = Grid.fitting(n_words, row_bytes)
    positions = grid.positions()
    assert len(set(positions.tolist())) == n_words
    assert positions.max() < grid.n_blocks * grid.rows
    assert 2 * grid.rows * row_bytes <= cooccurrence.CACHE_BYTES
