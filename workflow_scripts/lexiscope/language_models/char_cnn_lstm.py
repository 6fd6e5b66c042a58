"""The language model: character CNN, LSTM layers with recurrent projection, untied softmax with bias.

Jozefowicz et al. 2016, *Exploring the Limits of Language Modeling*. The model and nothing else; sizes
come from `CharCNNLSTMConfig`. In the shapes beside the lines,

    n words   l characters of a word   c size of a character's embedding   f filters in all
    d size of input embedding, LSTM projection and softmax row   h LSTM cells   V vocabulary
    t steps   b parallel streams
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lexiscope.language_models.characters import N_CHARACTERS, PADDING, encode_words
from lexiscope.language_models.config import CharCNNLSTMConfig

State = tuple[Tensor, Tensor]
"""Projected output (layers, b, d) and cells (layers, b, h) of the LSTM."""

LENGTH_GROUPS = 4
WORDS_AT_ONCE = 2048


class CharCNN(nn.Module):
    """Input embeddings: convolutions over a word's characters, highway layers, projection."""

    def __init__(self, config: CharCNNLSTMConfig) -> None:
        super().__init__()
        n_filters = sum(count for _, count in config.filters)
        self.widths = [width for width, _ in config.filters]
        self.characters = nn.Embedding(N_CHARACTERS, config.char_dim)
        self.convolutions = nn.ModuleList(
            nn.Linear(width * config.char_dim, count) for width, count in config.filters
        )
        highways = [nn.Linear(n_filters, 2 * n_filters) for _ in range(config.n_highway)]
        self.projection = nn.Linear(n_filters, config.embedding_dim)
        nn.init.uniform_(self.characters.weight, -1.0, 1.0)
        for highway in highways:
            # A negative gate bias lets words pass unchanged at first (Srivastava et al. 2015, section 2.2).
            nn.init.constant_(highway.bias[:n_filters], -2.0)
        self.highways = nn.ModuleList(highways)

    def forward(self, words: Tensor) -> Tensor:
        """Embed words given as characters: (n, l) → (n, d)."""
        features = self._pooled(words)  # (n, f)
        for highway in self.highways:
            gate, transformed = highway(features).chunk(2, dim=1)  # (n, f) each
            gate = torch.sigmoid(gate)
            features = gate * torch.relu(transformed) + (1 - gate) * features
        embedded: Tensor = self.projection(features)  # (n, d)
        return embedded

    def _pooled(self, words: Tensor) -> Tensor:
        """Maximum of each filter over each word: (n, l) → (n, f)."""
        # Most words are short: groups of like length need far less padding than all words together.
        lengths = (words != PADDING).sum(1)  # (n,)
        order = lengths.argsort(stable=True)
        groups = [self._convolve(words[rows], lengths[rows]) for rows in order.chunk(LENGTH_GROUPS)]
        return functional.embedding(order.argsort(), torch.cat(groups))

    def _convolve(self, words: Tensor, lengths: Tensor) -> Tensor:
        # One window of nothing but padding is kept, if there is one: all others like it have the same
        # value, so a word's embedding does not depend on the words it is grouped with.
        used = min(words.shape[1], int(lengths.max()) + max(self.widths))
        embedded = self.characters(words[:, :used].int())  # (n, l, c)
        c = embedded.shape[2]
        flat = embedded.flatten(1)  # (n, l * c)
        pooled = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            windows = flat.unfold(1, width * c, c)  # (n, l - width + 1, width * c)
            pooled.append(convolution(windows).max(dim=1).values)  # (n, filters of this width)
        return torch.relu(torch.cat(pooled, dim=1))


class CharCNNLSTM(nn.Module):
    """The whole model.

    Parameters
    ----------
    config
        Sizes.
    vocabulary
        The words, in the order of their ids.
    """

    spellings: Tensor

    def __init__(self, config: CharCNNLSTMConfig, vocabulary: Sequence[str]) -> None:
        super().__init__()
        d, h = config.embedding_dim, config.hidden_size
        self.config = config
        self.char_cnn = CharCNN(config)
        self.lstm = nn.LSTM(
            d,
            h,
            num_layers=config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            proj_size=d if h > d else 0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.softmax_weight = nn.Parameter(torch.randn(len(vocabulary), d) * d**-0.5)
        self.softmax_bias = nn.Parameter(torch.zeros(len(vocabulary)))
        for layer in range(config.num_layers):
            # Of the four gates (input, forget, cell, output) the forget gate starts open.
            nn.init.ones_(getattr(self.lstm, f"bias_ih_l{layer}")[h : 2 * h])
        spellings = encode_words(vocabulary, config.max_word_length)
        self.register_buffer("spellings", spellings, persistent=False)  # (V, l)

    def forward(self, words: Tensor, state: State, table: Tensor | None = None) -> tuple[Tensor, State]:
        """Read words: ids (t, b) → what the softmax is applied to (t, b, d), and the state after.

        With ``table``, the input embeddings (V, d) of all words, the character CNN is left out.
        """
        if table is None:
            # A batch holds few different words; only those pass through the CNN.
            distinct, table_rows = torch.unique(words, return_inverse=True)  # (n,), (t, b)
            # float32, as the gradient of a frequent word is a sum over many positions.
            table = self.char_cnn(self.spellings[distinct]).float()  # (n, d)
        else:
            table_rows = words
        inputs = self.dropout(functional.embedding(table_rows, table))  # (t, b, d)
        with warnings.catch_warnings():
            # oneDNN has no LSTM with projection; the default one, meant here, is what torch then takes.
            warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
            outputs, state = self.lstm(inputs, state)  # (t, b, d)
        return self.dropout(outputs), state

    def initial_state(self, streams: int) -> State:
        """The state before the first word of ``streams`` parallel texts."""
        layers, d, h = self.config.num_layers, self.config.embedding_dim, self.config.hidden_size
        zeros = self.softmax_weight.new_zeros
        return zeros(layers, streams, d), zeros(layers, streams, h)

    def output_layer(self) -> tuple[Tensor, Tensor]:
        """Weight (V, d) and bias (V,) of the softmax."""
        return self.softmax_weight.detach(), self.softmax_bias.detach()

    @torch.no_grad()
    def input_embeddings(self, words: Sequence[str]) -> Tensor:
        """What the LSTM reads for each of ``words``, in or out of the vocabulary: (n, d)."""
        return self._embed(encode_words(words, self.config.max_word_length))

    @torch.no_grad()
    def input_table(self) -> Tensor:
        """Input embeddings of the whole vocabulary: (V, d)."""
        return self._embed(self.spellings)

    def _embed(self, spellings: Tensor) -> Tensor:
        if len(spellings) == 0:
            return self.softmax_weight.new_zeros(0, self.config.embedding_dim)
        device = self.softmax_weight.device
        blocks = [self.char_cnn(block.to(device)) for block in torch.split(spellings, WORDS_AT_ONCE)]
        return torch.cat(blocks).float()
