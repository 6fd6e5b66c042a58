"""Embeddings made from the texts alone recover the meanings; random vectors do not.

The embedding is made here, independently of the library's own: positive pointwise mutual information of the
words in a window of five, then a truncated singular value decomposition.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import svds
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from small_miniature import SMALL_BENCHMARKS

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.write import generate_miniature

WINDOW, DIM, LEAST = 5, 100, 3
CONFIG = MiniatureConfig(
    lm1b_tokens=300_000,
    ptb_tokens=1_000,
    wikitext_tokens=1_000,
    enwiki_tokens=1_000,
    **{**SMALL_BENCHMARKS, "opinion_sentences": 800},
).model_dump(mode="json")
Vectors = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("miniature")
    generate_miniature(root=folder, seed=11, config=CONFIG, marker=folder / "done.json")
    return folder


@pytest.fixture(scope="module")
def embedding(root: Path) -> Vectors:
    sentences: list[list[str]] = []
    for path in sorted((root / "lm1b/training-monolingual.tokenized.shuffled").iterdir()):
        sentences += [line.split() for line in path.read_text().splitlines()]
    tokens, counts = np.unique([word for words in sentences for word in words], return_counts=True)
    words = tokens[counts >= LEAST].tolist()
    index = {word: i for i, word in enumerate(words)}
    flat = np.array([index.get(word, -1) for sentence in sentences for word in sentence])
    sentence_of = np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences])
    left, right = [], []
    for distance in range(1, WINDOW + 1):
        a, b = flat[:-distance], flat[distance:]
        good = (sentence_of[:-distance] == sentence_of[distance:]) & (a >= 0) & (b >= 0)
        left += [a[good], b[good]]
        right += [b[good], a[good]]
    rows, columns = np.concatenate(left), np.concatenate(right)
    together = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(words), len(words))).tocoo()
    word_mass = np.asarray(together.sum(axis=1)).ravel()
    context = word_mass**0.75
    information = np.log(together.data * context.sum() / (word_mass[together.row] * context[together.col]))
    positive = coo_matrix((np.maximum(information, 0), (together.row, together.col)), shape=together.shape)
    left_vectors, values, _ = svds(positive.tocsr(), DIM, rng=np.random.default_rng(0))
    return dict(zip(words, left_vectors * np.sqrt(values), strict=True))


@pytest.fixture(scope="module")
def random_vectors(embedding: Vectors) -> Vectors:
    rng = np.random.default_rng(0)
    return {word: rng.standard_normal(DIM) for word in embedding}


def correlation(root: Path, name: str, vectors: Vectors) -> float:
    gold, cosines = [], []
    for line in (root / f"word-sim/{name}.txt").read_text().splitlines():
        first, second, score = line.split("\t")
        if first in vectors and second in vectors:
            a, b = vectors[first], vectors[second]
            cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            gold.append(float(score))
    return float(spearmanr(gold, cosines)[0])


def two_versus_two(model: np.ndarray, brain: np.ndarray) -> float:
    hits = []
    for pair in itertools.combinations(range(len(brain)), 2):
        rest = [i for i in range(len(brain)) if i not in pair]
        r = np.corrcoef(model[np.ix_(pair, rest)], brain[np.ix_(pair, rest)])[:2, 2:]
        hits.append(r[0, 0] + r[1, 1] > r[0, 1] + r[1, 0])
    return float(np.mean(hits))


@pytest.mark.parametrize(
    ("name", "margin"),
    [("EN-SIMLEX-999", 0.45), ("EN-MEN-TR-3k", 0.4), ("EN-WS-353-SIM", 0.4), ("EN-WS-353-REL", 0.3)],
)
def test_embeddings_recover_similarity_far_better_than_chance(
    root: Path, embedding: Vectors, random_vectors: Vectors, name: str, margin: float
) -> None:
    chance = correlation(root, name, random_vectors)
    found = correlation(root, name, embedding)
    assert abs(chance) < 0.2
    assert chance + margin < found < 0.95


def test_rare_words_are_harder_but_not_hopeless(
    root: Path, embedding: Vectors, random_vectors: Vectors
) -> None:
    rare = correlation(root, "EN-RW-STANFORD", embedding)
    assert correlation(root, "EN-RW-STANFORD", random_vectors) + 0.15 < rare
    assert rare < correlation(root, "EN-SIMLEX-999", embedding)


@pytest.mark.parametrize(
    ("folder", "subject"), [("fMRI", "b1"), ("fMRI", "b9"), ("MEG", "a"), ("MEG", "j")]
)
def test_embeddings_tell_the_brain_patterns_apart(
    root: Path, embedding: Vectors, random_vectors: Vectors, folder: str, subject: str
) -> None:
    words = (root / "brainbench/corr_mats/dictionary.txt").read_text().split()
    brain = np.load(root / f"brainbench/corr_mats/{folder}/{subject}.npy")
    found, chance = (
        two_versus_two(np.corrcoef([vectors[word] for word in words]), brain)
        for vectors in (embedding, random_vectors)
    )
    assert 0.68 < found < 0.99
    assert 0.3 < chance < 0.66
    assert found > chance + 0.1


@pytest.mark.parametrize("name", ["MR/rt-polarity.{}", "SUBJ/subj.{}"])
def test_embeddings_tell_opinions_better_than_random_vectors(
    root: Path, embedding: Vectors, random_vectors: Vectors, name: str
) -> None:
    ends = ("pos", "neg") if name.startswith("MR") else ("subjective", "objective")
    classes = [(root / "senteval/downstream" / name.format(end)).read_text().splitlines() for end in ends]
    labels = np.repeat([1, 0], [len(lines) for lines in classes])
    scores = []
    for vectors in (embedding, random_vectors):
        means = np.array(
            [
                np.mean([vectors[word] for word in line.split() if word in vectors], axis=0)
                for lines in classes
                for line in lines
            ]
        )
        model = LogisticRegression(C=10, max_iter=200)
        scores.append(cross_val_score(model, means / means.std(), labels, cv=5).mean())
    found, chance = scores
    assert chance + 0.05 < found < 0.97
    assert found > 0.65
