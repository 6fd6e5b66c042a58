"""A copy of the project in which a tiny study can be run, killed and edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOW_PARTS = ("Snakefile", "rules", "envs", "profiles", "presets", "workflow_scripts", "config.yaml")

TINY: dict[str, Any] = {
    "study": "tiny",
    "data": {
        "source": "miniature",
        "miniature": {
            "lm1b_tokens": 60_000,
            "lm1b_shards": 2,
            "ptb_tokens": 2_000,
            "wikitext_tokens": 2_000,
            "enwiki_tokens": 2_000,
            "simlex_pairs": 60,
            "ws353_pairs": 40,
            "men_pairs": 200,
            "mturk_pairs": 40,
            "rareword_pairs": 40,
            "opinion_sentences": 100,
            "sst_train": 50,
            "sst_valid": 20,
            "sst_test": 20,
            "trec_train": 300,
            "trec_test": 50,
            "mrpc_train": 50,
            "mrpc_test": 20,
            "sick_train": 50,
            "sick_valid": 20,
            "sick_test": 20,
            "stsb_train": 50,
            "stsb_valid": 20,
            "stsb_test": 20,
            "sts_pairs": 10,
            "probing_train": 120,
            "probing_heldout": 60,
            "probing_words": 5,
            "xprobe_valid": 60,
            "xprobe_test": 60,
            "treebank_train": 300,
            "treebank_heldout": 60,
            "penn_trees": 600,
        },
    },
    "corpora": {"news": {"sources": ["lm1b"], "min_count": 2}},
    "language_models": {
        "jlm": {
            "kind": "char_cnn_lstm",
            "corpus": "news",
            "char_dim": 8,
            "filters": [[1, 16], [3, 32]],
            "embedding_dim": 32,
            "hidden_size": 32,
            "softmax": "full",
            "batch_size": 16,
            "unroll": 16,
            "epochs": 2,
            "checkpoint_minutes": 0.02,
            "threads": 1,
        }
    },
    "lexicon": {"size": 1200},
    "spaces": {
        "word2vec": {"kind": "word2vec", "corpus": "news", "vector_size": 24, "epochs": 12},
        "glove": {"kind": "glove", "corpus": "news", "vector_size": 24, "epochs": 4},
        "input": {"kind": "lm_input", "model": "jlm"},
        "output": {"kind": "lm_output", "model": "jlm"},
        "am": {"kind": "activation_maximisation", "of": "output", "epochs": 20, "l2": 1.0e-3},
        "centred": {"kind": "centred", "of": "output", "weights": "bias"},
        "random": {"kind": "random", "vector_size": 24},
    },
    "analysis": {"bias_prediction": {"n_splits": 5}},
    "probes": {"trees": {"treebank": "nltk-treebank", "tasks": ["sentence_length"], "min_class_size": 5}},
    "tasks": ["word_similarity", "brainbench", "sts12", "treebank_probing"],
    "protocol": {"n_bootstrap": 100, "classifier": "convex"},
}


@dataclass
class Project:
    """A copy of the workflow, and how to call Snakemake in it."""

    folder: Path

    def write(self, study: dict[str, Any], name: str = "study.yaml") -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump(study, sort_keys=False))
        return path

    def command(self, *options: str, study: str = "study.yaml") -> list[str]:
        base = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", study]
        return [*base, *options]

    def run(self, *options: str, study: str = "study.yaml") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options, study=study),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": "",  # rules of the copy must import the copy's library, not the checkout's
            "TERM": "dumb",
            "HF_HUB_OFFLINE": "1",
            # Threads that spin while they wait for one another take minutes where a core is busy.
            "OMP_WAIT_POLICY": "PASSIVE",
        }

    def succeed(self, *options: str, study: str = "study.yaml") -> str:
        done = self.run(*options, study=study)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output[-6000:]
        return output

    def planned(self, *options: str, study: str = "study.yaml") -> dict[str, int]:
        """Jobs that a dry run would carry out, by rule."""
        output = self.succeed("-n", "--quiet", "rules", *options, study=study)
        return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", output, re.M) if rule != "total"}


def copy_of_the_project(repository: Path, folder: Path) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    for part in WORKFLOW_PARTS:
        source, target = repository / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return Project(folder)


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, run to its end. Tests must leave it as it is, or work on a `clone`."""
    project = copy_of_the_project(repository, tmp_path_factory.mktemp("finished") / "project")
    project.write(TINY)
    project.succeed()
    return project


@pytest.fixture
def clone(finished: Project, tmp_path: Path) -> Project:
    """The finished study in a folder of its own, with all dates kept."""
    subprocess.run(["cp", "-a", str(finished.folder), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")
