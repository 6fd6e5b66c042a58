from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score

from lexiscope.evaluation.bootstrap import resample_counts
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import METRICS, combined, score_with_interval

CLASSES = st.integers(0, 2).map(float)
TOKENS = st.integers(0, 9).map(float)
VALUES = st.integers(-4, 4).map(lambda value: value / 3 + 1000)


def written_out(metric, predictions, gold):
    """The metric of a resample whose items are repeated as often as they were drawn."""
    if metric == "accuracy":
        return accuracy_score(gold, predictions) if len(gold) else np.nan
    if metric == "f1":
        positive = (predictions == 1).any() or (gold == 1).any()
        return f1_score(gold == 1, predictions == 1) if positive else np.nan
    if metric == "perplexity":
        return np.exp(predictions.sum() / gold.sum()) if gold.sum() else np.nan
    if len(gold) < 3 or np.ptp(predictions) == 0 or np.ptp(gold) == 0:
        return np.nan
    return (pearsonr if metric == "pearson" else spearmanr)(predictions, gold).statistic


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("accuracy", CLASSES),
        ("f1", CLASSES),
        ("pearson", VALUES),
        ("perplexity", TOKENS),
        ("spearman", VALUES),
    ],
)
def test_weighted_metrics_equal_those_of_the_written_out_resample(metric, values):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(values, values, st.integers(0, 3)), min_size=0, max_size=20))
    def check(rows):
        table = np.array(rows).reshape(-1, 3)
        predictions, gold, counts = table[:, 0], table[:, 1], table[:, 2].astype(np.int64)
        (value,) = METRICS[metric](predictions, gold, counts[None])
        expected = written_out(metric, np.repeat(predictions, counts), np.repeat(gold, counts))
        assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)

    check()


@pytest.mark.parametrize("metric", METRICS)
def test_several_systems_at_once_equal_one_at_a_time(metric):
    generator = np.random.default_rng(0)
    predictions = generator.integers(0, 3, (4, 30)).astype(float)
    gold = generator.integers(0, 3, 30).astype(float)
    counts = generator.integers(0, 3, (7, 30))
    together = METRICS[metric](predictions, gold, counts)
    assert together.shape == (4, 7)
    alone = [METRICS[metric](row, gold, counts) for row in predictions]
    assert together == pytest.approx(np.array(alone), abs=1e-14)


def test_pearson_is_defined_for_small_spreads_on_large_values():
    x = np.array([0.0, 1.0, 2.0, 4.0]) * 1e-4 + 1e6
    y = np.array([1.0, 0.0, 5.0, 4.0])
    once = np.ones((1, 4), dtype=np.int64)
    assert METRICS["pearson"](x, y, once)[0] == pytest.approx(pearsonr(x - 1e6, y).statistic, abs=1e-6)


def test_a_uniform_model_s_perplexity_is_the_size_of_its_vocabulary():
    lengths = np.array([3.0, 1.0, 20.0, 7.0])
    drawn = np.array([[1, 1, 1, 1], [0, 4, 0, 0], [2, 0, 1, 1]])
    assert METRICS["perplexity"](lengths * np.log(7312), lengths, drawn) == pytest.approx(np.full(3, 7312))


def test_perplexity_weighs_sentences_by_their_tokens():
    nats, lengths = np.array([9 * np.log(2), np.log(1024)]), np.array([9.0, 1.0])
    once = np.ones((1, 2), dtype=np.int64)
    assert METRICS["perplexity"](nats, lengths, once)[0] == pytest.approx(2**1.9)


def test_a_perplexity_beyond_all_numbers_is_no_value():
    rules = ProtocolConfig(n_bootstrap=10)
    found = score_with_interval(
        "perplexity", np.array([2000.0, 1e9]), np.array([1.0, 2.0]), protocol=rules, name="lm"
    )
    assert found == (None, None, None)


# -- strata ----------------------------------------------------------------------------------------

SUBSETS = np.repeat([7, 3, 5], [30, 12, 3])


def test_strata_keep_their_sizes_in_every_resample():
    counts = np.concatenate(
        list(resample_counts(45, n_resamples=200, seed=1, name="sts12", strata=SUBSETS[::-1]))
    )
    for label, size in ((7, 30), (3, 12), (5, 3)):
        own = counts[:, SUBSETS[::-1] == label]
        assert (own.sum(axis=1) == size).all()
        assert own.mean(axis=0) == pytest.approx(np.ones(size), abs=0.3)


def test_stratified_draws_do_not_depend_on_the_block_size(monkeypatch):
    def draw():
        return list(resample_counts(45, n_resamples=30, seed=1, name="sts12", strata=SUBSETS))

    whole = np.concatenate(draw())
    monkeypatch.setattr("lexiscope.evaluation.bootstrap.BLOCK_CELLS", 100)
    blocks = draw()
    assert len(blocks) == 15
    assert np.array_equal(np.concatenate(blocks), whole)


def test_strata_are_combined_as_named():
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(2, 45))
    once = np.ones((1, 45), dtype=np.int64)
    each = [pearsonr(x[label == SUBSETS], y[label == SUBSETS]).statistic for label in (7, 3, 5)]

    def value(combine):
        return combined("pearson", x, y, once, strata=SUBSETS, combine=combine)[0]

    assert value("mean") == pytest.approx(np.mean(each))
    assert value("wmean") == pytest.approx(np.average(each, weights=[30, 12, 3]))
    assert value("all") == pytest.approx(pearsonr(x, y).statistic)
    y[SUBSETS == 5] = 1.0
    assert np.isnan(value("mean"))
    assert np.isnan(value("wmean"))


# -- values with intervals ---------------------------------------------------------------------------


def test_value_and_interval_equal_those_of_resamples_written_out():
    generator = np.random.default_rng(1)
    gold = generator.integers(0, 2, 80)
    predictions = np.where(generator.random(80) < 0.7, gold, 1 - gold)
    protocol = ProtocolConfig(n_bootstrap=300, confidence=0.9)
    for metric in ("accuracy", "f1"):
        value, low, high = score_with_interval(
            metric, predictions, gold, protocol=protocol, name="mr", strata=None
        )
        drawn = np.concatenate(list(resample_counts(80, n_resamples=300, seed=protocol.seed, name="mr")))
        values = [written_out(metric, np.repeat(predictions, row), np.repeat(gold, row)) for row in drawn]
        assert value == pytest.approx(written_out(metric, predictions, gold), abs=1e-12)
        assert (low, high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=1e-12)


def test_items_that_are_not_used_weigh_nothing_and_change_no_draw():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(2, 50))
    used = generator.random(50) < 0.6
    protocol = ProtocolConfig(n_bootstrap=200)
    masked = score_with_interval("spearman", x, y, protocol=protocol, name="men", used=used)
    assert masked[0] == pytest.approx(spearmanr(x[used], y[used]).statistic)
    x[~used] = np.nan
    assert score_with_interval("spearman", x, y, protocol=protocol, name="men", used=used) == masked
    nothing = score_with_interval(
        "spearman", x, y, protocol=protocol, name="men", used=np.zeros(50, dtype=bool)
    )
    assert nothing == (None, None, None)


@pytest.mark.parametrize(
    ("metric", "predictions", "gold"),
    [
        ("accuracy", [], []),
        ("f1", [0, 0], [0, 0]),
        ("pearson", [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ("pearson", [1.0, 2.0], [1.0, 2.0]),
        ("spearman", [1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),
        ("spearman", [], []),
    ],
)
def test_what_is_undefined_is_none(metric, predictions, gold):
    protocol = ProtocolConfig(n_bootstrap=10)
    found = score_with_interval(metric, np.array(predictions), np.array(gold), protocol=protocol, name="x")
    assert found == (None, None, None)


def test_no_resamples_no_interval():
    protocol = ProtocolConfig(n_bootstrap=0)
    found = score_with_interval("accuracy", np.arange(4), np.arange(4), protocol=protocol, name="x")
    assert found == (1.0, None, None)


@pytest.mark.parametrize("metric", ["accuracy", "pearson"])
def test_intervals_cover_the_truth_about_as_often_as_they_aim_at(metric):
    generator = np.random.default_rng(3)
    protocol = ProtocolConfig(n_bootstrap=300, confidence=0.9)
    covered = 0
    for trial in range(200):
        if metric == "accuracy":
            gold = np.zeros(150)
            predictions = (generator.random(150) > 0.8).astype(float)
            truth = 0.8
        else:
            gold = generator.normal(size=150)
            predictions = 0.6 * gold + 0.8 * generator.normal(size=150)
            truth = 0.6
        _, low, high = score_with_interval(metric, predictions, gold, protocol=protocol, name=f"{trial}")
        covered += low <= truth <= high
    assert 0.83 <= covered / 200 <= 0.96


def test_a_thousand_resamples_of_ten_thousand_items_take_a_fraction_of_a_second():
    generator = np.random.default_rng(0)
    predictions, gold = generator.integers(0, 2, (2, 10_000))
    times = []
    for _ in range(3):
        started = time.process_time()
        score_with_interval("accuracy", predictions, gold, protocol=ProtocolConfig(), name="mr")
        times.append(time.process_time() - started)
    assert min(times) < 0.5
