"""LSTM language models with frozen or trained embeddings, K of equal shapes side by side.

Each weight has a leading axis of K models, which read the same text at the same time. Initial weights and
dropout of a model come from generators of its own: it is the model it would be alone.

Input word → table → (compression) → dropout → [LSTM layer → dropout] × n → (projection) → softmax: the
model of Zaremba et al. (2014) with given embeddings at either end (Derby et al. 2020, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.lstm import lstm_layer
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.softmax import cross_entropy, take_rows, target_log_probabilities
from lexiscope.language_models.softmax import SampledSoftmax

State = tuple[Tensor, Tensor]
"""h and c of all layers, float32, each (num_layers, K, B, h)."""


class LanguageModelGroup(nn.Module):
    """K language models of equal shapes; `state_dict` holds what is trained.

    Parameters
    ----------
    specs
        The models.
    settings
        Sizes, dropout, range of initial weights.
    n_words
        Size of the vocabulary, V.
    device
        Where the weights live.
    precision
        Of the matrix products in training.

    Raises
    ------
    LexiscopeError
        If the models' shapes differ, or a table has not a row for each word.
    """

    table: nn.Parameter | None
    compression: nn.Parameter | None
    w_ih: nn.ParameterList
    w_hh: nn.ParameterList
    bias_ih: nn.ParameterList
    bias_hh: nn.ParameterList
    projection: nn.Parameter | None
    softmax: nn.Parameter | None
    output_bias: nn.Parameter | None
    frozen_table: Tensor | None
    cast_table: Tensor | None

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        settings: Settings,
        n_words: int,
        device: torch.device | None = None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        first = specs[0]
        if any(spec.shape != first.shape for spec in specs):
            raise LexiscopeError("language models of different shapes cannot be trained together")
        self.specs, self.settings, self.n_words, self.precision = tuple(specs), settings, n_words, precision
        self.dropout, hidden = settings.dropout, settings.hidden_size
        tables = _stacked_tables(specs, n_words)
        own_size = first.compression or hidden
        embedding_dim = own_size if first.input == "trainable" or tables is None else tables.shape[2]
        self.register_parameter("table", None)
        shapes: dict[str, tuple[int, ...]] = {}
        if first.input == "trainable":
            shapes["table"] = (n_words, embedding_dim)
        elif first.compression is not None:
            shapes["compression"] = (first.compression, embedding_dim)
        sizes = [own_size if first.compression else embedding_dim] + [hidden] * settings.num_layers
        for layer in range(settings.num_layers):
            shapes[f"w_ih.{layer}"] = (4 * hidden, sizes[layer])
            shapes[f"w_hh.{layer}"] = (4 * hidden, hidden)
            shapes[f"bias_ih.{layer}"] = shapes[f"bias_hh.{layer}"] = (4 * hidden,)
        if first.output == "trainable":
            shapes["softmax"] = (n_words, hidden)
        else:
            # A linear projection stands before every table of given vectors, whatever its size.
            given = first.output == "frozen" or first.input != "trainable"
            size = embedding_dim if first.output == "tied" or tables is None else tables.shape[2]
            if given or size != hidden:
                shapes["projection"] = (size, hidden)
        if first.output_bias:
            shapes["output_bias"] = (n_words,)
        self._create(shapes, specs, settings.init_range)
        if first.input == "fine_tuned" and tables is not None:
            self.table = nn.Parameter(tables.clone())
        keeps = first.input == "frozen" or first.output == "frozen"
        self.register_buffer("frozen_table", tables if keeps else None, persistent=False)
        self.to(device)
        # Cast once and for all: it is read at each step, and never changes.
        frozen = None if self.frozen_table is None else self.frozen_table.to(precision)
        self.register_buffer("cast_table", frozen, persistent=False)
        device = next(self.parameters()).device
        self.generators = [torch.Generator(device).manual_seed(_seed(spec, 1)) for spec in specs]

    def _create(
        self, shapes: dict[str, tuple[int, ...]], specs: Sequence[ModelSpec], init_range: float
    ) -> None:
        """Make the parameters, each model's drawn in the same order from its own generator."""
        generators = [torch.Generator().manual_seed(_seed(spec, 0)) for spec in specs]
        for name in ("w_ih", "w_hh", "bias_ih", "bias_hh"):
            setattr(self, name, nn.ParameterList())
        for name in ("compression", "softmax", "projection", "output_bias"):
            self.register_parameter(name, None)
        for name, shape in shapes.items():
            values = torch.empty(len(specs), *shape)
            for row, generator in zip(values, generators, strict=True):
                row.uniform_(-init_range, init_range, generator=generator)
            base, _, layer = name.partition(".")
            if layer:
                getattr(self, base).append(nn.Parameter(values))
            else:
                setattr(self, name, nn.Parameter(values))

    def __len__(self) -> int:
        """Number of models, K."""
        return len(self.specs)

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        device: torch.device = self.w_hh[0].device
        return device

    def initial_state(self, n_streams: int) -> State:
        """Zeros."""
        shape = (self.settings.num_layers, len(self), n_streams, self.settings.hidden_size)
        return torch.zeros(shape, device=self.device), torch.zeros(shape, device=self.device)

    # Training ----------------------------------------------------------------------------------------

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Run a window of word ids (T, B), with dropout in training mode.

        Returns
        -------
        Outputs of the last layer (K, T, B, h), of the type of the products, and the state afterwards,
        which carries no gradient.
        """
        x = self._drop(self._embed(ids))
        ends: list[State] = []
        for layer, (w_ih, w_hh) in enumerate(zip(self.w_ih, self.w_hh, strict=True)):
            bias = self.bias_ih[layer] + self.bias_hh[layer]
            x, h, c = lstm_layer(x, w_ih, w_hh, bias, state[0][layer], state[1][layer], self.precision)
            ends.append((h, c))
            x = self._drop(x)
        return x, (torch.stack([h for h, _ in ends]), torch.stack([c for _, c in ends]))

    def loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        chosen: Tensor | None = None,
        divide_by: float = 1.0,
        sampled: SampledSoftmax | None = None,
    ) -> Tensor:
        """Sum of negative log-probabilities of the targets under each model, in nats, shape (K,).

        Parameters
        ----------
        outputs
            As `forward` returns them, (K, T, B, h).
        targets
            Word ids, (T, B).
        chosen
            Positions that count, (T, B); None for all.
        divide_by
            What the sums are divided by.
        sampled
            What draws the words that all models score the targets against; by default all words are.
        """
        x, wanted = self._chosen(outputs, targets, chosen)
        weight = self.output_weight(cast=True)
        bias: Tensor | None = self.output_bias
        if sampled is not None:
            words, log_inclusion = sampled.candidates(wanted)
            weight, wanted = take_rows(weight, words), torch.searchsorted(words, wanted)
            own = 0 if bias is None else bias.index_select(1, words)
            bias = (own - log_inclusion).expand(len(self), -1)
        return cross_entropy(x, weight, bias, wanted, self.precision, divide_by)

    @torch.no_grad()
    def nats(self, outputs: Tensor, targets: Tensor, chosen: Tensor | None = None) -> Tensor:
        """The sums that `loss` makes over all words, (K,), without a gradient."""
        x, wanted = self._chosen(outputs, targets, chosen)
        weight = self.output_weight(cast=True).to(self.precision)
        return -target_log_probabilities(x, weight, self.output_bias, wanted).sum(1)

    def _chosen(self, outputs: Tensor, targets: Tensor, chosen: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the softmax is applied to, (K, n, d), and the targets (n,), of the positions that count."""
        x, wanted = outputs.flatten(1, 2), targets.flatten()
        if chosen is not None and not chosen.all():
            places = chosen.flatten().nonzero()[:, 0]
            x, wanted = x[:, places], wanted[places]
        if self.projection is not None:
            x = torch.bmm(x, self.projection.to(self.precision).transpose(1, 2))
        return x, wanted

    def _embed(self, ids: Tensor) -> Tensor:
        """(T, B) → (K, T, B, d or compression)."""
        table = self.cast_table if self.table is None else self.table
        assert table is not None
        rows = ids + self.n_words * torch.arange(len(self), device=ids.device)[:, None, None]
        x = functional.embedding(rows, table.flatten(0, 1)).to(self.precision)
        if self.compression is not None:
            weight = self.compression.to(self.precision).transpose(1, 2)
            x = torch.bmm(x.flatten(1, 2), weight).view(*x.shape[:3], -1)
        return x

    def _drop(self, x: Tensor) -> Tensor:
        """Dropout, inverted as in torch, of (K, …)."""
        if not self.training or self.dropout == 0:
            return x
        mask = torch.empty_like(x, requires_grad=False)
        for part, generator in zip(mask, self.generators, strict=True):
            _draw_mask(part, self.dropout, generator)
        return x * mask

    # The tables at both ends -------------------------------------------------------------------------

    def input_table(self) -> Tensor:
        """The vectors that words are read as, float32, shape (K, V, d), before any compression."""
        table = self.frozen_table if self.table is None else self.table
        assert table is not None
        return table

    def output_weight(self, *, cast: bool = False) -> Tensor:
        """The softmax's rows, shape (K, V, d); with ``cast`` a frozen table comes in ``precision``."""
        if self.softmax is not None:
            return self.softmax
        if self.specs[0].output == "tied" and self.table is not None:
            return self.table
        table = self.cast_table if cast else self.frozen_table
        assert table is not None
        return table

    def weights_of(self, number: int) -> dict[str, Tensor]:
        """A copy of what is trained of one model, on the CPU, without the axis of models."""
        return {name: tensor[number].detach().cpu().clone() for name, tensor in self.state_dict().items()}


def _draw_mask(mask: Tensor, dropout: float, generator: torch.Generator) -> None:
    """Fill a mask: 0 with a probability of ``dropout`` (a multiple of 2⁻¹⁶), else 1 / (1 − dropout).

    Four units share one random number of 64 bits: a tenth of the time that Bernoulli draws take.
    """
    drawn = torch.empty(-(-mask.numel() // 4), dtype=torch.int64, device=mask.device)
    bits = drawn.random_(-(2**63), None, generator=generator).view(torch.int16)
    kept = bits[: mask.numel()].view(mask.shape) >= round(dropout * 2**16) - 2**15
    mask.copy_(kept).mul_(1 / (1 - dropout))


def _stacked_tables(specs: Sequence[ModelSpec], n_words: int) -> Tensor | None:
    tables = [spec.table for spec in specs if spec.table is not None]
    if not tables:
        return None
    if len(tables[0]) != n_words:
        raise LexiscopeError(
            f"the table of {specs[0].name!r} has {len(tables[0])} rows, the vocabulary {n_words} words"
        )
    return torch.from_numpy(np.stack(tables))


def _seed(spec: ModelSpec, purpose: int) -> int:
    """A seed of 64 bits; weights and dropout must not be drawn from the same numbers."""
    return int(np.random.SeedSequence([spec.seed, purpose]).generate_state(1, np.uint64)[0] >> np.uint64(1))
