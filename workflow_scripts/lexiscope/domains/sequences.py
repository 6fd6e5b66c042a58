"""Paragraphs and sentences as sequences of ids, and which of like lengths are read side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.vocabulary import EOS_ID

POOL_BATCHES = 64
"""Batches of an epoch whose sequences are sorted by length together."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """What a bidirectional LSTM reads, each from a fresh state; made by `pieces_of` and `sentences_of`.

    Attributes
    ----------
    ids
        int32, 1-d: all texts, one after the other.
    starts, lengths
        int64, shape (n,): where each sequence begins in ``ids``, and how long it is.
    texts
        int64, shape (n,): the number of the text (paragraph or sentence) of which the sequence is a piece.
    labels
        int64, shape (n_texts,): the class of each text; empty where there are no classes.
    overlap
        How many symbols at the beginning of a sequence also end the one before: 1 for language models,
        whose first symbol is only read and never predicted.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    texts: NDArray[np.int64]
    labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    overlap: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def n_texts(self) -> int:
        """Number of texts."""
        return int(self.texts[-1]) + 1 if len(self) else 0

    @cached_property
    def n_tokens(self) -> int:
        """Number of tokens, each counted once."""
        return self.tokens_in(np.arange(len(self)))

    def tokens_in(self, rows: NDArray[np.int64]) -> int:
        """Number of tokens of some sequences, each counted once."""
        return int(self.lengths[rows].sum()) - self.overlap * len(rows)

    @cached_property
    def sha256(self) -> str:
        """Digest (hex) of all that is read and told."""
        digest = hashlib.sha256(f"{self.overlap}\n".encode())
        arrays = [self.starts, self.lengths, self.texts, self.labels]
        for array in [self.ids.astype("<i4"), *(array.astype("<i8") for array in arrays)]:
            digest.update(f"{len(array)}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def pieces_of(
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    max_length: int,
    labels: NDArray[np.int64],
) -> Sequences:
    """Texts that stand in ``ids`` one after the other; one of more than ``max_length`` ids is cut."""
    starts, sizes, owners = _cut(np.cumsum(lengths) - lengths, lengths, max_length)
    return Sequences(ids, starts, sizes, owners, labels)


def sentences_of(stream: NDArray[np.int32], max_length: int) -> Sequences:
    """Sentences of a text for language models: each between two ``</s>``.

    A sentence of more than ``max_length`` ids, its ``</s>`` included, becomes several sequences; a later
    one begins with the last word of the one before. Every id but the first of each sequence is an id of
    the text, and each of those stands in one sequence.

    Parameters
    ----------
    stream
        int32, 1-d: sentences, each followed by ``</s>``.
    max_length
        Ids that a sequence predicts at most.
    """
    ends = np.flatnonzero(stream == EOS_ID) + 1
    if len(stream) and (not len(ends) or ends[-1] < len(stream)):
        ends = np.append(ends, len(stream))
    lengths = np.diff(ends, prepend=0).astype(np.int64)
    starts, sizes, owners = _cut(ends - lengths, lengths, max_length)
    ids = np.concatenate([np.array([EOS_ID], dtype=np.int32), stream.astype(np.int32, copy=False)])
    return Sequences(ids, starts, sizes + 1, owners, overlap=1)


def _cut(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], max_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts, lengths and owners of the pieces of at most ``max_length``."""
    n_pieces = -(-lengths // max_length)
    owners = np.repeat(np.arange(len(lengths)), n_pieces)
    before = max_length * (np.arange(len(owners)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces))
    return starts[owners] + before, np.minimum(max_length, lengths[owners] - before), owners


def epoch_batches(sequences: Sequences, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The batches of an epoch, in a random order, each of sequences of like lengths.

    The order is a function of ``seed`` and ``epoch``, so an interrupted epoch can go on.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(sequences))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), batch_size * POOL_BATCHES):
        pool = order[start : start + batch_size * POOL_BATCHES]
        pool = pool[np.argsort(sequences.lengths[pool], kind="stable")]
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[number] for number in random.permutation(len(batches)).tolist()]


def reading_batches(sequences: Sequences, max_symbols: int) -> Iterator[NDArray[np.int64]]:
    """All sequences once, the longest first, in batches of at most ``max_symbols`` or one sequence."""
    order = np.argsort(-sequences.lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, max_symbols // int(sequences.lengths[order[start]]))
        yield order[start : start + size]
        start += size
