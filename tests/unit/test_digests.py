"""Code digests: they change with the code that counts, and with nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lexiscope import digests


def names(script: Path) -> set[str]:
    return {path.name for path in digests.closure(script)}


@pytest.mark.parametrize(
    ("script", "inside", "outside"),
    [
        ("train_word2vec", {"word2vec.py", "encoded.py", "space.py"}, {"glove.py", "train.py", "study.py"}),
        ("evaluate_space", {"word_similarity.py", "scores.py"}, {"word2vec.py", "build.py", "maximise.py"}),
        ("build_report", {"build.py", "paper_values.csv"}, {"train.py", "word2vec.py"}),
        ("prepare_dataset", {"catalogue.yaml"}, {"encode.py"}),
        ("maximise_activation", {"as_coded.py"}, {"train.py", "evaluate.py"}),
        ("train_language_model", {"char_cnn_lstm.py"}, {"maximise.py", "evaluate.py"}),
    ],
)
def test_closures(repository: Path, script: str, inside: set[str], outside: set[str]) -> None:
    found = names(repository / "workflow_scripts" / f"{script}.py")
    assert inside <= found
    assert not outside & found


def test_every_script_has_a_digest(repository: Path) -> None:
    scripts = sorted((repository / "workflow_scripts").glob("*.py"))
    assert len({digests.code_digest(script) for script in scripts}) == len(scripts)


def digest_after(tmp_path: Path, repository: Path, module: str, old: str, new: str) -> tuple[str, str]:
    """Digests of the evaluation script before and after an edit in a copy of the library."""
    copy = tmp_path / "workflow_scripts"
    shutil.copytree(repository / "workflow_scripts", copy, ignore=shutil.ignore_patterns("__pycache__"))

    def digest() -> str:
        code = "import sys; from lexiscope.digests import code_digest; print(code_digest(sys.argv[1]))"
        command = [sys.executable, "-c", code, "evaluate_space.py"]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout

    before = digest()
    path = copy / "lexiscope" / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return before, digest()


def test_code_counts(tmp_path: Path, repository: Path) -> None:
    before, after = digest_after(tmp_path, repository, "files.py", "1 << 20", "1 << 21")
    assert before != after


def test_comments_and_docstrings_do_not(tmp_path: Path, repository: Path) -> None:
    before, after = digest_after(tmp_path, repository, "files.py", "atomically.", "in one piece.")
    assert before == after


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"),  # where a block ends
        ("f(a, b=(c,))\n", "f(a, b=c)\n"),
        ("x = 1\n", "x = True\n"),  # equal for Python, other code
        ("x = 'a'\n", "x = b'a'\n"),
        ("def f(a, /, b): ...\n", "def f(a, b, /): ...\n"),
    ],
)
def test_modules_of_nearly_the_same_code_differ(tmp_path: Path, first: str, second: str) -> None:
    found = []
    for name, code in (("first.py", first), ("second.py", second)):
        (tmp_path / name).write_text(code)
        found.append(digests._module(tmp_path / name).fingerprint)
    assert found[0] != found[1]
