from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from fabricated_tables import items_of, score
from scipy.stats import binomtest, norm, pearsonr, spearmanr, t, ttest_rel
from sklearn.metrics import f1_score

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.bootstrap import resample_counts
from lexiscope.evaluation.comparison import COMPARISON_SCHEMA, compare_spaces, paired_difference
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.paired import Difference, holm, pooled
from lexiscope.evaluation.scores import Evaluation, write_evaluation

# -- Holm ------------------------------------------------------------------------------------------


def test_holm_by_hand():
    # Times 5, 4, 3, 2, 1 in ascending order, and never less than the one before.
    assert holm([0.02, 0.001, 0.3, 0.012, 0.0125]) == pytest.approx([0.048, 0.005, 0.3, 0.048, 0.048])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_what_was_not_tested_does_not_count():
    assert holm([None, 0.02, None, 0.03]) == [None, 0.04, None, 0.04]


# -- one pair --------------------------------------------------------------------------------------

STATISTICS = {
    "accuracy": lambda x, y: np.mean(x == y),
    "f1": lambda x, y: f1_score(y, x),
    "pearson": lambda x, y: pearsonr(x, y).statistic,
    "spearman": lambda x, y: spearmanr(x, y).statistic,
}


def some_answers(metric, n_items=60, seed=0):
    generator = np.random.default_rng(seed)
    if metric in ("accuracy", "f1"):
        gold = generator.integers(0, 2, n_items)
        return *(np.where(generator.random(n_items) < p, gold, 1 - gold) for p in (0.8, 0.6)), gold
    gold = generator.normal(size=n_items)
    return *(gold + noise * generator.normal(size=n_items) for noise in (0.7, 1.5)), gold


@pytest.mark.parametrize("metric", STATISTICS)
def test_differences_equal_those_of_resamples_written_out(metric):
    a, b, gold = some_answers(metric)
    used = np.random.default_rng(1).random(60) < 0.8
    protocol = ProtocolConfig(n_bootstrap=150, confidence=0.9)
    found = paired_difference(metric, a, b, gold, protocol=protocol, name="x", used=used)
    statistic = STATISTICS[metric]

    def gap(rows):
        return statistic(a[rows], gold[rows]) - statistic(b[rows], gold[rows])

    drawn = np.concatenate(list(resample_counts(60, n_resamples=150, seed=protocol.seed, name="x")))
    replicates = [gap(np.repeat(np.arange(60), row * used)) for row in drawn]
    assert found.value == pytest.approx(gap(np.flatnonzero(used)))
    assert found.replicates == pytest.approx(np.array(replicates))
    assert (found.n_common, found.n_total) == (used.sum(), 60)

    n = used.sum()
    error = np.std(replicates) * np.sqrt(n / (n - 1))
    tail = norm.cdf(t.ppf(0.05, n - 1) * np.sqrt(n / (n - 1)))
    assert found.interval(0.9) == pytest.approx(tuple(np.quantile(replicates, [tail, 1 - tail])))
    if metric == "accuracy":
        right_a, right_b = (a == gold)[used], (b == gold)[used]
        only_a, only_b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
        assert found.p_value == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    else:
        assert found.p_value == pytest.approx(2 * t.sf(abs(found.value) / error, n - 1))


def test_subsets_are_averaged_and_resampled_by_themselves():
    a, b, gold = some_answers("pearson")
    subsets = np.repeat([0, 1], [45, 15])
    protocol = ProtocolConfig(n_bootstrap=400)
    found = paired_difference("pearson", a, b, gold, protocol=protocol, name="x", strata=subsets)
    each = [
        paired_difference(
            "pearson", a[subsets == s], b[subsets == s], gold[subsets == s], protocol=protocol, name="y"
        )
        for s in (0, 1)
    ]
    assert found.value == pytest.approx((each[0].value + each[1].value) / 2)
    expected = np.hypot(each[0].standard_error, each[1].standard_error) / 2
    assert found.standard_error == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("metric", STATISTICS)
def test_a_space_does_not_differ_from_itself(metric):
    a, _, gold = some_answers(metric)
    found = paired_difference(metric, a, a, gold, protocol=ProtocolConfig(n_bootstrap=20), name="x")
    assert (found.value, found.p_value, found.interval(0.95)) == (0.0, 1.0, (0.0, 0.0))


def test_pairing_is_worth_more_than_two_intervals_apart():
    """Two spaces with the same errors but for a few: far within each other's intervals, yet told apart."""
    generator = np.random.default_rng(0)
    gold = generator.normal(size=300)
    b = gold + generator.normal(size=300)
    a = b - 0.05 * (b - gold)
    protocol = ProtocolConfig(n_bootstrap=300)
    found = paired_difference("pearson", a, b, gold, protocol=protocol, name="x")
    assert 0 < found.value < 0.05
    assert found.p_value < 1e-6


def test_p_values_are_uniform_when_there_is_no_difference():
    generator = np.random.default_rng(5)
    protocol = ProtocolConfig(n_bootstrap=200)
    p_values, covered = [], 0
    for trial in range(150):
        gold = generator.normal(size=80)
        a, b = gold + generator.normal(size=(2, 80))
        found = paired_difference("spearman", a, b, gold, protocol=protocol, name=f"{trial}")
        p_values.append(found.p_value)
        low, high = found.interval(0.9)
        covered += low <= 0 <= high
    assert 0.02 <= np.mean(np.array(p_values) < 0.1) <= 0.18
    assert 0.83 <= covered / 150 <= 0.97


def test_complete_agreement_against_complete_disagreement():
    gold = np.arange(20.0)
    found = paired_difference(
        "spearman", gold, -gold, gold, protocol=ProtocolConfig(n_bootstrap=99), name=""
    )
    assert found.value == pytest.approx(2.0)
    assert found.p_value == 1 / 100


def test_without_resamples_only_the_exact_test_is_left():
    protocol = ProtocolConfig(n_bootstrap=0)
    for metric, has_test in (("accuracy", True), ("pearson", False)):
        found = paired_difference(metric, *some_answers(metric), protocol=protocol, name="x")
        assert found.interval(0.95) == (None, None)
        assert (found.p_value is not None) == has_test


def test_pooled_differences_average_with_the_error_of_their_mean():
    generator = np.random.default_rng(0)
    parts = [
        Difference(m, generator.normal(m, s, 4000), s, df, 10, 12)
        for m, s, df in ((0.3, 0.1, 8.0), (0.1, 0.02, 2000.0))
    ]
    whole = pooled(parts)
    assert whole.value == pytest.approx(0.2)
    assert whole.standard_error == pytest.approx(np.hypot(0.1, 0.02) / 2)
    assert 8 < whole.degrees < 9  # the uncertain part decides
    assert np.std(whole.replicates) == pytest.approx(whole.standard_error, rel=0.05)
    assert (whole.n_common, whole.n_total) == (20, 24)


# -- whole tables ----------------------------------------------------------------------------------


@pytest.fixture
def compare(tmp_path):
    """Compare from tables written to files; the rows as dicts."""

    def compare(scores, items, **protocol):
        write_evaluation(Evaluation(scores, items), tmp_path / "s.parquet", tmp_path / "i.parquet")
        settings = {"n_bootstrap": 100} | protocol
        files = {"scores": tmp_path / "s.parquet", "items": tmp_path / "i.parquet"}
        for name in ("c.parquet", "again.parquet"):
            compare_spaces(**files, protocol=settings, output=tmp_path / name)
        assert (tmp_path / "c.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()
        table = pq.read_table(tmp_path / "c.parquet")
        assert table.schema.equals(COMPARISON_SCHEMA)
        return table.to_pylist()

    return compare


def test_every_pair_once_on_the_items_both_cover(compare):
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 2, 90)
    answers = {
        name: np.where(generator.random(90) < p, gold, 1 - gold)
        for name, p in zip("abc", (0.9, 0.7, 0.5), strict=True)
    }
    used = {name: generator.random(90) < 0.8 for name in "abc"}
    rows = compare(
        [score(name, "mr", "accuracy") for name in "abc"],
        [item for name in "cab" for item in items_of(name, "mr", answers[name], gold, used=used[name])],
    )
    assert [(row["space_a"], row["space_b"]) for row in rows] == list(itertools.combinations("abc", 2))
    for row in rows:
        a, b = row["space_a"], row["space_b"]
        both = used[a] & used[b]
        expected = paired_difference(
            "accuracy",
            *(answers[a], answers[b], gold),
            protocol=ProtocolConfig(n_bootstrap=100),
            name="mr",
            used=both,
        )
        assert row["difference"] == pytest.approx(expected.value)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected.interval(0.95))
        assert row["p_value"] == pytest.approx(expected.p_value)
        assert (row["n_common"], row["n_total"]) == (both.sum(), 90)
        assert row["method"] == ("test=exact McNemar; interval=paired bootstrap over items (100)")
        assert (row["seed_a"], row["seed_b"], row["split"], row["reason"]) == (1, 1, "test", "")
    assert [row["p_holm"] for row in rows] == holm([row["p_value"] for row in rows])


def test_holm_counts_the_whole_task_group_and_no_other(compare):
    scores, items = [], []
    for task, dataset, metric in (
        ("relatedness", "sick_relatedness", "pearson"),
        ("relatedness", "stsbenchmark", "pearson"),
        ("word_similarity", "men", "spearman"),
    ):
        a, b, gold = some_answers(metric, seed=len(dataset))
        for space, answers in (("a", a), ("b", b)):
            scores.append(score(space, dataset, metric, task=task))
            items += items_of(space, dataset, answers, gold, task=task)
    rows = compare(scores, items)
    p = [row["p_value"] for row in rows]
    assert [row["p_holm"] for row in rows] == [*holm(p[:2]), p[2]]


def test_a_mean_over_subsets_and_participants_of_brainbench(compare):
    generator = np.random.default_rng(3)
    scores, items, expected = [], [], {}
    gold = generator.normal(size=50)
    for space, noise in (("a", 0.5), ("b", 1.5)):
        scores.append(score(space, "sts12", "pearson", task="sts", split="mean"))
        scores.append(score(space, "sts12", "pearson", task="sts", split="all"))
        answers = gold + noise * generator.normal(size=50)
        items += items_of(space, "sts12", answers[:20], gold[:20], task="sts", split="MSRvid")
        items += items_of(space, "sts12", answers[20:], gold[20:], task="sts", split="MSRpar", first_id=20)
        expected[space] = np.mean(
            [pearsonr(answers[s], gold[s]).statistic for s in (slice(20), slice(20, 50))]
        )
        scores.append(score(space, "brainbench_fmri", "two_vs_two_accuracy", task="brainbench"))
        for number in range(9):
            margins = generator.normal(1 - noise / 2, 1, 40)
            items += items_of(
                space,
                "brainbench_fmri",
                margins,
                np.ones(40),
                task="brainbench",
                split=f"b{number}",
                first_id=40 * number,
            )
    sts, brain = compare(scores, items, n_bootstrap=2000)
    assert (sts["dataset"], sts["split"], sts["n_common"]) == ("sts12", "mean", 50)
    assert sts["difference"] == pytest.approx(expected["a"] - expected["b"])
    assert "within subsets" in sts["method"]

    shares = {
        space: [
            np.mean(
                [item.prediction > 0 for item in items if item.space == space and item.split == f"b{n}"]
            )
            for n in range(9)
        ]
        for space in "ab"
    }
    reference = ttest_rel(shares["a"], shares["b"])
    assert brain["difference"] == pytest.approx(np.mean(shares["a"]) - np.mean(shares["b"]))
    assert np.log(brain["p_value"]) == pytest.approx(np.log(reference.pvalue), rel=0.05)
    interval = reference.confidence_interval()
    assert (brain["ci_low"], brain["ci_high"]) == pytest.approx(tuple(interval), abs=0.02)
    assert (brain["n_common"], brain["n_total"]) == (360, 360)
    assert "over participants" in brain["method"]


def test_several_seeds_are_averaged_item_by_item(compare):
    a, b, gold = some_answers("accuracy")
    other = np.where(np.random.default_rng(9).random(60) < 0.6, gold, 1 - gold)
    scores = [score("a", "mr", "accuracy", seed=s) for s in (7, 3)] + [score("b", "mr", "accuracy")]
    items = items_of("a", "mr", a, gold, seed=7) + items_of("a", "mr", other, gold, seed=3)
    (row,) = compare(scores, items + items_of("b", "mr", b, gold))
    assert row["difference"] == pytest.approx(
        (np.mean(a == gold) + np.mean(other == gold)) / 2 - np.mean(b == gold)
    )
    assert (row["seed_a"], row["seed_b"]) == (None, 1)
    assert row["method"].endswith("a=mean over seeds 3, 7")
    assert row["method"].startswith("test=t from paired bootstrap over items")


def test_the_lower_perplexity_is_the_better_one(compare):
    generator = np.random.default_rng(2)
    lengths = generator.integers(3, 40, 200)
    spaces = ("am", "(none)", "(kneser-ney 5)")
    surprise = {space: 4 + 0.3 * place for place, space in enumerate(spaces)}
    scores, items, nats = [], [], {}
    for space, seeds in zip(spaces, ((1, 2), (1, 2), (0,)), strict=True):
        for seed in seeds:
            nats[space, seed] = lengths * (surprise[space] + generator.normal(0, 0.2, 200))
            place = {"task": "language_modelling", "seed": seed}
            scores.append(replace(score(space, "lstm_lm", "perplexity", **place), higher_is_better=False))
            items += items_of(space, "lstm_lm", nats[space, seed], lengths, **place)

    def perplexity(space, rows=slice(None)):
        own = [
            np.exp(n[rows].sum() / lengths[rows].sum()) for (name, _), n in nats.items() if name == space
        ]
        return np.mean(own)

    rows = {(row["space_a"], row["space_b"]): row for row in compare(scores, items)}
    assert list(rows) == list(itertools.combinations(spaces, 2))
    drawn = np.concatenate(list(resample_counts(200, n_resamples=100, seed=1111, name="lstm_lm")))
    for (a, b), row in rows.items():
        assert row["difference"] == pytest.approx(perplexity(b) - perplexity(a))
        assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
        gaps = [
            perplexity(b, own) - perplexity(a, own)
            for own in (np.repeat(np.arange(200), counts) for counts in drawn)
        ]
        error = np.std(gaps) * np.sqrt(200 / 199)
        assert row["p_value"] == pytest.approx(2 * t.sf(row["difference"] / error, 199))
        assert (row["seed_a"], row["n_common"]) == (None, 200)
    assert rows["am", "(kneser-ney 5)"]["seed_b"] == 0


def test_nothing_in_common_and_nothing_defined_is_said(compare):
    gold = np.arange(10.0)
    half = gold < 5
    scores = [score(name, "men", "spearman", task="word_similarity") for name in "abc"]
    items = items_of("a", "men", gold, gold, task="word_similarity", used=half)
    items += items_of("b", "men", gold, gold, task="word_similarity", used=~half)
    items += items_of("c", "men", np.where(half, 1.0, gold), gold, task="word_similarity")
    rows = {(row["space_a"], row["space_b"]): row for row in compare(scores, items)}
    apart, constant, fine = rows["a", "b"], rows["a", "c"], rows["b", "c"]
    assert apart["reason"] == "no item of 10 is covered by both"
    assert constant["reason"] == "undefined on the 5 of 10 items that both cover"
    for row in (apart, constant):
        assert row["difference"] is row["ci_low"] is row["p_value"] is row["p_holm"] is None
    assert (fine["difference"], fine["p_holm"], fine["reason"]) == (0.0, 1.0, "")


def test_paths_skipped_scores_and_other_splits_are_left_out(compare):
    _, b, gold = some_answers("accuracy")
    scores = [
        score("a", "mr", "accuracy"),
        score("a", "mr", "accuracy", split="valid"),
        score("b", "mr", "accuracy", status="skipped"),
        score("path@0.01", "mr", "accuracy"),
        score("c", "mr", "accuracy"),
        score("c", "mr", "accuracy"),  # the same with another vocabulary
    ]
    items = [item for name in ("a", "b", "path@0.01", "c") for item in items_of(name, "mr", b, gold)]
    (row,) = compare(scores, items)
    assert (row["space_a"], row["space_b"], row["p_value"]) == ("a", "c", 1.0)


def test_no_scores_no_rows(compare):
    assert compare([], []) == []


def test_contradicting_items_are_errors(compare):
    a, b, gold = some_answers("accuracy")
    scores = [score(name, "mr", "accuracy") for name in "ab"]
    with pytest.raises(LexiscopeError, match=r"space 'a' \(seed 1\) answered an item of 'mr' twice"):
        compare(scores, items_of("a", "mr", a, gold) + items_of("a", "mr", b, gold))
    with pytest.raises(LexiscopeError, match="were given different items of 'mr'"):
        compare(scores, items_of("a", "mr", a, gold) + items_of("b", "mr", b, 1 - gold))


def test_tables_that_are_none(tmp_path, compare):
    a, _, gold = some_answers("accuracy")
    compare([score(name, "mr", "accuracy") for name in "ab"], items_of("a", "mr", a, gold))
    for scores, items in (("i.parquet", "i.parquet"), ("s.parquet", "s.parquet"), ("s.parquet", "none")):
        with pytest.raises(LexiscopeError, match=r"not those of this table|not a readable Parquet"):
            compare_spaces(
                scores=tmp_path / scores,
                items=tmp_path / items,
                protocol={},
                output=tmp_path / "out.parquet",
            )
    assert not (tmp_path / "out.parquet").exists()


def test_fifteen_spaces_on_three_thousand_pairs_take_seconds(compare):
    generator = np.random.default_rng(0)
    gold = generator.normal(size=3000)
    names = [f"s{i:02d}" for i in range(15)]
    scores = [score(name, "men", "spearman", task="word_similarity") for name in names]
    items = []
    for number, name in enumerate(names):
        used = np.arange(3000) % 10 != number % 3  # three kinds of coverage
        items += items_of(
            name, "men", gold + generator.normal(size=3000), gold, task="word_similarity", used=used
        )
    started = time.process_time()
    rows = compare(scores, items, n_bootstrap=50)
    assert len(rows) == 105
    assert time.process_time() - started < 8
