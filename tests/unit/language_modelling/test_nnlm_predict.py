"""What models say of a text, against their own training code and plain sums."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from tiny_nnlm import KINDS, N_WORDS, settings, spec, tiny_text

from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling import predict as module
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.predict import (
    Reader,
    perplexities,
    predict,
    ranks_of,
    token_log_probabilities,
)

IDS = tiny_text().splits["test"]


def group(kind: str = "nnlm_in", n: int = 2) -> LanguageModelGroup:
    return LanguageModelGroup(
        [spec(kind, 1 + k) for k in range(n)], settings(init_range=0.8), N_WORDS
    ).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_read_as_one_stream_is_what_the_training_code_sees(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNROLL", 50)  # several windows, the last one shorter
    model = group(kind)
    found = token_log_probabilities(model, IDS)
    assert found.shape == (2, len(IDS))
    ids = torch.from_numpy(IDS.astype(np.int64))
    inputs = torch.cat([torch.tensor([EOS_ID]), ids[:-1]])
    outputs, _ = model(inputs[:, None], model.initial_state(1))
    expected = model.loss(outputs, ids[:, None]).detach()
    np.testing.assert_allclose(-found.sum(axis=1), expected, rtol=1e-5)


@pytest.mark.parametrize("n_streams", [1, 4, 7, 500])
def test_perplexity_counts_each_token_exactly_once(n_streams: int) -> None:
    """Each stream by itself, from a fresh state, after the word that stands before it."""
    model = group()
    edges = np.arange(min(n_streams, len(IDS)) + 1) * len(IDS) // min(n_streams, len(IDS))
    nats, n_tokens = np.zeros(2), 0
    for start, end in itertools.pairwise(edges.tolist()):
        ids = torch.from_numpy(IDS[start:end].astype(np.int64))
        before = torch.tensor([EOS_ID if start == 0 else int(IDS[start - 1])])
        outputs, _ = model(torch.cat([before, ids[:-1]])[:, None], model.initial_state(1))
        nats += model.loss(outputs, ids[:, None]).detach().double().numpy()
        n_tokens += len(ids)
    assert n_tokens == len(IDS)
    found = perplexities(model, IDS, n_streams=n_streams)
    np.testing.assert_allclose(found, np.exp(nats / n_tokens), rtol=1e-5)


def test_the_perplexity_of_a_uniform_model_is_the_size_of_the_vocabulary() -> None:
    model = group("untied")
    with torch.no_grad():
        model.softmax.zero_()
        model.output_bias.fill_(3.0)
    for n_streams in (1, 7):
        assert perplexities(model, IDS, n_streams=n_streams) == pytest.approx([N_WORDS] * 2, rel=1e-6)
    assert token_log_probabilities(model, IDS) == pytest.approx(-math.log(N_WORDS), rel=1e-6)


@pytest.mark.parametrize("kind", ["nnlm_in", "compressed", "untied"])
def test_a_table_multiplied_beforehand_changes_nothing(kind: str) -> None:
    model = group(kind)
    short, long = Reader(model, N_WORDS), Reader(model, N_WORDS + 1)
    assert not short.multiplied
    assert long.multiplied
    ids = torch.from_numpy(IDS[:30].astype(np.int64)).view(10, 3)
    state = model.initial_state(3)
    torch.testing.assert_close(short.read(ids, state)[0], long.read(ids, state)[0], rtol=1e-5, atol=1e-6)


def test_distributions_are_distributions_and_hold_what_tokens_get() -> None:
    model = group()
    distributions = predict(model, IDS[:20])
    assert distributions.shape == (2, 20, N_WORDS)
    np.testing.assert_allclose(np.exp(distributions.astype(np.float64)).sum(axis=2), 1, rtol=1e-5)
    own = distributions[:, np.arange(20), IDS[:20]]
    np.testing.assert_allclose(own, token_log_probabilities(model, IDS[:20]), rtol=1e-5, atol=1e-6)


def test_ranks_are_places_in_the_order_of_probability() -> None:
    model = group()
    distributions, ranks = predict(model, IDS), ranks_of(model, IDS)
    order = np.argsort(-distributions, axis=2)
    for k in range(2):
        for place, token in enumerate(IDS):
            assert order[k, place, ranks[k, place] - 1] == token


def test_ties_are_counted_against_the_token() -> None:
    model = group("untied", 1)
    with torch.no_grad():
        model.softmax.zero_()
        model.output_bias.zero_()
        model.output_bias[0, 5] = 1.0
    ranks = ranks_of(model, np.array([5, 4, 3]))
    assert ranks.tolist() == [[1, N_WORDS, N_WORDS]]


def test_an_empty_text_is_refused() -> None:
    for function in (perplexities, token_log_probabilities, predict, ranks_of):
        with pytest.raises(LexiscopeError, match="empty text"):
            function(group(), IDS[:0])
