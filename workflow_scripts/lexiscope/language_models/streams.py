"""A text cut into parallel streams that are read window by window."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.corpora.vocabulary import EOS_ID

NO_TARGET = -1
"""Stands where a stream has ended before the others."""


class Tokens(Protocol):
    """A sequence of word ids that may lie on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: slice, /) -> NDArray[np.unsignedinteger]: ...


class Streams:
    """A text as ``n_streams`` contiguous parts, read side by side.

    Every token of the text is a target exactly once. The word before it is its input, also where a stream
    begins; before the first token of all stands the end of a sentence.

    Parameters
    ----------
    tokens
        The word ids, n of them.
    n_streams
        Number of parts. Their lengths differ by at most one.
    unroll
        Steps of a window; the last may be shorter.
    """

    def __init__(self, tokens: Tokens, n_streams: int, unroll: int) -> None:
        self.tokens = tokens
        self.n_streams = min(n_streams, len(tokens))
        self.unroll = unroll
        edges = np.arange(self.n_streams + 1) * len(tokens) // max(1, self.n_streams)
        self._starts, self._ends = edges[:-1].tolist(), edges[1:].tolist()
        self._lengths = np.diff(edges)
        self._longest = int(self._lengths.max(initial=0))

    def __len__(self) -> int:
        """Number of windows."""
        return -(-self._longest // self.unroll)

    def n_targets(self, number: int) -> int:
        """Number of targets in a window."""
        return int(np.clip(self._lengths - number * self.unroll, 0, self.unroll).sum())

    def window(self, number: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a window, int64, both (steps, n_streams)."""
        first = number * self.unroll
        steps = min(self.unroll, self._longest - first)
        inputs = np.full((steps, self.n_streams), EOS_ID, dtype=np.int64)
        targets = np.full((steps, self.n_streams), NO_TARGET, dtype=np.int64)
        for column, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            low = start + first
            read = self.tokens[max(0, low - 1) : min(low + steps, end)]
            if low == 0:
                targets[: len(read), column] = read
                inputs[1 : len(read), column] = read[:-1]
            else:
                targets[: len(read) - 1, column] = read[1:]
                inputs[: len(read) - 1, column] = read[:-1]
        return torch.from_numpy(inputs), torch.from_numpy(targets)
