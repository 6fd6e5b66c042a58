"""Embedding spaces of a bidirectional LSTM: its states, averaged over all occurrences of each word."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.corpora.vocabulary import SPECIALS
from lexiscope.domains.batches import Batch
from lexiscope.domains.bilstm import BiLSTM, StateReader
from lexiscope.domains.config import BiLSTMConfig
from lexiscope.domains.sequences import Sequences, reading_batches
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.progress import Progress

logger = logging.getLogger("lexiscope")

SYMBOLS_AT_ONCE = 1 << 14
"""Symbols read side by side: their states and gates are a few dozen MB at the usual sizes."""


@torch.no_grad()
def average_states(
    model: BiLSTM, sequences: Sequences, config: BiLSTMConfig
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean state of each word over its occurrences, in one pass over a text.

    Sums are float64 and the only thing that grows with nothing but the vocabulary: memory does not depend
    on the length of the text.

    Parameters
    ----------
    model
        The network; dropout plays no part.
    sequences
        The text. Each of its tokens is an occurrence; where sequences overlap, a symbol counts in the
        earlier one.
    config
        ``state``: which states. ``clip``: each value of a state is clipped to ± this before it is added.
        ``combine``: ``concat`` puts the backward means behind the forward ones, ``average`` takes their
        mean.

    Returns
    -------
    means, counts
        (V, 2 h) or (V, h), and (V,): number of occurrences. A word without any has a row of zeros.
    """
    size = config.hidden_size
    reader = StateReader(model, config.state)
    sums = torch.zeros(model.embedding.shape[0], 2 * size, dtype=torch.float64, device=model.device)
    counts = np.zeros(len(sums), dtype=np.int64)
    with Progress("averaging states", total=sequences.n_tokens, unit="tokens") as progress:
        for rows in reading_batches(sequences, SYMBOLS_AT_ONCE):
            batch = Batch.of(sequences, rows, model.device)
            states = torch.cat(reader.read(batch), dim=1)  # (n, 2 h)
            positions, _ = batch.positions()
            words = batch.forward.flatten()[positions]
            # Positions go step by step, so symbols that only lead into a sequence come first.
            first = sequences.overlap * len(rows)
            states, words = states[first:], words[first:]
            if config.clip is not None:
                states = states.clamp(-config.clip, config.clip)
            sums.index_add_(0, words, states.double())
            counts += np.bincount(words.cpu().numpy(), minlength=len(counts))
            progress.advance(len(words))
    means: NDArray[np.float64] = sums.cpu().numpy() / np.maximum(counts, 1)[:, None]
    if config.combine == "average":
        means = (means[:, :size] + means[:, size:]) / 2
    return means, counts


def normalised(vectors: NDArray[np.float64], how: str) -> NDArray[np.float32]:
    """Vectors of ``unit`` length, with mean 0 and variance 1 in each dimension over the words, or as is.

    A vector of zeros stays one, and so does a dimension in which all words agree.
    """
    if how == "unit":
        scale = np.linalg.norm(vectors, axis=1, keepdims=True)
    elif how == "mean_variance":
        vectors = vectors - vectors.mean(axis=0)
        scale = vectors.std(axis=0)
    else:
        return vectors.astype(np.float32)
    return (vectors / np.where(scale > 0, scale, 1)).astype(np.float32)


def save_averages(
    model: BiLSTM,
    sequences: Sequences,
    words: Sequence[str],
    config: BiLSTMConfig,
    *,
    lexicon: Path | None,
    provenance: Mapping[str, Any],
    output: Path,
) -> None:
    """Average the states over a text and write the space of its words.

    Parameters
    ----------
    model, sequences, config
        As for `average_states`.
    words
        The word of each id; the first two are ``<unk>`` and ``</s>``, which get no vector.
    lexicon
        If given, only its words are kept, in its order. Words that do not occur are left out.
    provenance
        What to tell beside the keys that all such spaces have.
    output
        The space to write, with the column ``count`` (int64): the occurrences averaged over.

    Raises
    ------
    LexiscopeError
        If no word of the lexicon occurs in the text.
    """
    means, counts = average_states(model, sequences, config)
    rows = {
        words[row]: row for row in range(len(SPECIALS), len(words)) if counts[row]
    }  # in the order of ids
    wanted = list(rows) if lexicon is None else read_lexicon(lexicon).words
    kept = [word for word in wanted if word in rows]
    if not kept:
        raise LexiscopeError("no word of the lexicon occurs in the text", where=lexicon)
    chosen = [rows[word] for word in kept]
    vectors = normalised(means[chosen], config.normalise)
    facts = {
        "dim": vectors.shape[1],
        "n_words_before_lexicon": len(rows),
        "n_tokens_averaged": int(counts[chosen].sum()),
        "n_tokens_read": int(counts.sum()),
    }
    space = EmbeddingSpace(tuple(kept), vectors, {**facts, **provenance}, {"count": counts[chosen]})
    save_space(space, output)
    logger.info("%d of %d words occur, %d dimensions", len(kept), len(wanted), space.dim)
