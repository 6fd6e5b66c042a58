"""The printed values: that they are all there, right, and found for the right cells."""

from __future__ import annotations

import io
from collections import Counter

import pytest

from lexiscope.evaluation.tasks import MEASURES, Measure
from lexiscope.report.paper_values import (
    MODEL_OF_KIND,
    MODEL_OF_ROLE,
    PAPERS,
    TABLES,
    find_paper_value,
    paper_bias_correlation,
    paper_values,
    read_paper_values,
)


@pytest.mark.parametrize(
    ("kind", "dataset", "metric", "value"),
    [
        ("word2vec", "ws353_similarity", "spearman", 0.759),
        ("activation_maximisation", "simlex999", "spearman", 0.486),
        ("lm_input", "rareword", "spearman", 0.694),
        ("glove", "brainbench_meg", "two_vs_two_accuracy", 0.623),
        ("lm_output", "sst2", "accuracy", 0.7924),
        ("fasttext", "mrpc", "f1", 0.7987),
    ],
)
def test_a_printed_value_is_found(kind: str, dataset: str, metric: str, value: float) -> None:
    found = find_paper_value(kind=kind, dataset=dataset, metric=metric, split="test")
    assert found is not None
    assert (found.value, found.paper, found.reading_error) == (value, "derby2020", 0)


# Figure 1 shows three spaces; Figure 2 leaves out what is chance for averaged vectors.
NOT_IN_FIGURE_1 = ("word2vec", "glove", "fasttext")
NOT_IN_FIGURE_2 = ("bigram_shift", "odd_man_out", "coordination_inversion")


def is_printed(measure: Measure, kind: str) -> bool:
    return measure.paper == "derby2020" and not (
        (measure.table == "figure1" and kind in NOT_IN_FIGURE_1) or measure.dataset in NOT_IN_FIGURE_2
    )


def test_every_measure_of_the_registry_has_its_printed_values_for_every_kind() -> None:
    for (dataset, metric), measure in MEASURES.items():
        for kind in MODEL_OF_KIND:
            found = find_paper_value(kind=kind, dataset=dataset, metric=metric, split=measure.split)
            assert (found is not None) == is_printed(measure, kind), (kind, dataset, metric)
            if found is not None:
                assert (found.paper, found.table) == (measure.paper, measure.table)
                on_the_scale_of_the_scores = 1 if measure.metric != "perplexity" else 100
                assert abs(found.value) <= on_the_scale_of_the_scores


def test_reverse_transfer_goes_by_the_role_not_the_kind() -> None:
    place = {"dataset": "lstm_lm", "metric": "perplexity", "split": "test"}
    found = [find_paper_value(kind="word2vec", role=role, **place) for role in MODEL_OF_ROLE]
    assert [value and value.value for value in found] == [189, 162, 195, 255, 239, 185]
    assert {value and value.paper for value in found} == {"verwimp2019"}
    assert find_paper_value(kind="word2vec", **place) is None
    assert find_paper_value(kind="word2vec", role="am", **place) is None


def test_what_is_printed_a_hundredfold_comes_on_the_scale_of_the_scores() -> None:
    table3 = find_paper_value(kind="lm_input", dataset="sick_relatedness", metric="pearson", split="test")
    figure1 = find_paper_value(kind="lm_input", dataset="sts12", metric="spearman", split="mean")
    figure2 = find_paper_value(kind="glove", dataset="sentence_length", metric="accuracy", split="test")
    assert [(v.value, v.reading_error) for v in (table3, figure1, figure2) if v] == [
        (0.7949, 0.0),
        (0.46, 0.005),
        (0.556, 0.005),
    ]


def test_the_constant_classifiers_of_the_paper() -> None:
    constant = [value for value in paper_values() if value.constant]
    assert {value.model for value in constant} == {"word2vec", "fasttext", "am"}
    assert Counter(value.metric for value in constant) == {"accuracy": 3, "f1": 3}


@pytest.mark.parametrize(
    ("kind", "dataset", "split"),
    [("file", "men", "test"), ("word2vec", "men", "b1"), ("glove", "mine", "test")],
)
def test_other_cells_have_none(kind: str, dataset: str, split: str) -> None:
    assert find_paper_value(kind=kind, dataset=dataset, metric="spearman", split=split) is None


def test_the_table_is_whole() -> None:
    values = paper_values()
    per_table = Counter((value.paper, value.table) for value in values)
    # Six models by 9, 10 and 2 measures; 3 models by 5 years and 2 correlations; 6 by 7 probes.
    assert per_table["derby2020", "table1"] == 54
    assert per_table["derby2020", "table2"] == 60
    assert per_table["derby2020", "table3"] == 12
    assert per_table["derby2020", "table4"] == 54
    assert per_table["derby2020", "figure1"] == 30
    assert per_table["derby2020", "figure2"] == 42
    assert per_table["verwimp2019", "table1"] == 8
    assert len({(v.paper, v.table, v.model, v.dataset, v.metric, v.split) for v in values}) == len(values)
    assert {value.paper for value in values} <= set(PAPERS)
    assert {value.table for value in values} <= set(TABLES)
    assert all(bool(value.reading_error) == value.table.startswith("figure") for value in values)


def test_the_bias_correlation() -> None:
    assert paper_bias_correlation().value == 0.85


def test_a_malformed_number_is_not_passed_over() -> None:
    header = "paper,table,model,dataset,metric,split,value,reading_error,note\n"
    with pytest.raises(ValueError, match="about"):
        read_paper_values(io.StringIO(header + "derby2020,table1,glove,men,spearman,test,about 0.7,0,\n"))
