"""The tiny study with `--use-conda`: every rule in the environment that its file names.

Needs ``conda`` on the PATH. ``LEXISCOPE_CONDA_CHANNEL`` may name a channel to use instead of conda-forge.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import TINY, copy_of_the_project

pytestmark = pytest.mark.conda


def test_the_study_runs_in_conda_environments(repository: Path, tmp_path: Path) -> None:
    if shutil.which("conda") is None:
        pytest.skip("no conda")
    project = copy_of_the_project(repository, tmp_path / "project")
    channel = os.environ.get("LEXISCOPE_CONDA_CHANNEL", "conda-forge")
    for env in (project.folder / "envs").glob("*.yaml"):
        env.write_text(env.read_text().replace("conda-forge", channel))
    project.write(TINY)
    output = project.succeed("--use-conda")
    for env in ("core", "torch", "report"):
        assert f"envs/{env}.yaml" in output
    scores = pq.read_table(project.folder / "reports/tiny/scores.parquet").to_pandas()
    assert (scores.status == "ok").all()
