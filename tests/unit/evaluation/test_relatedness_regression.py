from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from lexiscope.evaluation import relatedness_regression
from lexiscope.evaluation.relatedness_regression import fit_relatedness, pair_features, spread_over_bins


def made_up(n: int, n_features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and scores that depend on them, from 0 to 5."""
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((n, n_features)).astype(np.float32) * np.float32(0.5)
    scores = 2.5 + features[:, :3].sum(axis=1) + 0.3 * generator.standard_normal(n)
    return features, scores.clip(0, 5)


def reference(train, train_scores, valid, valid_scores, test, *, seed, limit=1000):
    """The protocol as a plain PyTorch loop, one batch at a time."""
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(train.shape[1], 5), torch.nn.Softmax(dim=-1))
    adam = torch.optim.Adam(model.parameters())
    targets = np.zeros((len(train), 5), dtype=np.float32)
    for row, score in zip(targets, train_scores, strict=True):
        below = int(np.floor(score))
        if below >= 1:
            row[below - 1] = below + 1 - score
        if below < 5:
            row[below] = score - below
    x, y = torch.from_numpy(train), torch.from_numpy(targets)

    def predict(features):
        with torch.no_grad():
            return model(torch.from_numpy(features)).numpy() @ np.arange(1, 6)

    best, kept, failures, epochs = -1.0, None, 0, 0
    while failures < 4 and epochs <= limit:
        for _ in range(50):
            order = np.random.permutation(len(train))
            for start in range(0, len(train), 64):
                rows = torch.from_numpy(order[start : start + 64])
                loss = torch.nn.functional.mse_loss(model(x[rows]), y[rows])
                adam.zero_grad()
                loss.backward()
                adam.step()
        epochs += 50
        r = pearsonr(predict(valid), valid_scores)[0]
        if r > best:
            best, kept = r, (predict(valid), predict(test))
        else:
            failures += 1
    return *kept, epochs


@pytest.mark.parametrize(
    ("n", "n_features", "seed", "limit"),
    [(101, 7, 1111, 50), (64, 4, 0, 1000), (3, 5, 2**32 - 1, 1000), (130, 16, 5, 50)],
)
def test_as_a_plain_loop_in_pytorch_of_the_same_seed(monkeypatch, n, n_features, seed, limit) -> None:
    """Batches that are full, short, of two rows, and not a multiple of the rows taken at a time."""
    monkeypatch.setattr(relatedness_regression, "MAX_EPOCHS", limit)
    (train, train_scores), (valid, valid_scores) = made_up(n, n_features, 1), made_up(40, n_features, 2)
    test = made_up(11, n_features, 3)[0]
    parts = train, train_scores, valid, valid_scores, test
    found = fit_relatedness(*parts, seed=seed)
    on_valid, on_test, epochs = reference(*parts, seed=seed, limit=limit)
    assert found.n_epochs == epochs
    np.testing.assert_allclose(found.valid, on_valid, atol=1e-4)
    np.testing.assert_allclose(found.test, on_test, atol=1e-4)


def test_it_learns() -> None:
    (train, train_scores), (valid, valid_scores) = made_up(600, 6, 1), made_up(100, 6, 2)
    test, test_scores = made_up(200, 6, 3)
    found = fit_relatedness(train, train_scores, valid, valid_scores, test, seed=1)
    assert pearsonr(found.test, test_scores)[0] > 0.9
    assert found.test.min() >= 1
    assert found.test.max() <= 5


def test_failures_need_not_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.1, 0.0, 0.2, 0.0, 0.3, 0.0, 0.4, 0.0, 0.5])
    monkeypatch.setattr(relatedness_regression, "_pearson", lambda predictions, gold: next(scores))
    train, train_scores = made_up(20, 3, 1)
    assert fit_relatedness(train, train_scores, train, train_scores, train, seed=1).n_epochs == 8 * 50


def test_the_seed_decides_everything() -> None:
    (train, train_scores), (valid, valid_scores) = made_up(70, 6, 1), made_up(30, 6, 2)

    def fit(seed: int) -> bytes:
        return fit_relatedness(train, train_scores, valid, valid_scores, valid, seed=seed).test.tobytes()

    assert fit(3) == fit(3)
    assert fit(3) != fit(4)


def test_it_stops_at_the_fourth_round_without_a_better_score() -> None:
    train, train_scores = made_up(20, 3, 1)
    same = np.zeros((5, 3), dtype=np.float32)  # equal predictions, whose correlation counts as 0
    found = fit_relatedness(train, train_scores, same, np.arange(5.0), same, seed=1)
    assert found.n_epochs == (1 + 4) * 50
    assert np.ptp(found.test) == 0


def test_it_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relatedness_regression, "MAX_EPOCHS", 100)
    monkeypatch.setattr(relatedness_regression, "TENACITY", 99)
    train, train_scores = made_up(20, 3, 1)
    assert fit_relatedness(train, train_scores, train, train_scores, train, seed=1).n_epochs == 150


def test_the_first_weights_are_those_of_a_linear_layer_in_pytorch() -> None:
    for n_features, seed in ((1, 0), (600, 1111), (2048, 7)):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(n_features, 5)
        weights = relatedness_regression._initial_weights(n_features, seed)
        # The last bit depends on whether the compiler fused the product with the sum.
        np.testing.assert_allclose(weights[:, :-1], layer.weight.detach().numpy(), atol=1e-7)
        np.testing.assert_allclose(weights[:, -1], layer.bias.detach().numpy(), atol=1e-7)


def test_scores_are_spread_over_the_bins_next_to_them() -> None:
    scores = np.array([1.0, 1.25, 2.0, 4.9, 5.0])
    expected = [
        [1, 0, 0, 0, 0],
        [0.75, 0.25, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0.1, 0.9],
        [0, 0, 0, 0, 1],
    ]
    spread = spread_over_bins(scores)
    assert spread.dtype == np.float32
    np.testing.assert_allclose(spread, expected, atol=1e-6)
    np.testing.assert_allclose(spread @ np.arange(1, 6), scores, atol=1e-6)


def test_below_the_first_bin_a_share_is_lost() -> None:
    np.testing.assert_array_equal(
        spread_over_bins(np.array([0.0, 0.25])), np.float32([[0] * 5, [0.25, 0, 0, 0, 0]])
    )


def test_features_of_pairs() -> None:
    first, second = np.float32([[1, -2], [0, 3]]), np.float32([[4, -1], [0, 3]])
    np.testing.assert_array_equal(pair_features(first, second), [[3, 1, 4, 2], [0, 0, 0, 9]])
    np.testing.assert_array_equal(pair_features(first, second), pair_features(second, first))
