"""The command line, as a user calls it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from lexiscope.cli import app as command_line
from lexiscope.cli.vectors import names_of
from lexiscope.embeddings.space import load_space
from lexiscope.evaluation.scores import SCORE_SCHEMA, read_table
from lexiscope.evaluation.tasks import TASKS

WORDS = [f"w{i}" for i in range(40)]
PAIRS = [(WORDS[i], WORDS[i + 1]) for i in range(0, 38)]


@pytest.fixture
def data(tmp_path):
    """A folder with one generated benchmark."""
    root = tmp_path / "data"
    folder = root / "word-sim"
    folder.mkdir(parents=True)
    lines = [f"{first}\t{second}\t{number % 7}\n" for number, (first, second) in enumerate(PAIRS)]
    (folder / "EN-SIMLEX-999.txt").write_text("".join(lines))
    (root / "miniature.json").write_text(json.dumps({}))
    return root


def vectors(path, words, seed, dim=6):
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((len(words), dim)).round(4)
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, rows, strict=True)]
    path.write_text(f"{len(words)} {dim}\n" + "\n".join(lines) + "\n")
    return path


def run(monkeypatch, capsys, *arguments, columns=160):
    """Exit status, output and error output."""
    monkeypatch.setattr("sys.argv", ["lexiscope", *map(str, arguments)])
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, " ".join(said.err.split())


def test_evaluate_prints_a_table_and_writes_what_the_workflow_would(tmp_path, data, monkeypatch, capsys):
    one = vectors(tmp_path / "one.vec", WORDS, 1)
    two = vectors(tmp_path / "two.vec", WORDS[:30], 2)
    scores, items = tmp_path / "scores.parquet", tmp_path / "items.parquet"
    status, out, _ = run(
        monkeypatch, capsys, "evaluate", one, two, "--tasks", "similarity", "--data", data,
        "--bootstrap", "50", "--output", scores, "--items", items,
    )  # fmt: skip
    assert status == 0
    assert "SimLex-999" in out
    assert "38/38" in out
    assert "29/38" in out
    assert "not in the folder" in out
    assert "men" in out
    rows = read_table(scores, SCORE_SCHEMA).to_pylist()
    assert [(row["space"], row["dataset"], row["status"]) for row in rows] == [
        ("one", "simlex999", "ok"),
        ("two", "simlex999", "ok"),
        ("random", "simlex999", "ok"),
    ]
    shown = f"{100 * rows[0]['value']:.1f}"
    assert shown in out
    assert pq.read_table(items).num_rows == 3 * len(PAIRS)


def test_a_narrow_terminal_breaks_cells_but_no_name(tmp_path, data, monkeypatch, capsys):
    files = [vectors(tmp_path / f"of_{number}.vec", WORDS, number) for number in range(4)]
    arguments = ("evaluate", *files, "--tasks", "similarity", "--data", data, "--bootstrap", "50")
    out = run(monkeypatch, capsys, *arguments, columns=80)[1]
    assert max(map(len, out.splitlines())) <= 80
    assert "SimLex-999" in out
    assert out.count("38/38") == 5


def test_a_file_has_unbroken_lines(tmp_path, data, monkeypatch, capsys):
    files = [vectors(tmp_path / f"of_{number}.vec", WORDS, number) for number in range(8)]
    arguments = ("evaluate", *files, "--tasks", "similarity", "--data", data, "--bootstrap", "50")
    out = run(monkeypatch, capsys, *arguments, columns=None)[1]
    (row,) = [line for line in out.splitlines() if "SimLex-999" in line]
    assert row.count("38/38") == 9


def test_nothing_is_written_unless_asked_for(tmp_path, data, monkeypatch, capsys):
    one = vectors(tmp_path / "one.vec", WORDS, 1)
    before = sorted(tmp_path.rglob("*"))
    run(
        monkeypatch,
        capsys,
        "evaluate",
        one,
        "--tasks",
        "simlex999",
        "--data",
        data,
        "--bootstrap",
        "0",
        "--no-random",
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tasks", "similarty"], "Did you mean"),
        (["--tasks", "mr"], "none of the benchmarks is here"),
        (["--oov", "keep"], "--oov"),
        (["--classifier", "svm"], "--classifier"),
        (["--bootstrap", "-1"], "--bootstrap"),
    ],
)
def test_a_mistake_is_one_message_without_a_traceback(tmp_path, data, monkeypatch, capsys, arguments, told):
    one = vectors(tmp_path / "one.vec", WORDS, 1)
    status, _, err = run(monkeypatch, capsys, "evaluate", one, "--data", data, *arguments)
    assert status == 1
    assert err.startswith("error:")
    assert told in err
    assert "Traceback" not in err


def test_the_folder_of_the_benchmarks_must_be_given_and_exist(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("LEXISCOPE_DATA", raising=False)
    one = vectors(tmp_path / "one.vec", WORDS, 1)
    assert "--data" in run(monkeypatch, capsys, "evaluate", one)[2]
    assert "no such folder" in run(monkeypatch, capsys, "evaluate", one, "--data", tmp_path / "x")[2]


def test_a_broken_line_is_told_and_can_be_dropped(tmp_path, data, monkeypatch, capsys):
    one = vectors(tmp_path / "one.vec", WORDS, 1)
    one.write_text(one.read_text().replace("w3 ", "w3 x", 1))
    arguments = ["evaluate", one, "--tasks", "simlex999", "--data", data, "--bootstrap", "0"]
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert status == 1
    assert "one.vec" in err
    status, out, _ = run(monkeypatch, capsys, *arguments, "--lenient")
    assert status == 0
    assert "36/38" in out


def test_neighbours_of_a_word_in_several_spaces(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.vec").write_text("3 2\ncat 1 0\ndog 1 0.1\ncar 0 1\n")
    (tmp_path / "b.vec").write_text("2 2\ncat 1 0\ncar 1 0\n")
    (tmp_path / "c.vec").write_text("2 2\nsun 1 0\ncar 1 0\n")
    spaces = [item for name in "abc" for item in ("--spaces", tmp_path / f"{name}.vec")]
    status, out, _ = run(monkeypatch, capsys, "neighbours", "cat", *spaces, "-k", "1")
    assert status == 0
    assert "dog 0.995" in out
    assert "car 1.000" in out
    assert "c has no vector of 'cat'" in out
    status, _, err = run(monkeypatch, capsys, "neighbours", "bird", *spaces)
    assert (status, "no space has a vector of 'bird'" in err) == (1, True)


def test_words_and_files_may_look_like_markup(tmp_path, monkeypatch, capsys):
    (tmp_path / "[red].vec").write_text("3 2\n[bold] 1 0\n[/dim] 1 0.1\ncar 0 1\n")
    status, out, _ = run(monkeypatch, capsys, "neighbours", "[bold]", "--spaces", tmp_path / "[red].vec")
    assert status == 0
    assert "[bold]" in out
    assert "[/dim] 0.995" in out
    assert "[red]" in out


def test_the_list_of_tasks_cuts_no_name_that_can_be_typed(monkeypatch, capsys):
    out = run(monkeypatch, capsys, "tasks", columns=80)[1]
    for group in TASKS.values():
        assert f" {group.name} " in out or not group.datasets
        for dataset in group.datasets:
            assert f" {dataset.key} " in out


@pytest.mark.parametrize(
    "target", ["out.vec", "out.bin", "out.txt", "out.npz", "out.kv", "out.safetensors"]
)
def test_convert_there_and_back(tmp_path, monkeypatch, capsys, target):
    source = vectors(tmp_path / "source.vec", WORDS, 5)
    back = tmp_path / "back.safetensors"
    assert run(monkeypatch, capsys, "convert", source, tmp_path / target)[0] == 0
    status, out, _ = run(monkeypatch, capsys, "convert", tmp_path / target, back)
    assert status == 0
    assert "40 words, 6 dimensions" in out.replace("\n", "")
    original = np.loadtxt(source, skiprows=1, usecols=range(1, 7), dtype=np.float32)
    space = load_space(back)
    assert list(space.words) == WORDS
    np.testing.assert_array_equal(space.vectors, original)


def test_convert_to_what_is_no_format(tmp_path, monkeypatch, capsys):
    source = vectors(tmp_path / "source.vec", WORDS, 5)
    assert ".docx" in run(monkeypatch, capsys, "convert", source, tmp_path / "x.docx")[2]
    err = run(monkeypatch, capsys, "convert", source, tmp_path / "x", "--format", "word")[2]
    assert "Known are" in err


def test_tasks_lists_all_and_what_is_there(data, monkeypatch, capsys):
    _, out, _ = run(monkeypatch, capsys, "tasks")
    assert all(name in out for name in ("simlex999", "brainbench", "mrpc", "sts16", "xprobe_tense"))
    assert "yes" not in out
    _, out, _ = run(monkeypatch, capsys, "tasks", "--data", data)

    assert sum("yes" in line for line in out.split("\n")) == 1


def test_names_of_files_tell_them_apart(tmp_path):
    assert names_of([tmp_path / "a.vec.gz", tmp_path / "b.bin"]) == ["a", "b"]
    same = [tmp_path / "x" / "a.vec", tmp_path / "y" / "a.vec"]
    assert names_of(same) == [str(path) for path in same]
