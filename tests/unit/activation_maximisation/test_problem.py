"""What is maximised: words against the softmax of their lexicon or of the whole vocabulary."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_softmax import DIM, N_VOCABULARY, some_words, whole_layer, write
from softmax_optimum import optimum, value_and_gradient

from lexiscope.activation_maximisation import problem as problem_module
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.problem import Problem
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError

ROWS = [7, 3, 299, 0, 64]
CPU = torch.device("cpu")


def read(output_space: Path, layer: Path | None = None, **settings: object) -> Problem:
    defaults = {"kind": "activation_maximisation", "of": "output"}
    config = ActivationMaximisationConfig.model_validate(defaults | settings)
    return Problem.read(output_space, layer, config, CPU)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return write(whole_layer(), tmp_path / "layer.safetensors")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return write(some_words(whole_layer(), ROWS), tmp_path / "output.safetensors")


def plain_objective(layer: EmbeddingSpace, rows: list[int], inputs: np.ndarray, l2: float) -> np.ndarray:
    logits = inputs @ layer.vectors.T.astype(float) + layer.columns["bias"]
    own = logits[np.arange(len(rows)), rows]
    return np.log(np.exp(logits).sum(axis=1)) - own + l2 * (inputs**2).sum(axis=1)


def make_inputs(n: int = len(ROWS)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(n, DIM)).astype(np.float32))


# Reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_layer", [False, True])
def test_over_the_lexicon_only_its_own_words_compete(layer, words, with_layer: bool) -> None:
    problem = read(words, layer if with_layer else None)
    assert problem.layer.n_words == len(problem) == 5
    assert problem.targets.tolist() == [0, 1, 2, 3, 4]
    found = problem.judge(make_inputs(), 0.1)["objective"]
    expected = plain_objective(load_space(words), list(range(5)), make_inputs().numpy(), 0.1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_over_the_vocabulary_all_its_words_compete_and_targets_are_their_rows(layer, words) -> None:
    problem = read(words, layer, softmax_over="vocabulary")
    assert problem.layer.n_words == N_VOCABULARY
    assert problem.targets.tolist() == ROWS
    assert problem.space.words == load_space(words).words
    found = problem.judge(make_inputs(), 0.1)["objective"]
    expected = plain_objective(load_space(layer), ROWS, make_inputs().numpy(), 0.1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_over_the_vocabulary_the_bias_is_the_layers(layer, words, tmp_path) -> None:
    bare = load_space(words)
    bare = replace(bare, columns={"row": bare.columns["row"]})
    problem = read(write(bare, tmp_path / "bare.safetensors"), layer, softmax_over="vocabulary", bias=True)
    assert torch.equal(problem.layer.bias, torch.from_numpy(load_space(layer).columns["bias"]))
    without = read(words, layer, softmax_over="vocabulary", bias=False)
    assert not without.layer.bias.any()


def test_words_of_several_rows_are_left_out_and_told(layer, tmp_path, caplog) -> None:
    mixed = write(some_words(whole_layer(), [7, -1, 299, -1, 0]), tmp_path / "mixed.safetensors")
    with caplog.at_level(logging.WARNING, "lexiscope"):
        problem = read(mixed, layer, softmax_over="vocabulary")
    assert "2 words have no softmax unit of their own" in caplog.text
    assert problem.space.words == ("word0", "word2", "word4")
    assert problem.targets.tolist() == [7, 299, 0]
    assert problem.space.columns["count"].tolist() == [0, 2, 4]
    caplog.clear()
    with caplog.at_level(logging.WARNING, "lexiscope"):
        assert len(read(mixed, layer)) == 5  # over the lexicon each is a unit
    assert not caplog.text


def test_if_no_word_is_a_row_of_its_own_it_is_refused(layer, tmp_path) -> None:
    none = write(some_words(whole_layer(), [-1, -1]), tmp_path / "none.safetensors")
    with pytest.raises(LexiscopeError, match="no word has a softmax unit"):
        read(none, layer, softmax_over="vocabulary")


def test_a_missing_layer_is_refused(words, tmp_path) -> None:
    with pytest.raises(LexiscopeError, match="needs the model's layer file"):
        read(words, softmax_over="vocabulary")
    with pytest.raises(LexiscopeError, match="no such file"):
        read(words, tmp_path / "absent.safetensors", softmax_over="vocabulary")


def test_an_output_space_that_does_not_tell_its_rows_is_refused(layer, words, tmp_path) -> None:
    space = load_space(words)
    bare = write(replace(space, columns={"bias": space.columns["bias"]}), tmp_path / "bare.safetensors")
    with pytest.raises(LexiscopeError, match="does not say which rows"):
        read(bare, layer, softmax_over="vocabulary")


def too_short(whole: EmbeddingSpace) -> EmbeddingSpace:
    return whole.restricted_to(whole.words[:299])


def of_another_dimension(whole: EmbeddingSpace) -> EmbeddingSpace:
    return replace(whole, vectors=np.ascontiguousarray(whole.vectors[:, :-1]))


def of_another_model(whole: EmbeddingSpace) -> EmbeddingSpace:
    return whole_layer(seed=1)


def in_another_order(whole: EmbeddingSpace) -> EmbeddingSpace:
    return whole.restricted_to(whole.words[1::-1] + whole.words[2:])


@pytest.mark.parametrize("change", [too_short, of_another_dimension, of_another_model, in_another_order])
@pytest.mark.parametrize("at_once", [2, 1000])
def test_a_layer_that_the_words_do_not_come_from_is_refused(
    words, tmp_path, monkeypatch, change, at_once: int
) -> None:
    monkeypatch.setattr(problem_module, "COMPARED_AT_ONCE", at_once)
    other = write(change(whole_layer()), tmp_path / "other.safetensors")
    with pytest.raises(LexiscopeError, match=r"does not come from the layer other\.safetensors") as caught:
        read(words, other, softmax_over="vocabulary")
    assert str(words) in str(caught.value)


def test_the_digest_is_of_all_that_matters(layer, words, tmp_path) -> None:
    over_all = read(words, layer, softmax_over="vocabulary").sha256
    assert over_all == read(words, layer, softmax_over="vocabulary").sha256
    other = whole_layer()
    other.columns["bias"][0] += 1
    changed = write(other, tmp_path / "changed.safetensors")
    assert over_all != read(words, changed, softmax_over="vocabulary").sha256
    assert read(words, layer).sha256 == read(words, changed).sha256 == read(words).sha256 != over_all


# Judging ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 2, 1024])
def test_objective_and_certificate_are_those_of_float64(layer, words, monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(problem_module, "JUDGED_AT_ONCE", at_once)
    problem = read(words, layer, softmax_over="vocabulary")
    columns = problem.judge(make_inputs(), 0.03)
    value, gradient = value_and_gradient(
        problem.layer, np.array(ROWS), make_inputs().double().numpy(), 0.03
    )
    assert list(columns) == ["objective", "certificate"]
    np.testing.assert_allclose(columns["objective"], value, rtol=1e-5)
    np.testing.assert_allclose(columns["certificate"], (gradient**2).sum(axis=1) / 0.12, rtol=1e-4)
    assert {column.dtype for column in columns.values()} == {np.dtype(np.float32)}


def test_the_certificate_bounds_the_distance_to_the_optimum(layer, words) -> None:
    problem = read(words, layer, softmax_over="vocabulary")
    _, best = optimum(problem.layer, np.array(ROWS), 0.03)
    for scale in (0.0, 0.1, 1.0, 10.0):
        columns = problem.judge(scale * make_inputs(), 0.03)
        above = columns["objective"] - best
        assert (above <= columns["certificate"] * (1 + 1e-5)).all()
        assert (above > 0).all()


def test_what_is_not_convex_has_no_certificate(layer, words) -> None:
    problem = read(words, layer, softmax_over="vocabulary")
    assert list(problem.judge(make_inputs(), 0.0)) == ["objective"]
    probability = problem.judge(make_inputs(), 0.1, probability=True)
    assert list(probability) == ["objective"]
    loss = plain_objective(load_space(layer), ROWS, make_inputs().numpy(), 0.0)
    penalty = 0.1 * make_inputs().square().sum(dim=1).numpy()
    np.testing.assert_allclose(probability["objective"], penalty - np.exp(-loss), rtol=1e-4)


def test_the_check_in_float64_tells_a_right_objective_from_a_wrong_one(layer, words) -> None:
    problem, l2 = read(words, layer, softmax_over="vocabulary"), 0.03
    columns = problem.judge(make_inputs(), l2)
    right = problem.float64_check(make_inputs(), columns, l2)
    assert right["words"] == 5
    assert right["objective_off"] < 1e-5
    gap = (columns["certificate"] / columns["objective"]).max()
    assert right["largest_gap"] == pytest.approx(gap, rel=1e-4)
    wrong = dict(columns, objective=columns["objective"] * np.float32([1, 1, 1.1, 1, 1]))
    assert problem.float64_check(make_inputs(), wrong, l2)["objective_off"] == pytest.approx(0.1, rel=1e-3)
    moved = make_inputs()
    moved[4] += 1
    assert problem.float64_check(moved, columns, l2)["objective_off"] > 0.01
    assert problem.float64_check(make_inputs(), columns, 2 * l2)["objective_off"] > 0.01


def test_the_check_looks_at_words_from_first_to_last(layer, tmp_path) -> None:
    many = write(some_words(whole_layer(), list(range(N_VOCABULARY))), tmp_path / "many.safetensors")
    problem = read(many, layer)
    inputs = make_inputs(N_VOCABULARY)
    columns = problem.judge(inputs, 0.1)
    assert problem.float64_check(inputs, columns, 0.1)["words"] == 64
    for row in (0, N_VOCABULARY - 1):
        wrong = columns["objective"].copy()
        wrong[row] *= 2
        off = problem.float64_check(inputs, dict(columns, objective=wrong), 0.1)["objective_off"]
        assert off == pytest.approx(1, rel=1e-3)
