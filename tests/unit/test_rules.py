"""What every rule must say."""

from __future__ import annotations

import ast
import functools
import re
import sys
from pathlib import Path

import pytest
import yaml

from lexiscope.digests import closure

DIRECTIVES = ("output:", "log:", "benchmark:", "resources:", "mem_mb=", "runtime=", "conda:", "code=")


def rules(repository: Path) -> dict[str, str]:
    found = {}
    for path in sorted((repository / "rules").glob("*.smk")):
        for block in re.split(r"^(?=rule )", path.read_text(), flags=re.M)[1:]:
            found[block.split()[1].rstrip(":")] = block
    return found


def test_every_rule_is_complete(repository: Path) -> None:
    for name, block in rules(repository).items():
        for directive in DIRECTIVES:
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


def test_scripts_ask_for_what_their_rules_give(repository: Path) -> None:
    for name, block in rules(repository).items():
        if "script:" not in block:
            continue
        script = (repository / "workflow_scripts" / f"{name}.py").read_text()
        for section, key in re.findall(r"snakemake\.(input|output|params)\.(\w+)", script):
            content = re.search(rf"^    {section}:\n((?:        .*\n)+)", block, re.M)
            assert content is not None, f"{name} has no {section}"
            assert re.search(rf"^        {key}=", content[1], re.M), f"{name} has no {section}.{key}"


def test_scripts_call_functions_as_they_are(repository: Path) -> None:
    # By their source: one of them would import TensorFlow.
    for path in sorted((repository / "workflow_scripts").glob("*.py")):
        tree = ast.parse(path.read_text())
        (imported,) = (node for node in tree.body if isinstance(node, ast.ImportFrom))
        (call,) = (node.value for node in tree.body if isinstance(getattr(node, "value", None), ast.Call))
        module = repository / "workflow_scripts" / f"{imported.module}".replace(".", "/")
        name = call.func.id
        assert [alias.name for alias in imported.names] == [name]
        functions = [
            node
            for node in ast.parse(module.with_suffix(".py").read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        assert len(functions) == 1, f"{path.name}: no {name} in {imported.module}"
        (function,) = functions
        assert [decorator.id for decorator in function.decorator_list] == ["stage_entry"], name
        known = {argument.arg for argument in function.args.kwonlyargs}
        required = {
            argument.arg
            for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
            if default is None
        }
        given = {keyword.arg for keyword in call.keywords}
        assert required <= given, f"{path.name} does not give {required - given}"
        assert given - known == {"log"}, path.name


def test_every_rule_file_is_included(repository: Path) -> None:
    included = re.findall(r'^include: "rules/(\w+)\.smk"', (repository / "Snakefile").read_text(), re.M)
    assert sorted(included) == sorted(path.stem for path in (repository / "rules").glob("*.smk"))


def test_heavy_environments_are_for_the_rules_that_need_them(repository: Path) -> None:
    users: dict[str, set[str]] = {}
    for name, block in rules(repository).items():
        for env in re.findall(r'"\.\./envs/(\w+)\.yaml"', block):
            users.setdefault(env, set()).add(name)
    assert users["jlm"] == {"import_lm_1b", "embed_with_lm_1b"}
    assert users["transformers"] == {"import_huggingface", "extract_huggingface_space"}
    assert set(users) == {path.stem for path in (repository / "envs").glob("*.yaml")}


def test_the_library_never_imports_snakemake(repository: Path) -> None:
    for path in (repository / "workflow_scripts" / "lexiscope").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.M), path


def pinned(repository: Path, env: str) -> dict[str, str]:
    """Versions of the packages in a conda environment, by name as pip compares names."""
    dependencies = yaml.safe_load((repository / "envs" / f"{env}.yaml").read_text())["dependencies"]
    packages = [package.split(" ==") for package in dependencies[-1]["pip"]]
    return {name.lower().replace("_", "-"): version for name, version in packages}


@pytest.mark.parametrize("env", ["core", "torch", "report", "jlm", "transformers"])
def test_conda_environments_pin_what_the_lock_pins(repository: Path, env: str) -> None:
    lines = (repository / "requirements.lock").read_text().split("\n")
    locked = {line.lower().replace("_", "-") for line in lines}
    packages = pinned(repository, env)
    if env == "jlm":
        assert re.fullmatch(r"\d+\.\d+\.\d+", packages.pop("tensorflow-cpu"))
    for name, version in packages.items():
        assert f"{name}=={version}" in locked, name


def test_tensorflow_is_in_one_environment_only(repository: Path) -> None:
    assert "tensorflow" not in (repository / "requirements.lock").read_text().lower()
    users = {
        path.stem for path in (repository / "envs").glob("*.yaml") if "- tensorflow" in path.read_text()
    }
    assert users == {"jlm"}


PACKAGE_OF = {
    "fasttext": "fasttext-community",
    "huggingface_hub": "huggingface-hub",
    "markupsafe": "jinja2",
    "requests": "pooch",
    "sklearn": "scikit-learn",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}
"""Packages by the module that is imported, where the names differ or another package brings it along."""


def test_environments_have_what_the_code_of_their_rules_imports(repository: Path) -> None:
    for name, block in rules(repository).items():
        if "script:" not in block:
            continue
        env = re.search(r'"\.\./envs/(\w+)\.yaml"', block)
        assert env is not None
        packages = pinned(repository, env[1])
        for path in closure(repository / "workflow_scripts" / f"{name}.py"):
            if path.suffix != ".py":
                continue
            for module in imported_modules(path) - sys.stdlib_module_names - {"lexiscope"}:
                package = PACKAGE_OF.get(module, module)
                assert package in packages, f"{name}: {path.name} imports {module}, which {env[1]} lacks"


@functools.cache
def imported_modules(path: Path) -> set[str]:
    """What is imported with the module itself; functions may import what few of their callers need."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name.split(".")[0] for name in found}
