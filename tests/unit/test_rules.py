"""What every rule must say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

DIRECTIVES = ("output:", "log:", "benchmark:", "resources:", "mem_mb=", "runtime=", "conda:", "code=")


def rules(repository: Path) -> dict[str, str]:
    found = {}
    for path in sorted((repository / "rules").glob("*.smk")):
        for block in re.split(r"^(?=rule )", path.read_text(), flags=re.M)[1:]:
            found[block.split()[1].rstrip(":")] = block
    return found


def test_every_rule_is_complete(repository: Path) -> None:
    for name, block in rules(repository).items():
        for directive in (
            "output:",
            "log:",
            "benchmark:",
            "resources:",
            "mem_mb=",
            "runtime=",
            "conda:",
            "code=",
        ):
            assert directive in block, f"{name} has no {directive}"
        assert '"""' in block.split("\n")[1], f"{name} has no docstring"


def test_every_rule_has_a_script_of_its_name(repository: Path) -> None:
    for name, block in rules(repository).items():
        if "script:" in block:
            assert f'"../workflow_scripts/{name}.py"' in block
            assert (repository / "workflow_scripts" / f"{name}.py").is_file()


def test_scripts_make_one_library_call(repository: Path) -> None:
    for path in (repository / "workflow_scripts").glob("*.py"):
        lines = path.read_text().split("\n")
        calls = [line for line in lines if re.match(r"\w+\($", line)]
        assert len(calls) == 1, path.name
        assert len([line for line in lines if line.startswith(("import ", "from "))]) == 1, path.name


def test_the_library_never_imports_snakemake(repository: Path) -> None:
    for path in (repository / "workflow_scripts" / "lexiscope").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


@pytest.mark.parametrize("env", ["core", "torch", "report"])
def test_conda_environments_pin_what_the_lock_pins(repository: Path, env: str) -> None:
    locked = set((repository / "requirements.lock").read_text().split("\n"))
    dependencies = yaml.safe_load((repository / "envs" / f"{env}.yaml").read_text())["dependencies"]
    lowered = {line.lower() for line in locked}
    for package in dependencies[-1]["pip"]:
        assert package.replace(" ", "").lower() in lowered, package
