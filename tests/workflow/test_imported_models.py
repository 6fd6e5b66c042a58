"""A study of language models that others trained: no corpus, no lexicon, no training."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from lexiscope.config.study import Study
from lexiscope.data.miniature.language import MiniatureTruth, build_language
from lexiscope.embeddings.space import load_space

from .conftest import TINY, Project, copy_of_the_project

STUDY: dict[str, Any] = {
    "study": "imported",
    "data": TINY["data"],
    "language_models": {
        "mine": {"kind": "softmax_file", "path": "layer.npz"},
        "hub": {"kind": "huggingface", "path": "tiny_model"},
    },
    "random_control": False,
    "spaces": {
        "output": {"kind": "lm_output", "model": "mine"},
        "am": {
            "kind": "activation_maximisation",
            "of": "output",
            "objective": "exact",
            "softmax_over": "vocabulary",
            "l2": 0.02,
        },
        "centred": {"kind": "centred", "of": "output", "weights": "bias"},
        "reduced": {"kind": "pca", "of": "output", "dim": 10},
        "random": {"kind": "random", "like": "output"},
        "hub_input": {"kind": "lm_input", "model": "hub"},
        "hub_output": {"kind": "lm_output", "model": "hub"},
        "hub_am": {
            "kind": "activation_maximisation",
            "of": "hub_output",
            "objective": "exact",
            "softmax_over": "vocabulary",
            "l2": 0.02,
        },
    },
    "l2_paths": {"am_path": {"of": "output", "l2": [10.0, 0.001, 0.02], "batch_size": 64}},
    "analysis": {"bias_prediction": {"n_splits": 10}, "maps": {}},
    "tasks": ["men"],
    "protocol": {"n_bootstrap": 20},
}


def truth() -> MiniatureTruth:
    """What the miniature's words mean, without the miniature's text."""
    study = Study.model_validate(STUDY)
    return build_language(study.data.miniature, study.seed).truth


def write_softmax_file(meanings: MiniatureTruth, path: Path) -> None:
    """A layer whose rows are the words' meanings, and whose bias is their log-frequency."""
    words = list(meanings.lemma_of)
    rows = np.array(list(meanings.lemma_of.values()))
    log_frequency = np.log(meanings.frequencies[rows] + 1e-5)
    np.savez(
        path,
        weight=(4 * meanings.latents[rows]).astype(np.float32),
        bias=log_frequency.astype(np.float32),
        words=np.array(words),
    )


def write_tied_model(meanings: MiniatureTruth, folder: Path) -> None:
    """A causal language model with one matrix for input and output, the words' meanings, and no bias."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<end>", "<unk>", *meanings.lemma_of]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    rows = list(meanings.lemma_of.values())
    config = transformers.GPT2Config(
        vocab_size=len(words),
        n_positions=16,
        n_embd=meanings.latents.shape[1],
        n_layer=1,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        model.transformer.wte.weight[2:] = torch.from_numpy(4 * meanings.latents[rows]).float()
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)


@pytest.fixture(scope="module")
def imported(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study, run to its end. Tests may plan other studies in its folder, but must run none."""
    project = copy_of_the_project(repository, tmp_path_factory.mktemp("imported") / "project")
    meanings = truth()
    write_softmax_file(meanings, project.folder / "layer.npz")
    write_tied_model(meanings, project.folder / "tiny_model")
    study = copy.deepcopy(STUDY)
    study["analysis"]["maps"]["nouns"] = {
        "start": "output",
        "end": "am",
        "words": [lemma.stem for lemma in meanings.lemmas[:12]],
    }
    project.write(study)
    project.succeed()
    return project


@pytest.fixture(scope="module")
def scores(imported: Project) -> pd.DataFrame:
    return pq.read_table(imported.folder / "reports/imported/scores.parquet").to_pandas()


def read_study(project: Project) -> dict[str, Any]:
    study: dict[str, Any] = yaml.safe_load((project.folder / "study.yaml").read_text())
    return study


def test_every_space_and_every_solution_along_the_path_is_scored(scores: pd.DataFrame) -> None:
    along = ["am_path@0.001", "am_path@0.02", "am_path@10"]
    assert list(scores.space) == [*STUDY["spaces"], *along]
    assert (scores.status == "ok").all()
    models = scores.set_index("space").model
    assert models["centred"] == models["am"] == models["am_path@10"] == "mine"
    assert models["hub_am"] == "hub"


def test_the_words_keep_their_rows(scores: pd.DataFrame) -> None:
    men = scores.set_index("space").value
    assert men["output"] > 0.5  # the rows are the meanings that the scores were made from
    assert men["reduced"] > 0.3
    assert abs(men["random"]) < 0.3
    assert men["hub_output"] == pytest.approx(men["output"], abs=1e-6)


def test_the_exact_solution_is_proved_and_lies_on_the_path(imported: Project, scores: pd.DataFrame) -> None:
    results = imported.folder / "results/imported"
    am = load_space(results / "spaces/am.safetensors")
    assert (am.columns["certificate"] <= 0.01 * am.columns["objective"]).all()
    path = json.loads((results / "l2_paths/am_path/path.json").read_text())
    assert (path["of"], path["l2"]) == ("output", [0.001, 0.02, 10.0])
    on_the_path = load_space(results / "l2_paths/am_path" / path["files"][1])
    assert on_the_path.words == am.words
    np.testing.assert_allclose(on_the_path.columns["objective"], am.columns["objective"], rtol=0.01)
    men = scores.set_index("space").value
    assert men["am"] == pytest.approx(men["am_path@0.02"], abs=0.02)
    # For a large λ nothing is left of activation maximisation but centring.
    assert men["am_path@10"] == pytest.approx(men["centred"], abs=0.005)


def test_input_and_output_of_a_tied_model_are_one_space(imported: Project, scores: pd.DataFrame) -> None:
    spaces = imported.folder / "results/imported/spaces"
    first, second = (load_space(spaces / f"hub_{which}.safetensors") for which in ("input", "output"))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.words == second.words
    assert first.provenance["tied"] is second.provenance["tied"] is True
    men = scores.set_index("space").value
    assert men["hub_input"] == men["hub_output"]


def test_the_softmax_over_the_vocabulary_has_words_that_no_space_has(imported: Project) -> None:
    results = imported.folder / "results/imported"
    layer = load_space(results / "language_models/hub.output.safetensors")
    output = load_space(results / "spaces/hub_output.safetensors")
    assert len(layer) == len(output) + 2
    assert output.columns["row"].min() == 2
    assert load_space(results / "spaces/hub_am.safetensors").provenance["softmax_words"] == len(layer)


def test_analyses(imported: Project) -> None:
    analysis = imported.folder / "results/imported/analysis"
    nouns = json.loads((analysis / "maps/nouns.json").read_text())
    assert (nouns["status"], nouns["n_used"]) == ("ok", 12)
    bias = json.loads((analysis / "bias_prediction/am.json").read_text())
    assert (bias["status"], bias["target"], bias["n_splits"]) == ("ok", "bias", 10)
    without = json.loads((analysis / "bias_prediction/hub_am.json").read_text())
    assert without["status"] == "skipped"  # the head has no bias, and no corpus tells counts


def test_the_report(imported: Project) -> None:
    report = (imported.folder / "reports/imported/report.html").read_text()
    assert 'id="l2-path"' in report
    assert "am_path, of output" in report
    assert "<b>hub_input and hub_output</b> are one space under several names" in report
    assert str(imported.folder) not in report
    assert len(report) < 5_000_000


def test_a_second_run_has_nothing_to_do(imported: Project) -> None:
    assert "Nothing to be done" in imported.succeed()


def test_a_new_penalty_reruns_one_space_and_what_follows(imported: Project) -> None:
    study = read_study(imported)
    study["spaces"]["am"]["l2"] = 0.5
    imported.write(study, "changed.yaml")
    assert imported.planned(study="changed.yaml") == {
        "maximise_activation": 1,
        "evaluate_space": 1,
        "predict_bias": 1,
        "map_displacement": 1,
        "merge_scores": 1,
        "compare_spaces": 1,
        "judge_claims": 1,
        "build_report": 1,
        "all": 1,
    }


def test_another_grid_reruns_the_path_and_its_scores(imported: Project) -> None:
    study = read_study(imported)
    study["l2_paths"]["am_path"]["l2"] = [0.001, 1.0]
    imported.write(study, "changed.yaml")
    assert imported.planned(study="changed.yaml") == {
        "follow_l2_path": 1,
        "evaluate_l2_path": 1,
        "merge_scores": 1,
        "compare_spaces": 1,
        "judge_claims": 1,
        "build_report": 1,
        "all": 1,
    }


def test_another_token_policy_reruns_one_model(imported: Project) -> None:
    study = read_study(imported)
    study["language_models"]["hub"]["pieces"] = "mean"
    imported.write(study, "changed.yaml")
    planned = imported.planned(study="changed.yaml")
    assert planned["extract_huggingface_space"] == 2
    assert planned["evaluate_space"] == 3
    assert not {"read_softmax_file", "align_space", "follow_l2_path", "transform_space"} & set(planned)


def test_a_missing_layer_is_told_before_any_job(imported: Project) -> None:
    study = read_study(imported)
    study["language_models"]["mine"]["path"] = "layers.npz"
    imported.write(study, "changed.yaml")
    done = imported.run("-n", study="changed.yaml")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "language_models.mine.path: there is no file 'layers.npz'" in output
    assert "Did you mean 'layer.npz'?" in output
    assert "Traceback" not in output


def test_a_path_killed_on_the_way_ends_in_the_same_bytes(imported: Project, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", str(imported.folder), str(tmp_path / "project")], check=True)
    project = Project(tmp_path / "project")
    target = "results/imported/l2_paths/am_path"
    expected = {file.name: file.read_bytes() for file in (imported.folder / target).iterdir()}
    checkpoint = project.folder / "results/imported/checkpoints/l2_paths/am_path"
    assert not checkpoint.exists()
    with subprocess.Popen(
        project.command("--forcerun", "follow_l2_path", "--", target),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(checkpoint.glob("*"))) >= 10:
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
    assert checkpoint.exists(), "the path was finished before it could be killed"
    assert not (project.folder / target / "path.json").exists()
    project.succeed("--unlock")
    project.succeed("--", target)
    found = {file.name: file.read_bytes() for file in (project.folder / target).iterdir()}
    assert found == expected
    assert not checkpoint.exists()
