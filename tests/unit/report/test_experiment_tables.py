"""Perplexities in the layout of Table 4 of Derby et al. and of Table 1 of Verwimp & Bellegarda."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated_experiments import EXPERIMENT_SPACES, NNLM, STUDY, VOCABULARY, perplexities, perplexity
from fabricated_run import make_comparisons, plausible_scores, score
from rich.console import Console

from lexiscope.evaluation.scores import Evaluation, Score, write_evaluation
from lexiscope.files import write_text
from lexiscope.report import formats
from lexiscope.report.build import reverse_transfer_roles
from lexiscope.report.cells import Cell
from lexiscope.report.comparisons import Comparison, Comparisons
from lexiscope.report.finding import count_tasks, find
from lexiscope.report.headline import print_headline
from lexiscope.report.score_charts import score_figures
from lexiscope.report.score_table import ScoreTable, Vocabulary
from lexiscope.report.tables import score_tables, summary_scores

KINDS = {space: section["kind"] for space, section in EXPERIMENT_SPACES.items()}
ROLES = reverse_transfer_roles(STUDY, EXPERIMENT_SPACES)
SCORES = perplexities()


def tables_of(scores: list[Score], comparisons: Comparisons | None = None) -> dict[str, ScoreTable]:
    tables = score_tables(summary_scores(scores), KINDS, comparisons, ROLES)
    return {table.place.table: table for table in tables}


@pytest.fixture(scope="module")
def tables() -> dict[str, ScoreTable]:
    return tables_of([*plausible_scores(EXPERIMENT_SPACES, groups=("word_similarity",)), *SCORES])


def cell(table: ScoreTable, space: str, position: int) -> Cell:
    return next(row for row in table.rows if row.space == space).cells[position]


def test_two_papers_have_a_first_table(tables: dict[str, ScoreTable]) -> None:
    assert {name: table.source for name, table in tables.items()} == {
        "table1": "Table 1 of Derby, Miller & Devereux (2020)",
        "table4": "Table 4 of Derby, Miller & Devereux (2020)",
        "verwimp_table1": "Table 1 of Verwimp & Bellegarda (2019)",
    }
    assert not any(table.is_figure for table in tables.values())


def test_frozen_embeddings_as_table_4(tables: dict[str, ScoreTable]) -> None:
    table = tables["table4"]
    metric = "perplexity, lower is better"
    assert table.groups == [("NNLM-In", metric, 3), ("NNLM-Out", metric, 3), ("NNLM-Tied", metric, 3)]
    assert [column.label for column in table.columns] == ["train", "valid", "test"] * 3
    assert [column.name for column in table.columns[1:3]] == ["NNLM-In, valid", "NNLM-In"]
    assert [row.space for row in table.rows] == list(EXPERIMENT_SPACES)
    assert [cell(table, "am", position).paper_text for position in range(3)] == ["48.7", "55.8", "56.4"]
    assert cell(table, "bilm", 2).paper is None
    assert cell(table, "am", 2).interval
    assert not cell(table, "am", 1).interval


def test_the_lowest_perplexity_is_the_best(tables: dict[str, ScoreTable]) -> None:
    best = [
        [row.space for row in tables["table4"].rows if row.cells[position].best] for position in (2, 5, 8)
    ]
    assert best == [["am"], ["output"], ["am"]]


def test_the_tests_say_what_is_better_not_what_is_higher() -> None:
    scores = [
        perplexity(space, "nnlm_in", value, "test") for space, value in (("am", 50.0), ("glove", 60.0))
    ]
    key = ("nnlm_in", "test", "perplexity")
    for pair, difference in ((("am", "glove"), 10.0), (("glove", "am"), -10.0)):  # above 0: the first
        table = tables_of(scores, Comparisons([Comparison(key, *pair, difference, 0.001)]))["table4"]
        tallies = [[tally and (tally.better, tally.worse) for tally in row] for row in table.matrix]
        assert [row.space for row in table.rows] == ["glove", "am"]
        assert tallies == [[None, (0, 1)], [(1, 0), None]]
        assert not cell(table, "glove", 0).overlaps
    level = tables_of(scores, Comparisons([Comparison(key, "am", "glove", 10.0, 0.5)]))["table4"]
    assert cell(level, "glove", 0).overlaps
    assert level.judged_by == "tests"


def test_a_column_without_tests_and_intervals_is_judged_by_neither() -> None:
    rows = make_comparisons([one for one in SCORES if one.split == "test" and one.dataset in NNLM])
    comparisons = Comparisons(
        Comparison((row["dataset"], row["split"], row["metric"]), row["space_a"], row["space_b"],
                   row["difference"], row["p_holm"])
        for row in rows
    )  # fmt: skip
    table = tables_of(SCORES, comparisons)["table4"]
    assert (table.judged_by, table.n_tested) == ("tests", 3)


def test_the_vocabulary_is_told_and_no_baseline_is_chance(tables: dict[str, ScoreTable]) -> None:
    table = tables["table4"]
    assert table.vocabulary == Vocabulary(VOCABULARY, 76_659, 82_430)
    assert table.baseline_label == ""
    assert {column.coverage for column in table.columns} == {"93 %"}
    assert table.notes == (), "best epochs stand in the list of models"
    assert tables["table1"].vocabulary is None


def test_baselines_stand_below_and_count_for_nothing(tables: dict[str, ScoreTable]) -> None:
    below = tables["table4"].below
    assert below is not None
    assert [row.space for row in below.rows] == ["(untied)", "(tied)", "(kneser-ney 5)"]
    assert [(row.family, row.kind_label) for row in below.rows][2] == ("control", "5-gram")
    assert cell(below, "(kneser-ney 5)", 0).status == "absent", "its own training text says nothing"
    assert below.problems == []
    assert count_tasks([below]) == 0
    alone = tables_of([one for one in SCORES if one.dataset == "nnlm_baseline"])
    assert list(alone) == ["table4_baselines"]


def test_reverse_transfer_as_table_1(tables: dict[str, ScoreTable]) -> None:
    table = tables["verwimp_table1"]
    assert [column.label for column in table.columns] == ["LSTM", "LSTM, compressed"]
    assert [row.space for row in table.rows] == ["(none)", *EXPERIMENT_SPACES]
    assert {row.space: row.cells[0].paper_text for row in table.rows if row.cells[0].paper} == {
        "(none)": "189.0",
        "word2vec": "195.0",
        "word2vec_ptb": "162.0",
        "domains": "255.0",
        "domains_sentences": "239.0",
        "bilm": "185.0",
    }
    none = table.rows[0]
    assert (none.n_seeds, none.cells[0].text, none.cells[0].spread_text) == (3, "190.0", "± 1.0")
    assert none.cells[1].status == "absent"
    assert [none.cells[0].of_seed(seed) is not None for seed in (3, 4)] == [True, False]
    assert none.cells[1].of_seed(1) is None


def test_roles_are_those_of_the_claims() -> None:
    given = {"analysis": {"claims": {"roles": {"word2vec_in_domain": "am", "bidirectional_lm": "no_more"}}}}
    roles = reverse_transfer_roles(STUDY | given, EXPERIMENT_SPACES)
    assert roles["am"] == "word2vec_in_domain"
    assert "word2vec_ptb" not in roles
    assert roles["bilm"] == "bidirectional_lm"
    assert "word2vec" not in reverse_transfer_roles({}, EXPERIMENT_SPACES), "of what domain?"


def test_each_experiment_is_one_task(tables: dict[str, ScoreTable]) -> None:
    assert count_tasks(list(tables.values())) == 7 + 3 + 2


def test_no_vectors_at_all_may_win() -> None:
    scores = [perplexity("(none)", "lstm_lm", 100.0, "test"), perplexity("glove", "lstm_lm", 120.0, "test")]
    finding = find(list(tables_of(scores).values()))
    assert finding.lead == "(none) has the best score on the only task."
    assert "On one task a language model does best without any pre-trained vectors." in finding.caution


def test_one_chart_an_experiment_on_a_logarithmic_scale(tables: dict[str, ScoreTable]) -> None:
    (figure,) = score_figures([tables["table4"]])
    assert [chart.anchor for chart in figure.charts] == [
        f"scores-{dataset}-perplexity-test" for dataset in NNLM
    ]
    for chart in figure.charts:
        scales = [layer["encoding"]["x"]["scale"] for layer in chart.specification["layer"]]
        assert {scale["type"] for scale in scales} == {"log"}
        assert max(scale["domain"][1] for scale in scales) < 1000, "not out to the uniform model"
        assert "Chance" not in chart.description


def test_the_headline_has_test_perplexities_and_the_baselines(tmp_path: Path) -> None:
    write_evaluation(Evaluation(SCORES, []), tmp_path / "s.parquet", tmp_path / "i.parquet")
    write_text(tmp_path / "report.html", "")
    console = Console(file=io.StringIO(), width=160)
    print_headline(tmp_path / "s.parquet", tmp_path / "report.html", console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "NNLM-Tied" in text
    assert "valid" not in text
    assert "without a space: (untied) 84.0, (tied) 79.0, (kneser-ney 5) 141.0" in text


def test_a_control_is_no_model_without_vectors() -> None:
    pair = [score(space="random", value=0.9, dataset="men"), score(space="glove", value=0.1)]
    assert "without any" not in find(list(tables_of(pair).values())).caution
    assert formats.family("(none)") == "control"
    assert formats.family("domain_classifier") == "classifier"


def test_a_seed_of_one_column_alone() -> None:
    """The list of seeds has a row for each seed of any column."""
    scores = [
        perplexity("glove", "lstm_lm", 120.0, "test", 1),
        perplexity("glove", "lstm_lm", 122.0, "test", 2),
        replace(perplexity("glove", "lstm_lm_compressed", 125.0, "test", 1)),
    ]
    table = tables_of(scores)["verwimp_table1"]
    assert [(row.space, seeds) for row, seeds in table.seeded] == [("glove", [1, 2])]
    found = [[one.of_seed(seed) for seed in (1, 2)] for one in table.rows[0].cells]
    assert [[one and one.value for one in column] for column in found] == [[120.0, 122.0], [125.0, None]]
