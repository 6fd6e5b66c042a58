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


IMPORTED: dict[str, Any] = {
    "study": "imported",
    "corpora": {"news": {"sources": ["lm1b"]}},
    "language_models": {
        "mine": {"kind": "softmax_file", "path": "layer.npz"},
        "hub": {"kind": "huggingface", "path": "someone/model"},
        "released": {"kind": "lm_1b", "path": "released"},
        "jlm": {"kind": "char_cnn_lstm", "corpus": "news"},
    },
    "spaces": {
        "output": {"kind": "lm_output", "model": "mine"},
        "hub_input": {"kind": "lm_input", "model": "hub"},
        "hub_output": {"kind": "lm_output", "model": "hub"},
        "released_input": {"kind": "lm_input", "model": "released"},
        "am": {"kind": "activation_maximisation", "of": "output", "objective": "exact"},
        "centred": {"kind": "centred", "of": "am"},
        "reduced": {"kind": "pca", "of": "centred", "dim": 5},
        "random": {"kind": "random", "like": "reduced"},
    },
    "l2_paths": {"path": {"of": "output", "l2": [0.1, 1]}},
    "tasks": ["men"],
}


def imported(**changes: Any) -> Plan:
    return Plan(validate(IMPORTED | changes))


def changed_spaces(**changes: dict[str, Any]) -> dict[str, Any]:
    spaces: dict[str, Any] = IMPORTED["spaces"]
    return {**spaces, **{name: {**spaces[name], **change} for name, change in changes.items()}}


def changed_models(**changes: dict[str, Any]) -> dict[str, Any]:
    models: dict[str, Any] = IMPORTED["language_models"]
    return {**models, **{name: {**models[name], **change} for name, change in changes.items()}}


def test_imported_models_need_no_corpus_and_no_lexicon() -> None:
    assert imported().models == ["mine", "hub", "released"]
    assert imported().lexicon_corpus is None
    assert imported().corpora == []
    assert imported().datasets == ["men"]
    with_lexicon = imported(lexicon={"corpus": "news"})
    assert (with_lexicon.lexicon_corpus, with_lexicon.datasets) == ("news", ["lm1b", "men"])


def test_models_and_their_spaces_by_kind() -> None:
    assert imported().models_of("huggingface", "lm_1b") == ["hub", "released"]
    assert imported().models_of("char_cnn_lstm") == []  # no space is taken from it
    assert imported().spaces_of("lm_output", "lm_1b", "softmax_file") == ["output"]
    assert imported().spaces_of("lm_input", "huggingface") == ["hub_input"]
    assert imported().spaces_of("lm_input", "softmax_file") == []
    assert imported().spaces("centred", "pca") == ["centred", "reduced"]


def test_the_model_of_a_control_is_that_of_its_source() -> None:
    assert imported().model_of("reduced") == imported().model_of("am") == "mine"
    assert imported().model_of("hub_output") == "hub"
    assert imported().model_of("random") == "random"  # of another space it has the norms alone
    vectors = {"mine": {"kind": "file", "path": "x"}, "c": {"kind": "centred", "of": "mine"}}
    assert imported(spaces=vectors, l2_paths={}).model_of("c") == "file"


def test_the_data_set_lm_1b_is_fetched_only_where_a_space_needs_it() -> None:
    download = {"source": "download", "root": "fetched"}
    models = changed_models(released={"path": None})
    at_hand = imported(data=download)
    assert "lm_1b" not in at_hand.datasets
    assert at_hand.model_folder("released") == "released"
    fetched = imported(data=download, language_models=models)
    assert fetched.datasets == ["lm_1b", "men"]
    assert fetched.model_folder("released") == "fetched/lm_1b"
    assert fetched.model_files("released") == []  # not there yet: its receipt is what is waited for
    without = {name: space for name, space in IMPORTED["spaces"].items() if name != "released_input"}
    unused = imported(data=download, language_models=models, spaces=without)
    assert "lm_1b" not in unused.datasets


def test_a_missing_lm_1b_in_the_mirror_is_told(tmp_path: Path) -> None:
    (tmp_path / "lm_1b").mkdir()
    models = changed_models(mine={"path": str(tmp_path)}, released={"path": None})
    spaces = {"i": {"kind": "lm_input", "model": "released"}}
    mirror = {"source": "mirror", "root": str(tmp_path)}
    study = imported(data=mirror, language_models=models, spaces=spaces, l2_paths={}, tasks=[])
    with pytest.raises(LexiscopeError, match=r"vocab-2016"):
        study.check_inputs()


def test_a_missing_model_file_is_told_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "released").mkdir()
    (tmp_path / "layer.npz").write_text("")
    right = {
        "mine": {"path": str(tmp_path / "layer.npz")},
        "released": {"path": str(tmp_path / "released")},
    }
    imported(language_models=changed_models(**right)).check_inputs()  # "hub" may be a name on the hub

    def wrong(name: str, path: Path) -> Plan:
        return imported(language_models=changed_models(**{**right, name: {"path": str(path)}}))

    with pytest.raises(LexiscopeError, match=r"language_models\.mine\.path.*Did you mean 'layer\.npz'"):
        wrong("mine", tmp_path / "layers.npz").check_inputs()
    with pytest.raises(LexiscopeError, match=r"released\.path: there is no folder"):
        wrong("released", tmp_path / "layer.npz").check_inputs()
    with pytest.raises(LexiscopeError, match=r"Did you mean 'released'"):
        wrong("released", tmp_path / "relesed").check_inputs()
    with pytest.raises(LexiscopeError, match=r"there is no file"):
        wrong("mine", tmp_path / "released").check_inputs()
    # Nobody looks for the file of a model that is not used.
    path = IMPORTED["spaces"]["hub_input"]
    imported(spaces={"hub_input": path}, l2_paths={}).check_inputs()


def test_files_of_a_local_model_are_inputs(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder").mkdir()
    local = imported(language_models=changed_models(hub={"path": str(tmp_path)}))
    expected = [str(tmp_path / "config.json"), str(tmp_path / "model.safetensors")]
    assert local.model_files("hub") == expected
    assert imported().model_files("hub") == []


@pytest.mark.parametrize(
    ("change", "affected"),
    [
        (
            {"language_models": changed_models(mine={"path": "other.npz"})},
            {"output", "am", "centred", "reduced", "random", "path"},
        ),
        (
            {"language_models": changed_models(hub={"pieces": "mean"})},
            {"hub_input", "hub_output"},
        ),
        ({"spaces": changed_spaces(am={"l2": 0.5})}, {"am", "centred", "reduced", "random"}),
        (
            {"spaces": changed_spaces(am={"softmax_over": "vocabulary"})},
            {"am", "centred", "reduced", "random"},
        ),
        ({"spaces": changed_spaces(centred={"weights": "bias"})}, {"centred", "reduced", "random"}),
        ({"spaces": changed_spaces(reduced={"dim": 4})}, {"reduced", "random"}),
        ({"spaces": changed_spaces(random={"like": "output"})}, {"random"}),
        ({"l2_paths": {"path": {"of": "output", "l2": [0.1, 2]}}}, {"path"}),
        ({"l2_paths": {"path": {"of": "output", "l2": [0.1, 1], "seed": 4}}}, {"path"}),
        ({"l2_paths": {"path": {"of": "hub_output", "l2": [0.1, 1]}}}, {"path"}),
        ({"analysis": {"bias_prediction": None}}, set()),
        ({"study": "renamed"}, set()),
        ({"protocol": {"casing": "as_is"}}, {*IMPORTED["spaces"], "path"}),
        ({"lexicon": {"corpus": "news"}}, {*IMPORTED["spaces"], "path"}),
    ],
)
def test_digests_follow_what_a_space_is_made_of(change: dict[str, Any], affected: set[str]) -> None:
    def digests(of: Plan) -> dict[str, str]:
        paths = {name: of.path_sha256(name) for name in of.study.l2_paths}
        return {name: of.config_sha256(name) for name in of.spaces()} | paths

    before, after = digests(imported()), digests(imported(**change))
    assert {name for name in before if before[name] != after[name]} == affected


def test_seeds_of_paths_and_analyses() -> None:
    maps = {"m": {"start": "output", "end": "am"}, "n": {"start": "output", "end": "am", "seed": 5}}
    assert imported(seed=7).path_seed("path") == 7
    own = imported(seed=7, l2_paths={"path": {"of": "output", "seed": 3}}, analysis={"maps": maps})
    assert own.path_seed("path") == 3
    found = [own.analysis_seed(chart) for chart in own.study.analysis.maps.values()]
    assert found == [7, 5]
    assert own.analysis_seed(own.study.analysis.bias_prediction) == 7
    assert imported().model_seed("mine") == imported().study.seed  # it has no seed of its own


def test_the_bias_is_predicted_for_every_maximised_space_unless_switched_off() -> None:
    assert imported().predicted_biases == ["am"]
    assert imported(analysis={"bias_prediction": None}).predicted_biases == []


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


def test_several_seeds_make_several_spaces_of_one_name() -> None:
    seeded = {**STUDY["spaces"], "word2vec": {**STUDY["spaces"]["word2vec"], "seeds": [4, 5]}}
    several = plan(spaces=seeded)
    assert several.spaces() == ["word2vec", "word2vec.seed5", "output", "am", "random"]
    assert several.plain_spaces == ["word2vec", "output", "am", "random"]
    assert [several.space_seed(name) for name in several.spaces("word2vec")] == [4, 5]
    assert [several.public_name(name) for name in several.spaces("word2vec")] == ["word2vec"] * 2
    digests = {several.config_sha256(name) for name in several.spaces("word2vec")}
    assert len(digests) == 2


@pytest.mark.parametrize("seeds", [{"seed": 1, "seeds": [1, 2]}, {"seeds": [1, 1]}, {"seeds": [-1]}])
def test_seeds_that_contradict_each_other(seeds: dict[str, Any]) -> None:
    with pytest.raises(LexiscopeError, match=r"spaces\.word2vec"):
        plan(spaces={"word2vec": {**STUDY["spaces"]["word2vec"], **seeds}})


PROBED: dict[str, Any] = {
    "probes": {"ewt": {"treebank": "ud-english-ewt", "tasks": ["tense"]}, "other": {"treebank": "gum"}},
    "l2_paths": {"path": {"of": "output", "tasks": ["men"]}},
}


def test_what_built_probes_and_shared_files_need() -> None:
    both = plan(**PROBED, tasks=["ewt/tense", "sick_relatedness", "sick_entailment"])
    assert both.tasks == {
        "transfer": ("sick_entailment",),
        "relatedness": ("sick_relatedness",),
        "treebank_probing": ("ewt/tense",),
    }
    assert both.probes == ["ewt"]
    assert both.datasets == ["lm1b", "ptb", "sick", "men", "ud-english-ewt"]
    assert both.probe_seed("ewt") == 3


def test_a_path_may_be_scored_on_tasks_of_its_own() -> None:
    few = plan(**PROBED, tasks=["sts12", "men"])
    assert few.path_tasks("path") == {"word_similarity": ("men",)}
    assert few.tasks_on_paths == ["word_similarity"]
    assert ("path", "word_similarity") in few.evaluations
    assert ("path", "sts") not in few.evaluations
    assert ("am", "sts") in few.evaluations
    all_of_them = plan(l2_paths={"path": {"of": "output"}})
    assert all_of_them.path_tasks("path") == all_of_them.tasks


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tasks": ["ewt/tens"]}, "did you mean 'ewt/tense'"),
        ({"l2_paths": {"path": {"of": "output", "tasks": ["manx"]}}}, r"l2_paths\.path\.tasks\.0"),
        ({"analysis": {"claims": {"roles": {"am": "amm"}}}}, r"analysis\.claims\.roles\.am"),
    ],
)
def test_names_that_nothing_answers_to(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(LexiscopeError, match=told):
        plan(**(PROBED | changes))


def test_a_task_group_without_probes_is_told() -> None:
    with pytest.raises(LexiscopeError, match="define one under 'probes'"):
        plan(tasks=["treebank_probing"])
