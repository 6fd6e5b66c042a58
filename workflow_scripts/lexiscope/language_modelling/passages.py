"""The text in which the rank probe ranks words, and which of its words are ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import EOS_ID, SPECIALS, UNK_ID
from lexiscope.errors import LexiscopeError

PASSAGE = Path(__file__).parent / "passage.txt"
"""Everyday English on one subject, a storm that reaches a coast; written for this project."""

FUNCTION_WORDS = frozenset(
    (Path(__file__).parent / "function_words.txt").read_text(encoding="utf-8").split()
)
"""English words of closed classes, in lower case: they are no content words."""


CORPUS_SENTENCES = 10
"""Sentences of a passage that is taken from a corpus."""


@dataclass(frozen=True)
class Place:
    """A word at its place.

    Attributes
    ----------
    sentence, position
        Where it stands, both counted from 1.
    token
        The word as the text has it.
    """

    sentence: int
    position: int
    token: str


@dataclass(frozen=True)
class Passage:
    """Tokenised sentences."""

    sentences: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, path: str | Path | None = None) -> Passage:
        """Read a UTF-8 file, a sentence a line, tokens with spaces between; None is the project's own.

        Raises
        ------
        LexiscopeError
            If it cannot be read, or has no tokens.
        """
        path = PASSAGE if path is None else Path(path)
        try:
            lines = path.read_bytes().decode("utf-8").split("\n")
        except FileNotFoundError:
            raise LexiscopeError("no such file", where=path) from None
        except UnicodeDecodeError as error:
            raise LexiscopeError(f"not UTF-8 ({error.reason} at byte {error.start})", where=path) from None
        sentences = tuple(tuple(line.split()) for line in lines if line.split())
        if not sentences:
            raise LexiscopeError("the passage has no words", where=path)
        return cls(sentences)

    @classmethod
    def beginning_of(cls, corpus: EncodedCorpus) -> Passage:
        """The first sentences of a corpus's test part.

        Raises
        ------
        LexiscopeError
            If it has none.
        """
        sentences: list[tuple[str, ...]] = []
        words: list[str] = []
        for number in map(int, corpus.tokens("test")):
            if number != EOS_ID:
                words.append(corpus.vocabulary.words[number])
            elif words:
                sentences.append(tuple(words))
                words = []
            if len(sentences) == CORPUS_SENTENCES:
                break
        if not sentences:
            raise LexiscopeError("there is no sentence in the part 'test'", where=corpus.path)
        return cls(tuple(sentences))

    def places(self, words: Sequence[str] = ()) -> list[Place]:
        """Where some words stand, whatever their case; without any, all content words.

        Content words have a letter and are none of `FUNCTION_WORDS`.

        Raises
        ------
        LexiscopeError
            If one of ``words`` does not stand in the passage.
        """
        wanted = {word.lower() for word in words}
        present = {token.lower() for sentence in self.sentences for token in sentence}
        for word in words:
            if word.lower() not in present:
                raise LexiscopeError(
                    f"the word {word!r} is to be ranked, but does not stand in the passage",
                    where="rank_probe.words",
                )
        return [
            Place(number, position, token)
            for number, sentence in enumerate(self.sentences, start=1)
            for position, token in enumerate(sentence, start=1)
            if (token.lower() in wanted if wanted else is_content_word(token))
        ]

    @cached_property
    def n_tokens(self) -> int:
        """Number of tokens, ``</s>`` not included."""
        return sum(len(sentence) for sentence in self.sentences)

    def encode(self, index: Mapping[str, int]) -> tuple[NDArray[np.int64], dict[tuple[int, int], int]]:
        """Ids, each sentence followed by ``</s>``, and the offset of each place (sentence, position).

        A word that the vocabulary ``index`` lacks is looked up in lower case, then becomes ``<unk>``.
        """
        ids: list[int] = []
        offsets: dict[tuple[int, int], int] = {}
        for number, sentence in enumerate(self.sentences, start=1):
            for position, token in enumerate(sentence, start=1):
                offsets[number, position] = len(ids)
                ids.append(index.get(token, index.get(token.lower(), UNK_ID)))
            ids.append(EOS_ID)
        return np.array(ids, dtype=np.int64), offsets


def is_content_word(token: str) -> bool:
    """Whether a token is a word that means something by itself: no punctuation, number or function word."""
    meaningful = token not in SPECIALS and token.lower() not in FUNCTION_WORDS
    return meaningful and any(map(str.isalpha, token))
