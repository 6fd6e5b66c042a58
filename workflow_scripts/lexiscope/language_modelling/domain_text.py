"""Labelled text for language models: running sentences, and the domain of each token."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.corpora.vocabulary import EOS_ID, SPECIALS
from lexiscope.domains.labelled_text import LabelledText, labelled_file, read_texts
from lexiscope.domains.sequences import Sequences
from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.passages import is_content_word
from lexiscope.language_modelling.text import RestrictedText

UNCUT = 1 << 40
"""Longer than any sentence."""

TOPICAL_WORDS, MIN_COUNT = 50, 3
"""Words that are called topical of each domain, and how often they must occur in it."""


@dataclass(frozen=True, eq=False)
class DomainText:
    """Labelled text; make one with `read`.

    Attributes
    ----------
    text
        The sentences of a paragraph follow one another; the paragraphs stand in a random order.
    labels
        int64, shape (n_tokens,) for each part: the class of the sentence that a token, or the ``</s>``
        after it, belongs to.
    domains
        The domain of each class.
    """

    text: RestrictedText
    labels: Mapping[Split, NDArray[np.int64]]
    domains: tuple[int, ...]

    @classmethod
    def read(
        cls, folder: Path, *, vocabulary_size: int | None, max_tokens: int | None, seed: int
    ) -> DomainText:
        """Read a labelled set.

        Documents of one domain may stand side by side in it. Paragraphs are therefore shuffled, or the
        text before a sentence would tell its domain.

        Parameters
        ----------
        folder
            What `lexiscope.domains.labels` wrote.
        vocabulary_size
            Words of the vocabulary, ``<unk>`` and ``</s>`` not counted; None for all of the training part.
        max_tokens
            Of the training part, whole paragraphs of so many tokens at most, ``</s>`` included; of the
            other parts the same share, as all of them would take far longer to read than to train on it.
        seed
            Of the order.

        Raises
        ------
        LexiscopeError
            As `LabelledText.read`, or if paragraphs and sentences are not of one text, or nothing remains.
        """
        folder = Path(folder)
        labelled = LabelledText.read(
            folder,
            "sentences",
            vocabulary_size=sys.maxsize if vocabulary_size is None else vocabulary_size,
            max_length=UNCUT,
            max_tokens=None,
            seed=seed,
        )
        splits: dict[Split, NDArray[np.int32]] = {}
        labels: dict[Split, NDArray[np.int64]] = {}
        share = 1.0
        for number, split in enumerate(SPLITS):
            part = labelled.parts[split]
            paragraphs = _paragraphs(part, labelled_file(folder, "paragraphs", split))
            order = _shuffled(paragraphs, np.random.default_rng([seed, number]))
            sizes = part.lengths + 1
            if split == "train" and max_tokens is not None:
                share = min(1.0, max_tokens / int(sizes.sum()))
            if share < 1:
                order = _beginning(order, paragraphs, sizes, int(share * int(sizes.sum())))
                if not len(order):
                    raise LexiscopeError(
                        f"with at most {max_tokens} tokens to train on no paragraph remains in the part "
                        f"{split!r}",
                        where=folder,
                        remedy="raise max_tokens",
                    )
            splits[split] = _stream(part, order)
            labels[split] = np.repeat(part.labels[order], part.lengths[order] + 1)
        return cls(RestrictedText(labelled.words, splits, labelled.sha256), labels, labelled.domains)

    @cached_property
    def sha256(self) -> str:
        """Digest (hex) of text and labels."""
        digest = hashlib.sha256(f"{self.text.sha256}\n{self.domains}\n".encode())
        for split in SPLITS:
            digest.update(np.ascontiguousarray(self.labels[split], dtype="<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def majority(self) -> float:
        """Share of the test tokens whose domain is the one that most training tokens have."""
        most = np.bincount(self.labels["train"], minlength=len(self.domains)).argmax()
        return float((self.labels["test"] == most).mean())

    @cached_property
    def topical(self) -> NDArray[np.bool_]:
        """Which words are topical of which domain, shape (n_domains, V).

        They are the `TOPICAL_WORDS` content words w of the training part that tell most of their domain d:
        those with the highest p(w | d) ln(p(w | d) / p(w)), if above 0.
        """
        text, n_domains = self.text, len(self.domains)
        cells = self.labels["train"] * len(text) + text.splits["train"]
        counts = np.bincount(cells, minlength=n_domains * len(text)).reshape(n_domains, -1)
        counts[:, [not is_content_word(word) for word in text.words]] = 0
        counts[:, : len(SPECIALS)] = 0
        within = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        overall = counts.sum(axis=0) / max(counts.sum(), 1)
        told = np.zeros(counts.shape)
        enough = counts >= MIN_COUNT
        ratio = np.divide(within, overall, out=np.ones(counts.shape), where=enough)
        told[enough] = (within * np.log(ratio))[enough]
        best = np.argsort(-told, axis=1, kind="stable")[:, :TOPICAL_WORDS]
        topical = np.zeros(counts.shape, dtype=np.bool_)
        np.put_along_axis(topical, best, True, axis=1)
        return topical & (told > 0)

    @cached_property
    def topical_places(self) -> NDArray[np.bool_]:
        """Where in the test part a topical word of the sentence's own domain stands, shape (n_tokens,)."""
        places: NDArray[np.bool_] = self.topical[self.labels["test"], self.text.splits["test"]]
        return places

    def topical_words_of(self, domain: int) -> list[str]:
        """The topical words of a class, the most frequent in the text first."""
        return [self.text.words[number] for number in np.flatnonzero(self.topical[domain])]


def _paragraphs(sentences: Sequences, path: Path) -> NDArray[np.int64]:
    """The number of the paragraph of each sentence: both files have the same tokens in the same order."""
    ends = np.cumsum(read_texts(path, {}).lengths)
    sentence_ends = np.cumsum(sentences.lengths)
    if not len(ends) or ends[-1] != sentence_ends[-1] or not np.isin(ends, sentence_ends).all():
        raise LexiscopeError(
            "its paragraphs are not those of the sentences",
            where=path,
            remedy="delete the folder and run the workflow again",
        )
    return np.searchsorted(ends, sentence_ends)


def _shuffled(paragraphs: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of the sentences, paragraph by paragraph in a random order."""
    place = generator.permutation(int(paragraphs[-1]) + 1)
    return np.argsort(place[paragraphs], kind="stable")


def _beginning(
    order: NDArray[np.int64],
    paragraphs: NDArray[np.int64],
    sizes: NDArray[np.int64],
    max_tokens: int,
) -> NDArray[np.int64]:
    """The sentences of the first whole paragraphs of at most ``max_tokens``."""
    ends = np.cumsum(sizes[order])
    own = paragraphs[order]
    last = np.flatnonzero(np.append(own[1:] != own[:-1], True))  # the last sentence of each paragraph
    n_paragraphs = int(np.searchsorted(ends[last], max_tokens, side="right"))
    return order[: int(last[n_paragraphs - 1]) + 1] if n_paragraphs else order[:0]


def _stream(sentences: Sequences, order: NDArray[np.int64]) -> NDArray[np.int32]:
    """The ids of some sentences, each followed by ``</s>``."""
    starts, lengths = sentences.starts[order], sentences.lengths[order]
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = np.cumsum(lengths + 1) - (lengths + 1)
    stream = np.full(int((lengths + 1).sum()), EOS_ID, dtype=np.int32)
    stream[np.repeat(first, lengths) + within] = sentences.ids[np.repeat(starts, lengths) + within]
    return stream
