"""Study files: what is accepted, and what a user reads when it is not."""

from __future__ import annotations

import re
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
    assert list(study.spaces) == ["word2vec", "input", "output", "am", "random"]
    assert study.data.source == "miniature"


def test_a_study_with_tasks_has_random_vectors() -> None:
    spaces = validate(full_study()).spaces
    assert spaces["random"].kind == "random"
    assert spaces["random"].like == "word2vec"  # type: ignore[union-attr]
    own = validate(changed("spaces.noise", {"kind": "random"})).spaces
    assert list(own) == ["word2vec", "input", "output", "am", "noise"]
    assert "random" not in validate(changed("random_control", False)).spaces
    assert "random" not in validate(changed("tasks", [])).spaces


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
        ("spaces", {"r": {"kind": "random"}}, ["spaces.r", "lexicon.corpus", "a space in 'like'"]),
        ("spaces.r", {"kind": "random", "like": "outptu"}, ["spaces.r.like", "did you mean 'output'"]),
        (
            "spaces.r",
            {"kind": "random", "like": "output", "vector_size": 5},
            ["spaces.r: vector_size is that of 'output'"],
        ),
        ("spaces.c", {"kind": "centred", "of": "outptu"}, ["spaces.c.of", "did you mean 'output'"]),
        ("spaces.c", {"kind": "centred", "of": "c"}, ["spaces.c", "made of itself"]),
        (
            "spaces.c",
            {"kind": "centred", "of": "output", "weights": "biass"},
            ["spaces.c.weights", "did you mean 'bias'"],
        ),
        ("spaces.p", {"kind": "pca", "of": "am"}, ["spaces.p.dim", "missing"]),
        ("spaces.am.softmax_over", "vocab", ["spaces.am.softmax_over", "did you mean 'vocabulary'"]),
        ("spaces.am.tolerance", 1, ["spaces.am.tolerance", "less than 1"]),
        (
            "spaces.am",
            {"kind": "activation_maximisation", "of": "output", "objective": "exact", "l2": 0},
            ["spaces.am", "needs l2 > 0"],
        ),
        (
            "spaces.am",
            {
                "kind": "activation_maximisation",
                "of": "output",
                "objective": "exact",
                "form": "probability",
            },
            ["spaces.am", "'probability' is for objective 'paper'"],
        ),
        ("language_models.jlm", {"kind": "lm_1b"}, ["language_models.jlm", "no lm_1b", "'path'"]),
        (
            "language_models.jlm",
            {"kind": "softmax_file", "path": "layer.npz"},
            ["spaces.input.model", "without an input"],
        ),
        ("language_models.s", {"kind": "softmax_file"}, ["language_models.s.path", "missing"]),
        (
            "language_models.s",
            {"kind": "hugingface", "path": "x"},
            ["language_models.s.kind", "did you mean 'huggingface'"],
        ),
        (
            "language_models.s",
            {"kind": "huggingface", "path": "x", "tokens": "leading"},
            ["language_models.s.tokens", "did you mean 'leading_space'"],
        ),
        ("language_models.jlm.processes", 3, ["batch_size 64 cannot be divided by processes 3"]),
        ("l2_paths.am", {"of": "output"}, ["l2_paths.am", "a space is called 'am' too", "another name"]),
        ("l2_paths.p", {"of": "outptu"}, ["l2_paths.p.of", "did you mean 'output'"]),
        ("l2_paths.p", {"of": "am"}, ["l2_paths.p.of", "no softmax layer", "output"]),
        ("l2_paths.p", {"of": "output", "l2": [1]}, ["l2_paths.p.l2", "at least 2"]),
        ("l2_paths.p", {"of": "output", "l2": [0.0, 1, 2]}, ["l2_paths.p.l2.0", "greater than 0"]),
        ("l2_paths.p", {"of": "output", "l2": [0.1, 0.10]}, ["l2_paths.p", "p: l2 has a value twice"]),
        ("l2_paths.p", {"of": "output", "objective": "exact"}, ["l2_paths.p.objective", "unknown key"]),
        ("analysis.bias_predction", {}, ["did you mean 'bias_prediction'"]),
        (
            "analysis.maps.m",
            {"start": "outptu", "end": "am"},
            ["analysis.maps.m.start", "did you mean 'output'"],
        ),
        ("analysis.maps.m", {"start": "output", "end": "amm"}, ["analysis.maps.m.end", "'am'"]),
        ("analysis.maps.m", {"start": "am", "end": "am"}, ["analysis.maps.m", "the same space, 'am'"]),
        (
            "analysis.maps.m",
            {"start": "output", "end": "am", "words": ["a", "b"]},
            ["analysis.maps.m.words", "at least 5"],
        ),
        (
            "analysis.maps.m",
            {"start": "output", "end": "am", "words": [*"abcdea"]},
            ["analysis.maps.m: given twice: a"],
        ),
    ],
)
def test_every_mistake_names_its_key_and_a_remedy(path: str, value: Any, words: list[str]) -> None:
    with pytest.raises(LexiscopeError) as caught:
        validate(changed(path, value))
    for word in words:
        assert word in str(caught.value)


def test_a_circle_of_spaces_is_told_for_each_of_them() -> None:
    study = changed("spaces.a", {"kind": "centred", "of": "b"})
    study["spaces"]["b"] = {"kind": "random", "like": "a"}
    study["spaces"]["beside"] = {"kind": "pca", "of": "a", "dim": 2}
    with pytest.raises(LexiscopeError, match="2 mistakes") as caught:
        validate(study)
    assert "spaces.a: this space is made of itself" in str(caught.value)
    assert "spaces.b: this space is made of itself" in str(caught.value)


def test_a_control_of_a_control_is_no_circle() -> None:
    study = changed("spaces.a", {"kind": "centred", "of": "output"})
    study["spaces"]["b"] = {"kind": "pca", "of": "a", "dim": 2}
    study["spaces"]["c"] = {"kind": "random", "like": "b"}
    assert list(validate(study).spaces)[-3:] == ["a", "b", "c"]


def test_controls_have_no_softmax_to_be_maximised() -> None:
    study = changed("spaces.c", {"kind": "centred", "of": "output"})
    study["spaces"]["am"]["of"] = "c"
    with pytest.raises(LexiscopeError, match=r"spaces\.am\.of: 'c' is .*centred.* no softmax layer"):
        validate(study)


def test_random_vectors_need_a_lexicon_or_another_space() -> None:
    mine = {"kind": "file", "path": "v.vec"}
    like = validate({"study": "s", "spaces": {"mine": mine, "r": {"kind": "random", "like": "mine"}}})
    assert like.spaces["r"].like == "mine"  # type: ignore[union-attr]
    # A model that nothing is taken from is not trained, so its corpus gives no lexicon either.
    unused = full_study() | {"spaces": {"r": {"kind": "random"}}}
    with pytest.raises(LexiscopeError, match=r"spaces\.r: random vectors need"):
        validate(unused)


def test_imported_models_need_no_corpus() -> None:
    study = validate(
        {
            "study": "s",
            "data": {"source": "download"},
            "language_models": {
                "file": {"kind": "softmax_file", "path": "layer.npz"},
                "hub": {"kind": "huggingface", "path": "someone/model", "revision": "abc"},
                "released": {"kind": "lm_1b"},
            },
            "spaces": {
                "output": {"kind": "lm_output", "model": "file"},
                "hub_input": {"kind": "lm_input", "model": "hub"},
                "released_input": {"kind": "lm_input", "model": "released"},
            },
        }
    )
    assert study.language_models["hub"].tokens == "either"  # type: ignore[union-attr]


def test_the_miniature_takes_an_lm_1b_that_lies_elsewhere() -> None:
    study = changed("language_models.released", {"kind": "lm_1b", "path": "released"})
    assert validate(study).language_models["released"].kind == "lm_1b"


def test_defaults_of_the_new_sections() -> None:
    study = validate(changed("l2_paths.p", {"of": "output"}))
    path = study.l2_paths["p"]
    assert (min(path.l2), max(path.l2), path.softmax_over, path.bias) == (1e-6, 10, "lexicon", "auto")
    am = study.spaces["am"]
    assert (am.objective, am.form, am.l2) == ("paper", "log_probability", 1e-5)  # type: ignore[union-attr]
    assert study.analysis.bias_prediction is not None
    assert study.analysis.bias_prediction.n_splits == 100
    assert study.analysis.maps == {}
    without = validate(changed("analysis.bias_prediction", None))
    assert without.analysis.bias_prediction is None


def test_dumped_settings_are_valid_settings() -> None:
    content = changed("l2_paths.p", {"of": "output"})
    content["spaces"]["drawn"] = {"kind": "random"}
    content["spaces"]["like"] = {"kind": "random", "like": "am"}
    content["analysis"] = {"maps": {"years": {"start": "output", "end": "am"}}}
    study = validate(content)
    assert validate(study.model_dump(mode="json")) == study


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
    assert len(study.spaces) == 5


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


def test_the_studies_in_the_documentation_are_valid(repository: Path) -> None:
    found = []
    for page in (repository / "README.md", repository / "docs" / "studies.md"):
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)
        found += [block for block in blocks if block.startswith("study:")]
    assert len(found) >= 3
    for block in found:
        assert isinstance(validate(yaml.safe_load(block)), Study)


def test_the_sections_in_the_documentation_are_valid(repository: Path) -> None:
    text = (repository / "docs" / "studies.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)]
    sections = {key: value for block in blocks if "study" not in block for key, value in block.items()}
    assert set(sections) == {"corpora", "l2_paths", "protocol", "analysis", "nnlm", "reverse_transfer"}
    study = full_study() | sections | {"data": {"source": "download"}}
    study["corpora"]["ptb"] = {"sources": ["ptb"]}
    study["spaces"]["am_exact"] = {**study["spaces"]["am"], "objective": "exact"}
    assert set(validate(study).analysis.maps) == {"years", "mine"}
