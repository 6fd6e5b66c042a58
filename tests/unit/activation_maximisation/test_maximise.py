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
    layer: SoftmaxLayer,
    start: torch.Tensor,
    config: ActivationMaximisationConfig,
    seed: int,
    *,
    epsilon_is_hat: bool = True,
) -> torch.Tensor:
    """The released program, stated plainly: autograd on the batch's loss, Adam on the whole table.

    Keras adds ε to √v (then it is ε̂); with ``epsilon_is_hat=False`` it is added to √v̂ instead.
    """
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
            epsilon = 1e-7 * (1.0 if epsilon_is_hat else math.sqrt(1 - 0.999**step))
            table = table - rate * first / (second.sqrt() + epsilon)
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


def test_as_coded_in_float32_equals_the_dense_program_in_float64(output_space_of_1000_words) -> None:
    """The whole stage, V = 1,000: within 1e-5 after five epochs."""
    path = output_space_of_1000_words
    settings = {"objective": "as_coded", "l2": 1e-5, "epochs": 5, "batch_size": 64}
    found = load_space(run(path, path.parent, "as_coded", **settings))
    space = load_space(path)
    layer = SoftmaxLayer(
        torch.from_numpy(space.vectors).double(), torch.from_numpy(space.columns["bias"]).double()
    )
    config = make_config(**settings)
    # The start that the stage draws, stated once more: uniform within ±0.05.
    start = np.random.default_rng(1).random(space.vectors.shape, dtype=np.float32) * 0.1 - 0.05
    expected = keras_dense(layer, torch.from_numpy(start.astype(np.float32)).double(), config, seed=1)
    assert np.abs(found.vectors - start).max() > 0.01
    np.testing.assert_allclose(found.vectors, expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("epsilon_is_hat", [True, False])
def test_the_epsilon_of_adam_stands_where_keras_has_it(epsilon_is_hat: bool) -> None:
    """Before the bias correction of √v: a row outside the batch has a gradient of the size of ε."""
    config = make_config(objective="as_coded", l2=1e-6, epochs=1, learning_rate=5e-3)
    layer, training = make_layer(), as_coded.Training.start(make_start())
    as_coded.run_epoch(training, layer, torch.arange(N_WORDS), config, seed=7, epoch=0)
    expected = keras_dense(layer, make_start(), config, seed=7, epsilon_is_hat=epsilon_is_hat)
    off = float((training.rows.value - expected).abs().max())
    assert off < 1e-10 if epsilon_is_hat else off > 1e-4


def log_probability(logits: torch.Tensor, word: int) -> torch.Tensor:
    return logits.log_softmax(0)[word]


def probability(logits: torch.Tensor, word: int) -> torch.Tensor:
    """Eq. 3.2 as it is printed."""
    return logits.softmax(0)[word]


@pytest.mark.parametrize("form", [log_probability, probability])
def test_paper_equals_adam_on_autograd_word_by_word(form) -> None:
    config = make_config(form=form.__name__, l2=1e-3, epochs=20, learning_rate=1e-2)
    layer, start = make_layer(), make_start()
    words = torch.tensor([5, 40, 11])
    found = paper.maximise_block(layer, start[words], words, config)
    for row, word in enumerate(words.tolist()):
        x, first, second = start[word], torch.zeros(DIM), torch.zeros(DIM)
        for step in range(1, config.epochs + 1):
            leaf = x.clone().requires_grad_()
            maximised = form(layer.weight @ leaf + layer.bias, word) - 1e-3 * leaf.square().sum()
            (gradient,) = torch.autograd.grad(-maximised, leaf)
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            rate = 1e-2 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            x = x - rate * first / (second.sqrt() + 1e-7)
        assert (x - start[word]).abs().max() > 0.1
        torch.testing.assert_close(found[row], x, rtol=0, atol=1e-10)


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


def write_space(layer: SoftmaxLayer, path):
    words = tuple(f"w{number}" for number in range(layer.n_words))
    columns = {"bias": layer.bias.numpy(), "count": np.arange(layer.n_words)}
    provenance = {"kind": "lm_output", "language_model": "mine"}
    save_space(EmbeddingSpace(words, layer.weight.numpy(), provenance, columns), path)
    return path


@pytest.fixture
def output_space_of_1000_words(tmp_path):
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(1000, 24, generator=generator)
    bias = torch.randn(1000, generator=generator) - torch.arange(1.0, 1001.0).log()
    return write_space(SoftmaxLayer(weight, bias), tmp_path / "output.safetensors")


@pytest.fixture
def output_space(tmp_path):
    return write_space(make_layer(torch.float32), tmp_path / "output.safetensors")


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


@pytest.mark.parametrize("objective", ["paper", "as_coded", "exact"])
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
    settings = {"l2": 0.01, "learning_rate": 0.05, "batch_size": N_WORDS}
    short = load_space(run(output_space, tmp_path, "short", epochs=30, **settings))
    best = load_space(run(output_space, tmp_path, "best", epochs=3000, **settings))
    gap = short.columns["objective"] - best.columns["objective"]
    assert (gap >= -1e-4).all()
    assert (gap <= short.columns["certificate"] + 1e-4).all()
    assert (best.columns["certificate"] < 0.01 * best.columns["objective"]).all()


def test_exact_is_proved_and_tells_how_it_came_about(output_space, tmp_path) -> None:
    found = load_space(run(output_space, tmp_path, "exact", objective="exact", l2=0.01))
    source = load_space(output_space)
    assert found.words == source.words
    assert set(found.columns) == {"objective", "certificate", "count"}
    assert np.array_equal(found.columns["count"], source.columns["count"])
    assert (found.columns["certificate"] <= 0.0101 * found.columns["objective"]).all()
    told = found.provenance
    assert told["kind"] == "activation_maximisation"
    assert told["language_model"] == "mine"  # what was known of the output space stays
    settings = make_config(objective="exact", l2=0.01)
    assert told["config"] == settings.model_dump(mode="json", exclude={"seeds"})
    assert told["softmax_words"] == N_WORDS
    assert len(told["softmax_sha256"]) == 64
    assert (told["seed"], told["threads"], told["device"]) == (1, 1, "cpu")
    assert 1 <= told["passes"] < 20
    assert told["float64_check"]["words"] == N_WORDS
    assert told["float64_check"]["objective_off"] < 1e-5
    assert told["float64_check"]["largest_gap"] <= 0.0101
    assert str(tmp_path) not in str(told)


def test_exact_is_where_the_papers_adam_goes_in_the_end(output_space, tmp_path) -> None:
    exact = load_space(run(output_space, tmp_path, "exact", objective="exact", l2=0.01, tolerance=1e-4))
    settings = {"l2": 0.01, "learning_rate": 0.05, "batch_size": N_WORDS, "epochs": 3000}
    adam = load_space(run(output_space, tmp_path, "adam", **settings))
    np.testing.assert_allclose(adam.columns["objective"], exact.columns["objective"], rtol=1e-3)
    away = np.linalg.norm(adam.vectors - exact.vectors, axis=1)
    assert (away < 0.03 * np.linalg.norm(adam.vectors, axis=1)).all()


def test_words_without_a_proof_are_counted_aloud(output_space, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr("lexiscope.activation_maximisation.exact.MAX_ROUNDS", 1)
    with caplog.at_level("WARNING", "lexiscope"):
        found = load_space(run(output_space, tmp_path, "short", objective="exact", l2=1e-5))
    n_open = int((found.columns["certificate"] > 0.01 * found.columns["objective"]).sum())
    assert n_open > 0
    assert f"{n_open} words could not be proved" in caplog.text


def test_the_probability_form_has_no_certificate(output_space, tmp_path) -> None:
    settings = {"form": "probability", "l2": 1e-3, "epochs": 300, "learning_rate": 0.05}
    found = load_space(run(output_space, tmp_path, "probability", **settings))
    assert set(found.columns) == {"objective", "count"}
    layer = make_layer(torch.float32)
    logits = found.vectors @ layer.weight.numpy().T + layer.bias.numpy()
    p = np.exp(np.diag(logits) - np.logaddexp.reduce(logits, axis=1))
    expected = 1e-3 * (found.vectors**2).sum(axis=1) - p
    np.testing.assert_allclose(found.columns["objective"], expected, rtol=1e-4, atol=1e-6)
    assert np.median(p) > 0.5


@pytest.mark.parametrize("objective", ["paper", "as_coded"])
def test_mixed_precision_ends_near_float32(output_space, tmp_path, monkeypatch, objective) -> None:
    settings = {"objective": objective, "l2": 0.01, "epochs": 150, "learning_rate": 0.02, "batch_size": 53}
    plain = load_space(run(output_space, tmp_path, "plain", **settings))
    mixed = load_space(run(output_space, tmp_path, "mixed", precision="mixed", **settings))
    monkeypatch.setattr(paper, "REDUCED_SHARE", 1.0)
    reduced = load_space(run(output_space, tmp_path, "reduced", precision="mixed", **settings))
    off, all_reduced_off = (np.abs(space.vectors - plain.vectors).mean() for space in (mixed, reduced))
    assert 0 < off < all_reduced_off
    assert off < 0.01 * np.abs(plain.vectors).mean()
    np.testing.assert_allclose(mixed.columns["objective"], plain.columns["objective"], rtol=1e-3)


def test_mixed_precision_of_exact_is_proved_all_the_same(output_space_of_1000_words, tmp_path) -> None:
    settings = {"objective": "exact", "l2": 1e-3, "batch_size": 1000}
    plain, mixed = (
        load_space(run(output_space_of_1000_words, tmp_path, precision, precision=precision, **settings))
        for precision in ("float32", "mixed")
    )
    assert plain.vectors.tobytes() != mixed.vectors.tobytes()
    assert (mixed.columns["certificate"] <= 0.0101 * mixed.columns["objective"]).all()
    np.testing.assert_allclose(mixed.columns["objective"], plain.columns["objective"], rtol=0.0101)


@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_the_last_tenth_of_the_epochs_is_in_float32(epochs: int) -> None:
    layer = make_layer(torch.float32)
    layers = paper.layers_by_epoch(layer, make_config(precision="mixed", epochs=epochs))
    assert [used.reduced for used in layers] == [True] * (epochs * 9 // 10) + [False] * -(-epochs // 10)
    assert not any(used.reduced for used in paper.layers_by_epoch(layer, make_config(epochs=epochs)))


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
