"""The words of a corpus, their counts, and the two tokens that are no words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.files import write_bytes

UNK_ID, EOS_ID = 0, 1
UNK, EOS = "<unk>", "</s>"
SPECIALS = (UNK, EOS)


@dataclass(frozen=True)
class Vocabulary:
    """Words by id.

    Attributes
    ----------
    words
        The word of each id: ``<unk>``, ``</s>``, then the words by descending count, ties by word (in the
        order of code points).
    counts
        int64, shape (n_words,): occurrences in the training text. That of ``<unk>`` is the number of
        tokens which are no word of the vocabulary, that of ``</s>`` the number of sentences.
    """

    words: tuple[str, ...]
    counts: NDArray[np.int64]

    @cached_property
    def index(self) -> dict[str, int]:
        """Id of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def ids(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Ids of ``words``; those that are not in the vocabulary get `UNK_ID`."""
        return np.fromiter((self.index.get(word, UNK_ID) for word in words), np.int64, count=len(words))


def write_counts(path: str | Path, words: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Write words and counts, one ``word<TAB>count`` a line, atomically."""
    lines = [f"{word}\t{count}\n" for word, count in zip(words, counts.tolist(), strict=True)]
    write_bytes(path, "".join(lines).encode("utf-8"))


def read_counts(path: str | Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Read what `write_counts` wrote.

    Raises
    ------
    LexiscopeError
        If the file is missing, is not UTF-8, has a line of another form, or names a word twice.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LexiscopeError("no such file", where=path) from None
    except UnicodeDecodeError as error:
        raise LexiscopeError(f"not UTF-8 ({error.reason} at byte {error.start})", where=path) from None
    # Not splitlines(): it would also split at characters such as U+2028.
    lines = text.removesuffix("\n").split("\n") if text else []
    words, counts = [], np.empty(len(lines), dtype=np.int64)
    for number, line in enumerate(lines):
        word, tab, count = line.removesuffix("\r").partition("\t")
        if not (word and tab and count.isascii() and count.isdigit()):
            raise LexiscopeError("not 'word<TAB>count'", where=path, line=number + 1)
        words.append(word)
        counts[number] = int(count)
    if len(set(words)) != len(words):
        raise LexiscopeError(f"the word {_first_repeat(words)!r} occurs twice", where=path)
    return tuple(words), counts


def _first_repeat(words: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(word for word in words if word in seen or seen.add(word))  # type: ignore[func-returns-value]


def write_vocabulary(vocabulary: Vocabulary, path: str | Path) -> None:
    """Write a vocabulary atomically; a word's id is the number of its line, from 0."""
    write_counts(path, vocabulary.words, vocabulary.counts)


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read a vocabulary.

    Raises
    ------
    LexiscopeError
        As `read_counts`, or if the file does not begin with the two specials.
    """
    words, counts = read_counts(path)
    if words[:2] != SPECIALS:
        raise LexiscopeError(f"a vocabulary begins with {UNK} and {EOS}", where=path, line=1)
    return Vocabulary(words, counts)
