from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_model import TINY

from lexiscope.errors import LexiscopeError
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.perplexity import perplexity

WORDS = ("<unk>", "</s>", *(f"word{i}" for i in range(35)))


def make_model(**change: int) -> CharCNNLSTM:
    torch.manual_seed(0)
    return CharCNNLSTM(CharCNNLSTMConfig.model_validate({**TINY, **change}), WORDS)


def text(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(len(WORDS), size=n).astype(np.uint16)


def test_uniform_model_has_the_vocabulary_size_as_perplexity() -> None:
    model = make_model()
    torch.nn.init.zeros_(model.softmax_weight)
    assert perplexity(model, text(203)) == pytest.approx(len(WORDS), rel=1e-6)


def test_unigram_model_has_the_unigram_perplexity() -> None:
    tokens = text(500)
    frequency = np.bincount(tokens, minlength=len(WORDS)) / len(tokens)
    model = make_model()
    torch.nn.init.zeros_(model.softmax_weight)
    with torch.no_grad():
        model.softmax_bias.copy_(torch.from_numpy(np.log(frequency)))
    expected = math.exp(-np.log(frequency[tokens]).mean())
    assert perplexity(model, tokens) == pytest.approx(expected, rel=1e-5)


def test_one_stream_is_the_product_of_the_probabilities_word_by_word() -> None:
    model = make_model(batch_size=1).eval()
    tokens = text(40)
    state, word, total = model.initial_state(1), 1, 0.0
    with torch.no_grad():
        for wanted in tokens.tolist():
            output, state = model(torch.tensor([[word]]), state)
            logits = output[0, 0] @ model.softmax_weight.T + model.softmax_bias
            total -= logits.log_softmax(0)[wanted].item()
            word = wanted
    assert perplexity(model, tokens) == pytest.approx(math.exp(total / 40), rel=1e-5)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 33, 100])
def test_every_length_is_counted_whole(n: int) -> None:
    """With a softmax that ignores its input, the mean does not depend on how the text is cut."""
    model = make_model()
    torch.nn.init.zeros_(model.softmax_weight)
    torch.nn.init.normal_(model.softmax_bias)
    tokens = text(n)
    expected = math.exp(-model.softmax_bias.log_softmax(0)[tokens.astype(int)].mean().item())
    assert perplexity(model, tokens) == pytest.approx(expected, rel=1e-5)


def test_dropout_is_off_and_the_mode_is_left_alone() -> None:
    model = make_model().train()
    assert perplexity(model, text(50)) == perplexity(model, text(50))
    assert model.training


def test_an_empty_text_is_an_error() -> None:
    with pytest.raises(LexiscopeError, match="empty text"):
        perplexity(make_model(), np.empty(0, dtype=np.uint16))


def test_a_broken_model_is_an_error() -> None:
    model = make_model()
    torch.nn.init.constant_(model.softmax_bias, math.nan)
    with pytest.raises(LexiscopeError, match="no perplexity"):
        perplexity(model, text(50))
