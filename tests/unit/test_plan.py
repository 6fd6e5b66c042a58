"""What a study needs built, and with what identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lexiscope.config.load import validate
from lexiscope.errors import LexiscopeError
from lexiscope.plan import Plan

STUDY: dict[str, Any] = {
    "study": "trial",
    "seed": 3,
    "corpora": {"news": {"sources": ["lm1b"]}, "ptb": {"sources": ["ptb"]}, "unused": {"sources": ["ptb"]}},
    "language_models": {
        "jlm": {"kind": "char_cnn_lstm", "corpus": "news", "seed": 9},
        "unused": {"kind": "char_cnn_lstm", "corpus": "unused"},
    },
    "spaces": {
        "word2vec": {"kind": "word2vec", "corpus": "ptb"},
        "output": {"kind": "lm_output", "model": "jlm"},
        "am": {"kind": "activation_maximisation", "of": "output", "l2": 0.1},
    },
    "tasks": ["men", "brainbench"],
}


def plan(**changes: Any) -> Plan:
    return Plan(validate(STUDY | changes))


def test_only_what_a_space_leads_to_is_built() -> None:
    assert plan().models == ["jlm"]
    assert plan().corpora == ["news", "ptb"]
    assert plan().datasets == ["lm1b", "ptb", "men", "brainbench"]
    assert plan().tasks == {"word_similarity": ("men",), "brainbench": ("brainbench",)}


def test_the_lexicon_is_that_of_the_first_model_or_trained_space() -> None:
    assert plan().lexicon_corpus == "news"
    assert plan(spaces={"w": STUDY["spaces"]["word2vec"]}).lexicon_corpus == "ptb"
    assert plan(spaces={"f": {"kind": "file", "path": "x"}}).lexicon_corpus is None
    assert plan(lexicon={"corpus": "unused"}).lexicon_corpus == "unused"
    assert plan(lexicon={"corpus": "unused"}).corpora == ["news", "ptb", "unused"]


def test_kinds_and_models_of_spaces() -> None:
    assert plan().spaces("lm_output", "lm_input") == ["output"]
    assert plan().model_of("am") == plan().model_of("output") == "jlm"
    assert plan().model_of("word2vec") == "word2vec"


def test_seeds() -> None:
    assert plan().space_seed("word2vec") == 3
    assert plan().model_seed("jlm") == 9


def test_the_digest_of_a_space_follows_its_own_settings_only() -> None:
    changed = {**STUDY["spaces"], "am": {**STUDY["spaces"]["am"], "l2": 0.2}}
    before, after = plan(), plan(spaces=changed)
    assert before.config_sha256("am") != after.config_sha256("am")
    assert before.config_sha256("output") == after.config_sha256("output")
    assert before.config_sha256("am") != plan(protocol={"oov": "zero"}).config_sha256("am")
    assert before.config_sha256("word2vec") == plan(study="other").config_sha256("word2vec")


def test_two_miniatures_do_not_share_a_folder() -> None:
    assert plan().data_root != plan(seed=4).data_root
    assert plan().data_root == plan(study="other").data_root


def test_a_missing_vector_file_is_told_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "vectors.vec").write_text("")
    missing = {"mine": {"kind": "file", "path": str(tmp_path / "vector.vec")}}
    with pytest.raises(LexiscopeError, match=r"spaces\.mine\.path.*Did you mean 'vectors\.vec'"):
        plan(spaces=missing).check_inputs()
    elsewhere = {"mine": {"kind": "file", "path": str(tmp_path / "no" / "vector.vec")}}
    with pytest.raises(LexiscopeError, match="no folder"):
        plan(spaces=elsewhere).check_inputs()


def test_a_missing_mirror_is_told(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such folder"):
        plan(data={"source": "mirror", "root": str(tmp_path / "none")}).check_inputs()


def test_text_that_no_file_matches_is_told(tmp_path: Path) -> None:
    corpora = {"news": {"sources": [{"text": str(tmp_path / "*.txt")}]}, "ptb": {"sources": ["ptb"]}}
    study = {**STUDY, "corpora": corpora}
    study["language_models"] = {"jlm": STUDY["language_models"]["jlm"]}
    with pytest.raises(LexiscopeError, match="no text file matches"):
        Plan(validate(study)).check_inputs()


def test_sizes_of_datasets_and_corpora(tmp_path: Path) -> None:
    download = {"source": "download"}
    assert 1700 < plan(data=download).dataset_mb("lm1b") < 2000  # the archive
    assert 5 < plan(data=download).corpus_mb("ptb") < 7
    assert plan().dataset_mb("lm1b") < 1  # the miniature's is small, whatever the real one is
    (tmp_path / "a.txt").write_bytes(bytes(3_000_000))
    corpora = {**STUDY["corpora"], "news": {"sources": ["ptb", {"text": str(tmp_path / "*.txt")}]}}
    with_text = plan(data=download, corpora=corpora).corpus_mb("news")
    assert with_text == pytest.approx(plan(data=download).corpus_mb("ptb") + 3)
    (tmp_path / "word-sim").mkdir()
    (tmp_path / "word-sim" / "EN-MEN-TR-3k.txt").write_bytes(bytes(2_000_000))
    assert plan(data={"source": "mirror", "root": str(tmp_path)}).dataset_mb("men") == pytest.approx(2)
