"""The file that holds an embedding space."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)
WORDS = ("the", "Señor", "<script>", "\u2028x")


def make_space() -> EmbeddingSpace:
    return EmbeddingSpace(WORDS, VECTORS, {"kind": "test", "seed": 1}, {"count": np.arange(4)})


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_space(make_space(), first)
    save_space(make_space(), second)
    assert first.read_bytes() == second.read_bytes()
    loaded = load_space(first)
    assert loaded.words == WORDS
    assert loaded.provenance == {"kind": "test", "seed": 1}
    np.testing.assert_array_equal(loaded.vectors, VECTORS)
    np.testing.assert_array_equal(loaded.columns["count"], np.arange(4))
    np.testing.assert_array_equal(loaded["Señor"], VECTORS[1])
    assert "the" in loaded
    assert "The" not in loaded


def test_every_flipped_byte_of_the_content_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "space.safetensors"
    save_space(make_space(), path)
    whole = path.read_bytes()
    n_content = VECTORS.nbytes + len("\n".join(WORDS).encode()) + 32
    for offset in range(len(whole) - n_content, len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(LexiscopeError, match=r"space\.safetensors"):
            load_space(path)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "space.safetensors"
    save_space(make_space(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(LexiscopeError):
        load_space(path)


@pytest.mark.parametrize("header", [None, "x", json.dumps([]), json.dumps({"format": "lexiscope-space-1"})])
def test_other_safetensors_files_are_refused(tmp_path: Path, header: str | None) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"vectors": VECTORS}, path, metadata=None if header is None else {"lexiscope": header})
    with pytest.raises(LexiscopeError, match="not an embedding space"):
        load_space(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        load_space(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("words", "vectors", "columns", "message"),
    [
        (("a", "b"), VECTORS, {}, "do not fit"),
        (("a", "a", "b", "c"), VECTORS, {}, "twice"),
        (WORDS, np.where(VECTORS == 7, np.nan, VECTORS), {}, "'<script>' has NaN"),
        (WORDS, VECTORS, {"bias": np.zeros(3)}, "'bias' has 3 rows"),
    ],
)
def test_a_space_that_makes_no_sense(words, vectors, columns, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LexiscopeError, match=message):
        EmbeddingSpace(words, vectors, {}, columns)


def test_words_with_line_breaks_cannot_be_stored(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="line break"):
        save_space(EmbeddingSpace(("a\nb",), VECTORS[:1]), tmp_path / "x.safetensors")


def test_restricted_to_keeps_the_order_given() -> None:
    space = make_space().restricted_to(["<script>", "none", "the"])
    assert space.words == ("<script>", "the")
    np.testing.assert_array_equal(space.vectors, VECTORS[[2, 0]])
    np.testing.assert_array_equal(space.columns["count"], [2, 0])


def test_an_empty_space(tmp_path: Path) -> None:
    path = tmp_path / "empty.safetensors"
    save_space(make_space().restricted_to([]), path)
    assert load_space(path).words == ()
