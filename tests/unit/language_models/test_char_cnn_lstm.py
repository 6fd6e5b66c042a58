from __future__ import annotations

import pytest
import torch
from tiny_model import TINY
from torch import Tensor, nn

from lexiscope.language_models.char_cnn_lstm import CharCNN, CharCNNLSTM
from lexiscope.language_models.characters import encode_words
from lexiscope.language_models.config import CharCNNLSTMConfig

WORDS = ("<unk>", "</s>", "a", "bee", "cathedral", "internationally", "überaus-lange-Wörter-hier")


@pytest.fixture
def model(tiny_config: CharCNNLSTMConfig) -> CharCNNLSTM:
    torch.manual_seed(0)
    return CharCNNLSTM(tiny_config, WORDS).eval()


def plain_character_cnn(cnn: CharCNN, spelling: Tensor) -> Tensor:
    """One word, by torch's own convolution over the whole padded word."""
    embedded = cnn.characters(spelling.long()).T[None]  # (1, c, l)
    c = embedded.shape[1]
    pooled = []
    for width, layer in zip(cnn.widths, cnn.convolutions, strict=True):
        assert isinstance(layer, nn.Linear)
        kernel = layer.weight.reshape(-1, width, c).transpose(1, 2)  # (filters, c, width)
        pooled.append(torch.relu(nn.functional.conv1d(embedded, kernel, layer.bias)).amax(2)[0])
    features = torch.cat(pooled)
    for highway in cnn.highways:
        gate, transformed = highway(features).chunk(2)
        gate = gate.sigmoid()
        features = gate * transformed.relu() + (1 - gate) * features
    result: Tensor = cnn.projection(features)
    return result


def test_character_cnn_is_a_convolution_over_the_padded_word(model: CharCNNLSTM) -> None:
    table = model.input_table()
    for word, spelling in enumerate(model.spellings):
        expected = plain_character_cnn(model.char_cnn, spelling)
        torch.testing.assert_close(table[word], expected, atol=1e-6, rtol=1e-5)


def test_embedding_does_not_depend_on_the_other_words(model: CharCNNLSTM) -> None:
    together = model.input_embeddings(WORDS)
    for word, vector in zip(WORDS, together, strict=True):
        torch.testing.assert_close(model.input_embeddings([word])[0], vector, atol=1e-6, rtol=1e-5)


def test_words_longer_than_the_limit_have_the_embedding_of_what_is_read(model: CharCNNLSTM) -> None:
    long, cut = model.input_embeddings(["a" * 90, "a" * 14])
    torch.testing.assert_close(long, cut)


def test_words_outside_the_vocabulary_are_embedded(model: CharCNNLSTM) -> None:
    assert model.input_embeddings(["beehive", "日本"]).shape == (2, 8)
    assert model.input_embeddings([]).shape == (0, 8)


def test_character_cnn_gradient_by_finite_differences(tiny_config: CharCNNLSTMConfig) -> None:
    torch.manual_seed(1)
    cnn = CharCNN(tiny_config).double()
    spellings = encode_words(["a", "bee", "cathedral"], 16)
    parameters = dict(cnn.named_parameters())

    def output(*values: Tensor) -> Tensor:
        named = dict(zip(parameters, values, strict=True))
        result: Tensor = torch.func.functional_call(cnn, named, (spellings,))
        return result

    assert torch.autograd.gradcheck(output, tuple(parameters.values()), fast_mode=True)


@pytest.mark.parametrize(("hidden_size", "num_layers"), [(16, 1), (16, 2), (8, 2)])
def test_lstm_equations(hidden_size: int, num_layers: int) -> None:
    """LSTM with recurrent projection (Sak et al. 2014), one step at a time."""
    torch.manual_seed(2)
    config = CharCNNLSTMConfig.model_validate(
        {**TINY, "hidden_size": hidden_size, "num_layers": num_layers, "dropout": 0.0}
    )
    model = CharCNNLSTM(config, WORDS).eval()
    words = torch.tensor([[2, 3], [4, 5], [1, 6]])
    outputs, (last_h, last_c) = model(words, model.initial_state(2))
    h = [torch.zeros(2, 8) for _ in range(num_layers)]
    c = [torch.zeros(2, hidden_size) for _ in range(num_layers)]
    for step, word in enumerate(words):
        x = model.input_table()[word]
        for layer in range(num_layers):
            weights = {
                name: getattr(model.lstm, f"{name}_l{layer}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            gates = x @ weights["weight_ih"].T + weights["bias_ih"]
            gates = gates + h[layer] @ weights["weight_hh"].T + weights["bias_hh"]
            i, f, g, o = gates.chunk(4, dim=1)
            c[layer] = f.sigmoid() * c[layer] + i.sigmoid() * g.tanh()
            h[layer] = o.sigmoid() * c[layer].tanh()
            if hidden_size > 8:
                h[layer] = h[layer] @ getattr(model.lstm, f"weight_hr_l{layer}").T
            x = h[layer]
        torch.testing.assert_close(outputs[step], x, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(last_h, torch.stack(h), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(last_c, torch.stack(c), atol=1e-6, rtol=1e-4)


def test_the_table_stands_for_the_character_cnn(model: CharCNNLSTM) -> None:
    words = torch.tensor([[2, 2, 3], [4, 6, 2]])
    state = model.initial_state(3)
    through_cnn, _ = model(words, state)
    through_table, _ = model(words, state, model.input_table())
    torch.testing.assert_close(through_cnn, through_table, atol=1e-6, rtol=1e-5)


def test_the_forget_gate_starts_open_and_the_softmax_is_not_tied(model: CharCNNLSTM) -> None:
    assert model.lstm.bias_ih_l0[16:32].eq(1).all()
    weight, bias = model.output_layer()
    assert weight.shape == (len(WORDS), 8)
    assert not bias.any()
    assert not torch.equal(weight, model.input_table())
