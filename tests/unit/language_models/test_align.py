"""The words of the lexicon out of a layer file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.language_models.imports.align import align_space

WORDS = ("<S>", "the", "dog", "Dog", "cat")
VECTORS = np.arange(10, dtype=np.float32).reshape(5, 2)
CONFIG = {"kind": "softmax_file", "path": "/somewhere/private/layer.npz"}


def save_layer(path: Path, **columns: np.ndarray) -> Path:
    save_space(EmbeddingSpace(WORDS, VECTORS, {"kind": "softmax_file", "file": "layer.npz"}, columns), path)
    return path


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return save_layer(tmp_path / "layer", bias=np.arange(5, dtype=np.float32) / 8)


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.tsv"
    path.write_text("cat\t9\nunseen\t7\nthe\t5\nDog\t2\n", encoding="utf-8")
    return path


def test_words_are_those_of_the_lexicon_in_its_order(tmp_path: Path, layer: Path, lexicon: Path) -> None:
    align_space(layer=layer, lexicon=lexicon, config=CONFIG, output=tmp_path / "o", log=tmp_path / "log")
    space = load_space(tmp_path / "o")
    assert space.words == ("cat", "the", "Dog")
    np.testing.assert_array_equal(space.vectors, VECTORS[[4, 1, 3]])
    np.testing.assert_array_equal(space.columns["bias"], np.float32([0.5, 0.125, 0.375]))
    np.testing.assert_array_equal(space.columns["row"], [4, 1, 3])
    np.testing.assert_array_equal(space.columns["count"], [9, 5, 2])
    assert space.columns["row"].dtype == space.columns["count"].dtype == np.int64
    log = (tmp_path / "log").read_text()
    assert "1 words of the lexicon have no softmax row" in log
    assert "3 of 4 words" in log


def test_rows_point_into_the_layer_file(tmp_path: Path, layer: Path, lexicon: Path) -> None:
    align_space(layer=layer, lexicon=lexicon, config=CONFIG, output=tmp_path / "o")
    space, whole = load_space(tmp_path / "o"), load_space(layer)
    assert tuple(whole.words[row] for row in space.columns["row"]) == space.words


def test_counts_of_the_layer_go_before_those_of_the_lexicon(tmp_path: Path, lexicon: Path) -> None:
    layer = save_layer(tmp_path / "layer", count=np.arange(100, 105))
    align_space(layer=layer, lexicon=lexicon, config=CONFIG, output=tmp_path / "o")
    space = load_space(tmp_path / "o")
    np.testing.assert_array_equal(space.columns["count"], [104, 101, 103])
    assert "bias" not in space.columns


def test_without_a_lexicon_the_whole_vocabulary_is_taken(tmp_path: Path, layer: Path) -> None:
    align_space(layer=layer, lexicon=None, config=CONFIG, output=tmp_path / "o")
    space = load_space(tmp_path / "o")
    assert space.words == WORDS
    np.testing.assert_array_equal(space.vectors, VECTORS)
    np.testing.assert_array_equal(space.columns["row"], np.arange(5))
    assert "count" not in space.columns
    assert space.provenance["n_lexicon_words"] is None


def test_provenance(tmp_path: Path, layer: Path, lexicon: Path) -> None:
    align_space(layer=layer, lexicon=lexicon, config=CONFIG, output=tmp_path / "o")
    assert load_space(tmp_path / "o").provenance == {
        "kind": "lm_output",
        "config": {"kind": "softmax_file"},
        "file": "layer.npz",
        "dim": 2,
        "n_words_before_lexicon": 5,
        "n_lexicon_words": 4,
        "layer_sha256": sha256_file(layer),
    }


def test_no_word_in_common_is_an_error(tmp_path: Path, layer: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("THE\t3\n", encoding="utf-8")
    with pytest.raises(
        LexiscopeError, match=r"lexicon.tsv: no word of the lexicon is in the softmax layer"
    ):
        align_space(layer=layer, lexicon=lexicon, config=CONFIG, output=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_missing_layer_is_an_error(tmp_path: Path, lexicon: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        align_space(layer=tmp_path / "none", lexicon=lexicon, config=CONFIG, output=tmp_path / "o")
