"""Our GloVe against mittens (Dingwall and Potts 2018), which has the same loss, over the full matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mittens import GloVe as Mittens
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lexiscope.embeddings.config import GloVeConfig
from lexiscope.embeddings.cooccurrence import Cooccurrences, Grid, count_cooccurrences
from lexiscope.embeddings.glove import GloVe, fit

N_WORDS, SIZE = 60, 6
SETTINGS = GloVeConfig(
    kind="glove", corpus="text", vector_size=SIZE, x_max=50, epochs=300, learning_rate=0.1
)


@pytest.fixture(scope="module")
def ids() -> NDArray[np.uint16]:
    """Sentences about one of five topics, whose words follow one another by affinity."""
    rng = np.random.default_rng(5)
    topics = rng.dirichlet(np.full(N_WORDS, 0.15), size=5) + 0.2 / N_WORDS
    topics /= topics.sum(axis=1, keepdims=True)
    sentences = [rng.choice(N_WORDS, size=15, p=topics[rng.integers(5)]) + 2 for _ in range(2500)]
    return np.concatenate([[*sentence, 1] for sentence in sentences]).astype(np.uint16)


@pytest.fixture(scope="module")
def counts(ids: NDArray[np.uint16], tmp_path_factory: pytest.TempPathFactory) -> Cooccurrences:
    folder: Path = tmp_path_factory.mktemp("counts")
    return count_cooccurrences(
        [ids],
        first_word=2,
        end_of_sentence=1,
        grid=Grid(N_WORDS, 8),
        window=5,
        memory_mb=16,
        directory=folder,
        source="topics",
    )


@pytest.fixture(scope="module")
def matrix(ids: NDArray[np.uint16]) -> NDArray[np.float64]:
    """The counts as mittens takes them: a dense, symmetric matrix, made the slow way."""
    counted = np.zeros((N_WORDS, N_WORDS))
    for distance in range(1, 6):
        left, right = ids[:-distance].astype(int), ids[distance:].astype(int)
        ends = np.cumsum(ids == 1)
        same_sentence = (ends[:-distance] == ends[distance:]) & (left != 1)
        np.add.at(counted, (left[same_sentence] - 2, right[same_sentence] - 2), 1 / distance)
    return counted + counted.T


def loss_by_mittens(model: GloVe, counts: Cooccurrences, matrix: NDArray[np.float64]) -> float:
    """The mean loss per cell that mittens computes for our parameters."""
    other = Mittens(n=SIZE, xmax=SETTINGS.x_max, alpha=SETTINGS.alpha)
    weights, logs = other._initialize(matrix)
    at = counts.grid.positions()
    other.W, other.C = model.words[at, 0, :SIZE], model.contexts[at, 0, :SIZE]
    other.bw, other.bc = model.words[at, 0, SIZE, None], model.contexts[at, 0, SIZE + 1, None]
    _, loss = other._get_gradients_and_error(other._make_prediction(), logs, weights)
    return float(loss) / np.count_nonzero(matrix)


def interaction(explained: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a model says of pairs of words beyond what it says of each word.

    A vector added to all words changes nothing that the contexts' biases cannot undo, so the biases
    alone, and the product of the vectors alone, are not defined by the loss; this is.
    """
    rows, columns = explained.mean(axis=1, keepdims=True), explained.mean(axis=0, keepdims=True)
    return explained - rows - columns + explained.mean()


def cosines(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of all pairs of words, after the mean vector is taken off."""
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


def test_the_loss_is_the_one_of_mittens(counts: Cooccurrences, matrix: NDArray[np.float64]) -> None:
    assert counts.n_cells == np.count_nonzero(matrix)
    model = GloVe.initial(counts.grid, SIZE, seed=1)
    expected = loss_by_mittens(model, counts, matrix)
    # With next to no step the loss summed over an epoch is that of the start.
    fit(model, counts, SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-12}), seed=1)
    assert model.losses[0] == pytest.approx(expected, rel=1e-5)


def test_both_arrive_at_the_same_loss_and_the_same_similarities(
    counts: Cooccurrences, matrix: NDArray[np.float64]
) -> None:
    model = GloVe.initial(counts.grid, SIZE, seed=1)
    fit(model, counts, SETTINGS, seed=1)
    ours = loss_by_mittens(model, counts, matrix)
    np.random.seed(1)  # mittens draws from the global generator
    other = Mittens(
        n=SIZE,
        xmax=SETTINGS.x_max,
        alpha=SETTINGS.alpha,
        max_iter=3000,
        learning_rate=0.1,
        display_progress=10**9,
    )
    theirs_vectors = other.fit(matrix)
    theirs = other.errors[-1] / np.count_nonzero(matrix)
    assert ours == pytest.approx(theirs, rel=0.1)
    at = counts.grid.positions()
    explained = model.words[at, 0].astype(np.float64) @ model.contexts[at, 0].astype(np.float64).T
    pairs = np.corrcoef(interaction(explained).ravel(), interaction(other._make_prediction()).ravel())[0, 1]
    similarities = spearmanr(
        cosines(model.vectors(counts.grid, SETTINGS)), cosines(theirs_vectors)
    ).statistic
    print(f"loss {ours:.5f} and {theirs:.5f}; pairs {pairs:.4f}, similarities {similarities:.3f}")
    assert pairs > 0.98
    assert similarities > 0.8
