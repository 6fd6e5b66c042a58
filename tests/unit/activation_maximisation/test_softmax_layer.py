"""One pass over a softmax layer: sums against plain float64, extremes, rivals, precision, memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from softmax_optimum import as_arrays, hard_layers, make_layer
from torch.utils._python_dispatch import TorchDispatchMode

from lexiscope.activation_maximisation import softmax as softmax_module
from lexiscope.activation_maximisation.l2_path import follow_l2_path
from lexiscope.activation_maximisation.maximise import maximise_activation
from lexiscope.activation_maximisation.softmax import LOGITS_AT_ONCE, SoftmaxLayer
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError

HARD = hard_layers()
N = 6


def in_blocks(monkeypatch, columns: int, n: int = N) -> None:
    """Let a pass for n inputs see so many words at a time."""
    monkeypatch.setitem(softmax_module.LOGITS_AT_ONCE, "cpu", columns * n)


def plain_others(layer: SoftmaxLayer, inputs: torch.Tensor, targets: torch.Tensor):
    """Log mass and mean of all words but the target, in float64, all logits at once."""
    weight, bias = as_arrays(layer)
    logits = inputs.double().numpy() @ weight.T + bias
    drawn = np.flatnonzero(targets.numpy() >= 0)
    logits[drawn, targets.numpy()[drawn]] = -np.inf
    return logsumexp(logits, axis=1), softmax(logits, axis=1) @ weight, logits


def make_inputs(layer: SoftmaxLayer, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(5)
    inputs = torch.from_numpy(scale * rng.normal(size=(N, layer.dim))).to(layer.weight.dtype)
    last = layer.n_words - 1
    return inputs, torch.tensor([0, 1, last // 2, last - 1, last, 0])


# Sums ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 7, 47, 239, 240, 10_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mass_and_mean_of_the_others(monkeypatch, columns: int, dtype: torch.dtype) -> None:
    in_blocks(monkeypatch, columns)
    exactness = 2e-4 if dtype == torch.float32 else 1e-9
    for layer in HARD.values():
        given = SoftmaxLayer(layer.weight.to(dtype), layer.bias.to(dtype))
        inputs, targets = make_inputs(given)
        mass, mean, logits = plain_others(given, inputs, targets)
        found = given.others(inputs, targets)
        # Rounding is relative to the largest logit.
        size = exactness * max(1.0, np.abs(logits[np.isfinite(logits)]).max() / 10)
        np.testing.assert_allclose(found.log_mass, mass, rtol=0, atol=size)
        np.testing.assert_allclose(found.mean, mean, rtol=0, atol=size * np.abs(mean).max())
        assert found.top.shape == (N, 0)


@pytest.mark.parametrize("columns", [1, 3, 10])
@pytest.mark.parametrize(
    "steps",
    {
        "rising": np.arange(12) * 300.0,
        "just below the limit": np.arange(12) * 59.0,
        "falling": np.arange(12) * -300.0,
        "to and fro": np.tile([0.0, 900.0, -900.0, 40.0], 3),
        "huge and level": np.full(12, 3e4),
        "last alone": np.eye(12)[11] * 5e3,
        "low and rising": np.arange(12) * 300.0 - 1e5,
    }.items(),
    ids=lambda item: item[0],
)
def test_logits_that_change_hugely_from_block_to_block(monkeypatch, steps, columns: int) -> None:
    in_blocks(monkeypatch, columns)
    rng = np.random.default_rng(0)
    # Multiples of 1/64 so that float32 has these logits exactly, whatever they are added to.
    bias = np.repeat(steps[1], 10) + np.round(rng.normal(size=120) * 64) / 64
    layer = make_layer(np.round(rng.normal(size=(120, 3)) * 8) / 8, bias)
    inputs = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, -2, 0], [0.5, 0, 1], [0, 0, -1], [1, 1, 1]])
    targets = torch.tensor([0, 119, 60, 110, 5, 111])
    mass, mean, _ = plain_others(layer, inputs, targets)
    found = layer.others(inputs, targets)
    np.testing.assert_allclose(found.log_mass, mass, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-4)


def test_only_one_input_rises(monkeypatch) -> None:
    """Rescaling for one row must leave the sums of the other rows as they are."""
    in_blocks(monkeypatch, 5, n=2)
    weight = np.zeros((40, 2))
    weight[:, 0] = np.arange(40)
    layer = make_layer(weight, np.zeros(40))
    inputs, targets = torch.tensor([[100.0, 0.0], [0.0, 1.0]]), torch.tensor([3, 3])
    found = layer.others(inputs, targets)
    np.testing.assert_allclose(found.log_mass, [3900.0, np.log(39)], rtol=1e-6)
    np.testing.assert_allclose(found.mean[:, 0], [39.0, (780 - 3) / 39], rtol=1e-5)


def test_a_first_block_that_is_nothing_but_the_target(monkeypatch) -> None:
    in_blocks(monkeypatch, 1, n=1)
    layer = make_layer(np.arange(3.0)[:, None], np.array([50.0, -1.0, 2.0]))
    found = layer.others(torch.zeros(1, 1), torch.tensor([0]))
    assert float(found.log_mass) == pytest.approx(np.logaddexp(-1, 2))
    assert float(found.mean) == pytest.approx((1 * np.exp(-1) + 2 * np.exp(2)) / (np.exp(-1) + np.exp(2)))


def test_a_target_of_minus_one_excludes_nothing(monkeypatch) -> None:
    in_blocks(monkeypatch, 7)
    layer = HARD["plain"]
    inputs, _ = make_inputs(layer)
    targets = torch.full((N,), -1)
    mass, mean, _ = plain_others(layer, inputs, targets)
    found = layer.others(inputs, targets)
    np.testing.assert_allclose(found.log_mass, mass, rtol=1e-5)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("missing", [1e-12, 1e-20, 1e-30])
def test_a_target_with_all_but_no_probability_missing(monkeypatch, missing: float) -> None:
    """With p = 1 − 1e-12, 1 − p is nothing in float32 where it is a difference; here it is a sum."""
    in_blocks(monkeypatch, 11)
    bias = HARD["plain"].bias.double().numpy()
    inputs, _ = make_inputs(HARD["plain"], scale=0.1)
    targets = torch.tensor([4, 4, 4, 4, 4, 4])
    mass, _, _ = plain_others(HARD["plain"], inputs, targets)
    bias[4] = mass.mean() - np.log(missing)
    layer = make_layer(HARD["plain"].weight.double().numpy(), bias)
    mass, mean, _ = plain_others(layer, inputs, targets)
    weight, _ = as_arrays(layer)
    own = inputs.double().numpy() @ weight[4] + float(layer.bias[4])
    loss, gradient = layer.cross_entropy(inputs, targets)
    np.testing.assert_allclose(loss, np.log1p(np.exp(mass - own)), rtol=1e-4)
    np.testing.assert_allclose(gradient, np.exp(mass - own)[:, None] * (mean - weight[4]), rtol=1e-3)
    assert (loss > 0).all()


def test_a_target_with_almost_no_probability() -> None:
    layer = HARD["one bias low"]
    loss, gradient = layer.cross_entropy(torch.zeros(1, layer.dim), torch.tensor([7]))
    mass, mean, _ = plain_others(layer, torch.zeros(1, layer.dim), torch.tensor([7]))
    np.testing.assert_allclose(loss, mass - float(layer.bias[7]), rtol=1e-5)
    np.testing.assert_allclose(gradient, mean - layer.weight[7].numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("columns", [7, 1000])
def test_cross_entropy_and_its_gradient_are_those_of_autograd(monkeypatch, columns: int) -> None:
    in_blocks(monkeypatch, columns)
    layer = make_layer(*as_arrays(HARD["zipf"]), dtype=torch.float64)
    inputs, targets = make_inputs(layer)
    leaf = inputs.clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(
        leaf @ layer.weight.T + layer.bias, targets, reduction="none"
    )
    expected.sum().backward()
    loss, gradient = layer.cross_entropy(inputs, targets)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, leaf.grad)


def test_nothing_that_is_given_changes() -> None:
    layer = HARD["plain"]
    inputs, targets = make_inputs(layer)
    given = (inputs, targets, layer.weight, layer.bias)
    before = [tensor.clone() for tensor in given]
    layer.others(inputs, targets, 5)
    layer.cross_entropy(inputs, targets)
    assert all(torch.equal(now, then) for now, then in zip(given, before, strict=True))


# Rivals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 7, 13, 47, 239, 240])
@pytest.mark.parametrize("n_top", [1, 2, 12, 40, 239, 500])
@pytest.mark.parametrize("arrangement", ["mixed", "best last", "best together"])
def test_the_top_rows(monkeypatch, columns: int, n_top: int, arrangement: str) -> None:
    in_blocks(monkeypatch, columns)
    weight, bias = as_arrays(HARD["plain"])
    if arrangement != "mixed":
        bias = np.sort(3 * bias)
        bias = bias if arrangement == "best last" else np.roll(bias, 100)
    layer = make_layer(0.1 * weight, bias)
    inputs, targets = make_inputs(layer)
    _, _, logits = plain_others(layer, inputs, targets)
    found = layer.others(inputs, targets, n_top).top.numpy()
    n_top = min(n_top, 239)
    assert found.shape == (N, n_top)
    # A block gives its share and three more; so many of the very top are there however they lie.
    certain = min(n_top, -(-n_top * columns // 240) + 3)
    for row in range(N):
        got, order = set(found[row].tolist()), np.argsort(-logits[row])
        assert len(got) == n_top
        assert int(targets[row]) not in got
        assert set(order[:certain].tolist()) <= got
        if columns >= 239 or n_top == 239:
            assert got == set(order[:n_top].tolist())
        if arrangement == "mixed":
            assert set(order[: n_top // 2].tolist()) <= got


def test_a_layer_of_two_words_has_one_rival() -> None:
    layer = make_layer(np.eye(2), np.zeros(2))
    assert layer.others(torch.zeros(2, 2), torch.tensor([0, 1]), 12).top.tolist() == [[1], [0]]


# Precision ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [50, 10_000])
def test_reduced_precision_is_near_and_not_the_same(monkeypatch, columns: int) -> None:
    in_blocks(monkeypatch, columns)
    for name in ("plain", "zipf", "clusters"):
        layer = HARD[name]
        inputs, targets = make_inputs(layer)
        exactly = layer.others(inputs, targets, 5)
        about = layer.in_reduced_precision().others(inputs, targets, 5)
        assert about.log_mass.dtype == about.mean.dtype == torch.float32
        np.testing.assert_allclose(about.log_mass, exactly.log_mass, rtol=0, atol=0.05)
        np.testing.assert_allclose(
            about.mean, exactly.mean, rtol=0, atol=0.03 * float(layer.weight.abs().max())
        )
        assert not torch.equal(about.log_mass, exactly.log_mass)
        assert not layer.reduced


def test_a_reduced_layer_still_holds_its_rows_in_full() -> None:
    """The target's own score and the mean's difference from its row are not products to be saved."""
    layer = HARD["plain"]
    inputs, targets = make_inputs(layer)
    reduced = layer.in_reduced_precision()
    assert torch.equal(reduced.scores(inputs, targets), layer.scores(inputs, targets))
    assert reduced.weight is layer.weight


def test_float64_inputs_are_worked_on_in_float64() -> None:
    layer = HARD["large norms"]
    inputs, targets = make_inputs(layer)
    mass, mean, _ = plain_others(layer, inputs, targets)
    found = layer.others(inputs.double(), targets)
    np.testing.assert_allclose(found.log_mass, mass, rtol=1e-12)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-8, atol=1e-10)


# Spaces -------------------------------------------------------------------------------------------


def test_a_layer_of_one_word_is_refused() -> None:
    space = EmbeddingSpace(("only",), np.ones((1, 3), dtype=np.float32))
    with pytest.raises(LexiscopeError, match="fewer than two words"):
        SoftmaxLayer.from_space(space, bias="auto", device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("bias", "has", "expected"),
    [("auto", True, [1, 2]), ("auto", False, [0, 0]), (True, True, [1, 2]), (False, True, [0, 0])],
)
def test_the_bias_takes_part_as_asked(bias, has: bool, expected: list[float]) -> None:
    columns = {"bias": np.array([1.0, 2.0])} if has else {}  # float64, as a file may have it
    space = EmbeddingSpace(("a", "b"), np.eye(2, dtype=np.float32), {}, columns)
    layer = SoftmaxLayer.from_space(space, bias=bias, device=torch.device("cpu"))
    assert layer.bias.tolist() == expected
    assert layer.bias.dtype == torch.float32


# Memory -------------------------------------------------------------------------------------------


class LargestTensor(TorchDispatchMode):
    """Remembers the most entries that any operation gave back."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.numel())
        return result


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "paper", "epochs": 1},
        {"objective": "paper", "epochs": 2, "precision": "mixed"},
        {"objective": "as_coded", "epochs": 1},
        {"objective": "exact", "l2": 0.01},
        {"objective": "exact", "l2": 0.01, "precision": "mixed"},
        {"l2": [0.01, 0.1]},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_there_are_never_more_logits_than_allowed(tmp_path: Path, settings: dict) -> None:
    n_words, batch = 2500, 1000
    assert n_words * batch > LOGITS_AT_ONCE["cpu"]
    rng = np.random.default_rng(0)
    words = tuple(f"w{number}" for number in range(n_words))
    bias = -np.log(np.arange(1.0, n_words + 1)).astype(np.float32)
    weight = rng.normal(size=(n_words, 4)).astype(np.float32)
    save_space(EmbeddingSpace(words, weight, {}, {"bias": bias}), tmp_path / "output.safetensors")
    path = "objective" not in settings
    kind = {} if path else {"kind": "activation_maximisation"}
    with LargestTensor() as seen:
        (follow_l2_path if path else maximise_activation)(
            output_space=tmp_path / "output.safetensors",
            config={**kind, "of": "output", "batch_size": batch, **settings},
            output=tmp_path / "am",
            checkpoint=tmp_path / "checkpoint",
            seed=1,
            threads=1,
            device="cpu",
        )
    assert seen.size <= LOGITS_AT_ONCE["cpu"]
    assert seen.size > LOGITS_AT_ONCE["cpu"] / 2  # they were seen
