"""Groups of models against plain torch, and what their specifications allow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_nnlm import DIM, KINDS, N_WORDS, sentences, settings, spec, table
from torch import nn
from torch.nn import functional

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.config import NNLMConfig, ReverseTransferConfig
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.settings import ModelSpec, Settings, groups_of
from lexiscope.language_models.softmax import SampledSoftmax

T, B = 9, 4


def windows(n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    ids = torch.from_numpy(sentences(5, n * T * B + 1).astype(np.int64))
    inputs, targets = ids[:-1].view(n, T, B), ids[1:].view(n, T, B)
    return list(zip(inputs, targets, strict=True))


class Plain(nn.Module):
    """The same model by torch's modules, with weights copied from a group of one."""

    def __init__(self, model: LanguageModelGroup) -> None:
        super().__init__()
        only = model.specs[0]
        self.table = nn.Parameter(model.input_table()[0].detach().clone(), model.table is not None)
        self.compression = self.projection = self.bias = self.softmax = None
        for name in ("compression", "projection"):
            weight = getattr(model, name)
            if weight is not None:
                layer = nn.Linear(*reversed(weight.shape[1:]), bias=False)
                layer.weight.data.copy_(weight[0])
                setattr(self, name, layer)
        size, n_layers = model.settings.hidden_size, model.settings.num_layers
        self.lstm = nn.LSTM(model.w_ih[0].shape[2], size, n_layers)
        for layer in range(n_layers):
            for ours, theirs in (("w_ih", "weight_ih"), ("w_hh", "weight_hh")):
                getattr(self.lstm, f"{theirs}_l{layer}").data.copy_(getattr(model, ours)[layer][0])
            for name in ("bias_ih", "bias_hh"):
                getattr(self.lstm, f"{name}_l{layer}").data.copy_(getattr(model, name)[layer][0])
        if only.output == "trainable":
            self.softmax = nn.Parameter(model.softmax[0].detach().clone())
        elif only.output == "frozen":
            self.softmax = nn.Parameter(torch.from_numpy(only.table), requires_grad=False)
        if only.output_bias:
            self.bias = nn.Parameter(model.output_bias[0].detach().clone())

    def forward(self, ids: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
        x = functional.embedding(ids, self.table)
        x = x if self.compression is None else self.compression(x)
        x, state = self.lstm(x, state)
        x = x if self.projection is None else self.projection(x)
        weight = self.table if self.softmax is None else self.softmax
        return functional.linear(x, weight, self.bias), state


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_plain_torch(kind: str) -> None:
    model = LanguageModelGroup([spec(kind)], settings(dropout=0), N_WORDS)
    plain = Plain(model)
    hidden, state = model.initial_state(B), None
    for inputs, targets in windows(2):  # the second begins with the state that the first ended with
        outputs, hidden = model(inputs, hidden)
        loss = model.loss(outputs, targets, divide_by=targets.numel())
        model.zero_grad()
        loss.sum().backward()
        logits, state = plain(inputs, state)
        expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        plain.zero_grad()
        expected.backward()
        state = tuple(part.detach() for part in state)
        torch.testing.assert_close(loss[0], expected, rtol=0, atol=1e-6)
    theirs = {
        "table": plain.table,
        "softmax": plain.softmax,
        "output_bias": plain.bias,
        **{name: layer.weight for name in ("compression", "projection") if (layer := getattr(plain, name))},
    }
    for layer in range(2):
        for ours, name in (
            ("w_ih", "weight_ih"),
            ("w_hh", "weight_hh"),
            ("bias_ih",) * 2,
            ("bias_hh",) * 2,
        ):
            theirs[f"{ours}.{layer}"] = getattr(plain.lstm, f"{name}_l{layer}")
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad[0], theirs[name].grad, rtol=1e-5, atol=1e-6)
    trained = {id(value) for value in plain.parameters() if value.requires_grad}
    assert len(trained) == len(list(model.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_where_all_words_are_drawn_the_sampled_softmax_is_the_full_one(kind: str) -> None:
    model = LanguageModelGroup([spec(kind, seed) for seed in (1, 2)], settings(dropout=0), N_WORDS)
    ((inputs, targets),) = windows(1)
    outputs, _ = model(inputs, model.initial_state(B))
    every = SampledSoftmax(np.full(N_WORDS, 10), 50_000, torch.device("cpu"))
    full = model.loss(outputs, targets, divide_by=3.0)
    sampled = model.loss(outputs, targets, divide_by=3.0, sampled=every)
    torch.testing.assert_close(sampled, full)
    torch.testing.assert_close(model.nats(outputs, targets), 3 * full.detach())
    trained = tuple(model.parameters())
    of_full = torch.autograd.grad(full.sum(), trained, retain_graph=True)
    for mine, other in zip(torch.autograd.grad(sampled.sum(), trained), of_full, strict=True):
        torch.testing.assert_close(mine.to_dense(), other)


def test_only_some_positions_may_count() -> None:
    model = LanguageModelGroup([spec("nnlm_tied")], settings(dropout=0), N_WORDS)
    ((inputs, targets),) = windows(1)
    outputs, _ = model(inputs, model.initial_state(B))
    chosen = targets % 2 == 0
    rest = model.loss(outputs, targets, ~chosen)
    assert 0 < float(rest.detach()) < float(model.loss(outputs, targets).detach())
    torch.testing.assert_close(model.loss(outputs, targets, chosen) + rest, model.loss(outputs, targets))


def test_sizes_follow_the_specification() -> None:
    def shapes(kind: str, **changes: object) -> dict[str, tuple[int, ...]]:
        model = LanguageModelGroup([spec(kind, **changes)], settings(), N_WORDS)
        return {name: tuple(value.shape[1:]) for name, value in model.named_parameters()}

    assert shapes("untied")["table"] == (N_WORDS, 8)
    assert shapes("none")["table"] == (N_WORDS, 5)
    assert "table" not in shapes("nnlm_in")
    assert shapes("nnlm_in")["softmax"] == (N_WORDS, 8)
    assert shapes("nnlm_in")["output_bias"] == (N_WORDS,)
    assert shapes("nnlm_out")["projection"] == shapes("nnlm_tied")["projection"] == (DIM, 8)
    assert "output_bias" not in shapes("nnlm_out")
    assert "projection" not in shapes("tied")
    assert shapes("tied", compression=5)["projection"] == (5, 8)
    assert shapes("compressed")["compression"] == (5, DIM)
    assert shapes("compressed")["w_ih.0"] == (32, 5)
    assert shapes("fine_tuned")["table"] == (N_WORDS, DIM)


def test_initial_weights_are_uniform_and_each_models_own() -> None:
    pair = LanguageModelGroup([spec("untied", 1), spec("untied", 2)], settings(init_range=0.07), N_WORDS)
    alone = LanguageModelGroup([spec("untied", 2)], settings(init_range=0.07), N_WORDS)
    for name, values in pair.named_parameters():
        assert 0.05 < float(values.detach().abs().max()) <= 0.07
        assert torch.equal(values[1], alone.state_dict()[name][0])
        assert not torch.equal(values[0], values[1])


def test_dropout_keeps_the_mean_and_is_each_models_own() -> None:
    pair = LanguageModelGroup([spec("nnlm_in", 1), spec("nnlm_in", 2)], settings(dropout=0.3), N_WORDS)
    alone = LanguageModelGroup([spec("nnlm_in", 2)], settings(dropout=0.3), N_WORDS)
    ones = torch.ones(2, 50, 40, 10)
    dropped = pair._drop(ones)
    assert torch.equal(dropped[1], alone._drop(ones[:1])[0])
    assert not torch.equal(dropped[0], dropped[1])
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(pair._drop(ones), dropped)
    assert pair.eval()._drop(ones) is ones


def test_specifications_that_make_no_sense_are_refused() -> None:
    with pytest.raises(LexiscopeError, match="needs a table"):
        ModelSpec("a", "frozen", "trainable")
    with pytest.raises(LexiscopeError, match="a table that nothing uses"):
        ModelSpec("a", "trainable", "tied", table(1))
    with pytest.raises(LexiscopeError, match="no float32 matrix"):
        ModelSpec("a", "frozen", "tied", table(1).astype(np.float64))
    with pytest.raises(LexiscopeError, match="different shapes"):
        LanguageModelGroup([spec("nnlm_in"), spec("nnlm_tied")], settings(), N_WORDS)
    with pytest.raises(LexiscopeError, match="has 23 rows, the vocabulary 24 words"):
        LanguageModelGroup([spec("nnlm_in")], settings(), 24)


def test_groups_have_models_of_one_shape_in_their_order() -> None:
    wide = ModelSpec("wide", "frozen", "trainable", table(1, dim=9))
    specs = [spec("nnlm_in", 1), wide, spec("nnlm_in", 2), spec("nnlm_tied", 1), spec("nnlm_in", 3)]
    names = [[model.name for model in group] for group in groups_of(specs, 2)]
    assert names == [["nnlm_in_1", "nnlm_in_2"], ["nnlm_in_3"], ["wide"], ["nnlm_tied_1"]]
    with pytest.raises(LexiscopeError, match="'wide'"):
        groups_of([wide, wide], 2)


def test_learning_rates_epoch_by_epoch() -> None:
    def rates(schedule: str) -> list[float]:
        chosen = settings(schedule=schedule, learning_rate=2.0)
        return [chosen.learning_rate_of(epoch) for epoch in range(1, 11)]

    assert rates("constant") == [2.0] * 10
    assert rates("paper") == pytest.approx([2.0] * 6 + [2 / 1.2, 2 / 1.2**2, 2 / 1.2**3, 2 / 1.2**4])
    assert rates("as_coded") == pytest.approx([2.0] * 7 + [1.6, 1.28, 1.024])


def test_settings_are_those_of_the_experiment() -> None:
    nnlm = Settings.of(NNLMConfig(corpus="ptb", schedule="as_coded"))
    assert (nnlm.optimizer, nnlm.schedule, nnlm.hidden_size, nnlm.epochs) == ("sgd", "as_coded", 650, 39)
    assert (nnlm.learning_rate, nnlm.dropout, nnlm.num_layers, nnlm.clip_norm) == (1.0, 0.5, 2, 5.0)
    transfer = Settings.of(ReverseTransferConfig(corpus="ptb"))
    assert (transfer.optimizer, transfer.schedule, transfer.hidden_size) == ("adam", "constant", 128)
