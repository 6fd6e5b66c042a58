"""Sequences side by side in tensors, for both reading directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.domains.sequences import Sequences


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences side by side; what stands behind a sequence's end means nothing. Make one with `of`.

    Attributes
    ----------
    rows
        int64, shape (b,): their numbers, by descending length.
    forward, backward
        int64, shape (t, b): ids, and ids with each sequence read from its end.
    lengths
        int64, shape (b,), descending.
    """

    rows: NDArray[np.int64]
    forward: Tensor
    backward: Tensor
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Sequences, rows: NDArray[np.int64], device: torch.device) -> Batch:
        """The sequences numbered ``rows``, with tensors on ``device``."""
        rows = rows[np.argsort(-sequences.lengths[rows], kind="stable")]
        starts, lengths = sequences.starts[rows], sequences.lengths[rows]
        steps = np.arange(int(lengths[0]))[:, None]  # (t, 1)
        inside = steps < lengths  # (t, b)
        forward = np.full(inside.shape, EOS_ID, dtype=np.int64)
        backward = forward.copy()
        forward[inside] = sequences.ids[(starts + steps)[inside]]
        backward[inside] = sequences.ids[(starts + lengths - 1 - steps)[inside]]
        return cls(
            rows, torch.from_numpy(forward).to(device), torch.from_numpy(backward).to(device), lengths
        )

    def active(self) -> list[int]:
        """For each step how many sequences have not yet ended: they are the first ones."""
        steps = np.arange(self.forward.shape[0])
        return np.searchsorted(-self.lengths, -steps, side="left").tolist()  # type: ignore[no-any-return]

    def positions(self, last: int = 0) -> tuple[Tensor, Tensor]:
        """Where symbols stand in flattened arrays (t · b), step by step: (n,) in ``forward``, ``backward``.

        The two have the same symbols in the same order. ``last`` symbols of each sequence are left out.
        """
        steps, columns = self._places(last)
        width = self.forward.shape[1]
        mirrored = self.lengths[columns] - 1 - steps
        device = self.forward.device
        return (
            torch.from_numpy(steps * width + columns).to(device),
            torch.from_numpy(mirrored * width + columns).to(device),
        )

    def by_symbol(self, values: NDArray[np.int64]) -> Tensor:
        """Of one value a sequence, (b,), one a symbol, (n,), in the order of `positions`."""
        return torch.from_numpy(values[self._places(0)[1]]).to(self.forward.device)

    def _places(self, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        steps = np.arange(self.forward.shape[0])[:, None]  # (t, 1)
        rows, columns = np.nonzero(steps < self.lengths - last)
        return rows, columns
