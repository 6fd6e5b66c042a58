"""Activation maximisation against dense re-statements, theory, and kills."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lexiscope.activation_maximisation import as_coded, maximise, paper, softmax
from lexiscope.activation_maximisation.config import ActivationMaximisationConfig
from lexiscope.activation_maximisation.maximise import maximise_activation
from lexiscope.activation_maximisation.softmax import SoftmaxLayer
from lexiscope.checkpoints import Checkpoint
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError

N_WORDS, DIM = 53, 8


def make_config(**settings: object) -> ActivationMaximisationConfig:
    defaults = {"kind": "activation_maximisation", "of": "output", "batch_size": 10}
    return ActivationMaximisationConfig.model_validate(defaults | settings)


def make_layer(dtype: torch.dtype = torch.float64) -> SoftmaxLayer:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(N_WORDS, DIM, generator=generator, dtype=dtype)
    bias = torch.randn(N_WORDS, generator=generator, dtype=dtype)
    return SoftmaxLayer(weight, bias)


def make_start(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(N_WORDS, DIM, generator=generator, dtype=dtype) * 0.1 - 0.05


def keras_dense(
    layer: SoftmaxLayer, start: torch.Tensor, config: ActivationMaximisationConfig, seed: int
) -> torch.Tensor:
    """The released program, stated plainly: autograd on the batch's loss, Adam on the whole table."""
    table = start.clone()
    first, second = torch.zeros_like(table), torch.zeros_like(table)
    step = 0
    for epoch in range(config.epochs):
        order = np.random.default_rng([seed, epoch]).permutation(layer.n_words)
        for begin in range(0, layer.n_words, config.batch_size):
            batch = torch.from_numpy(order[begin : begin + config.batch_size])
            leaf = table.clone().requires_grad_()
            logits = leaf[batch] @ layer.weight.T + layer.bias
            loss = torch.nn.functional.cross_entropy(logits, batch) + config.l2 * leaf.square().sum()
            loss.backward()
            assert leaf.grad is not None
            step += 1
            first = 0.9 * first + 0.1 * leaf.grad
            second = 0.999 * second + 0.001 * leaf.grad**2
            rate = config.learning_rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            table = table - rate * first / (second.sqrt() + 1e-7)
    return table


@pytest.mark.parametrize("l2", [0.0, 1e-5, 1e-2])
@pytest.mark.parametrize("batch_size", [10, 53, 1000])
def test_as_coded_equals_the_dense_program(l2: float, batch_size: int) -> None:
    config = make_config(objective="as_coded", l2=l2, epochs=5, learning_rate=5e-3, batch_size=batch_size)
    layer, training = make_layer(), as_coded.Training.start(make_start())
    for epoch in range(config.epochs):
        as_coded.run_epoch(training, layer, torch.arange(N_WORDS), config, seed=7, epoch=epoch)
    expected = keras_dense(layer, make_start(), config, seed=7)
    torch.testing.assert_close(training.rows.value, expected, rtol=0, atol=1e-10)


def test_paper_equals_autograd_adam_word_by_word() -> None:
    config = make_config(l2=1e-3, epochs=20, learning_rate=1e-2)
    layer, start = make_layer(), make_start()
    words = torch.tensor([5, 40, 11])
    found = paper.maximise_block(layer, start[words], words, config)
    for row, word in enumerate(words.tolist()):
        leaf = start[word].clone().requires_grad_()
        # eps of torch's Adam stands after the bias correction; it is too small to matter here.
        optimizer = torch.optim.Adam([leaf], lr=1e-2, eps=1e-12)
        for _ in range(config.epochs):
            optimizer.zero_grad()
            (
                -(leaf @ layer.weight.T + layer.bias).log_softmax(0)[word] + 1e-3 * leaf.square().sum()
            ).backward()
            optimizer.step()
        torch.testing.assert_close(found[row], leaf.detach(), rtol=1e-4, atol=1e-5)


def test_at_the_optimum_the_vector_is_the_centred_output_row() -> None:
    l2 = 0.05
    config = make_config(l2=l2, epochs=4000, learning_rate=1e-2)
    layer, words = make_layer(), torch.arange(N_WORDS)
    found = paper.maximise_block(layer, make_start(), words, config)
    p = (found @ layer.weight.T + layer.bias).softmax(dim=1)
    torch.testing.assert_close(found, (layer.weight - p @ layer.weight) / (2 * l2), rtol=1e-3, atol=1e-3)


def test_blocks_of_the_softmax_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, start, words = make_layer(), make_start(), torch.arange(N_WORDS)
    whole = layer.cross_entropy(start, words)
    monkeypatch.setitem(softmax.LOGITS_AT_ONCE, "cpu", 7 * N_WORDS)
    blocks = layer.cross_entropy(start, words)
    torch.testing.assert_close(whole.loss, blocks.loss)
    torch.testing.assert_close(whole.gradient, blocks.gradient)


def test_large_logits_stay_finite() -> None:
    layer = SoftmaxLayer(make_layer().weight * 1e3, make_layer().bias)
    found = layer.cross_entropy(make_start() * 100, torch.arange(N_WORDS))
    assert found.loss.isfinite().all()
    assert found.gradient.isfinite().all()


@pytest.fixture
def output_space(tmp_path):
    layer = make_layer(torch.float32)
    words = tuple(f"w{number}" for number in range(N_WORDS))
    columns = {"bias": layer.bias.numpy(), "count": np.arange(N_WORDS)}
    path = tmp_path / "output.safetensors"
    save_space(EmbeddingSpace(words, layer.weight.numpy(), {"kind": "lm_output"}, columns), path)
    return path


def run(output_space, tmp_path, name, **settings):
    output = tmp_path / f"{name}.safetensors"
    maximise_activation(
        output_space=output_space,
        config=make_config(**settings).model_dump(mode="json"),
        output=output,
        checkpoint=tmp_path / f"{name}.checkpoint",
        seed=1,
        threads=1,
        device="cpu",
    )
    return output


@pytest.mark.parametrize("objective", ["paper", "as_coded"])
def test_a_killed_run_ends_in_the_same_bytes(output_space, tmp_path, monkeypatch, objective) -> None:
    settings = {"objective": objective, "epochs": 6, "l2": 1e-3}
    whole = run(output_space, tmp_path, "whole", **settings)
    monkeypatch.setattr("lexiscope.checkpoints.SAVE_INTERVAL_SECONDS", 0.0)
    saves = 0
    save = Checkpoint.save

    def save_then_die(self, name, arrays):
        nonlocal saves
        save(self, name, arrays)
        saves += 1
        if saves == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(output_space, tmp_path, "killed", **settings)
    assert not (tmp_path / "killed.safetensors").exists()
    resumed = run(output_space, tmp_path, "killed", **settings)
    assert resumed.read_bytes() == whole.read_bytes()
    assert saves > 3
    assert not (tmp_path / "killed.checkpoint").exists()


def test_a_checkpoint_of_other_settings_is_not_used(output_space, tmp_path) -> None:
    stale = Checkpoint(tmp_path / "fresh.checkpoint", "other")
    stale.save("block-00000000", {"inputs": np.full((10, DIM), 9.0, dtype=np.float32)})
    fresh = run(output_space, tmp_path, "fresh", epochs=2)
    assert abs(load_space(fresh).vectors).max() < 1


def test_columns_bound_the_distance_to_the_optimum(output_space, tmp_path) -> None:
    short = load_space(run(output_space, tmp_path, "short", l2=0.01, epochs=30, learning_rate=0.05))
    best = load_space(run(output_space, tmp_path, "best", l2=0.01, epochs=5000, learning_rate=0.05))
    gap = short.columns["objective"] - best.columns["objective"]
    assert (gap >= -1e-4).all()
    assert (gap <= short.columns["certificate"] + 1e-4).all()
    assert (best.columns["certificate"] < 0.01 * best.columns["objective"]).all()


def test_without_a_penalty_there_is_no_certificate(output_space, tmp_path) -> None:
    space = load_space(run(output_space, tmp_path, "free", l2=0, epochs=1))
    assert "certificate" not in space.columns


def test_an_output_space_without_bias_is_refused_or_used_without(tmp_path) -> None:
    layer = make_layer(torch.float32)
    words = tuple(f"w{number}" for number in range(N_WORDS))
    path = tmp_path / "bare.safetensors"
    save_space(EmbeddingSpace(words, layer.weight.numpy()), path)
    with pytest.raises(LexiscopeError, match="bias: false"):
        run(path, tmp_path, "a", epochs=1, bias=True)
    assert len(load_space(run(path, tmp_path, "b", epochs=1, bias=False))) == N_WORDS
    assert len(load_space(run(path, tmp_path, "c", epochs=1, bias="auto"))) == N_WORDS


def test_the_gpu_is_refused_clearly_where_there_is_none(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LexiscopeError, match="device: auto"):
        maximise.choose_device("cuda")
    assert maximise.choose_device("auto").type == "cpu"
