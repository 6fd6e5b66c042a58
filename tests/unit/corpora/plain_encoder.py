"""The rules of encoding written down once more, line by line, to compare with."""

from __future__ import annotations

import re
from collections import Counter

from lexiscope.corpora.encoded import EncodedCorpus, Split

SEPARATORS = re.compile("[\x00-\x09\x0b-\x20\x7f-\x9f\u2028\u2029]")


def read_plainly(content: bytes, casing: str = "as_is") -> list[list[str]]:
    """Sentences of tokenised text."""
    sentences = []
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        text = SEPARATORS.sub(" ", line.decode("utf-8", "replace"))
        tokens = (text.lower() if casing == "lower" else text).split()
        tokens = [token for token in tokens if token != "</s>"]
        for start in range(0, len(tokens), 1000):
            sentences.append(tokens[start : start + 1000])
    return sentences


def vocabulary_plainly(
    sentences: list[list[str]], min_count: int, most: int | None
) -> list[tuple[str, int]]:
    """Words and counts, without the specials, in their order."""
    counts = Counter(token for sentence in sentences for token in sentence if token != "<unk>")
    words = [(word, count) for word, count in counts.items() if count >= min_count]
    return sorted(words, key=lambda item: (-item[1], item[0]))[:most]


def decoded(corpus: EncodedCorpus, split: Split = "train") -> list[list[str]]:
    """Sentences of a split as words, the slow and obvious way."""
    sentences, words = [], []
    for number in corpus.tokens(split):
        if number == 1:
            sentences.append(words)
            words = []
        else:
            words.append(corpus.vocabulary.words[number])
    assert not words, "the last sentence has no end"
    return sentences
