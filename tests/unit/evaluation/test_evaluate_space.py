from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from lexiscope.data.receipt import write_receipt
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation import word_similarity
from lexiscope.evaluation.evaluate import evaluate_space
from lexiscope.evaluation.merge import merge_scores
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, read_table

IDENTITY = {
    "study": "test",
    "space": "mine",
    "model": "",
    "seed": 3,
    "config_sha256": "c" * 64,
    "code_version": "0",
}
WORDS = [f"w{i}" for i in range(50)]


@pytest.fixture
def folder(tmp_path, random_space, make_receipt):
    """A space and three word-similarity sets, the one of ``men`` broken in line 2."""
    save_space(random_space(WORDS), tmp_path / "mine.safetensors")
    generator = np.random.default_rng(0)
    for key in ("ws353", "men", "simlex999"):
        lines = [f"w{a} w{b} {a * b % 7}" for a, b in generator.integers(0, 60, (80, 2))]
        if key == "men":
            lines[1] = "w1 w2"
        (tmp_path / f"{key}.txt").write_text("\n".join(lines))
        receipt = make_receipt(key, {"pairs": [tmp_path / f"{key}.txt"]})
        write_receipt(receipt, tmp_path / f"{key}.json")
    return tmp_path


def run(folder, keys=("ws353", "men", "simlex999"), name="mine", **changes):
    arguments = {
        "space": folder / "mine.safetensors",
        "task": "word_similarity",
        "receipts": {key: folder / f"{key}.json" for key in keys},
        "protocol": {"n_bootstrap": 50},
        "identity": IDENTITY,
        "scores": folder / f"{name}.scores.parquet",
        "items": folder / f"{name}.items.parquet",
    }
    evaluate_space(**(arguments | changes))
    return (
        read_table(arguments["scores"], SCORE_SCHEMA).to_pylist(),
        read_table(arguments["items"], ITEM_SCHEMA).to_pylist(),
    )


def test_a_bad_file_fails_its_own_row_alone(folder):
    scores, items = run(folder)
    assert [(row["dataset"], row["status"]) for row in scores] == [
        ("simlex999", "ok"),  # the order of the registry, not of the call
        ("men", "failed"),
        ("ws353", "ok"),
    ]
    failed = scores[1]
    assert failed["value"] is None
    assert failed["error"] == "men.txt:2: expected 'word1 word2 score', found 'w1 w2'"
    assert str(folder) not in failed["error"]
    assert {item["dataset"] for item in items} == {"simlex999", "ws353"}


def test_every_row_says_whose_it_is(folder):
    scores, items = run(folder)
    for row in scores:
        assert {name: row[name] for name in IDENTITY} == IDENTITY
        assert row["task"] == "word_similarity"
        assert row["protocol"].startswith("oov=skip casing=lower bootstrap=50")
        assert len(row["dataset_sha256"]) == 64
    assert len({row["dataset_sha256"] for row in scores}) == 3
    assert {(i["study"], i["space"], i["seed"], i["task"]) for i in items} == {
        ("test", "mine", 3, "word_similarity")
    }
    used = [item for item in items if item["dataset"] == "ws353" and item["used"]]
    assert len(used) == scores[2]["n_used"] < scores[2]["n_total"] == 80


def test_the_same_seed_gives_the_same_bytes(folder):
    run(folder, name="first")
    run(folder, keys=("simlex999", "men", "ws353"), name="second")
    run(folder, name="third", protocol={"n_bootstrap": 50, "seed": 2})
    contents = {
        kind: [(folder / f"{name}.{kind}.parquet").read_bytes() for name in ("first", "second", "third")]
        for kind in ("scores", "items")
    }
    assert contents["scores"][0] == contents["scores"][1] != contents["scores"][2]
    assert contents["items"][0] == contents["items"][1] == contents["items"][2]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"task": "word_simmilarity"}, "unknown task 'word_simmilarity'"),
        ({"receipts": {}}, "was given no dataset"),
        ({"receipts": {"wordsim": "ws353.json"}}, "has no dataset 'wordsim'"),
        ({"receipts": {"men": "ws353.json"}}, "a receipt of 'ws353' was given for dataset 'men'"),
        ({"receipts": {"men": "nothing.json"}}, "no such file"),
        ({"space": "men.txt"}, "not an embedding space"),
    ],
)
def test_a_wrong_call_is_an_error_and_writes_nothing(folder, monkeypatch, changes, problem):
    monkeypatch.chdir(folder)
    with pytest.raises(LexiscopeError, match=problem):
        run(folder, **changes)
    assert not list(folder.glob("*.parquet"))


def test_an_error_of_the_program_is_not_swallowed(folder, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(word_similarity, "read_pairs", broken)
    with pytest.raises(ZeroDivisionError):
        run(folder)


def test_merging_keeps_the_given_order_and_refuses_duplicates(folder):
    run(folder, name="a")
    run(folder, name="b", identity=IDENTITY | {"space": "other"})

    def merge(*names):
        merge_scores(
            scores=[folder / f"{name}.scores.parquet" for name in names],
            items=[folder / f"{name}.items.parquet" for name in names],
            scores_output=folder / "scores.parquet",
            items_output=folder / "items.parquet",
        )

    merge("b", "a")
    merged = pq.read_table(folder / "scores.parquet")
    assert merged["space"].to_pylist() == ["other"] * 3 + ["mine"] * 3
    n_items = pq.read_metadata(folder / "a.items.parquet").num_rows
    assert pq.read_metadata(folder / "items.parquet").num_rows == 2 * n_items
    merge()
    assert pq.read_table(folder / "scores.parquet").num_rows == 0
    with pytest.raises(LexiscopeError, match=r"is also in .*a\.scores\.parquet"):
        merge("a", "b", "a")


def test_the_stage_imports_nothing_heavy(repository):
    heavy = "{'torch', 'sklearn', 'pandas', 'gensim', 'numba', 'altair', 'snakemake'}"
    program = f"import sys, lexiscope.evaluation.evaluate; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=repository / "workflow_scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.mirror
def test_a_real_sized_space_on_the_real_sets_in_two_seconds(tmp_path, mirror_root, make_receipt):
    files = {
        "ws353_similarity": ("WS-353-SIM", 203),
        "simlex999": ("SIMLEX-999", 999),
        "ws353_relatedness": ("WS-353-REL", 252),
        "men": ("MEN-TR-3k", 3000),
        "mturk287": ("MTurk-287", 287),
        "ws353": ("WS-353-ALL", 353),
        "rareword": ("RW-STANFORD", 2034),
    }
    words: dict[str, None] = {}
    for key, (name, _) in files.items():
        path = mirror_root / "word-sim" / f"EN-{name}.txt"
        write_receipt(make_receipt(key, {"pairs": [path]}, mirror_root), tmp_path / f"{key}.json")
        words |= dict.fromkeys(path.read_text().lower().split())
    vectors = np.random.default_rng(0).standard_normal((len(words), 300)).astype(np.float32)
    save_space(EmbeddingSpace(tuple(words), vectors), tmp_path / "mine.safetensors")
    started = time.process_time()
    scores, _ = run(tmp_path, keys=tuple(files))
    assert time.process_time() - started < 2
    assert [(r["dataset"], r["n_used"], r["n_total"]) for r in scores] == [
        (key, count, count) for key, (_, count) in files.items()
    ]
    assert all(abs(row["value"]) < 0.25 for row in scores)
