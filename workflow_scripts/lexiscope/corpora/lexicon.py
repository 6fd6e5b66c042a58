"""The lexicon: the words over which all spaces of a study are compared."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import SPECIALS, read_counts, write_counts
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@dataclass(frozen=True)
class Lexicon:
    """Words by descending count.

    Attributes
    ----------
    words
        Unique, without ``<unk>`` and ``</s>``.
    counts
        int64, shape (n_words,): occurrences in the training text of the corpus.
    """

    words: tuple[str, ...]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)


@stage_entry
def build_lexicon(*, corpus: Path, size: int, output: Path) -> None:
    """Write the ``size`` most frequent words of an encoded corpus (Derby et al. 2020, section 3: 20,000).

    A corpus with fewer words gives all of them, with a warning in the log.
    """
    vocabulary = EncodedCorpus.open(corpus).vocabulary
    first = len(SPECIALS)
    words = vocabulary.words[first : first + size]
    if len(words) < size:
        logger.warning("lexicon: %d words were asked for, the corpus has %d", size, len(words))
    write_counts(output, words, vocabulary.counts[first : first + size])


def read_lexicon(path: str | Path) -> Lexicon:
    """Read a lexicon written by `build_lexicon`.

    Raises
    ------
    LexiscopeError
        As `lexiscope.corpora.vocabulary.read_counts`.
    """
    return Lexicon(*read_counts(path))
