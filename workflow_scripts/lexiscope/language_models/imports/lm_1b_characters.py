"""Words as the character ids that lm_1b was trained with.

Not the numbering of 262 characters that ELMo made of it later: lm_1b has 256 ids, one for each value of a
byte, and its five markers take the lowest byte values that no word of the vocabulary contains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexiscope.language_models.imports.lm_1b_files import BEGIN_SENTENCE, END_SENTENCE

MAX_WORD_LENGTH = 50


class CharacterIds:
    """Turn words into character ids.

    Parameters
    ----------
    vocabulary
        All words of the model: the ids of the markers depend on which bytes they leave free.
    length
        Ids a word, the markers of its begin and end among them.

    Attributes
    ----------
    begin_sentence, end_sentence, begin_word, end_word, padding
        The ids of the markers.
    """

    def __init__(self, vocabulary: Sequence[str], length: int = MAX_WORD_LENGTH) -> None:
        used = set("".join(vocabulary).encode("utf-8"))
        # UTF-8 has no use for 13 of the values (0xC0, 0xC1, from 0xF5 on), so there are always five.
        free = [value for value in range(256) if value not in used]
        self.length = length
        self.begin_sentence, self.end_sentence, self.begin_word, self.end_word, self.padding = free[:5]

    def encode(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Character ids of ``words``, shape (n_words, length).

        A word is its UTF-8 bytes, cut to ``length`` - 2, between two markers; ``<S>`` and ``</S>`` are one
        marker instead of their letters.
        """
        ids = np.full((len(words), self.length), self.padding, dtype=np.int32)
        for row, word in zip(ids, words, strict=True):
            body = self._bytes(word)
            row[0] = self.begin_word
            row[1 : 1 + len(body)] = np.frombuffer(body, dtype=np.uint8)
            row[1 + len(body)] = self.end_word
        return ids

    def is_cut(self, word: str) -> bool:
        """Whether the word has more bytes than the model sees."""
        return len(word.encode("utf-8")) > self.length - 2

    def _bytes(self, word: str) -> bytes:
        if word == BEGIN_SENTENCE:
            return bytes([self.begin_sentence])
        if word == END_SENTENCE:
            return bytes([self.end_sentence])
        return word.encode("utf-8")[: self.length - 2]
