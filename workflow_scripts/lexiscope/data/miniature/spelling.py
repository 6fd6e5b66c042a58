"""How the words look: made-up stems, regular inflection and derivation.

Every stem starts and ends with a consonant, so a suffix never changes the stem and ``a`` is the only form
of the indefinite article. Words of one semantic subfield often share their last syllable, which is what a
model that sees characters can learn beyond the affixes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONSETS = (
    "b",
    "d",
    "f",
    "g",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "dr",
    "gl",
    "kr",
    "pl",
    "sk",
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")
CODAS = ("l", "m", "n", "r", "k", "p", "sh", "rt", "nd", "x")

PLURAL = "en"
THIRD_SINGULAR = "it"
PAST = "um"
ADVERB = "oli"


@dataclass(frozen=True)
class Affix:
    """A derivation: ``prefix`` + stem + ``suffix``, from one part of speech to another.

    Attributes
    ----------
    name
        What it means, for people.
    source, target
        Parts of speech: ``noun``, ``verb``, ``adjective``.
    """

    name: str
    source: str
    target: str
    prefix: str = ""
    suffix: str = ""

    def apply(self, stem: str) -> str:
        """The derived word's stem."""
        return f"{self.prefix}{stem}{self.suffix}"


AFFIXES = (
    Affix("small", "noun", "noun", suffix="ilok"),
    Affix("former", "noun", "noun", prefix="ver"),
    Affix("agent", "verb", "noun", suffix="esk"),
    Affix("again", "verb", "verb", prefix="ra"),
    Affix("too_much", "verb", "verb", prefix="sor"),
    Affix("not", "adjective", "adjective", prefix="nu"),
    Affix("somewhat", "adjective", "adjective", suffix="ewik"),
)


class Speller:
    """Makes new word forms and never the same one twice."""

    def __init__(self, rng: np.random.Generator, taken: frozenset[str]) -> None:
        self._rng = rng
        self._taken = set(taken)

    def _pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self._rng.integers(len(choices)))]

    def syllable(self, *, closed: bool) -> str:
        """One syllable; a closed one ends in a consonant."""
        return self._pick(ONSETS) + self._pick(VOWELS) + (self._pick(CODAS) if closed else "")

    def stem(self, theme: str, endings: tuple[str, ...]) -> str:
        """A new stem whose inflected forms (``stem + ending``) are new as well.

        Two or three syllables; six words in ten end in ``theme``, the syllable of their subfield.
        """
        while True:
            opening = self.syllable(closed=False)
            if self._rng.random() < 0.3:
                opening += self.syllable(closed=False)
            last = theme if self._rng.random() < 0.6 else self.syllable(closed=True)
            stem = opening + last
            if self.claim([stem + ending for ending in endings]):
                return stem

    def claim(self, forms: list[str]) -> bool:
        """Take ``forms`` if all of them are free."""
        if not self._taken.isdisjoint(forms) or len(set(forms)) < len(forms):
            return False
        self._taken.update(forms)
        return True
