from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from lexiscope.evaluation.rank_correlation import RankedValues, spearman

# Few distinct values, so that most examples have ties.
SMALL = st.integers(-3, 3).map(float)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SMALL, SMALL, st.integers(0, 3)), min_size=1, max_size=25))
def test_weighted_ranks_and_rho_equal_those_of_the_written_out_resample(rows):
    x, y, counts = (np.array(column) for column in zip(*rows, strict=True))
    drawn_x, drawn_y = np.repeat(x, counts), np.repeat(y, counts)
    ranked = RankedValues.of(x)
    ranks = np.repeat(ranked.average_ranks(counts[None])[0], counts)
    assert np.array_equal(ranks, rankdata(drawn_x))

    (rho,) = spearman(ranked, RankedValues.of(y), counts[None])
    if len(drawn_x) < 3 or np.ptp(drawn_x) == 0 or np.ptp(drawn_y) == 0:
        assert np.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(drawn_x, drawn_y).statistic, abs=1e-12)


def test_perfect_orders_are_exactly_one():
    values = RankedValues.of(np.array([1.0, 5.0, 2.0, 9.0]))
    reverse = RankedValues.of(-np.array([1.0, 5.0, 2.0, 9.0]))
    once = np.ones((1, 4), dtype=np.int64)
    assert spearman(values, values, once).tolist() == [1.0]
    assert spearman(values, reverse, once).tolist() == [-1.0]


def test_many_resamples_at_once_equal_one_at_a_time():
    generator = np.random.default_rng(2)
    x, y = RankedValues.of(generator.normal(size=40)), RankedValues.of(generator.normal(size=40))
    counts = generator.integers(0, 4, size=(30, 40))
    together = spearman(x, y, counts)
    assert np.array_equal(together, [spearman(x, y, row[None])[0] for row in counts])
