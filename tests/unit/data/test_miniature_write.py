"""The miniature as files: reproducible, complete, listed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.language import build_language
from lexiscope.data.miniature.write import generate_miniature

SMALL = MiniatureConfig(
    nouns_per_subfield=5,
    verbs_per_subfield=3,
    adjectives_per_subfield=3,
    names_per_subfield=6,
    derived_per_affix=6,
    lm1b_tokens=60_000,
    ptb_tokens=6_000,
    wikitext_tokens=6_000,
    enwiki_tokens=6_000,
    simlex_pairs=60,
    ws353_pairs=60,
    men_pairs=60,
    mturk_pairs=60,
    rareword_pairs=40,
).model_dump(mode="json")


def generate(folder: Path, seed: int = 1, **changes: object) -> dict[str, str]:
    generate_miniature(root=folder, seed=seed, config=SMALL | changes, marker=folder / "done.json")
    return {
        file["path"]: file["sha256"] for file in json.loads((folder / "done.json").read_text())["files"]
    }


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    first, again, other = (generate(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert (tmp_path / "a/done.json").read_bytes() == (tmp_path / "b/done.json").read_bytes()
    assert first.keys() == other.keys()
    assert not [path for path in first if first[path] == other[path]]


def test_the_marker_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    listed = generate(tmp_path)
    on_disk = {
        path.relative_to(tmp_path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "done.json"
    }
    assert listed == on_disk
    marker = json.loads((tmp_path / "done.json").read_text())
    assert MiniatureConfig.model_validate(marker["config"]).model_dump(mode="json") == SMALL
    truth = build_language(MiniatureConfig.model_validate(SMALL), seed=1).truth
    assert marker["truth_sha256"] == truth.sha256
    assert str(tmp_path) not in json.dumps(marker)


def test_a_change_of_one_product_leaves_the_others(tmp_path: Path) -> None:
    before = generate(tmp_path / "a")
    after = generate(tmp_path / "b", brain_noise=0.5)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {path for path in before if path.endswith(".npy")}


def test_shards_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    generate(tmp_path, lm1b_shards=5)
    mine = tmp_path / "lm1b/notes.txt"
    mine.write_text("kept")
    generate(tmp_path, lm1b_shards=2)
    folder = tmp_path / "lm1b/training-monolingual.tokenized.shuffled"
    assert sorted(path.name for path in folder.iterdir()) == [
        "news.en-00000-of-00002",
        "news.en-00001-of-00002",
    ]
    assert mine.read_text() == "kept"


def test_the_brain_matrices_load_without_pickle(tmp_path: Path) -> None:
    listed = generate(tmp_path)
    matrices = [path for path in listed if path.endswith(".npy")]
    assert len(matrices) == 18
    words = (tmp_path / "brainbench/corr_mats/dictionary.txt").read_text().split("\n")[:-1]
    for path in matrices:
        assert np.load(tmp_path / path, allow_pickle=False).shape == (len(words), len(words)) == (60, 60)


def test_the_truth_is_stored_with_every_form(tmp_path: Path) -> None:
    generate(tmp_path)
    records = json.loads((tmp_path / "truth.json").read_text())["lemmas"]
    forms = {form for record in records for form in record["forms"]}
    words = (tmp_path / "brainbench/corr_mats/dictionary.txt").read_text().split()
    assert set(words) <= forms
    assert all(len(record["latent"]) == SMALL["latent_dim"] for record in records)


def test_a_failed_run_leaves_no_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path)
    monkeypatch.setattr("lexiscope.data.miniature.write.make_brain_matrices", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate(tmp_path)
    assert not (tmp_path / "done.json").exists()


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        generate(tmp_path, shards=3)
    assert not tmp_path.joinpath("lm1b").exists()
