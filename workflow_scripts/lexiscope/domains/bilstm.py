"""Bidirectional LSTMs: one that tells the domain of a text, and one that is two language models.

Verwimp & Bellegarda 2019, section 2. Both directions read a sequence from a fresh state and share the
input embedding. The forward state at a word has read the sequence up to that word and with it; the backward
state has read the sequence from its end back to that word and with it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lexiscope.domains.batches import Batch
from lexiscope.domains.config import BiLSTMConfig
from lexiscope.language_models.softmax import SampledSoftmax, cross_entropy, exact_total_loss, full_loss

INIT_RANGE = 0.1
"""Embeddings and softmax weights begin uniform in ± this."""


class BiLSTM(nn.Module):
    """The embedding and the two LSTMs that all have in common.

    Parameters
    ----------
    config
        Sizes and dropout; dropout is applied to the embedding and to the LSTMs' outputs.
    vocab_size
        Number of ids.
    n_outputs, output_size
        Shape of the softmax layer.
    """

    def __init__(self, config: BiLSTMConfig, vocab_size: int, n_outputs: int, output_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(
            torch.empty(vocab_size, config.embedding_dim).uniform_(-INIT_RANGE, INIT_RANGE)
        )
        self.forward_lstm = nn.LSTM(config.embedding_dim, config.hidden_size)
        self.backward_lstm = nn.LSTM(config.embedding_dim, config.hidden_size)
        self.softmax_weight = nn.Parameter(
            torch.empty(n_outputs, output_size).uniform_(-INIT_RANGE, INIT_RANGE)
        )
        self.softmax_bias = nn.Parameter(torch.zeros(n_outputs))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.device

    def hidden_states(self, forward: Tensor, backward: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states of both directions, each in its own reading order, (t, b, h); ids are (t, b).

        Dropout, in training, is drawn for each direction on its own.
        """
        embedded = functional.embedding(torch.cat([forward, backward], dim=1), self.embedding)
        embedded = self.dropped(embedded)  # (t, 2 b, e)
        first, second = torch.split(embedded, forward.shape[1], dim=1)
        return self.forward_lstm(first)[0], self.backward_lstm(second)[0]

    def dropped(self, values: Tensor) -> Tensor:
        """The values after dropout, which acts in training only."""
        return functional.dropout(values, self.config.dropout, self.training)


class DomainClassifier(BiLSTM):
    """Tells at every token the domain of the text that it stands in, from both states at that token."""

    def __init__(self, config: BiLSTMConfig, vocab_size: int, n_domains: int) -> None:
        super().__init__(config, vocab_size, n_domains, 2 * config.hidden_size)

    def token_states(self, batch: Batch) -> Tensor:
        """``[g_t h_t]`` of every token, (n, 2 h), in the order of `Batch.positions`."""
        both = self.hidden_states(batch.forward, batch.backward)
        chosen = [
            states.flatten(0, 1).index_select(0, positions)
            for states, positions in zip(both, batch.positions(), strict=True)
        ]
        return self.dropped(torch.cat(chosen, dim=1))

    def loss(self, batch: Batch, labels: Tensor) -> Tensor:
        """Mean negative log-probability of the tokens' labels (n,), in nats."""
        scores = functional.linear(self.token_states(batch), self.softmax_weight)
        return cross_entropy(scores, self.softmax_bias, labels)

    @torch.no_grad()
    def log_probabilities(self, batch: Batch) -> Tensor:
        """Of every domain at every token, (n, n_domains), in the order of `Batch.positions`."""
        scores = functional.linear(self.token_states(batch), self.softmax_weight, self.softmax_bias)
        return torch.log_softmax(scores, dim=1)


class BiLanguageModel(BiLSTM):
    """A forward LSTM that predicts the next word and a backward one that predicts the previous word.

    The softmax layer is shared too. A sequence of n + 1 symbols gives n predictions in each direction: the
    forward LSTM reads all but the last, the backward one all but the first. So no state that predicts a
    word has read it.
    """

    def __init__(self, config: BiLSTMConfig, vocab_size: int) -> None:
        super().__init__(config, vocab_size, vocab_size, config.hidden_size)

    def predictions(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the softmax is applied to and its targets, first all forward ones: (2 n, h) and (2 n,)."""
        both = self.hidden_states(batch.forward[:-1], batch.backward[:-1])
        chosen, _ = batch.positions(last=1)
        outputs = [states.flatten(0, 1).index_select(0, chosen) for states in both]
        targets = [ids[1:].flatten()[chosen] for ids in (batch.forward, batch.backward)]
        return self.dropped(torch.cat(outputs)), torch.cat(targets)

    def loss(self, batch: Batch, sampled: SampledSoftmax | None) -> Tensor:
        """Mean negative log-probability of a word, in nats, over both directions."""
        outputs, targets = self.predictions(batch)
        layer = self.softmax_weight, self.softmax_bias
        if sampled is None:
            return full_loss(outputs, targets, *layer)
        return sampled.loss(outputs, targets, *layer)

    @torch.no_grad()
    def total_losses(self, batch: Batch) -> tuple[float, float]:
        """Sums of negative log-probabilities under the full softmax, forward and backward, in nats."""
        outputs, targets = self.predictions(batch)
        layer = self.softmax_weight, self.softmax_bias
        forward, backward = (
            exact_total_loss(half, wanted, *layer)
            for half, wanted in zip(outputs.chunk(2), targets.chunk(2), strict=True)
        )
        return forward, backward


class StateReader:
    """Reads sequences and gives the states of every step, the cells' too, which `torch.nn.LSTM` keeps back.

    Parameters
    ----------
    model
        Its weights are taken as they are now. The input products of all ids are made once, (V, 4 h) for
        each direction.
    state
        ``cell`` or ``hidden``.
    """

    @torch.no_grad()
    def __init__(self, model: BiLSTM, state: Literal["cell", "hidden"]) -> None:
        self.state = state
        self._weights: list[tuple[Tensor, Tensor]] = []
        for lstm in (model.forward_lstm, model.backward_lstm):
            inward, recurrent, inward_bias, recurrent_bias = lstm.parameters()
            products = torch.addmm(inward_bias + recurrent_bias, model.embedding, inward.T)  # (V, 4 h)
            self._weights.append((products, recurrent.T.contiguous()))

    @torch.no_grad()
    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """States of both directions at every symbol, (n, h) each, in the order of `Batch.positions`."""
        active = batch.active()
        forward = self._run(batch.forward, active, *self._weights[0])
        backward = self._run(batch.backward, active, *self._weights[1])
        first, second = batch.positions()
        return forward.index_select(0, first), backward.index_select(0, second)

    def _run(self, ids: Tensor, active: list[int], products: Tensor, recurrent: Tensor) -> Tensor:
        """States of one direction, (t · b, h); those behind a sequence's end are undefined."""
        size = recurrent.shape[0]
        hidden = recurrent.new_zeros(ids.shape[1], size)
        cell = torch.zeros_like(hidden)
        states = recurrent.new_empty(*ids.shape, size)
        for step, n in enumerate(active):
            gates = torch.addmm(products.index_select(0, ids[step, :n]), hidden[:n], recurrent)
            # The order of torch.nn.LSTM: input gate, forget gate, candidate, output gate.
            opening, keeping, candidate, output = torch.split(gates, size, dim=1)
            cell = torch.sigmoid(keeping) * cell[:n] + torch.sigmoid(opening) * torch.tanh(candidate)
            hidden = torch.sigmoid(output) * torch.tanh(cell)
            states[step, :n] = cell if self.state == "cell" else hidden
        return states.flatten(0, 1)
