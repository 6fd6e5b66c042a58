"""What trained models say of a text: log-probabilities, perplexities, ranks; without dropout or gradients.

Weights are prepared once for a text. An input table that the text is longer than is multiplied with the
first layer's weights beforehand, (V, d) → (V, 4h): in training that could not pay, since these weights
change at each step and dropout acts on the embedding.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.lstm import input_gates, recurrence
from lexiscope.language_modelling.model import LanguageModelGroup, State
from lexiscope.language_modelling.softmax import log_probabilities, target_log_probabilities
from lexiscope.language_models.streams import NO_TARGET, Streams
from lexiscope.matrix_products import bmm

UNROLL = 256
"""Steps of a window; with no way back there is nothing else that limits it but memory."""

Ids = NDArray[np.integer]


class Reader:
    """A group of models made ready to read.

    Parameters
    ----------
    model
        The models.
    n_tokens
        Length of the text that will be read.
    precision
        Of the matrix products.
    """

    @torch.no_grad()
    def __init__(
        self, model: LanguageModelGroup, n_tokens: int, precision: torch.dtype = torch.float32
    ) -> None:
        self.model, self.precision = model, precision
        self.w_hh = [w.to(precision) for w in model.w_hh]
        self.w_ih = [w.to(precision) for w in model.w_ih]
        self.bias = [a + b for a, b in zip(model.bias_ih, model.bias_hh, strict=True)]
        self.projection = None if model.projection is None else model.projection.to(precision)
        self.output_weight, self.output_bias = model.output_weight().to(precision), model.output_bias
        table = model.input_table().to(precision)  # (K, V, d)
        if model.compression is not None:
            table = bmm(table, model.compression.to(precision).transpose(1, 2))
        self.multiplied = n_tokens > model.n_words
        self.table = (
            input_gates(table[:, None], self.w_ih[0], self.bias[0])[:, 0] if self.multiplied else table
        )

    @torch.no_grad()
    def read(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Word ids (T, B) → what the softmax is applied to, (K, T, B, d), and the state afterwards."""
        rows = ids + self.model.n_words * torch.arange(len(self.model), device=ids.device)[:, None, None]
        x = functional.embedding(rows, self.table.flatten(0, 1))
        ends: list[State] = []
        for layer, (w_ih, w_hh) in enumerate(zip(self.w_ih, self.w_hh, strict=True)):
            ready = layer == 0 and self.multiplied
            gates = x if ready else input_gates(x, w_ih, self.bias[layer])
            states, cells, *_ = recurrence(gates, w_hh, state[0][layer], state[1][layer], keep=False)
            ends.append((states[:, -1].float(), cells[:, -1]))
            x = states[:, 1:]
        if self.projection is not None:
            shape = x.shape[:3]
            x = bmm(x.flatten(1, 2), self.projection.transpose(1, 2)).view(*shape, -1)
        return x, (torch.stack([h for h, _ in ends]), torch.stack([c for _, c in ends]))

    def windows(self, ids: Ids, n_streams: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Read a text in so many streams, each from a fresh state.

        Yields
        ------
        For each window what the softmax is applied to, (K, n, d), and the targets (n,).
        """
        streams = Streams(np.asarray(ids, dtype=np.uint32), n_streams, UNROLL)
        state = self.model.initial_state(streams.n_streams)
        for number in range(len(streams)):
            inputs, targets = (part.to(self.model.device) for part in streams.window(number))
            outputs, state = self.read(inputs, state)
            flat, wanted = outputs.flatten(1, 2), targets.flatten()
            places = (wanted != NO_TARGET).nonzero()[:, 0]
            yield flat[:, places], wanted[places]


def token_log_probabilities(
    model: LanguageModelGroup, ids: Ids, *, precision: torch.dtype = torch.float32
) -> NDArray[np.float64]:
    """Natural logarithm of the probability of each token of a text under each model, shape (K, n).

    The text is one stream (batch size 1) whose state is never reset, and begins after an end of sentence.

    Raises
    ------
    LexiscopeError
        If the text is empty.
    """
    _check(ids)
    reader = Reader(model, len(ids), precision)
    weight, bias = reader.output_weight, reader.output_bias
    found = [
        target_log_probabilities(outputs, weight, bias, targets).cpu().double().numpy()
        for outputs, targets in reader.windows(ids, 1)
    ]
    return np.concatenate(found, axis=1)


def perplexities(
    model: LanguageModelGroup, ids: Ids, *, n_streams: int = 1, precision: torch.dtype = torch.float32
) -> list[float]:
    """Each model's perplexity over all tokens of a text, read in parallel streams.

    Raises
    ------
    LexiscopeError
        If the text is empty or a perplexity is not a finite number.
    """
    _check(ids)
    reader = Reader(model, len(ids), precision)
    weight, bias = reader.output_weight, reader.output_bias
    total = torch.zeros(len(model), dtype=torch.float64, device=model.device)
    for outputs, targets in reader.windows(ids, n_streams):
        total -= target_log_probabilities(outputs, weight, bias, targets).sum(1, dtype=torch.float64)
    return [perplexity_of(value, len(ids)) for value in total.tolist()]


def perplexity_of(total: float, n_tokens: int) -> float:
    """Perplexity from a sum of negative log-probabilities, in nats.

    Raises
    ------
    LexiscopeError
        If it is not a finite number.
    """
    mean = total / n_tokens
    if not mean < math.log(sys.float_info.max):
        raise LexiscopeError(f"the mean negative log-probability is {mean}: there is no perplexity")
    return math.exp(mean)


def predict(model: LanguageModelGroup, ids: Ids) -> NDArray[np.float32]:
    """Log-probabilities of all words at each place of a text, shape (K, n, V).

    Place t is predicted from the tokens before it; the first one follows an end of sentence. Meant for
    short texts; `ranks_of` does not hold all of it.

    Raises
    ------
    LexiscopeError
        If the text is empty.
    """
    return np.concatenate([part.cpu().numpy() for part, _ in _distributions(model, ids)], axis=1)


def ranks_of(model: LanguageModelGroup, ids: Ids) -> NDArray[np.int64]:
    """Rank, from 1, of each token among all words at its place, shape (K, n).

    Words as likely as the token count as if they stood before it.

    Raises
    ------
    LexiscopeError
        If the text is empty.
    """
    found = []
    for distribution, targets in _distributions(model, ids):
        own = distribution.gather(2, targets.expand(len(model), -1)[..., None])
        found.append((distribution >= own).sum(2).cpu().numpy())
    return np.concatenate(found, axis=1)


def _distributions(model: LanguageModelGroup, ids: Ids) -> Iterator[tuple[Tensor, Tensor]]:
    _check(ids)
    reader = Reader(model, len(ids))
    for outputs, targets in reader.windows(ids, 1):
        yield log_probabilities(outputs, reader.output_weight, reader.output_bias), targets


def _check(ids: Ids) -> None:
    if len(ids) == 0:
        raise LexiscopeError("an empty text has no perplexity")
