"""Scores with each space's own words, with those all spaces share, or with both."""

from __future__ import annotations

import numpy as np
import pytest

from lexiscope.data.receipt import write_receipt
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.evaluate import evaluate_space
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, read_table
from lexiscope.evaluation.shared_vocabulary import read_vocabulary, share_vocabulary

IDENTITY = {"study": "s", "model": "", "seed": 1, "config_sha256": "", "code_version": ""}


@pytest.fixture
def folder(tmp_path, make_receipt):
    generator = np.random.default_rng(0)
    for name, words in (("many", range(30)), ("few", range(29, 9, -1))):
        rows = generator.standard_normal((len(words), 4)).astype(np.float32)
        space = EmbeddingSpace(tuple(f"w{i}\r" if i == 20 else f"w{i}" for i in words), rows)
        save_space(space, tmp_path / f"{name}.safetensors")
    lines = [f"w{i} w{(i * 7 + 1) % 30} {i % 5}" for i in range(30)]
    (tmp_path / "men.txt").write_text("\n".join(lines))
    write_receipt(make_receipt("men", {"pairs": [tmp_path / "men.txt"]}), tmp_path / "men.json")
    share_vocabulary(
        spaces=[tmp_path / "few.safetensors", tmp_path / "many.safetensors"], output=tmp_path / "shared.txt"
    )
    return tmp_path


def score(folder, name, vocabulary):
    evaluate_space(
        space=folder / f"{name}.safetensors",
        task="word_similarity",
        receipts={"men": folder / "men.json"},
        shared=[] if vocabulary == "own" else [folder / "shared.txt"],
        protocol={"n_bootstrap": 20, "vocabulary": vocabulary},
        identity=IDENTITY | {"space": name},
        scores=folder / "scores.parquet",
        items=folder / "items.parquet",
    )
    return (
        read_table(folder / "scores.parquet", SCORE_SCHEMA).to_pylist(),
        read_table(folder / "items.parquet", ITEM_SCHEMA).num_rows,
    )


def test_the_shared_words_are_those_of_all_in_the_order_of_the_first(folder):
    shared = read_vocabulary(folder / "shared.txt")
    assert len(shared) == 20
    assert shared[0] == "w29"
    assert shared[9] == "w20\r"  # whatever a word holds, it comes back


def test_shared_words_restrict_the_larger_space(folder):
    (own,), _ = score(folder, "many", "own")
    (shared,), n_items = score(folder, "many", "shared")
    assert shared["n_used"] < own["n_used"]
    assert shared["n_total"] == own["n_total"] == n_items
    assert shared["value"] != own["value"]
    assert "vocabulary=shared" in shared["protocol"]
    assert "vocabulary" not in own["protocol"]


@pytest.mark.parametrize("name", ["many", "few"])
def test_both_are_the_two_together_with_the_items_of_the_own(folder, name):
    alone = [score(folder, name, vocabulary)[0][0] for vocabulary in ("own", "shared")]
    both, n_items = score(folder, name, "both")
    assert both == alone
    assert n_items == 30


def test_spaces_without_a_common_word(folder):
    save_space(EmbeddingSpace(("x",), np.ones((1, 2), np.float32)), folder / "x.safetensors")
    with pytest.raises(LexiscopeError, match="no word in common"):
        share_vocabulary(
            spaces=[folder / "x.safetensors", folder / "many.safetensors"], output=folder / "no.txt"
        )


def test_the_file_is_asked_for(folder):
    with pytest.raises(LexiscopeError, match="needs the file of the shared words"):
        evaluate_space(
            space=folder / "few.safetensors",
            task="word_similarity",
            receipts={"men": folder / "men.json"},
            protocol={"vocabulary": "shared"},
            identity=IDENTITY | {"space": "few"},
            scores=folder / "scores.parquet",
            items=folder / "items.parquet",
        )
