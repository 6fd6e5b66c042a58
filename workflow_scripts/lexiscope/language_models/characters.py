"""Words as sequences of bytes, the way the lm_1b family reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lexiscope.errors import LexiscopeError

# The 256 byte values of UTF-8 come first.
SENTENCE_BEGIN, SENTENCE_END, WORD_BEGIN, WORD_END, PADDING = range(256, 261)
N_CHARACTERS = 261

SENTENCE_MARKS = {"<s>": SENTENCE_BEGIN, "</s>": SENTENCE_END}
"""Words that are one symbol of their own instead of their spelling."""


def encode_words(words: Sequence[str], max_word_length: int) -> Tensor:
    """Characters of each word: begin mark, bytes of UTF-8, end mark, padding.

    Bytes that do not fit are cut off, so that the end mark always stands.

    Parameters
    ----------
    words
        n words, none empty.
    max_word_length
        Number of columns, marks included.

    Returns
    -------
    Tensor
        int16, shape (n, max_word_length).

    Raises
    ------
    LexiscopeError
        If a word is empty.
    """
    table = np.full((len(words), max_word_length), PADDING, dtype=np.int16)
    for row, word in enumerate(words):
        if not word:
            raise LexiscopeError(f"word {row} is empty and has no characters to embed")
        mark = SENTENCE_MARKS.get(word)
        symbols = list(word.encode("utf-8"))[: max_word_length - 2] if mark is None else [mark]
        table[row, : len(symbols) + 2] = [WORD_BEGIN, *symbols, WORD_END]
    return torch.from_numpy(table)
