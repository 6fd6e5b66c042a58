"""The JSON schema of study files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from lexiscope.config.schema import study_schema


def test_the_committed_schema_is_the_generated_one(repository: Path) -> None:
    committed = json.loads((repository / "docs" / "study.schema.json").read_text())
    assert committed == study_schema(), "run `make schema`"


@pytest.mark.parametrize("file", ["config.yaml", "presets/small.yaml", "presets/paper.yaml"])
def test_the_studies_of_the_project_fit_it(repository: Path, file: str) -> None:
    jsonschema.validate(yaml.safe_load((repository / file).read_text()), study_schema())


def test_it_rejects_what_the_models_reject() -> None:
    validator = jsonschema.Draft202012Validator(study_schema())
    assert not validator.is_valid({"study": "s", "spaces": {"m": {"kind": "file", "pth": "x"}}})
    assert validator.is_valid({"study": "s", "spaces": {"m": {"kind": "file", "path": "x"}}})
