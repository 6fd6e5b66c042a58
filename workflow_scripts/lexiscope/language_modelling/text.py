"""The text of an experiment, over the one vocabulary that all its models share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import SPLITS, EncodedCorpus, Split
from lexiscope.corpora.vocabulary import EOS_ID, SPECIALS, UNK_ID
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError

Missing = Literal["mean", "zero", "random"]


@dataclass(frozen=True, eq=False)
class RestrictedText:
    """A corpus in which all words outside a vocabulary are ``<unk>``; make one with `build`.

    Attributes
    ----------
    words
        The vocabulary: ``<unk>``, ``</s>`` (in the order of every corpus, so that `UNK_ID` and `EOS_ID`
        hold), then words by descending count in the corpus. A position is an id.
    splits
        int32 ids of the parts train, valid and test; each sentence ends with ``</s>``.
    source
        Digest of the corpus.
    """

    words: tuple[str, ...]
    splits: Mapping[Split, NDArray[np.int32]]
    source: str

    @classmethod
    def build(
        cls,
        corpus: EncodedCorpus,
        words: Sequence[str] | None = None,
        size: int | None = None,
        max_tokens: int | None = None,
    ) -> RestrictedText:
        """Restrict a corpus.

        Parameters
        ----------
        corpus
            The corpus; its own vocabulary may already be restricted.
        words
            Words that may stand in the vocabulary, such as those that all spaces have; None for all.
        size
            At most so many words, the most frequent; ``<unk>`` and ``</s>`` are not counted.
        max_tokens
            Of the training part, only the whole sentences among the first so many tokens.

        Raises
        ------
        LexiscopeError
            If a part of the corpus is empty, or no word remains.
        """
        own = corpus.vocabulary.words
        allowed = None if words is None else set(words)
        kept = [
            number for number in range(len(SPECIALS), len(own)) if allowed is None or own[number] in allowed
        ][:size]
        if not kept:
            raise LexiscopeError("no word of the corpus remains in the vocabulary", where=corpus.path)
        new_ids = np.full(len(own), UNK_ID, dtype=np.int32)
        new_ids[EOS_ID] = EOS_ID
        new_ids[kept] = np.arange(len(SPECIALS), len(SPECIALS) + len(kept))
        splits: dict[Split, NDArray[np.int32]] = {}
        for split in SPLITS:
            ids = np.asarray(corpus.tokens(split)[: max_tokens if split == "train" else None])
            if split == "train" and max_tokens is not None and len(ids) == max_tokens:
                ids = (
                    ids[: int(np.flatnonzero(ids == EOS_ID)[-1]) + 1] if (ids == EOS_ID).any() else ids[:0]
                )
            if not len(ids):
                raise LexiscopeError(f"no text remains in the part {split!r}", where=corpus.path)
            splits[split] = new_ids[ids]
        return cls((*SPECIALS, *(own[number] for number in kept)), splits, corpus.sha256)

    def __len__(self) -> int:
        """Number of words in the vocabulary, the two specials included."""
        return len(self.words)

    def n_tokens(self, split: Split) -> int:
        """Number of tokens of a part, ``</s>`` included: what its perplexity is taken over."""
        return len(self.splits[split])

    def n_known(self, split: Split) -> int:
        """Number of those tokens that are not ``<unk>``."""
        return int(np.count_nonzero(self.splits[split] != UNK_ID))

    def sentence_lengths(self, split: Split) -> NDArray[np.int64]:
        """Tokens of each sentence of a part, ``</s>`` included."""
        return np.diff(self._sentence_starts(split), append=self.n_tokens(split))

    def sums_of_sentences(self, split: Split, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the values of the tokens of each sentence: (..., n_tokens) → (..., n_sentences)."""
        sums: NDArray[np.float64] = np.add.reduceat(values, self._sentence_starts(split), axis=-1)
        return sums

    def _sentence_starts(self, split: Split) -> NDArray[np.int64]:
        ends = np.flatnonzero(self.splits[split][:-1] == EOS_ID)
        return np.concatenate([[0], ends + 1])

    @cached_property
    def sha256(self) -> str:
        """Digest (hex) of vocabulary and ids."""
        digest = hashlib.sha256("\n".join(self.words).encode("utf-8"))
        for split in SPLITS:
            digest.update(f"\n{split} {self.n_tokens(split)}\n".encode())
            digest.update(np.ascontiguousarray(self.splits[split], dtype="<i4").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Table:
    """The vectors of a vocabulary.

    Attributes
    ----------
    vectors
        float32, shape (V, d).
    n_missing
        How many words, the two specials apart, had no vector of their own.
    """

    vectors: NDArray[np.float32]
    n_missing: int


def table_of(space: EmbeddingSpace, text: RestrictedText, *, missing: Missing, seed: int = 1) -> Table:
    """The vectors of a text's vocabulary in a space.

    ``</s>`` and ``<unk>`` are treated like words that the space lacks, also where it has vectors by that
    name: ``<unk>`` stands for other words in each vocabulary.

    Parameters
    ----------
    space
        The space; words are looked up as they are.
    text
        The text whose words become rows.
    missing
        What a word without a vector gets: the ``mean`` of all vectors of the space, ``zero``, or a
        ``random`` direction with the vectors' mean length.
    seed
        Of random vectors.

    Raises
    ------
    LexiscopeError
        If the space has no word of the text.
    """
    found = [number for number, word in enumerate(text.words) if number >= len(SPECIALS) and word in space]
    if not found:
        raise LexiscopeError("the embedding space has no word of the text")
    vectors = np.zeros((len(text), space.dim), dtype=np.float32)
    vectors[found] = space.vectors[[space.index[text.words[number]] for number in found]]
    lacking = np.setdiff1d(np.arange(len(text)), found)
    if missing == "mean":
        vectors[lacking] = space.vectors.mean(axis=0, dtype=np.float64)
    elif missing == "random":
        drawn = np.random.default_rng(seed).standard_normal((len(lacking), space.dim))
        length = np.linalg.norm(space.vectors.astype(np.float64), axis=1).mean()
        vectors[lacking] = drawn * (length / np.linalg.norm(drawn, axis=1, keepdims=True))
    return Table(vectors, len(lacking) - len(SPECIALS))
