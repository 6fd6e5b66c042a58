"""The tiny study through the SLURM profile, on whatever cluster is at hand (one node is enough)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from .conftest import TINY, Project, copy_of_the_project

pytestmark = pytest.mark.slurm


def a_cluster_answers() -> bool:
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0


def test_the_study_runs_on_slurm(repository: Path, tmp_path: Path, finished: Project) -> None:
    if (
        shutil.which("sinfo") is None
        or subprocess.run(["sinfo"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no SLURM controller answers")
    project = copy_of_the_project(repository, tmp_path / "project")
    profile = project.folder / "profiles" / "slurm" / "config.yaml"
    settings = yaml.safe_load(profile.read_text())
    # The environment of the test stands in for conda's, and jobs fit on one small node.
    settings |= {
        "use-conda": False,
        "jobs": 4,
        "latency-wait": 20,
        "slurm-init-seconds-before-status-checks": 2,
    }
    settings["set-threads"] = dict.fromkeys(settings["set-threads"], 1)
    profile.write_text(yaml.safe_dump(settings))
    project.write(TINY)
    output = project.succeed(
        "--profile", "profiles/slurm", "--default-resources", "mem_mb=800", "runtime=20"
    )
    assert "SLURM" in output
    scores = pq.read_table(project.folder / "reports/tiny/scores.parquet").to_pandas()
    assert (scores.status == "ok").all()
    # Distributional spaces train on one thread here and there, so their scores are the same.
    local = pq.read_table(finished.folder / "reports/tiny/scores.parquet").to_pandas()
    for space in ("word2vec", "glove", "random"):
        assert list(scores[scores.space == space].value) == list(local[local.space == space].value)
