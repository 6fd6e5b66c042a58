"""A corpus of two topics whose words never meet, but for the function words they share."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.lexicon import build_lexicon
from lexiscope.embeddings.space import EmbeddingSpace

TOPICS = ("sea", "wood")
WORDS_PER_TOPIC = 12


class Made(NamedTuple):
    corpus: Path
    lexicon: Path


def make(folder: Path, *, n_sentences: int = 1500, longest: int = 12, lexicon_size: int = 20) -> Made:
    """Write, encode and list the corpus; every 50th sentence has a word that occurs once."""
    generator = np.random.default_rng(7)
    lines = []
    for number in range(n_sentences):
        topic = TOPICS[number % 2]
        length = int(generator.integers(4, longest + 1))
        words = [f"{topic}{i}" for i in generator.integers(WORDS_PER_TOPIC, size=length)]
        words[::3] = generator.choice(["the", "of", "été"], size=len(words[::3])).tolist()
        if number % 50 == 0:
            words[1] = f"rare{number}"
        lines.append(" ".join(words))
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "text.txt"
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = Made(folder / "corpus", folder / "lexicon.tsv")
    config = {"sources": [{"text": str(text), "tokenised": True}], "min_count": 2, "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=made.corpus, seed=1, threads=1)
    build_lexicon(corpus=made.corpus, size=lexicon_size, output=made.lexicon)
    return made


def topic_margin(space: EmbeddingSpace) -> float:
    """Mean cosine of two words of one topic, less that of two words of different topics.

    The mean vector is taken off first: it is what the shared function words put into every vector.
    """
    words = [word for word in space.words if word.startswith(TOPICS)]
    vectors = np.stack([space[word] for word in words]).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines: NDArray[np.float64] = vectors @ vectors.T
    topic = np.array([word.startswith(TOPICS[0]) for word in words])
    same = topic[:, None] == topic[None, :]
    np.fill_diagonal(same, False)
    return float(cosines[same].mean() - cosines[topic][:, ~topic].mean())
