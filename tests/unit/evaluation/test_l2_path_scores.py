"""Scores of every solution along a λ path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexiscope.data.receipt import write_receipt
from lexiscope.embeddings.space import save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.evaluate import evaluate_l2_path, evaluate_space
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, read_table

L2 = (1e-5, 0.02, 10.0)
IDENTITY = {
    "study": "test",
    "space": "am_path",
    "model": "jlm",
    "seed": 3,
    "config_sha256": "c" * 64,
    "code_version": "0",
}
WORDS = [f"w{i}" for i in range(50)]


@pytest.fixture
def folder(tmp_path, random_space, make_receipt):
    """A path of three solutions, and two word-similarity sets."""
    path = tmp_path / "path"
    path.mkdir()
    for number in range(len(L2)):
        save_space(random_space(WORDS, seed=number), path / f"{number:02d}.safetensors")
    files = [f"{number:02d}.safetensors" for number in range(len(L2))]
    (path / "path.json").write_text(json.dumps({"of": "output", "l2": L2, "files": files}))
    generator = np.random.default_rng(0)
    for key in ("men", "simlex999"):
        lines = [f"w{a} w{b} {a * b % 7}" for a, b in generator.integers(0, 60, (80, 2))]
        (tmp_path / f"{key}.txt").write_text("\n".join(lines))
        receipt = make_receipt(key, {"pairs": [tmp_path / f"{key}.txt"]})
        write_receipt(receipt, tmp_path / f"{key}.json")
    return tmp_path


def run(evaluate, folder: Path, name: str, **changes: Any):
    arguments: dict[str, Any] = {
        "task": "word_similarity",
        "receipts": {key: folder / f"{key}.json" for key in ("men", "simlex999")},
        "protocol": {"n_bootstrap": 50},
        "identity": IDENTITY,
        "scores": folder / f"{name}.scores.parquet",
        "items": folder / f"{name}.items.parquet",
    }
    evaluate(**(arguments | changes))
    return (
        read_table(folder / f"{name}.scores.parquet", SCORE_SCHEMA).to_pylist(),
        read_table(folder / f"{name}.items.parquet", ITEM_SCHEMA).to_pylist(),
    )


def test_each_solution_scores_as_a_space_of_its_own(folder):
    scores, items = run(evaluate_l2_path, folder, "path", path=folder / "path")
    expected_scores, expected_items = [], []
    for number, name in enumerate(("am_path@1e-05", "am_path@0.02", "am_path@10")):
        alone = run(
            evaluate_space,
            folder,
            "alone",
            space=folder / "path" / f"{number:02d}.safetensors",
            identity=IDENTITY | {"space": name},
        )
        expected_scores += alone[0]
        expected_items += alone[1]
    assert scores == expected_scores
    assert items == expected_items
    assert len({row["value"] for row in scores}) == 2 * len(L2)
    assert {row["model"] for row in scores} == {"jlm"}


def test_a_broken_data_set_fails_along_the_whole_path_and_alone(folder):
    (folder / "men.txt").write_text("w1 w2\n")
    scores, items = run(evaluate_l2_path, folder, "path", path=folder / "path")
    assert [(row["dataset"], row["status"]) for row in scores] == [
        ("simlex999", "ok"),
        ("men", "failed"),
    ] * len(L2)
    assert {item["dataset"] for item in items} == {"simlex999"}


def test_the_same_bytes_again(folder):
    for name in ("first", "second"):
        run(evaluate_l2_path, folder, name, path=folder / "path")
    for kind in ("scores", "items"):
        first, second = (folder / f"{name}.{kind}.parquet" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("damage", "changes", "problem"),
    [
        (lambda path: (path / "path.json").unlink(), {}, r"path\.json.*no such file"),
        (lambda path: (path / "path.json").write_text("{"), {}, r"path\.json"),
        (lambda path: (path / "01.safetensors").unlink(), {}, r"01\.safetensors.*no such file"),
        (lambda path: (path / "01.safetensors").write_bytes(b"x"), {}, r"not an embedding space"),
        (lambda path: None, {"task": "word_simmilarity"}, "unknown task 'word_simmilarity'"),
        (lambda path: None, {"receipts": {}}, "was given no dataset"),
    ],
)
def test_an_unfinished_path_is_an_error_and_writes_nothing(folder, damage, changes, problem):
    damage(folder / "path")
    with pytest.raises(LexiscopeError, match=problem):
        run(evaluate_l2_path, folder, "path", path=folder / "path", **changes)
    assert not list(folder.glob("*.parquet"))
