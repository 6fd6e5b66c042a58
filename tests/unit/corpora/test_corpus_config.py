from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from lexiscope.corpora.config import CorpusConfig, DatasetSource, TextSource
from lexiscope.errors import LexiscopeError


def test_a_bare_string_is_a_dataset() -> None:
    config = CorpusConfig.model_validate(
        {"sources": ["ptb", {"dataset": "lm1b", "max_tokens": 5}, {"text": "*.txt", "tokenised": True}]}
    )
    assert config.sources == [
        DatasetSource(dataset="ptb"),
        DatasetSource(dataset="lm1b", max_tokens=5),
        TextSource(text="*.txt", tokenised=True),
    ]
    assert config.datasets == ["ptb", "lm1b"]


def test_it_survives_json() -> None:
    config = CorpusConfig.model_validate({"sources": ["ptb", {"text": "a.txt"}], "min_count": 3})
    assert CorpusConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"sources": []}, "sources"),
        ({"sources": [{"dataset": "ptb", "text": "a.txt"}]}, "sources.0"),
        ({"sources": [{"dataset": "ptb", "max_token": 5}]}, "max_token"),
        ({"sources": [{"text": "a", "tokenized": True}]}, "tokenized"),
        ({"sources": [{}]}, "dataset"),
        ({"sources": [7]}, "sources.0"),
        ({"sources": [{"dataset": "ptb", "max_tokens": 0}]}, "max_tokens"),
        ({"casing": "upper"}, "casing"),
        ({"min_count": 0}, "min_count"),
        ({"held_out": 0.5}, "held_out"),
        ({"held_out": float("nan")}, "held_out"),
        ({"shard_tokens": 1000}, "shard_tokens"),
        ({"max_vocabulary": -1}, "max_vocabulary"),
        ({"min_cuont": 3}, "min_cuont"),
    ],
)
def test_mistakes_are_named(change: dict[str, object], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CorpusConfig.model_validate({"sources": ["ptb"], **change})
    places = [".".join(map(str, error["loc"])) for error in caught.value.errors()]
    assert any(place in found for found in places), places


def test_the_schema_tells_of_all_three_forms_of_a_source() -> None:
    items = CorpusConfig.model_json_schema()["properties"]["sources"]["items"]
    assert {"type": "string"} in items["anyOf"]
    assert len(items["anyOf"]) == 3


def test_text_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.md", "deep/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.txt").mkdir()
    found = TextSource(text=f"{tmp_path}/*.txt").paths()
    assert [path.name for path in found] == ["a.txt", "b.txt"]
    config = CorpusConfig(sources=[TextSource(text=f"{tmp_path}/**/*.txt")])
    assert [path.name for path in config.text_paths()] == ["a.txt", "b.txt", "d.txt"]


def test_a_pattern_without_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"nothing\*\.txt: no text file matches"):
        TextSource(text=f"{tmp_path}/nothing*.txt").paths()


def test_the_configuration_is_light_to_import() -> None:
    code = "import sys, lexiscope.corpora.config; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": _library()},
    ).stdout.split()
    assert not {"numpy", "pyarrow", "sacremoses", "syntok", "pandas", "torch"} & set(loaded)


def _library() -> str:
    import lexiscope

    return str(Path(lexiscope.__file__).parents[1])
