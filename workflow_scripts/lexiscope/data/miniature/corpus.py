"""Documents, and the four corpora made of them in their official formats.

Each function returns ``{path under the data root: content}``; the paths are those of the real corpora.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.grammar import Sentence, SentenceGrammar, leaves
from lexiscope.data.miniature.inventory import TOPICS
from lexiscope.data.miniature.language import Language, stream
from lexiscope.data.miniature.preferences import Preferences

SENTENCES_PER_PARAGRAPH = (3, 6)  # both included; likewise the next two
PARAGRAPHS_PER_SECTION = (1, 3)
SECTIONS_PER_DOCUMENT = (1, 3)
ABOUT_TITLE_SHARE = 0.25  # of the sentences of a document, besides its first
RARE_IN_PTB = 3  # words seen less often in the training part are <unk>; likewise in WikiText
RARE_IN_WIKITEXT = 3
HELD_OUT_SHARE = 0.08  # of PTB and WikiText sentences: this much for valid, and for test
UNKNOWN = "<unk>"
PUNCTUATION = frozenset({",", ".", "POS"})

Files = dict[str, str]


class Document(NamedTuple):
    """A text about one thing.

    Attributes
    ----------
    title
        Tokens, capitalised.
    topic
        Index into ``inventory.TOPICS``; all its sentences have it.
    sections
        (heading tokens, paragraphs); the first section's heading is empty.
    """

    title: tuple[str, ...]
    topic: int
    sections: tuple[tuple[tuple[str, ...], tuple[tuple[Sentence, ...], ...]], ...]

    def sentences(self) -> Iterator[Sentence]:
        """All sentences in reading order."""
        for _, paragraphs in self.sections:
            for paragraph in paragraphs:
                yield from paragraph


class Writer:
    """An endless supply of documents, and the random generator of one corpus."""

    def __init__(
        self, language: Language, preferences: Preferences, config: MiniatureConfig, seed: int, purpose: str
    ) -> None:
        self.rng = stream(seed, purpose)
        self.config = config
        self._truth = language.truth
        self._grammar = SentenceGrammar(language, preferences, stream(seed, purpose + " sentences"))
        nouns = [lemma for lemma in self._truth.lemmas if lemma.part_of_speech == "noun" and lemma.attested]
        self._nouns = np.array([noun.index for noun in nouns])
        # Two documents in three are about a person, a company or a town.
        boost = np.array([8.0 if noun.proper else 1.0 for noun in nouns])
        self._subjects = boost * self._truth.frequencies[self._nouns]

    def document(self) -> Document:
        """A new document on a random topic."""
        topic = int(self.rng.integers(len(TOPICS)))
        subject = self._noun(topic)
        sections = []
        for number in range(self._between(SECTIONS_PER_DOCUMENT)):
            heading = self._title(self._noun(topic)) if number else ()
            paragraphs = tuple(
                self._paragraph(topic, subject, opens=number == 0 and position == 0)
                for position in range(self._between(PARAGRAPHS_PER_SECTION))
            )
            sections.append((heading, paragraphs))
        return Document(self._title(subject), topic, tuple(sections))

    def documents(self, tokens: int) -> list[Document]:
        """As many documents as are needed for at least ``tokens`` tokens of text."""
        made: list[Document] = []
        written = 0
        while written < tokens:
            document = self.document()
            made.append(document)
            written += sum(sum(1 for _ in leaves(sentence.tree)) for sentence in document.sentences())
        return made

    def _noun(self, topic: int) -> int:
        weights = self._subjects * self._truth.topics[self._nouns, topic]
        cumulative = np.cumsum(weights)
        return int(self._nouns[cumulative.searchsorted(self.rng.random() * cumulative[-1], side="right")])

    def _title(self, noun: int) -> tuple[str, ...]:
        return (self._truth.lemmas[noun].stem.capitalize(),)

    def _between(self, limits: tuple[int, int]) -> int:
        return int(self.rng.integers(limits[0], limits[1] + 1))

    def _paragraph(self, topic: int, subject: int, *, opens: bool) -> tuple[Sentence, ...]:
        length = self._between(SENTENCES_PER_PARAGRAPH)
        about = self.rng.random(length) < ABOUT_TITLE_SHARE
        return tuple(
            self._grammar.sentence(topic, subject if about[i] or (opens and i == 0) else None)
            for i in range(length)
        )


def make_lm1b(writer: Writer) -> Files:
    """One Billion Word: no sentence twice, shuffled, one a line, spread over shards."""
    documents = writer.documents(writer.config.lm1b_tokens)
    lines = list(dict.fromkeys(" ".join(s.tokens) for document in documents for s in document.sentences()))
    shuffled = [lines[i] for i in writer.rng.permutation(len(lines))]
    held_out = round(writer.config.lm1b_heldout_share * len(shuffled))
    training = "lm1b/training-monolingual.tokenized.shuffled/news.en"
    heldout = "lm1b/heldout-monolingual.tokenized.shuffled/news.en.heldout"
    return {
        **_sharded(training, shuffled[held_out:], writer.config.lm1b_shards),
        **_sharded(heldout, shuffled[:held_out], writer.config.lm1b_heldout_shards),
    }


def _sharded(stem: str, lines: Sequence[str], shards: int) -> Files:
    limits = np.linspace(0, len(lines), shards + 1).astype(int).tolist()
    return {
        f"{stem}-{number:05d}-of-{shards:05d}": _text(lines[start:stop])
        for number, (start, stop) in enumerate(itertools.pairwise(limits))
    }


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def make_ptb(writer: Writer) -> Files:
    """Penn Treebank as prepared by Mikolov: lower case, no punctuation, ``N`` for numbers, ``<unk>``."""
    documents = writer.documents(writer.config.ptb_tokens)
    lines = [_ptb_words(sentence) for document in documents for sentence in document.sentences()]
    parts = _split(lines)
    known = _frequent_words(parts["train"], RARE_IN_PTB)
    return {
        f"ptb/ptb.{part}.txt": _text(f" {' '.join(_masked(words, known))} " for words in content)
        for part, content in parts.items()
    }


def _ptb_words(sentence: Sentence) -> list[str]:
    words = []
    for tag, word in leaves(sentence.tree):
        if tag == "CD":
            words.append("N")
        elif tag not in (",", "."):
            words.append(word.lower())
    return words


def _split(items: Sequence[list[str]]) -> dict[str, Sequence[list[str]]]:
    size = round(HELD_OUT_SHARE * len(items))
    end = len(items) - 2 * size
    return {"train": items[:end], "valid": items[end : end + size], "test": items[end + size :]}


def _frequent_words(lines: Iterable[Sequence[str]], least: int) -> frozenset[str]:
    counts = Counter(word for words in lines for word in words)
    return frozenset(word for word, count in counts.items() if count >= least)


def _masked(words: Sequence[str], known: frozenset[str]) -> list[str]:
    return [word if word in known else UNKNOWN for word in words]


def make_wikitext(writer: Writer) -> Files:
    """WikiText-2: articles, ``= headings =`` between blank lines, cased, ``<unk>`` for rare words."""
    articles = [_wikitext_article(document) for document in writer.documents(writer.config.wikitext_tokens)]
    size = max(1, round(HELD_OUT_SHARE * len(articles)))
    parts = {"train": articles[: -2 * size], "valid": articles[-2 * size : -size], "test": articles[-size:]}
    known = _frequent_words((line for article in parts["train"] for line in article), RARE_IN_WIKITEXT)
    files = {}
    for part, content in parts.items():
        lines = (line for article in content for line in article)
        files[f"wikitext-2/{part}.txt"] = _text(
            f" {' '.join([*_masked(line, known), ''])}" for line in lines
        )
    return files


def _wikitext_article(document: Document) -> list[list[str]]:
    lines: list[list[str]] = [[], ["=", *document.title, "="], []]
    for heading, paragraphs in document.sections:
        if heading:
            lines += [[], ["=", "=", *heading, "=", "="], []]
        lines += [[word for sentence in paragraph for word in sentence.tokens] for paragraph in paragraphs]
    return [*lines, []]


def make_enwiki(writer: Writer) -> Files:
    """Wikipedia as WikiExtractor leaves it: ``<doc …>`` elements, a paragraph a line, not tokenised."""
    documents = writer.documents(writer.config.enwiki_tokens)
    return {
        "enwiki-extracts/AA.txt": "".join(_enwiki_article(d, 1000 + i) for i, d in enumerate(documents))
    }


def _enwiki_article(document: Document, number: int) -> str:
    title = " ".join(document.title)
    url = f"http://en.wikipedia.org/wiki?curid={number}"
    lines = [f'<doc id="{number}" url="{url}" title="{title}">', title, ""]
    for heading, paragraphs in document.sections:
        if heading:
            lines.append(" ".join(heading) + ".")
        lines += [" ".join(running_text(sentence) for sentence in paragraph) for paragraph in paragraphs]
    return _text([*lines, "", "</doc>"])


def running_text(sentence: Sentence) -> str:
    """The sentence as people write it: punctuation and ``'s`` follow their word without a space."""
    tags = [tag for tag, _ in leaves(sentence.tree)]
    pieces = [
        word if tag in PUNCTUATION or i == 0 else f" {word}"
        for i, (tag, word) in enumerate(zip(tags, sentence.tokens, strict=True))
    ]
    return "".join(pieces)
