"""The miniature as files: reproducible, complete, listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from small_miniature import SMALL_BENCHMARKS, materials

from lexiscope.data.catalogue import load_catalogue
from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.language import build_language
from lexiscope.data.miniature.opinions import make_opinions
from lexiscope.data.miniature.pairs import make_pairs
from lexiscope.data.miniature.sentences import Materials
from lexiscope.data.miniature.treebanks import make_treebanks
from lexiscope.data.miniature.write import generate_miniature, make_corpora
from lexiscope.data.prepare import prepare_dataset
from lexiscope.data.receipt import read_receipt

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
    **SMALL_BENCHMARKS,
).model_dump(mode="json")


NOTES = {"LICENSE.txt", "readme.txt", "00-readme.txt", "README.txt", "STS.input.answers-forums.LICENSE"}
FOUR_OPINIONS = tuple(f"senteval/downstream/{name}" for name in ("MR", "CR", "MPQA", "SUBJ"))


def generate(folder: Path, seed: int = 1, **changes: object) -> dict[str, str]:
    generate_miniature(root=folder, seed=seed, config=SMALL | changes, marker=folder / "done.json")
    return {
        file["path"]: file["sha256"] for file in json.loads((folder / "done.json").read_text())["files"]
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data root, to be read only, and the hashes that its marker lists."""
    root = tmp_path_factory.mktemp("made")
    return root, generate(root)


Made = tuple[Path, dict[str, str]]


def test_same_seed_same_bytes_other_seed_other_bytes(made: Made, tmp_path: Path) -> None:
    root, first = made
    again, other = (generate(tmp_path / name, seed) for name, seed in (("b", 1), ("c", 2)))
    assert first == again
    assert (root / "done.json").read_bytes() == (tmp_path / "b/done.json").read_bytes()
    assert first.keys() == other.keys()
    same = [path for path in first if first[path] == other[path]]
    assert all(Path(path).name in NOTES for path in same), same


def test_the_marker_lists_every_file_with_its_hash(made: Made) -> None:
    root, listed = made
    on_disk = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name != "done.json"
    }
    assert listed == on_disk
    marker = json.loads((root / "done.json").read_text())
    assert MiniatureConfig.model_validate(marker["config"]).model_dump(mode="json") == SMALL
    truth = build_language(MiniatureConfig.model_validate(SMALL), seed=1).truth
    assert marker["truth_sha256"] == truth.sha256
    assert str(root) not in json.dumps(marker)


def test_a_change_of_one_product_leaves_the_others(made: Made, tmp_path: Path) -> None:
    _, before = made
    after = generate(tmp_path, brain_noise=0.5)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {path for path in before if path.endswith(".npy")}


@pytest.mark.parametrize(
    ("make", "setting", "folders"),
    [
        (make_opinions, "opinion_sentences", FOUR_OPINIONS),
        (make_opinions, "sst_train", ("senteval/downstream/SST",)),
        (make_pairs, "mrpc_test", ("senteval/downstream/MRPC",)),
        (make_pairs, "sick_valid", ("senteval/downstream/SICK",)),
        (make_pairs, "stsb_train", ("senteval/downstream/STS/STSB",)),
        (make_pairs, "sts_pairs", ("senteval/downstream/STS/STS1",)),
        (make_treebanks, "penn_trees", ("nltk_corpora",)),
    ],
)
def test_each_benchmark_has_random_streams_of_its_own(
    make: Callable[[Materials], Mapping[str, str | bytes]], setting: str, folders: tuple[str, ...]
) -> None:
    small = materials()._replace(config=MiniatureConfig.model_validate(SMALL))
    larger = small._replace(config=small.config.model_copy(update={setting: SMALL[setting] + 20}))
    before, after = make(small), make(larger)
    changed = {path for path in before if before[path] != after[path]}
    assert changed
    assert all(path.startswith(folders) for path in changed)


def test_the_corpora_do_not_depend_on_what_else_is_made(made: Made) -> None:
    _, listed = made
    config = MiniatureConfig.model_validate(SMALL)
    corpora = make_corpora(build_language(config, seed=1), config, seed=1)
    hashes = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in corpora.items()}
    assert hashes.items() <= listed.items()


def test_every_dataset_that_the_catalogue_ascribes_to_the_miniature_can_be_prepared(
    made: Made, tmp_path: Path
) -> None:
    root, listed = made
    catalogue = load_catalogue()
    prepared: set[str] = set()
    for key in [key for key in catalogue if catalogue[key].miniature]:
        receipt = tmp_path / f"{key}.json"
        prepare_dataset(dataset=key, source="miniature", root=root, receipt=receipt)
        files = read_receipt(receipt).files
        needed = {file.role for file in catalogue[key].files if not file.optional}
        assert needed <= {file.role for file in files}
        assert all(listed[file.path] == file.sha256 for file in files)
        prepared |= {file.path for file in files}
    # Nothing is made that no dataset has.
    assert set(listed) - prepared == {"truth.json"}


def test_shards_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "lm1b/training-monolingual.tokenized.shuffled"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"news.en-{number:05d}-of-00005").write_text("old\n")
    mine = tmp_path / "lm1b/notes.txt"
    mine.write_text("kept")
    generate(tmp_path, lm1b_shards=2)
    assert sorted(path.name for path in folder.iterdir()) == [
        "news.en-00000-of-00002",
        "news.en-00001-of-00002",
    ]
    assert mine.read_text() == "kept"


def test_the_brain_matrices_load_without_pickle(made: Made) -> None:
    root, listed = made
    matrices = [path for path in listed if path.endswith(".npy")]
    assert len(matrices) == 18
    words = (root / "brainbench/corr_mats/dictionary.txt").read_text().split("\n")[:-1]
    for path in matrices:
        assert np.load(root / path, allow_pickle=False).shape == (len(words), len(words)) == (60, 60)


def test_the_truth_is_stored_with_every_form(made: Made) -> None:
    root, _ = made
    records = json.loads((root / "truth.json").read_text())["lemmas"]
    forms = {form for record in records for form in record["forms"]}
    words = (root / "brainbench/corr_mats/dictionary.txt").read_text().split()
    assert set(words) <= forms
    assert all(len(record["latent"]) == SMALL["latent_dim"] for record in records)


def test_a_failed_run_leaves_no_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "done.json").write_text("{}")
    monkeypatch.setattr("lexiscope.data.miniature.write.make_brain_matrices", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate(tmp_path)
    assert not (tmp_path / "done.json").exists()


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        generate(tmp_path, shards=3)
    assert not tmp_path.joinpath("lm1b").exists()
