"""The labelled paragraphs or sentences that a domain classifier is trained on."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.corpora.vocabulary import SPECIALS, UNK_ID
from lexiscope.domains.sequences import Sequences, pieces_of
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json

Level = Literal["paragraphs", "sentences"]


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one file.

    Attributes
    ----------
    ids
        int32, 1-d: one text after the other.
    lengths, domains
        int64, shape (n_texts,).
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    domains: NDArray[np.int64]

    def among_first(self, max_tokens: int, seed: int) -> Texts:
        """As many texts, drawn at random and in their order, as have ``max_tokens`` ids at most."""
        order = np.random.default_rng(seed).permutation(len(self.lengths))
        n = int(np.searchsorted(np.cumsum(self.lengths[order]), max_tokens, side="right"))
        kept = np.zeros(len(self.lengths), dtype=bool)
        kept[order[:n]] = True
        return Texts(self.ids[np.repeat(kept, self.lengths)], self.lengths[kept], self.domains[kept])


@dataclass(frozen=True, eq=False)
class LabelledText:
    """Texts with one label each, over the vocabulary of the training part; make one with `read`.

    Attributes
    ----------
    words
        ``<unk>``, ``</s>`` (which does not occur), then words by descending count, ties by word.
    domains
        The domain of each class; a label is the number of a class.
    parts
        The texts of ``train``, ``valid`` and ``test``, cut where they are too long.
    casing
        What the labelled set tells of it: ``as_is`` or ``lower``.
    """

    words: tuple[str, ...]
    domains: tuple[int, ...]
    parts: Mapping[Split, Sequences]
    casing: str

    @classmethod
    def read(
        cls,
        folder: Path,
        level: Level,
        *,
        vocabulary_size: int,
        max_length: int,
        max_tokens: int | None,
        seed: int,
    ) -> LabelledText:
        """Read the three parts of a labelled set.

        Parameters
        ----------
        folder
            What `lexiscope.domains.labels` wrote.
        level
            Which version of it.
        vocabulary_size
            Words of the vocabulary, ``<unk>`` and ``</s>`` not counted.
        max_length
            Longer texts become several sequences.
        max_tokens
            Of the training part, whole texts of so many tokens at most; which, ``seed`` decides.

        Raises
        ------
        LexiscopeError
            If a part is missing, empty or damaged, or the training part has one domain only.
        """
        numbers: dict[str, int] = {}
        read = {split: read_texts(labelled_file(folder, level, split), numbers) for split in SPLITS}
        if max_tokens is not None:
            read["train"] = read["train"].among_first(max_tokens, seed)
        for split, texts in read.items():
            if not len(texts.lengths):
                raise LexiscopeError(
                    f"no labelled text remains in the part {split!r}",
                    where=folder,
                    remedy="use more documents, or a higher max_tokens",
                )
        domains = np.unique(np.concatenate([texts.domains for texts in read.values()]))
        if len(np.unique(read["train"].domains)) < 2:
            raise LexiscopeError(
                "all texts of the training part are of one domain: there is nothing to tell apart",
                where=folder,
            )
        words, table = _vocabulary(numbers, read["train"].ids, vocabulary_size)
        parts: dict[Split, Sequences] = {}
        for split, texts in read.items():
            labels = np.searchsorted(domains, texts.domains)
            parts[split] = pieces_of(table[texts.ids], texts.lengths, max_length, labels)
        return cls(words, tuple(domains.tolist()), parts, casing_of(folder))

    @cached_property
    def sha256(self) -> str:
        """Digest (hex) of vocabulary, domains, and all parts."""
        digest = hashlib.sha256("\n".join(self.words).encode("utf-8"))
        digest.update(f"\n{self.domains}\n".encode())
        for split in SPLITS:
            digest.update(self.parts[split].sha256.encode())
        return digest.hexdigest()


def labelled_file(folder: Path, level: Level, split: Split) -> Path:
    """Where a labelled set keeps the texts of one level and part."""
    return Path(folder) / split / f"{level}.txt"


def casing_of(folder: Path) -> str:
    """The casing of a labelled set, as its ``domains.json`` tells it.

    Raises
    ------
    LexiscopeError
        If that file is missing or tells nothing.
    """
    path = Path(folder) / "domains.json"
    try:
        return str(read_json(path)["config"]["casing"])
    except (KeyError, TypeError):
        raise LexiscopeError("it does not tell the casing of the text", where=path) from None


def read_texts(path: Path, numbers: dict[str, int]) -> Texts:
    """Read texts, one a line: ``domain<TAB>tokens``, tokens with spaces between.

    Parameters
    ----------
    path
        The file.
    numbers
        The id of each word; a new word gets the next one.

    Raises
    ------
    LexiscopeError
        If the file is missing, is not UTF-8, or has a line of another form.
    """
    ids, lengths, domains = array("i"), array("q"), array("q")
    number = 0
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                domain, _, text = raw.decode("utf-8").rstrip("\r\n").partition("\t")
                tokens = [token for token in text.split(" ") if token]
                if not (domain.isascii() and domain.isdigit() and tokens):
                    raise LexiscopeError("not 'domain<TAB>tokens'", where=path, line=number)
                ids.extend(numbers.setdefault(token, len(numbers)) for token in tokens)
                lengths.append(len(tokens))
                domains.append(int(domain))
    except FileNotFoundError:
        raise LexiscopeError("no such file", where=path) from None
    except UnicodeDecodeError as error:
        raise LexiscopeError(f"not UTF-8 ({error.reason})", where=path, line=number) from None
    return Texts(
        np.array(ids, dtype=np.int32),
        np.array(lengths, dtype=np.int64),
        np.array(domains, dtype=np.int64),
    )


def _vocabulary(
    numbers: Mapping[str, int], train: NDArray[np.int32], size: int
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The ``size`` most frequent words of the training part, and the final id of each provisional one."""
    counts = np.bincount(train, minlength=len(numbers)).tolist()
    ranked = sorted(
        (-counts[number], word, number)
        for word, number in numbers.items()
        if counts[number] and word not in SPECIALS
    )[:size]
    table = np.full(len(numbers), UNK_ID, dtype=np.int32)
    table[[number for _, _, number in ranked]] = np.arange(len(SPECIALS), len(SPECIALS) + len(ranked))
    return (*SPECIALS, *(word for _, word, _ in ranked)), table
