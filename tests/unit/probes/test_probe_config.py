from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lexiscope.data.catalogue import load_catalogue
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import PROBES, resolve_tasks
from lexiscope.probes.config import CATALOGUE_FORMATS, TASKS_BY_FORMAT, ProbeConfig, tasks_of


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"treebank": "gum"}, TASKS_BY_FORMAT["conllu"]),
        ({"treebank": "nltk-treebank"}, TASKS_BY_FORMAT["brackets"]),
        ({"files": ["nowhere/*.conllu.gz"]}, TASKS_BY_FORMAT["conllu"]),
        ({"files": ["nowhere/**/*.MRG", "x.parse"]}, TASKS_BY_FORMAT["brackets"]),
        ({"treebank": "gum", "tasks": ["tense", "sentence_length"]}, ("sentence_length", "tense")),
    ],
)
def test_the_tasks_are_known_without_any_file(settings, expected) -> None:
    assert tasks_of(ProbeConfig(**settings)) == expected


def test_only_brackets_have_top_constituents() -> None:
    assert set(TASKS_BY_FORMAT["brackets"]) - set(TASKS_BY_FORMAT["conllu"]) == {"top_constituents"}


def test_tasks_are_senteval_s_and_in_its_order() -> None:
    for tasks in TASKS_BY_FORMAT.values():
        assert list(tasks) == [task for task in PROBES if task in tasks]


def test_the_treebanks_are_those_of_the_catalogue() -> None:
    catalogue = load_catalogue()
    assert set(CATALOGUE_FORMATS) == set(catalogue.of_kind("treebank"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "one of 'treebank'"),
        ({"treebank": "gum", "files": ["a.conllu"]}, "not both"),
        ({"treebank": "gun"}, "did you mean 'gum'"),
        ({"files": ["trees/**"]}, "must end in one of .conllu"),
        ({"files": ["a.conllu", "b.mrg"]}, "mixes"),
        ({"treebank": "gum", "tasks": ["tens"]}, "did you mean 'tense'"),
        ({"treebank": "gum", "tasks": ["top_constituents"]}, "needs bracketed trees"),
        ({"treebank": "gum", "tasks": ["bigram_shift"]}, "no task of a built probe"),
        ({"treebank": "gum", "shares": [0.5, 0.2, 0.2]}, "add up to 0.9"),
        ({"treebank": "gum", "shares": [1.0, 0.0, 0.0]}, "less than 1"),
        ({"treebank": "gum", "min_length": 9, "max_length": 8}, "min_length 9"),
        ({"treebank": "gum", "n_train": 0}, "greater than 0"),
        ({"treebank": "gum", "n_words": 1}, "greater than or equal to 2"),
        ({"treebank": "gum", "casing": "upper"}, "as_is"),
        ({"treebank": "gum", "size": 3}, "Extra inputs"),
    ],
)
def test_mistakes_are_told(settings, message) -> None:
    with pytest.raises(ValidationError, match=message):
        ProbeConfig(**settings)


def test_settings_survive_the_way_to_another_process() -> None:
    config = ProbeConfig(files=("a.mrg",), tasks=("tense",), shares=(0.5, 0.25, 0.25), seed=3)
    assert ProbeConfig.model_validate(config.model_dump(mode="json")) == config


def test_files_come_by_name_and_once(tmp_path: Path) -> None:
    for name in ("b.conllu", "a.conllu", "deep/c.conllu", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    config = ProbeConfig(files=(f"{tmp_path}/**/*.conllu", f"{tmp_path}/a.conllu"))
    assert [path.name for path in config.paths()] == ["a.conllu", "b.conllu", "c.conllu"]
    assert ProbeConfig(treebank="gum").paths() == []


def test_a_pattern_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no treebank file matches"):
        ProbeConfig(files=(f"{tmp_path}/*.conllu",)).paths()


def test_the_example_in_the_documentation_is_valid(repository: Path) -> None:
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```", (repository / "docs" / "probes.md").read_text(), re.M | re.S
    )
    content = yaml.safe_load(block)
    probes = {
        name: tasks_of(ProbeConfig.model_validate(probe)) for name, probe in content["probes"].items()
    }
    assert probes["mine"] == ("tree_depth", "tense")
    resolved = resolve_tasks([*content["tasks"], "mine/tense"], probes)
    assert list(resolved) == ["treebank_probing"]
    assert "web/subj_number" in resolved["treebank_probing"]
