"""The λ path: its folder, its limits, and kills."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from small_softmax import DIM, N_VOCABULARY, some_words, whole_layer, write

from lexiscope.activation_maximisation import exact, l2_path
from lexiscope.activation_maximisation.exact import ExactSolver
from lexiscope.activation_maximisation.l2_path import follow_l2_path
from lexiscope.activation_maximisation.maximise import maximise_activation
from lexiscope.checkpoints import Checkpoint
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError

GRID = [1e-4, 1e-2, 1.0]
ROWS = list(range(0, N_VOCABULARY, 2))


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return write(some_words(whole_layer(), ROWS), tmp_path / "output.safetensors")


def run(output_space: Path, name: str = "path", layer: Path | None = None, **settings: object) -> Path:
    output = output_space.parent / name
    follow_l2_path(
        output_space=output_space,
        layer=layer,
        config={"of": "output", "l2": GRID, "batch_size": 50, **settings},
        output=output,
        checkpoint=output_space.parent / f"{name}.checkpoint",
        seed=1,
        threads=1,
        device="cpu",
    )
    return output


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def centred(vectors: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return vectors - softmax(bias.astype(float)) @ vectors.astype(float)


# The product --------------------------------------------------------------------------------------


def test_a_folder_of_spaces_and_a_list(words) -> None:
    folder = run(words)
    listed = json.loads((folder / "path.json").read_text(encoding="utf-8"))
    files = ["00.safetensors", "01.safetensors", "02.safetensors"]
    assert sorted(contents(folder)) == [*files, "path.json"]
    assert listed["files"] == files
    assert listed["l2"] == GRID
    assert listed["of"] == "output"
    assert listed["n_words"] == len(ROWS)
    assert set(listed) == {"of", "l2", "n_words", "files", "objective", "gap", "passes"}
    assert not words.with_name("path.checkpoint").exists()
    for number, l2 in enumerate(GRID):
        space = load_space(folder / files[number])
        assert space.words == load_space(words).words
        assert set(space.columns) == {"objective", "certificate", "count"}
        assert space.columns["count"].tolist() == list(range(len(ROWS)))
        told = space.provenance
        assert (told["l2"], told["kind"], told["seed"]) == (l2, "activation_maximisation", 1)
        assert told["language_model"] == "mine"
        assert told["softmax_words"] == len(ROWS)
        assert told["passes"] == listed["passes"][number] >= 1
        gap = space.columns["certificate"] / space.columns["objective"]
        assert listed["gap"][number] == pytest.approx(float(gap.max()))
        assert listed["objective"][number] == pytest.approx(space.columns["objective"].mean())
        assert gap.max() <= 0.0101


def test_the_order_of_the_grid_does_not_matter(words) -> None:
    """But for the configuration that the provenance repeats."""
    ascending, mixed = run(words, "ascending"), run(words, "mixed", l2=[1e-2, 1.0, 1e-4])
    assert (ascending / "path.json").read_bytes() == (mixed / "path.json").read_bytes()
    for number in range(3):
        first, second = (load_space(folder / f"0{number}.safetensors") for folder in (ascending, mixed))
        assert first.vectors.tobytes() == second.vectors.tobytes()


def test_the_objective_falls_with_l2(words) -> None:
    listed = json.loads((run(words, l2=[1e-6, 1e-4, 1e-2, 0.1, 10.0]) / "path.json").read_text())
    assert (np.diff(listed["objective"]) > 0).all()
    # Without a penalty every word would win: −log p tends to 0; with a heavy one x tends to the origin.
    bias = load_space(words).columns["bias"]
    at_the_origin = -np.log(softmax(bias.astype(float))).mean()
    assert listed["objective"][0] < 0.5 * at_the_origin
    assert listed["objective"][-1] == pytest.approx(at_the_origin, rel=0.05)


def test_each_space_is_what_the_exact_objective_finds(words, tmp_path) -> None:
    folder = run(words)
    for number, l2 in enumerate(GRID):
        alone = tmp_path / f"alone{number}.safetensors"
        maximise_activation(
            output_space=words,
            config={"kind": "activation_maximisation", "of": "output", "objective": "exact", "l2": l2},
            output=alone,
            checkpoint=tmp_path / "alone.checkpoint",
            seed=1,
            threads=1,
            device="cpu",
        )
        first, second = load_space(folder / f"0{number}.safetensors"), load_space(alone)
        # ‖x − x*‖² ≤ certificate / λ for both.
        bound = sum(np.sqrt(space.columns["certificate"] / l2) for space in (first, second))
        away = np.linalg.norm(first.vectors - second.vectors, axis=1)
        assert (away <= 1.01 * bound + 1e-4 * np.linalg.norm(second.vectors, axis=1)).all()


@pytest.mark.parametrize(
    ("n_words", "sample", "off"),
    # The limit is an estimate where the solver looks at a sample of the words.
    [(150, None, 0.02), (150, 60, 0.4), (60, None, 0.02)],
    ids=["all words", "a sample", "few words"],
)
def test_with_a_heavy_penalty_it_is_the_output_embeddings_centred_by_the_bias(
    tmp_path, monkeypatch, n_words: int, sample: int | None, off: float
) -> None:
    if sample is not None:
        monkeypatch.setattr(exact, "MIN_SAMPLE", sample)
    space = some_words(whole_layer(), list(range(n_words)))
    folder = run(write(space, tmp_path / "output.safetensors"), l2=[300.0, 1e4])
    limit = centred(space.vectors, space.columns["bias"])
    for number, l2 in enumerate([300.0, 1e4]):
        found = load_space(folder / f"0{number}.safetensors").vectors * (2 * l2)
        np.testing.assert_allclose(found, limit, rtol=0, atol=off)


def test_over_the_vocabulary_the_limit_is_centred_by_all_of_it(tmp_path) -> None:
    whole = whole_layer()
    words = write(some_words(whole, [5, -1, 140]), tmp_path / "output.safetensors")
    layer = write(whole, tmp_path / "layer.safetensors")
    folder = run(words, layer=layer, softmax_over="vocabulary", l2=[1e3, 1e4])
    space = load_space(folder / "01.safetensors")
    assert space.words == ("word0", "word2")
    assert space.provenance["softmax_words"] == N_VOCABULARY
    limit = centred(whole.vectors, whole.columns["bias"])[[5, 140]]
    np.testing.assert_allclose(space.vectors * 2e4, limit, atol=0.01)
    assert json.loads((folder / "path.json").read_text())["n_words"] == 2


def test_each_penalty_starts_from_the_next_larger_one(words, monkeypatch) -> None:
    seen = []
    solve = ExactSolver.solve

    def record(self, targets, start=None):
        solution = solve(self, targets, start)
        seen.append((self.l2, targets[0].item(), start, solution.inputs))
        return solution

    monkeypatch.setattr(ExactSolver, "solve", record)
    run(words, batch_size=80)
    assert [(l2, first) for l2, first, _, _ in seen] == list(itertools.product([1.0, 1e-2, 1e-4], [0, 80]))
    assert all(start is None for _, _, start, _ in seen[:2])
    for (*_, before), (*_, start, _) in zip(seen[:-2], seen[2:], strict=True):
        assert np.array_equal(start, before)


def test_mixed_precision_is_certified_as_well(words) -> None:
    listed = json.loads((run(words, precision="mixed") / "path.json").read_text())
    assert max(listed["gap"]) <= 0.0101


def test_a_layer_is_needed_for_the_vocabulary(words) -> None:
    with pytest.raises(LexiscopeError, match="needs the model's layer file"):
        run(words, softmax_over="vocabulary")
    assert not words.with_name("path").exists()


# Kills --------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(words) -> None:
    assert contents(run(words, "first")) == contents(run(words, "second"))


@pytest.mark.parametrize(("n_saves", "removed"), [(1, False), (3, True), (4, False), (8, True), (9, False)])
def test_a_killed_run_ends_in_the_same_bytes(words, monkeypatch, n_saves: int, removed: bool) -> None:
    """Three blocks a λ; a workflow removes the unfinished folder before it tries again."""
    whole = contents(run(words, "whole"))
    save, solve = Checkpoint.save, ExactSolver.solve
    saved, solved = [], []

    def save_then_die(self, name, arrays):
        save(self, name, arrays)
        saved.append(name)
        if len(saved) == n_saves:
            raise KeyboardInterrupt

    def count(self, *arguments):
        solved.append(self.l2)
        return solve(self, *arguments)

    monkeypatch.setattr(Checkpoint, "save", save_then_die)
    monkeypatch.setattr(ExactSolver, "solve", count)
    with pytest.raises(KeyboardInterrupt):
        run(words, "killed")
    folder = words.with_name("killed")
    assert not (folder / "path.json").exists()
    assert len(solved) == n_saves
    if removed:
        shutil.rmtree(folder)
    assert contents(run(words, "killed")) == whole
    assert len(solved) == 9  # no block is solved twice
    assert not words.with_name("killed.checkpoint").exists()


def test_a_kill_between_spaces_too(words, monkeypatch) -> None:
    whole = contents(run(words, "whole"))
    save_space, saved = l2_path.save_space, []

    def save_then_die(space, path):
        save_space(space, path)
        saved.append(path.name)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(l2_path, "save_space", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(words, "killed")
    assert saved == ["02.safetensors", "01.safetensors"]
    assert contents(run(words, "killed")) == whole


@pytest.mark.parametrize("change", [{"l2": [1e-3, 1e-2, 1.0]}, {"tolerance": 0.02}])
def test_the_unfinished_work_of_another_grid_is_not_used(words, monkeypatch, change) -> None:
    expected = contents(run(words, "fresh", **change))
    save = Checkpoint.save

    def save_then_die(self, name, arrays):
        save(self, name, {**arrays, "inputs": np.full((50, DIM), 9, dtype=np.float32)})
        if name.endswith("00000100"):
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Checkpoint, "save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            run(words, "killed")
    assert contents(run(words, "killed", **change)) == expected
