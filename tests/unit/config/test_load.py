"""Study files: what is accepted, and what a user reads when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lexiscope.config.load import load_study, validate
from lexiscope.config.study import Study
from lexiscope.errors import LexiscopeError


def full_study() -> dict[str, Any]:
    return {
        "study": "trial",
        "corpora": {"news": {"sources": ["lm1b"]}},
        "language_models": {"jlm": {"kind": "char_cnn_lstm", "corpus": "news"}},
        "spaces": {
            "word2vec": {"kind": "word2vec", "corpus": "news"},
            "input": {"kind": "lm_input", "model": "jlm"},
            "output": {"kind": "lm_output", "model": "jlm"},
            "am": {"kind": "activation_maximisation", "of": "output"},
        },
        "tasks": ["word_similarity", "brainbench"],
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    study = full_study()
    *parents, last = path.split(".")
    section = study
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return study


def test_a_full_study() -> None:
    study = validate(full_study())
    assert list(study.spaces) == ["word2vec", "input", "output", "am"]
    assert study.data.source == "miniature"


def test_vectors_of_ones_own_and_nothing_else() -> None:
    study = validate(
        {"study": "s", "spaces": {"mine": {"kind": "file", "path": "v.vec"}}, "tasks": ["men"]}
    )
    assert study.corpora == {}


def test_spaces_without_tasks() -> None:
    assert validate({"study": "s", "spaces": {"mine": {"kind": "file", "path": "v.vec"}}}).tasks == ()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("taks", ["men"], ["taks", "unknown key", "did you mean 'tasks'"]),
        ("spaces.am.L2", 1, ["spaces.am.L2", "unknown key"]),
        ("spaces.am.learning_rat", 1, ["spaces.am.learning_rat", "did you mean 'learning_rate'"]),
        ("spaces.am.of", "outptu", ["spaces.am.of", "'outptu'", "did you mean 'output'"]),
        ("spaces.am.of", "input", ["spaces.am.of", "no softmax layer", "output"]),
        ("spaces.am.l2", -1, ["spaces.am.l2", "greater than or equal to 0", "-1"]),
        ("spaces.am.l2", "much", ["spaces.am.l2", "number", "'much'"]),
        ("spaces.am.objective", "papr", ["spaces.am.objective", "'papr'", "did you mean 'paper'"]),
        ("spaces.input.model", "jlmm", ["spaces.input.model", "did you mean 'jlm'"]),
        ("spaces.word2vec.kind", "word2vek", ["spaces.word2vec.kind", "did you mean 'word2vec'"]),
        ("spaces.word2vec.window", 0, ["spaces.word2vec.window"]),
        ("spaces.new", {"corpus": "news"}, ["spaces.new.kind", "missing"]),
        ("spaces.word2vec.corpus", "nws", ["spaces.word2vec.corpus", "did you mean 'news'"]),
        ("spaces", {}, ["spaces"]),
        ("spaces", {"a b": {"kind": "file", "path": "x"}}, ["spaces.a b", "pattern"]),
        ("spaces.word2vec", 3, ["spaces.word2vec"]),
        ("language_models.jlm.corpus", "newz", ["language_models.jlm.corpus", "did you mean 'news'"]),
        ("corpora.news.sources", ["lm2b"], ["corpora.news.sources.0", "did you mean 'lm1b'"]),
        (
            "corpora.news.sources",
            [{"dataset": "lm1b", "max_tokns": 4}],
            ["max_tokns", "did you mean 'max_tokens'"],
        ),
        ("corpora.news.sources", ["lm1b-sample"], ["corpora.news.sources.0", "the miniature has no"]),
        ("tasks", ["word_similarty"], ["tasks.0", "did you mean", "word_similarity"]),
        ("data.source", "miror", ["data.source", "did you mean 'mirror'"]),
        ("data.source", "mirror", ["data", "root"]),
        ("lexicon.corpus", "newss", ["lexicon.corpus", "did you mean 'news'"]),
        ("export", ["word3vec"], ["export.0", "did you mean 'word2vec'"]),
        ("study", "../up", ["study", "pattern"]),
        ("seed", -1, ["seed"]),
        ("spaces", {"r": {"kind": "random"}}, ["spaces.r", "lexicon.corpus"]),
    ],
)
def test_every_mistake_names_its_key_and_a_remedy(path: str, value: Any, words: list[str]) -> None:
    with pytest.raises(LexiscopeError) as caught:
        validate(changed(path, value))
    for word in words:
        assert word in str(caught.value)


def test_all_mistakes_at_once() -> None:
    study = changed("spaces.am.l2", "x") | {"taks": 1}
    with pytest.raises(LexiscopeError) as caught:
        validate(study)
    assert "2 mistakes" in str(caught.value)


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return path


def test_mistakes_carry_file_and_line(tmp_path: Path) -> None:
    text = "study: s\nspaces:\n  mine:\n    kind: file\n    pth: x.vec\n"
    path = write(tmp_path / "mine.yaml", text)
    with pytest.raises(LexiscopeError) as caught:
        load_study([path])
    assert f"{path}:5: spaces.mine.pth: unknown key; did you mean 'path'?" in str(caught.value)
    assert f"{path}:3: spaces.mine.path: missing" in str(caught.value)


def test_a_file_without_a_study_key_is_laid_over(tmp_path: Path) -> None:
    base = write(tmp_path / "config.yaml", full_study())
    over = write(tmp_path / "over.yaml", {"spaces": {"am": {"l2": 0.5}}})
    study = load_study([base, over])
    assert study.spaces["am"].l2 == 0.5  # type: ignore[union-attr]
    assert len(study.spaces) == 4


def test_a_file_with_a_study_key_stands_alone(tmp_path: Path) -> None:
    base = write(tmp_path / "config.yaml", full_study())
    own = write(tmp_path / "own.yaml", {"study": "own", "spaces": {"mine": {"kind": "file", "path": "v"}}})
    study = load_study([base, own])
    assert list(study.spaces) == ["mine"]
    assert study.tasks == ()


def test_the_command_line_comes_last(tmp_path: Path) -> None:
    base = write(tmp_path / "config.yaml", full_study())
    assert load_study([base], {"seed": 7}).seed == 7
    with pytest.raises(LexiscopeError, match="command line: sed: unknown key"):
        load_study([base], {"sed": 7})


def test_a_study_is_frozen() -> None:
    study = validate(full_study())
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 3


@pytest.mark.parametrize("file", ["config.yaml", "presets/small.yaml", "presets/paper.yaml"])
def test_the_studies_of_the_project_are_valid(repository: Path, file: str) -> None:
    assert isinstance(load_study([repository / "config.yaml", repository / file]), Study)
