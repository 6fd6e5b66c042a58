"""Paired tests in the tables: what is separated from the best, and who beats whom."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fabricated_run import make_comparisons, score

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.comparison import COMPARISON_SCHEMA
from lexiscope.evaluation.scores import Score
from lexiscope.report.comparisons import (
    COLUMNS,
    Comparison,
    Comparisons,
    Tally,
    read_comparisons,
    tally,
)
from lexiscope.report.finding import find
from lexiscope.report.score_table import ScoreTable
from lexiscope.report.tables import score_tables

MEN = ("men", "test", "spearman")
SIMLEX = ("simlex999", "test", "spearman")
KINDS = {"a": "glove", "b": "lm_input", "c": "lm_output"}

A, B, C = (
    score(space=name, value=value, ci_low=value - 0.1, ci_high=value + 0.1)
    for name, value in (("a", 0.50), ("b", 0.48), ("c", 0.20))
)


def paired(first: str, second: str, difference: float | None, p: float | None) -> Comparison:
    return Comparison(MEN, first, second, difference, p)


def table_of(scores: list[Score], comparisons: Comparisons | None) -> ScoreTable:
    (table,) = score_tables(scores, KINDS, comparisons)
    return table


def marks(table: ScoreTable) -> list[tuple[bool, bool]]:
    return [(row.cells[0].best, row.cells[0].overlaps) for row in table.rows]


def test_the_columns_are_among_those_that_comparisons_are_written_with() -> None:
    assert set(COLUMNS) <= set(COMPARISON_SCHEMA.names)


def test_a_pair_is_the_same_either_way_round() -> None:
    found = Comparisons([paired("a", "b", 0.1, 0.01), paired("c", "a", 0.2, 0.6)])
    assert [found.sign(MEN, *pair) for pair in (("a", "b"), ("b", "a"), ("a", "c"))] == [1, -1, 0]
    assert found.sign(MEN, "b", "c") is None
    assert found.sign(SIMLEX, "a", "b") is None
    assert MEN in found
    assert SIMLEX not in found


def test_no_test_decides_nothing() -> None:
    found = Comparisons([paired("a", "b", None, None), paired("a", "c", 0.3, None)])
    assert found.sign(MEN, "a", "b") is None
    assert MEN not in found


def test_the_level_is_that_of_the_study() -> None:
    rows = [paired("a", "b", 0.1, 0.03)]
    assert Comparisons(rows, alpha=0.05).sign(MEN, "a", "b") == 1
    assert Comparisons(rows, alpha=0.01).sign(MEN, "a", "b") == 0


def test_the_paired_test_overrules_the_intervals() -> None:
    assert marks(table_of([A, B, C], None)) == [(True, False), (False, True), (False, False)]
    tests = Comparisons([paired("a", "b", 0.02, 0.001), paired("a", "c", 0.3, 0.4)])
    table = table_of([A, B, C], tests)
    assert marks(table) == [(True, False), (False, False), (False, True)]
    assert table.judged_by == "tests"


def test_where_a_pair_was_not_tested_the_intervals_say() -> None:
    table = table_of([A, B, C], Comparisons([paired("a", "c", 0.3, 0.001)]))
    assert marks(table) == [(True, False), (False, True), (False, False)]


def test_a_table_of_tested_and_untested_columns() -> None:
    scores = [A, B, *(score(space=name, dataset="simlex999") for name in KINDS)]
    assert table_of(scores, Comparisons([paired("a", "b", 0.1, 0.001)])).judged_by == "both"


def test_the_matrix_counts_better_and_worse() -> None:
    rows = [
        paired("a", "b", 0.1, 0.001),
        Comparison(SIMLEX, "a", "b", -0.1, 0.001),
        Comparison(SIMLEX, "b", "c", 0.0, 1.0),
    ]
    table = table_of(
        [A, B, C, *(score(space=name, dataset="simlex999") for name in KINDS)], Comparisons(rows)
    )
    assert table.matrix[0] == (None, Tally(1, 1, 2), None)
    assert table.matrix[1] == (Tally(1, 1, 2), None, Tally(0, 0, 1))
    assert tally(Comparisons(rows), [MEN], "b", "a") == Tally(0, 1, 1)
    assert table_of([A, B], None).matrix == ()


def test_the_finding_rests_on_the_tests() -> None:
    apart = Comparisons([paired("a", "b", 0.02, 0.001), paired("a", "c", 0.3, 0.001)])
    assert find([table_of([A, B, C], apart)]).caution == (
        "The paired tests set it apart from all others there."
    )
    level = Comparisons([paired("a", "b", 0.02, 0.2), paired("a", "c", 0.3, 0.001)])
    assert find([table_of([A, B, C], level)]).caution == (
        "The paired tests do not set it apart from the others there."
    )


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "comparisons.parquet"
    pq.write_table(pa.Table.from_pylist(make_comparisons([A, B, C])), path)
    found = read_comparisons(path)
    assert [found.sign(MEN, *pair) for pair in (("a", "b"), ("a", "c"), ("c", "b"))] == [0, 1, -1]
    with pytest.raises(LexiscopeError, match="not a readable Parquet file"):
        read_comparisons(tmp_path / "none.parquet")
