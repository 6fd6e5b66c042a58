"""Every table of the papers, and those beside them: layout, flags, notes, seeds, shared vocabularies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fabricated_run import SIX, everything, failed, plausible_scores, restricted, score

from lexiscope.evaluation.scores import Score
from lexiscope.evaluation.tasks import MEASURES
from lexiscope.report.cells import Cell
from lexiscope.report.finding import count_tasks, find
from lexiscope.report.parts import part_tables
from lexiscope.report.score_list import MAX_ROWS, list_scores
from lexiscope.report.score_table import ScoreTable
from lexiscope.report.tables import score_tables, summary_scores
from lexiscope.report.task_order import place_of_measure

KINDS = {space: section["kind"] for space, section in SIX.items()}
EVERYTHING = everything(SIX)


@pytest.fixture(scope="module")
def tables() -> dict[str, ScoreTable]:
    return {table.place.table: table for table in score_tables(summary_scores(EVERYTHING), KINDS)}


def mrpc(**changes: object) -> Score:
    return score(task="transfer", dataset="mrpc", metric="accuracy", **{"value": 0.6649, **changes})


def only(*scores: Score) -> ScoreTable:
    (table,) = score_tables(scores, KINDS)
    return table


def cell_of(table: ScoreTable, space: str, column: int = 0) -> Cell:
    return next(row for row in table.rows if row.space == space).cells[column]


def test_every_group_has_its_table_in_the_papers_order(tables: dict[str, ScoreTable]) -> None:
    assert {name: (table.title, table.source.partition(" of ")[0]) for name, table in tables.items()} == {
        "table1": ("Intrinsic evaluation", "Table 1"),
        "table2": ("Sentence classification", "Table 2"),
        "table3": ("Semantic relatedness", "Table 3"),
        "figure1": ("Semantic textual similarity", "Figure 1"),
        "figure2": ("Probing", "Figure 2"),
        "xprobe": ("X-Probe, English", ""),
        "treebank_probing/ewt": ("Probe ewt, built from a treebank", ""),
        "treebank_probing/gum": ("Probe gum, built from a treebank", ""),
    }
    assert [name for name, table in tables.items() if not table.is_figure] == ["table1", "table2", "table3"]


def test_transfer_as_table_2(tables: dict[str, ScoreTable]) -> None:
    table = tables["table2"]
    assert [column.label for column in table.columns] == [
        "MR", "CR", "MPQA", "SUBJ", "SST2", "SST5", "TREC", "SICK-E", "MRPC", "MRPC F1",
    ]  # fmt: skip
    assert table.groups == [("Transfer", "accuracy, %", 9), ("Transfer", "F1, %", 1)]
    assert table.baseline_label == "Majority"
    assert table.columns[8].baseline_text == "66.49"
    assert cell_of(table, "glove", 0).paper_text == "68.22"


def test_relatedness_as_table_3_with_the_cosine_beside_it(tables: dict[str, ScoreTable]) -> None:
    table = tables["table3"]
    assert table.groups == [
        ("Regression", "Pearson × 100", 2),
        ("Cosine", "Pearson × 100", 2),
        ("Regression", "Spearman × 100", 2),
        ("Cosine", "Spearman × 100", 2),
    ]
    assert [column.label for column in table.columns] == ["SICK-R", "STS-B"] * 4
    assert [cell_of(table, "input", position).paper_text for position in range(4)] == [
        "79.49",
        "62.23",
        "",
        "",
    ]
    assert table.baseline_label == "Chance"


def test_similarity_shows_the_mean_over_the_subsets(tables: dict[str, ScoreTable]) -> None:
    table = tables["figure1"]
    assert [group[1:] for group in table.groups] == [("Pearson × 100", 5), ("Spearman × 100", 5)]
    assert {column.split for column in table.columns} == {"mean"}
    assert cell_of(table, "am").paper_text == "~39.3", "as far as a figure can be read"


def test_what_is_not_sentevals_stands_beside_no_value_of_the_papers(tables: dict[str, ScoreTable]) -> None:
    assert tables["figure2"].has_papers
    for name in ("xprobe", "treebank_probing/ewt"):
        assert not tables[name].has_papers
    assert tables["treebank_probing/ewt"].columns[0].name == "ewt SentLen"
    assert tables["treebank_probing/ewt"].groups[0][0] == "ewt"


def test_the_random_control_stands_in_every_table(tables: dict[str, ScoreTable]) -> None:
    assert all("random" in [row.kind for row in table.rows] for table in tables.values())


def test_a_task_is_counted_once_by_its_main_measure(tables: dict[str, ScoreTable]) -> None:
    main = [place_of_measure(*key) for key in MEASURES]
    assert sum(place is not None and place.is_main for place in main) == 9 + 9 + 2 + 5 + 10 + 9 + 3 + 2
    assert count_tasks(list(tables.values())) == 9 + 9 + 2 + 5 + 10 + 9 + 2 * 6
    assert f"of {9 + 9 + 2 + 5 + 10 + 8 + 2 * 6} tasks" in find(list(tables.values())).lead


def test_a_constant_classifier_is_flagged_here_and_in_the_paper() -> None:
    table = only(mrpc(space="am", constant=True, baseline=0.6649), mrpc(space="input", value=0.73))
    flagged, other = cell_of(table, "am"), cell_of(table, "input")
    assert (flagged.is_constant, other.is_constant) == (True, False)
    assert flagged.paper is not None
    assert other.paper is not None
    assert (flagged.paper.constant, other.paper.constant) == (True, False)
    assert table.has_constants
    assert table.has_paper_constants
    assert find([table]).caution.endswith("1 score is of a classifier that gives every item one answer.")


def test_notes_are_footnotes_and_the_same_note_has_one_mark() -> None:
    table = only(
        mrpc(space="glove", note="left out 3"),
        mrpc(space="am", note="left out 3"),
        mrpc(space="input", note="no words in 2"),
    )
    assert table.notes == (("a", "left out 3"), ("b", "no words in 2"))
    assert [row.cells[0].notes for row in table.rows] == [("a",), ("b",), ("a",)]


def test_baselines_that_differ_stand_in_the_cells() -> None:
    table = only(mrpc(space="glove", baseline=0.66), mrpc(space="am", baseline=0.7))
    assert table.columns[0].baseline is None
    assert cell_of(table, "am").baseline_text == "70.00"


def test_the_same_trouble_of_several_spaces_is_told_once() -> None:
    table = only(
        *(failed("one class", space=name, dataset="mrpc", metric="accuracy") for name in ("am", "glove")),
        mrpc(space="input"),
    )
    assert [(name, found.error) for name, _, found in table.problems] == [("glove, am", "one class")]
    everywhere = only(*(failed("gone", space=name, dataset="mrpc") for name in ("am", "glove")))
    assert everywhere.problems[0][0] == "Every space"
    assert everywhere.columns[0].coverage == "–"


SHARED = restricted([one for one in plausible_scores(SIX) if one.space != "glove"])


def test_the_shared_vocabulary_stands_beside_where_it_changes_something() -> None:
    own = plausible_scores(SIX)
    table = only(*own, *SHARED)
    assert table.shared is not None
    assert [row.space for row in table.shared.rows] == list(SIX)
    assert cell_of(table.shared, "glove").value == cell_of(table, "glove").value, "it lost no word"
    assert cell_of(table.shared, "am").value == pytest.approx((cell_of(table, "am").value or 0) - 0.02)
    assert table.shared.anchor != table.anchor
    assert only(*own).shared is None


def test_a_shared_vocabulary_that_changes_nothing_is_not_shown() -> None:
    own = plausible_scores(SIX)
    same = [replace(one, protocol=f"{one.protocol} vocabulary=shared") for one in own]
    assert only(*own, *same).shared is None


def test_a_study_on_the_shared_vocabulary_alone() -> None:
    table = only(*SHARED)
    assert table.is_shared
    assert table.shared is None


def test_the_parts_of_similarity() -> None:
    first, second = part_tables(EVERYTHING, KINDS)
    assert [first.metric, second.metric] == ["Pearson × 100", "Spearman × 100"]
    assert first.spaces == tuple(SIX)
    assert [name for year, name, _ in first.rows if year == "STS13"] == [
        "mean of the subsets", "mean weighted by pairs", "all pairs together", "FNWN", "headlines", "OnWN",
    ]  # fmt: skip
    assert len(first.rows) == 5 * 3 + 5 + 3 + 6 + 5 + 5
    assert part_tables(plausible_scores(SIX), KINDS) == []


def test_the_list_of_scores_has_a_limit() -> None:
    whole = list_scores(EVERYTHING)
    assert (len(whole.scores), whole.n_total, whole.has_seeds) == (len(EVERYTHING), len(EVERYTHING), False)
    assert [whole.number_of(one) for one in whole.scores[:2]] == [1, 1]
    many = [
        replace(one, seed=seed) for seed in range(1 + MAX_ROWS // len(EVERYTHING)) for one in EVERYTHING
    ]
    short = list_scores(many)
    assert short.has_seeds
    assert short.n_total > MAX_ROWS >= len(short.scores)
    assert "valid" not in {one.split for one in short.scores}
    assert list_scores([score(space="path@1e-05")]).scores == ()
