"""`kill -9` of the whole run, then the documented recovery: the same bytes as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from .conftest import TINY, Project, copy_of_the_project

STUDY = {
    **TINY,
    "spaces": {name: TINY["spaces"][name] for name in ("word2vec", "output", "am")},
    "tasks": ["men"],
}


def kill_when(project: Project, begun: Path) -> None:
    """Start the study and kill all its processes soon after ``begun`` exists."""
    with subprocess.Popen(
        project.command(),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 300
        while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert begun.exists(), "the study ended before it could be killed"
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGKILL)


def test_a_study_killed_again_and_again_ends_in_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    """Killed while data are made, while the language model trains, and while scores are computed."""
    whole, project = (copy_of_the_project(repository, tmp_path / name) for name in ("whole", "killed"))
    for study in (whole, project):
        study.write(STUDY)
    whole.succeed()
    for begun in ("resources", "results/tiny/checkpoints/language_models/jlm", "results/tiny/scores"):
        kill_when(project, project.folder / begun)
        assert not (project.folder / "reports/tiny/report.html").exists()
        project.succeed("--unlock")
    project.succeed()
    for table in ("scores.parquet", "items.parquet"):
        expected = (whole.folder / "reports/tiny" / table).read_bytes()
        assert (project.folder / "reports/tiny" / table).read_bytes() == expected
