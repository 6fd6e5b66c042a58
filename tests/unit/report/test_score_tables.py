"""The tables of scores: layout, the best, overlaps, gaps."""

from __future__ import annotations

import doctest
import statistics

from fabricated_run import SIX, failed, plausible_scores, score

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.cells import Cell
from lexiscope.report.score_table import ScoreTable
from lexiscope.report.tables import best_scores, intervals_overlap, score_tables

KINDS = {"word2vec": "word2vec", "am": "activation_maximisation", "mine": "file"}


def table_of(*scores: Score) -> ScoreTable:
    (table,) = score_tables(scores, KINDS)
    return table


def cell(table: ScoreTable, space: str, column: str) -> Cell:
    row = next(row for row in table.rows if row.label == space)
    return row.cells[[column.label for column in table.columns].index(column)]


def test_columns_in_the_papers_order_rows_in_the_studys() -> None:
    scores = plausible_scores(SIX)
    (table,) = score_tables(scores[::-1], {space: section["kind"] for space, section in SIX.items()})
    assert [column.label for column in table.columns] == [
        "WordSim353-Sim",
        "SimLex-999",
        "WordSim353-Rel",
        "MEN",
        "MTurk-287",
        "WordSim353",
        "RareWords",
        "fMRI",
        "MEG",
    ]
    assert [row.space for row in table.rows] == list(SIX)
    assert table.groups == [("Word similarity", "Spearman ρ", 7), ("BrainBench", "2 vs 2 accuracy", 2)]
    assert table.source == "Table 1 of Derby, Miller & Devereux (2020)"


def test_the_best_and_what_overlaps_it() -> None:
    table = table_of(
        score(space="word2vec", value=0.70, ci_low=0.66, ci_high=0.74),
        score(space="am", value=0.75, ci_low=0.72, ci_high=0.78),
        score(space="mine", value=0.60, ci_low=0.55, ci_high=0.65),
    )
    marks = [(cell(table, name, "MEN").best, cell(table, name, "MEN").overlaps) for name in KINDS]
    assert marks == [(False, True), (True, False), (False, False)]


def test_equal_scores_are_both_best() -> None:
    assert len(best_scores([score(space="a"), score(space="b"), score(space="c", value=0.1)])) == 2


def test_lower_is_better_where_it_is() -> None:
    low, high = (
        score(space=name, value=v, higher_is_better=False) for name, v in (("a", 57.0), ("b", 61.0))
    )
    assert best_scores([high, low]) == [low]


def test_a_score_alone_is_not_the_best_of_anything() -> None:
    assert best_scores([score(), failed("no pairs", space="word2vec")]) == []


def test_intervals_overlap() -> None:
    one = score(ci_low=0.4, ci_high=0.5)
    assert intervals_overlap(one, score(ci_low=0.5, ci_high=0.6))
    assert not intervals_overlap(one, score(ci_low=0.51, ci_high=0.6))
    assert not intervals_overlap(one, score(ci_low=None, ci_high=None))


def test_a_gap_is_a_gap_and_never_zero() -> None:
    table = table_of(
        score(space="word2vec"), failed("3 pairs are too few", space="am"), score(space="mine", value=-0.1)
    )
    gap = cell(table, "am", "MEN")
    assert (gap.value, gap.status, gap.text) == (None, "skipped", formats.MISSING)
    assert [(name, found.error) for name, _, found in table.problems] == [("am", "3 pairs are too few")]


def test_a_task_that_a_space_was_not_asked_is_absent() -> None:
    table = table_of(score(space="word2vec"), score(space="am", dataset="simlex999"))
    assert cell(table, "am", "MEN").status == "absent"


def test_coverage_stands_once_where_it_is_the_same() -> None:
    same = table_of(score(space="am", n_used=90, n_total=100), score(space="mine", n_used=90, n_total=100))
    assert same.columns[0].coverage == "90/100"
    other = table_of(score(space="am", n_used=90, n_total=100), score(space="mine", n_used=40, n_total=100))
    assert other.columns[0].coverage is None
    assert cell(other, "mine", "MEN").coverage == "40/100"


def test_the_papers_value_is_that_of_the_kind_not_the_name() -> None:
    table = table_of(score(space="word2vec"), score(space="am"), score(space="mine"))
    assert [cell(table, name, "MEN").paper_text for name in KINDS] == ["0.725", "0.741", ""]


def test_several_seeds_are_one_row_with_their_mean_and_spread() -> None:
    table = table_of(
        score(space="am", seed=2, value=0.6, ci_low=0.5, ci_high=0.7, constant=True),
        score(space="am", seed=1, value=0.5, ci_low=0.4, ci_high=0.6),
        failed("no words", space="am", seed=3),
        score(space="mine", value=0.3, ci_low=0.2, ci_high=0.4),
    )
    assert [(row.label, row.n_seeds) for row in table.rows] == [("am", 3), ("mine", 1)]
    found = cell(table, "am", "MEN")
    assert (found.text, found.interval, found.best, found.is_constant) == (
        "0.550",
        "[0.45, 0.65]",
        True,
        True,
    )
    assert found.spread_text == f"± {statistics.stdev([0.5, 0.6]):.3f}"
    assert [(score.seed, score.value) for score in found.seeds] == [(1, 0.5), (2, 0.6), (3, None)]
    assert [(name, found.error) for name, _, found in table.problems] == [("am (seed 3)", "no words")]
    assert [(row.label, seeds) for row, seeds in table.seeded] == [("am", [1, 2, 3])]
    assert cell(table, "mine", "MEN").spread_text == ""


def test_a_task_that_the_registry_does_not_know() -> None:
    tables = score_tables([score(), score(task="my_task", dataset="my set", metric="my_metric")], KINDS)
    assert [table.title for table in tables] == ["Intrinsic evaluation", "Other tasks"]
    column = tables[1].columns[0]
    assert (column.label, column.metric_label, column.anchor) == (
        "my set",
        "my metric",
        "my-set-my_metric-test",
    )


def test_a_space_that_the_study_does_not_name_comes_last() -> None:
    table = table_of(score(space="stranger"), score(space="am"))
    assert [row.space for row in table.rows] == ["am", "stranger"]
    assert table.rows[1].family == "imported"


def test_no_scores_no_tables() -> None:
    assert score_tables([], KINDS) == []


def test_the_examples_of_the_formats() -> None:
    outcome = doctest.testmod(formats)
    assert outcome.attempted == 14
    assert outcome.failed == 0


def test_the_decimals_are_those_of_the_papers() -> None:
    assert formats.score(0.7589, "spearman") == "0.759"
    assert formats.score(None, "spearman") == formats.MISSING
    assert formats.interval(0.1, None, "spearman") == ""
