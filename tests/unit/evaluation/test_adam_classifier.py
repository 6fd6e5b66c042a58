from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lexiscope.evaluation.classifiers import adam
from lexiscope.evaluation.classifiers.adam import initial_weights, refit, train_early_stopped
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.classifiers.fits import Fits

SEED = 7
L2 = (1e-4, 1e-2)


def settings(**changes: object) -> ClassifierConfig:
    few = {"batch_size": 16, "tenacity": 1, "epoch_size": 2, "max_epochs": 6, "l2": L2}
    return ClassifierConfig.model_validate(few | changes)


def sample(
    n: int, n_classes: int, dim: int = 6, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    features = random.standard_normal((n, dim)).astype(np.float32)
    logits = features @ random.standard_normal((dim, n_classes)) + random.gumbel(size=(n, n_classes))
    return features, logits.argmax(axis=1)


def folds(n: int, k: int) -> Fits:
    """Every k-th row held out, with every regulariser."""
    valid = np.arange(n) % k == np.arange(k)[:, None]
    return Fits(~valid, valid, np.repeat(np.arange(k), len(L2)), np.tile(L2, k))


class Reference:
    """One classifier in PyTorch, trained as SentEval's: a batch at a time, the best round kept."""

    def __init__(self, start: list[NDArray[np.float32]], config: ClassifierConfig, l2: float) -> None:
        layers: list[torch.nn.Module] = []
        for weights in start:
            layer = torch.nn.Linear(weights.shape[1] - 1, weights.shape[0])
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weights[:, :-1].copy()))
                layer.bias.copy_(torch.from_numpy(weights[:, -1].copy()))
            layers += [torch.nn.Sigmoid(), layer] if layers else [layer]
        self.model, self.config = torch.nn.Sequential(*layers), config
        if config.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), weight_decay=l2)
        else:
            self.optimizer = torch.optim.RMSprop(self.model.parameters(), weight_decay=l2)

    def fit(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        passes: Iterator[list[NDArray[np.int64]]],
        valid: NDArray[np.int64],
    ) -> None:
        x, y = torch.from_numpy(features), torch.from_numpy(labels)
        self.accuracy, failures, n_epochs = -1.0, 0, 0
        while n_epochs <= self.config.max_epochs:
            for _ in range(self.config.epoch_size):
                for rows in next(passes):
                    if len(rows):
                        self.optimizer.zero_grad()
                        torch.nn.functional.cross_entropy(self.model(x[rows]), y[rows]).backward()
                        self.optimizer.step()
            n_epochs += self.config.epoch_size
            accuracy = float((self.predict(features[valid]) == labels[valid]).mean())
            if accuracy > self.accuracy:
                self.accuracy, self.best = accuracy, self.logits(features)
                continue
            if failures >= self.config.tenacity:
                return
            failures += 1

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(self.model(torch.from_numpy(features)))

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        return self.logits(features).argmax(axis=1)


def spread(weights: tuple[NDArray[np.float32], ...]) -> list[NDArray[np.float32]]:
    """Both rows of weights of two classes, of which ours keep one."""
    *hidden, last = weights
    return [*hidden, np.concatenate([-last, last]) if len(last) == 1 else last]


def logits_of(networks: adam.Networks, fit: int, features: NDArray[np.float32]) -> NDArray[np.float32]:
    values = features
    for number, weights in enumerate(spread(tuple(layer[fit] for layer in networks.layers))):
        if number:
            values = 1 / (1 + np.exp(-values))
        values = values @ weights[:, :-1].T + weights[:, -1]
    return values


def shared_passes(
    rows: NDArray[np.int64], n_batch: int, own: NDArray[np.bool_]
) -> Iterator[list[NDArray[np.int64]]]:
    random = np.random.RandomState(SEED)
    while True:
        order = rows[random.permutation(len(rows))]
        batches = np.split(order, np.arange(n_batch, len(order), n_batch))
        yield [batch[own[batch]] for batch in batches]


@pytest.mark.parametrize("n_hidden", [0, 4])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_each_fit_is_what_training_it_alone_on_its_own_rows_gives(
    optimizer: str, n_classes: int, n_hidden: int
) -> None:
    config = settings(optimizer=optimizer, n_hidden=n_hidden)
    # The last batch of a pass has one row, which for one of the folds is not its own.
    features, labels = sample(73, n_classes)
    fits = folds(73, 3)
    ours = train_early_stopped(features, labels, n_classes, fits, config=config, seed=SEED)
    start = spread(initial_weights(6, n_classes, config, SEED))
    for fit, (subset, l2) in enumerate(zip(fits.subset_of, fits.l2, strict=True)):
        alone = Reference(start, config, l2)
        passes = shared_passes(np.arange(73), 24, fits.train[subset])
        alone.fit(features, labels, passes, np.flatnonzero(fits.valid[subset]))
        np.testing.assert_allclose(logits_of(ours, fit, features), alone.best, atol=2e-4)
        assert ours.valid_accuracy[fit] == pytest.approx(alone.accuracy)
        np.testing.assert_array_equal(ours.predict(features, np.array([fit]))[0], alone.best.argmax(axis=1))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_single_subset_replays_training_in_pytorch_from_its_own_start(n_classes: int) -> None:
    config = settings(max_epochs=40, tenacity=3)
    features, labels = sample(200, n_classes)
    train = np.arange(200) % 5 > 0
    fits = Fits(train[None], ~train[None], np.zeros(2, dtype=np.int64), np.array(L2))
    ours = train_early_stopped(features, labels, n_classes, fits, config=config, seed=SEED)
    for fit, l2 in enumerate(L2):
        torch.manual_seed(SEED)
        alone = Reference([_linear(6, n_classes)], config, l2)
        passes = shared_passes(np.flatnonzero(train), 16, train)
        alone.fit(features, labels, passes, np.flatnonzero(~train))
        agreement = ours.predict(features)[fit] == alone.best.argmax(axis=1)
        # W1 + W0, which ours leaves out of two classes, plays a small part in the first steps.
        assert agreement.mean() >= (0.99 if n_classes == 2 else 1)
        assert ours.valid_accuracy[fit] == pytest.approx(alone.accuracy, abs=1 / 40)


def _linear(n_inputs: int, n_outputs: int) -> NDArray[np.float32]:
    layer = torch.nn.Linear(n_inputs, n_outputs)
    with torch.no_grad():
        return np.concatenate([layer.weight.numpy(), layer.bias.numpy()[:, None]], axis=1)


def test_the_start_is_pytorchs() -> None:
    torch.manual_seed(1111)
    expected = [_linear(30, 5), _linear(5, 3)]
    for ours, theirs in zip(initial_weights(30, 3, settings(n_hidden=5), 1111), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    torch.manual_seed(3)
    first, second = _linear(30, 2)
    np.testing.assert_allclose(initial_weights(30, 2, settings(), 3)[0][0], (second - first) / 2, atol=1e-7)


def test_rows_left_out_change_nothing() -> None:
    features, labels = sample(90, 2)
    fits = folds(90, 3)
    before = train_early_stopped(features, labels, 2, fits, config=settings(), seed=SEED)
    # Neither trained nor validated on by the first subset; the others train on all of them.
    train = fits.train.copy()
    train[0, 1:90:9] = False
    fits = Fits(train, fits.valid, fits.subset_of, fits.l2)
    without = train_early_stopped(features, labels, 2, fits, config=settings(), seed=SEED)
    features[1:90:9] = 1e4
    labels[1:90:9] = 1 - labels[1:90:9]
    garbage = train_early_stopped(features, labels, 2, fits, config=settings(), seed=SEED)
    np.testing.assert_array_equal(without.layers[0][:2], garbage.layers[0][:2])
    assert not np.allclose(before.layers[0][:2], without.layers[0][:2])
    assert not np.allclose(without.layers[0][2:], garbage.layers[0][2:])


def test_stops_by_a_counter_that_never_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rounds by fit. The first fails in rounds 3, 5 and 6 and stops there, with its best from round 4.
    script = np.array([[1, 2, 2, 3, 2, 3, 9, 9], [1, 0, 0, 0, 9, 9, 9, 9], [1, 2, 3, 4, 5, 6, 7, 8]])
    seen: list[list[int]] = []

    def scripted(self: adam._Run) -> NDArray[np.int64]:
        seen.append(self.ids.tolist())
        return script[self.ids, len(seen) - 1]

    monkeypatch.setattr(adam._Run, "_count_right", scripted)
    features, labels = sample(40, 2)
    valid = np.arange(40) % 4 == np.arange(3)[:, None]
    fits = Fits(~valid, valid, np.arange(3), np.full(3, 1e-4))
    config = settings(tenacity=2, max_epochs=14)
    networks = train_early_stopped(features, labels, 2, fits, config=config, seed=SEED)
    assert seen == [[0, 1, 2]] * 4 + [[0, 2]] * 2 + [[2]] * 2  # the last round starts after 14 passes
    np.testing.assert_allclose(networks.valid_accuracy, [0.3, 0.1, 0.8])

    rounds = count(1)
    monkeypatch.setattr(adam._Run, "_count_right", lambda run: np.full(len(run.ids), next(rounds)))
    fourth = train_early_stopped(features, labels, 2, fits, config=settings(max_epochs=6), seed=SEED)
    np.testing.assert_array_equal(networks.layers[0][0], fourth.layers[0][0])
    rounds = count(1)
    first = train_early_stopped(
        features, labels, 2, fits, config=settings(max_epochs=1, epoch_size=2), seed=SEED
    )
    np.testing.assert_array_equal(networks.layers[0][1], first.layers[0][1])


def test_a_hidden_layer_learns_what_a_line_cannot_separate() -> None:
    random = np.random.default_rng(0)
    features = random.uniform(-1, 1, (400, 2)).astype(np.float32)
    labels = (features[:, 0] * features[:, 1] > 0).astype(np.int64)
    train = np.arange(400) < 300
    fits = Fits(train[None], ~train[None], np.zeros(1, dtype=np.int64), np.array([1e-5]))
    long = {"epoch_size": 10, "tenacity": 20, "max_epochs": 400, "optimizer": "rmsprop"}
    accuracy = {}
    for n_hidden, dropout in ((0, 0.0), (20, 0.0), (20, 0.2)):
        config = settings(n_hidden=n_hidden, dropout=dropout, **long)
        networks = train_early_stopped(features, labels, 2, fits, config=config, seed=SEED)
        accuracy[n_hidden, dropout] = (networks.predict(features)[0] == labels)[~train].mean()
    assert accuracy[0, 0.0] < 0.7
    assert accuracy[20, 0.0] > 0.9
    assert accuracy[20, 0.2] > 0.8
    assert accuracy[20, 0.2] != accuracy[20, 0.0]


@pytest.mark.parametrize("changes", [{}, {"n_hidden": 3, "dropout": 0.5}])
def test_the_same_seed_gives_the_same_bits(changes: dict[str, object]) -> None:
    features, labels = sample(90, 3)
    config = settings(**changes)
    runs = [
        train_early_stopped(features, labels, 3, folds(90, 3), config=config, seed=seed)
        for seed in (1, 1, 2)
    ]
    for same, again, other in zip(*(run.layers for run in runs), strict=True):
        assert same.tobytes() == again.tobytes()
        assert not np.allclose(same, other)


def test_fits_too_large_to_go_together_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = sample(90, 3)
    together = train_early_stopped(features, labels, 3, folds(90, 3), config=settings(), seed=SEED)
    monkeypatch.setattr(adam, "MAX_PARAMETERS", 2 * 3 * 7)
    in_pairs = train_early_stopped(features, labels, 3, folds(90, 3), config=settings(), seed=SEED)
    np.testing.assert_allclose(together.layers[0], in_pairs.layers[0], atol=1e-5)


def test_the_order_of_fits_is_free() -> None:
    features, labels = sample(90, 2)
    fits = folds(90, 3)
    order = np.array([3, 0, 5, 1, 4, 2])
    mixed = Fits(fits.train, fits.valid, fits.subset_of[order], fits.l2[order])
    a = train_early_stopped(features, labels, 2, fits, config=settings(), seed=SEED)
    b = train_early_stopped(features, labels, 2, mixed, config=settings(), seed=SEED)
    np.testing.assert_array_equal(a.layers[0][order], b.layers[0])
    np.testing.assert_array_equal(a.predict(features, order), b.predict(features))


def test_a_final_fit_holds_out_five_per_cent_and_is_replayed() -> None:
    features, labels = sample(130, 3)
    part = np.arange(130) % 13 > 0
    config = settings()
    ours = refit(features, labels, 3, part, 1e-4, config=config, seed=SEED)
    random = np.random.RandomState(SEED)
    rows = np.flatnonzero(part)[random.permutation(120)]
    own = rows[6:]

    def passes() -> Iterator[list[NDArray[np.int64]]]:
        while True:
            yield np.split(own[random.permutation(114)], np.arange(16, 114, 16))

    alone = Reference(spread(initial_weights(6, 3, config, SEED)), config, 1e-4)
    alone.fit(features, labels, passes(), rows[:6])
    assert ours.valid_accuracy[0] == pytest.approx(alone.accuracy)
    np.testing.assert_allclose(logits_of(ours, 0, features), alone.best, atol=2e-4)


def test_of_a_few_rows_one_is_held_out() -> None:
    features, labels = sample(10, 2)
    networks = refit(features, labels, 2, np.arange(10) < 2, 1e-4, config=settings(), seed=SEED)
    assert networks.valid_accuracy[0] in (0, 1)
    with pytest.raises(ValueError, match="fewer than two rows"):
        refit(features, labels, 2, np.arange(10) < 1, 1e-4, config=settings(), seed=SEED)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_refuses_fits_without_rows(part: str) -> None:
    features, labels = sample(20, 2)
    fits = folds(20, 2)
    getattr(fits, part)[1] = False
    with pytest.raises(ValueError, match="no training row" if part == "train" else "no validation row"):
        train_early_stopped(features, labels, 2, fits, config=settings(), seed=SEED)


def test_refuses_labels_that_are_no_classes() -> None:
    features, labels = sample(20, 3)
    with pytest.raises(ValueError, match="labels must be in 0 … 1"):
        train_early_stopped(features, labels, 2, folds(20, 2), config=settings(), seed=SEED)
