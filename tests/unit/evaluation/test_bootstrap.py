from __future__ import annotations

import numpy as np
import pytest

from lexiscope.evaluation import bootstrap
from lexiscope.evaluation.bootstrap import percentile_interval, resample_counts
from lexiscope.evaluation.config import ProtocolConfig


def all_counts(n_items, **kwargs):
    return np.concatenate(list(resample_counts(n_items, **kwargs)))


def test_each_resample_draws_as_many_items_as_there_are():
    counts = all_counts(7, n_resamples=50, seed=1, name="men")
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts >= 0).all()


def test_every_item_is_drawn_equally_often():
    counts = all_counts(10, n_resamples=20_000, seed=1, name="men")
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    assert counts.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.05)


def test_the_draws_do_not_depend_on_the_block_size(monkeypatch):
    whole = all_counts(11, n_resamples=40, seed=1, name="men")
    monkeypatch.setattr(bootstrap, "BLOCK_CELLS", 50)
    blocks = list(resample_counts(11, n_resamples=40, seed=1, name="men"))
    assert len(blocks) == 10
    assert np.array_equal(np.concatenate(blocks), whole)


def test_seed_and_dataset_decide_the_draws():
    first = all_counts(30, n_resamples=5, seed=1, name="men")
    assert np.array_equal(first, all_counts(30, n_resamples=5, seed=1, name="men"))
    assert not np.array_equal(first, all_counts(30, n_resamples=5, seed=2, name="men"))
    assert not np.array_equal(first, all_counts(30, n_resamples=5, seed=1, name="ws353"))


def test_interval_of_a_mean_matches_theory():
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    low, high = percentile_interval(
        lambda counts: counts @ values / counts.sum(axis=1),
        len(values),
        protocol=ProtocolConfig(n_bootstrap=5000, confidence=0.9),
        name="x",
    )
    half_width = 1.645 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half_width, values.mean() + half_width), abs=0.02)


def test_undefined_resamples_are_left_out_until_they_are_half():
    def undefined_when(share):
        def statistic(counts):
            values = np.ones(len(counts))
            values[: int(share * len(counts))] = np.nan
            return values

        return statistic

    protocol = ProtocolConfig(n_bootstrap=100)
    assert percentile_interval(undefined_when(0.4), 5, protocol=protocol, name="x") == (1.0, 1.0)
    assert percentile_interval(undefined_when(0.5), 5, protocol=protocol, name="x") == (None, None)


def test_no_resamples_no_interval():
    def never(counts):
        raise AssertionError

    protocol = ProtocolConfig(n_bootstrap=0)
    assert percentile_interval(never, 5, protocol=protocol, name="x") == (None, None)
    assert percentile_interval(never, 0, protocol=ProtocolConfig(), name="x") == (None, None)
