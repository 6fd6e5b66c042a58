"""The workflow as a user runs it: whole, again, changed, and with mistakes."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from .conftest import TINY, Project

EVALUATIONS_OF_ONE_SPACE = 4
AFTER_SCORES = {"merge_scores": 1, "compare_spaces": 1, "judge_claims": 1, "build_report": 1, "all": 1}
SPACES = len(TINY["spaces"])


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny study with some keys changed; ``a__b=1`` changes b in section a."""
    study = copy.deepcopy(TINY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        section = study
        for key in parents:
            section = section[key]
        section[last] = value
    return study


def test_a_whole_study(finished: Project) -> None:
    scores = pq.read_table(finished.folder / "reports/tiny/scores.parquet").to_pandas()
    assert set(scores.space) == set(TINY["spaces"])
    assert (scores.status == "ok").all()
    assert {"men", "simlex999", "brainbench_fmri", "brainbench_meg"} <= set(scores.dataset)
    assert ((scores.n_used > 0) & (scores.n_used <= scores.n_total)).all()
    tested = scores[scores.split != "valid"]
    assert (tested.ci_low <= tested.value).all()
    assert {"sts12", "trees/sentence_length"} <= set(scores.dataset)
    claims = pq.read_table(finished.folder / "reports/tiny/claims.parquet").to_pandas()
    assert claims.claim.tolist() == list(range(1, 23))
    pairs = pq.read_table(finished.folder / "reports/tiny/comparisons.parquet").to_pandas()
    assert len(pairs[pairs.dataset == "men"]) == SPACES * (SPACES - 1) / 2
    report = (finished.folder / "reports/tiny/report.html").read_text()
    assert "word2vec" in report
    assert len(report) < 5_000_000
    assert not (finished.folder / "results/tiny/checkpoints/language_models/jlm").exists()


def test_training_beats_chance(finished: Project) -> None:
    scores = pq.read_table(finished.folder / "reports/tiny/scores.parquet").to_pandas()
    men = scores[scores.dataset == "men"].set_index("space").value
    assert men["word2vec"] > men["random"] + 0.1
    assert abs(men["random"]) < 0.4


def test_a_second_run_has_nothing_to_do(finished: Project) -> None:
    assert "Nothing to be done" in finished.succeed()


def test_a_new_penalty_leaves_the_language_model_alone(clone: Project) -> None:
    clone.write(tiny(spaces__am__l2=0.01))
    assert clone.planned() == {
        "maximise_activation": 1,
        "evaluate_space": EVALUATIONS_OF_ONE_SPACE,
        "predict_bias": 1,
        **AFTER_SCORES,
    }


def test_other_settings_of_an_analysis_rerun_it_alone(clone: Project) -> None:
    clone.write(tiny(analysis__bias_prediction={"n_splits": 6}))
    assert clone.planned() == {"predict_bias": 1, "judge_claims": 1, "build_report": 1, "all": 1}


def test_a_new_space_trains_only_itself(clone: Project) -> None:
    study = tiny()
    study["spaces"]["cbow"] = {"kind": "word2vec", "corpus": "news", "vector_size": 16, "sg": False}
    clone.write(study)
    planned = clone.planned()
    assert planned["train_word2vec"] == 1
    assert "train_language_model" not in planned
    assert planned["evaluate_space"] == EVALUATIONS_OF_ONE_SPACE


@pytest.mark.parametrize(
    ("module", "stage"),
    [
        ("evaluation/brainbench.py", {"evaluate_space": EVALUATIONS_OF_ONE_SPACE * SPACES}),
        ("embeddings/word2vec.py", {"train_word2vec": 1, "evaluate_space": EVALUATIONS_OF_ONE_SPACE}),
        ("embeddings/transforms.py", {"transform_space": 1, "evaluate_space": EVALUATIONS_OF_ONE_SPACE}),
        ("analysis/bias_prediction.py", {"predict_bias": 1}),
        ("report/charts.py", {}),
    ],
)
def test_editing_a_stage_reruns_it_and_what_follows(
    clone: Project, module: str, stage: dict[str, int]
) -> None:
    path = clone.folder / "workflow_scripts" / "lexiscope" / module
    head, found, tail = path.read_text().partition("\nimport")
    assert found
    path.write_text(f"{head}\nX = 1\nimport{tail}")
    if "evaluate_space" in stage:
        always = AFTER_SCORES
    else:
        always = {"build_report": 1, "all": 1} | ({"judge_claims": 1} if "predict_bias" in stage else {})
    assert clone.planned() == stage | always


def test_a_comment_reruns_nothing(clone: Project) -> None:
    path = clone.folder / "workflow_scripts" / "lexiscope" / "files.py"
    path.write_text(path.read_text() + "\n# A remark.\n")
    assert "Nothing to be done" in clone.succeed("-n")


def test_vectors_of_ones_own_need_no_training(clone: Project) -> None:
    words = [
        line.split()[0] for line in (clone.folder / "results/tiny/lexicon.tsv").read_text().splitlines()
    ]
    vectors = np.random.default_rng(0).normal(size=(len(words), 8))
    lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in zip(words, vectors, strict=True)]
    (clone.folder / "my.vec").write_text(f"{len(lines)} 8\n" + "\n".join(lines) + "\n")
    study = {
        "study": "mine",
        "data": TINY["data"],
        "spaces": {"mine": {"kind": "file", "path": "my.vec"}},
        "tasks": ["men"],
        "export": ["glove", "word2vec_binary"],
    }
    clone.write(study, "mine.yaml")
    planned = clone.planned(study="mine.yaml")
    assert not [rule for rule in planned if rule.startswith("train")]
    clone.succeed(study="mine.yaml")
    scores = pq.read_table(clone.folder / "reports/mine/scores.parquet").to_pylist()
    assert [(row["space"], row["dataset"]) for row in scores] == [("mine", "men"), ("random", "men")]
    assert (clone.folder / "results/mine/exports/mine.txt").exists()
    assert (clone.folder / "results/mine/exports/mine.bin").exists()


def test_spaces_without_tasks(clone: Project) -> None:
    study = tiny(tasks=[])
    fasttext = {"kind": "fasttext", "corpus": "news", "vector_size": 24, "epochs": 2, "bucket": 2000}
    study["spaces"] = {"random": TINY["spaces"]["random"], "fasttext": fasttext}
    study["study"] = "bare"
    clone.write(study)
    clone.succeed()
    assert (clone.folder / "results/bare/spaces/fasttext.safetensors").exists()
    assert pq.read_table(clone.folder / "reports/bare/scores.parquet").num_rows == 0
    assert (clone.folder / "reports/bare/report.html").exists()


def test_a_mistake_is_told_before_any_job(clone: Project) -> None:
    clone.write(tiny(spaces__am__of="outptu", taks=["men"]))
    done = clone.run()
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "spaces.am.of: no lm_output space is called 'outptu'" in output or "taks: unknown key" in output
    assert "Traceback" not in output


def test_a_duplicate_key_is_told_with_its_line(clone: Project) -> None:
    path = clone.write(tiny())
    path.write_text(path.read_text() + "study: again\n")
    done = clone.run("-n")
    assert done.returncode != 0
    assert "the key study is given twice" in done.stdout + done.stderr


def test_the_command_line_overrides(finished: Project) -> None:
    assert "train_language_model" in finished.planned("--config", "seed=5")


def test_jobs_ask_for_more_when_their_input_is_larger(clone: Project) -> None:
    (clone.folder / "results/tiny/corpora/news/ballast.npy").write_bytes(bytes(100_000_000))
    clone.write(tiny(spaces__glove__epochs=5))
    output = clone.succeed("-n", "--rerun-triggers", "params")
    asked = re.search(r"rule train_glove:.*?runtime=(\d+), mem_mb=(\d+)", output, re.S)
    assert asked is not None
    assert int(asked[1]) > 200  # minutes
    assert int(asked[2]) > 4300  # megabytes
