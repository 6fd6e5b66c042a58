"""Where every reader brings its words and vectors: the policies are applied and counted here, once."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.config import FileConfig
from lexiscope.errors import LexiscopeError

MAX_DIM = 100_000
MAX_WARNINGS = 5
_FORBIDDEN = re.compile(rb"[\0\r]")

logger = logging.getLogger("lexiscope")


class Collector:
    """Collects the vectors of a file under the user's policies.

    Parameters
    ----------
    path
        The file, for messages.
    policies
        What to do about each kind of fault.
    lexicon
        Keep only these words (all lines are checked all the same); None keeps all.
    unit
        What the places given to `add` count: ``line`` and ``row`` from 1, ``byte`` from 0.

    Attributes
    ----------
    counts
        How often each policy was applied, and what else is worth telling.
    """

    def __init__(
        self,
        path: Path,
        policies: FileConfig,
        *,
        lexicon: Collection[str] | None = None,
        unit: Literal["line", "byte", "row"] = "row",
    ) -> None:
        self.path, self.policies, self.unit = path, policies, unit
        self.lexicon = None if lexicon is None else frozenset(lexicon)
        self.counts: Counter[str] = Counter()
        self._places: dict[str, int] = {}
        self._words: list[str] = []
        self._blocks: list[NDArray[np.float32]] = []

    @property
    def n_words(self) -> int:
        """Words found so far, in the lexicon or not."""
        return len(self._places)

    def fault(self, problem: str, place: int, remedy: str | None = None) -> LexiscopeError:
        """The error that says what is wrong at a place of the file."""
        if self.unit == "line":
            return LexiscopeError(problem, where=self.path, line=place, remedy=remedy)
        return LexiscopeError(f"{problem} (at {self.unit} {place:,})", where=self.path, remedy=remedy)

    def drop(self, policy: Literal["bad_lines", "non_finite"], problem: str, place: int) -> None:
        """Count a line that is left out, or raise if the policy is not to leave such lines out.

        Raises
        ------
        LexiscopeError
            Unless the policy is ``drop``.
        """
        if getattr(self.policies, policy) == "error":
            raise self.fault(problem, place, f"mend the file, or set '{policy}: drop' to leave it out")
        self.counts[f"{policy}_dropped"] += 1
        if self.counts[f"{policy}_dropped"] <= MAX_WARNINGS:
            logger.warning("%s; left out", self.fault(problem, place))

    def add(self, words: Sequence[bytes], places: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Take words, where each stands, and their vectors of shape (n_words, dim)."""
        texts = self._decode(words, places)
        self._check_finite(texts, places, vectors)
        self._check_duplicates(texts, places)
        rows = [
            row
            for row, text in enumerate(texts)
            if text is not None and (self.lexicon is None or text in self.lexicon)
        ]
        if not rows:
            return
        self._words += [texts[row] for row in rows]  # type: ignore[misc]
        self._blocks.append(vectors if len(rows) == len(vectors) else vectors[rows])

    def finish(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The words kept and their vectors, in the order of the file.

        Raises
        ------
        LexiscopeError
            If there are none.
        """
        if not self._places:
            raise LexiscopeError("no vectors are left of this file", where=self.path)
        if not self._words:
            example = ", ".join(repr(word) for word in list(self._places)[:5])
            raise LexiscopeError(
                f"none of its {self.n_words:,} words is in the lexicon (its first: {example})",
                where=self.path,
                remedy="check the casing and the language, or set 'align: false'",
            )
        vectors = np.empty((len(self._words), self._blocks[0].shape[1]), dtype=np.float32)
        end = len(vectors)
        while self._blocks:  # from the last, each freed once copied: the peak stays near one matrix
            block = self._blocks.pop()
            vectors[end - len(block) : end] = block
            end -= len(block)
        return tuple(self._words), vectors

    def _decode(self, words: Sequence[bytes], places: Sequence[int]) -> list[str | None]:
        joined = b"\n".join(words)
        if not _FORBIDDEN.search(joined) and b"" not in words and joined.count(b"\n") == len(words) - 1:
            try:
                return list(joined.decode("utf-8").split("\n"))
            except UnicodeDecodeError:
                pass  # word by word below, where the policy applies
        return [self._decode_word(word, place) for word, place in zip(words, places, strict=True)]

    def _decode_word(self, word: bytes, place: int) -> str | None:
        if fault := _word_fault(word):
            self.drop("bad_lines", fault, place)
            return None
        try:
            return word.decode("utf-8")
        except UnicodeDecodeError:
            return self._decode_badly(word, place)

    def _decode_badly(self, word: bytes, place: int) -> str:
        policy = self.policies.encoding_errors
        if policy == "error":
            raise self.fault(
                f"the word {_shown(word)} is not UTF-8",
                place,
                "set 'encoding_errors: latin1' if such words are Latin-1, or 'encoding_errors: replace'",
            )
        self.counts["words_not_utf8"] += 1
        return word.decode("latin-1") if policy == "latin1" else word.decode("utf-8", "replace")

    def _check_finite(
        self, texts: list[str | None], places: Sequence[int], vectors: NDArray[np.float32]
    ) -> None:
        finite = np.isfinite(vectors)
        if finite.all():
            return
        for row in np.flatnonzero(~finite.all(axis=1)).tolist():
            if texts[row] is None:
                continue
            column = int(np.argmin(finite[row]))
            problem = f"the vector of {texts[row]!r} has {vectors[row, column]} as number {column + 1}"
            self.drop("non_finite", problem, places[row])
            texts[row] = None

    def _check_duplicates(self, texts: list[str | None], places: Sequence[int]) -> None:
        fresh = dict(zip(texts, places, strict=True))
        if len(fresh) == len(texts) and None not in fresh and self._places.keys().isdisjoint(fresh):
            self._places.update(fresh)  # type: ignore[arg-type]
            return
        for row, text in enumerate(texts):
            if text is None:
                continue
            first = self._places.setdefault(text, places[row])
            if first != places[row]:
                self._refuse_duplicate(text, first, places[row])
                texts[row] = None

    def _refuse_duplicate(self, word: str, first: int, place: int) -> None:
        if self.policies.duplicates == "error":
            raise self.fault(
                f"the word {word!r} comes again (first at {self.unit} {first:,})",
                place,
                "remove one, or set 'duplicates: first' to keep the first",
            )
        self.counts["duplicates_dropped"] += 1


def check_dim(dim: int, path: Path, *, line: int | None = None) -> None:
    """Refuse a dimension that no file of vectors has, before memory is asked for.

    Raises
    ------
    LexiscopeError
        If ``dim`` is not between 1 and `MAX_DIM`.
    """
    if not 1 <= dim <= MAX_DIM:
        raise LexiscopeError(f"{dim:,} dimensions; 1 to {MAX_DIM:,} can be read", where=path, line=line)


def _word_fault(word: bytes) -> str | None:
    if not word:
        return "the word is missing"
    if b"\0" in word:
        return f"the word {_shown(word)} holds a NUL byte"
    if b"\n" in word or b"\r" in word:
        return f"the word {_shown(word)} holds a line break"
    return None


def _shown(word: bytes) -> str:
    return ascii(word[:60].decode("latin-1"))
