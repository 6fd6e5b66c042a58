"""Encoded chunks, in the order of the text, shared out to splits and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.chunks import EncodedChunk
from lexiscope.corpora.config import CorpusConfig
from lexiscope.corpora.encoded import Split
from lexiscope.corpora.shards import Scratch, WordCounter
from lexiscope.corpora.vocabulary import EOS_ID


class Gathering:
    """Takes the encoded chunks in the order of the text, sorts sentences into splits, and counts words."""

    def __init__(self, scratch: Scratch, settings: CorpusConfig, seed: int) -> None:
        self.scratch, self.words = scratch, WordCounter()
        self._share, self._seed = settings.held_out, seed
        self.casing = settings.casing

    def start_source(self, number: int, missing_splits: Sequence[Split], max_tokens: int | None) -> None:
        """Begin with the source of this number.

        Parameters
        ----------
        number
            Its place among the sources.
        missing_splits
            Those of ``valid`` and ``test`` that are to be held out of its training text.
        max_tokens
            Most tokens to take from its training text.
        """
        self._number, self._missing_splits = number, missing_splits
        self._max_tokens, self._taken, self._ordinal = max_tokens, 0, 0
        self.kept: Counter[str] = Counter()

    def add(self, chunk: EncodedChunk, split: Split) -> bool:
        """Take a chunk of the current source; return whether more of this split is wanted."""
        ids = chunk.tokens.ids
        lengths = np.diff(np.flatnonzero(ids == EOS_ID), prepend=-1)
        provisional = self.words.provisional_ids(chunk.tokens)
        if split != "train":
            self._append(split, ids, provisional)
            return True
        wanted = self._within_limit(lengths)
        self.kept["sentences_left_out"] += len(lengths) - len(wanted)
        self._add_train(ids[: wanted.sum()], wanted, provisional)
        return len(wanted) == len(lengths)

    def _within_limit(self, lengths: NDArray[np.intp]) -> NDArray[np.intp]:
        if self._max_tokens is not None:
            room = self._max_tokens - self._taken
            lengths = lengths[: np.searchsorted(np.cumsum(lengths), room, side="right")]
        self._taken += int(lengths.sum())
        return lengths

    def _add_train(
        self, ids: NDArray[np.int32], lengths: NDArray[np.intp], provisional: NDArray[np.uint32]
    ) -> None:
        """Share out sentences, the ids of which are ``ids`` and the numbers of ids ``lengths``."""
        ordinals = np.arange(self._ordinal, self._ordinal + len(lengths), dtype=np.uint64)
        self._ordinal += len(lengths)
        draw = uniform_hash(ordinals, self._seed, self._number)
        rest = np.ones(len(ids), dtype=bool)
        for rank, split in enumerate(self._missing_splits):
            drawn = (draw >= rank * self._share) & (draw < (rank + 1) * self._share)
            if drawn.any():
                tokens = np.repeat(drawn, lengths)
                self._append(split, ids[tokens], provisional)
                rest &= ~tokens
        train = ids if rest.all() else ids[rest]
        self.words.count(provisional, np.bincount(train, minlength=len(provisional)))
        self._append("train", train, provisional)

    def _append(self, split: Split, ids: NDArray[np.int32], provisional: NDArray[np.uint32]) -> None:
        self.scratch.append(split, provisional[ids])
        self.kept[f"{split}_sentences"] += int(np.count_nonzero(ids == EOS_ID))
        self.kept[f"{split}_tokens"] += len(ids)


def uniform_hash(ordinals: NDArray[np.uint64], seed: int, stream: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each ordinal, the same on every machine (SplitMix64's output function).

    Source: Steele, Lea and Flood 2014, *Fast splittable pseudorandom number generators*.
    """
    start = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64
    z = (ordinals + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
