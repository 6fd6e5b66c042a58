from __future__ import annotations

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.evaluate import EVALUATORS
from lexiscope.evaluation.tasks import MEASURES, TASKS, resolve_tasks

TABLE_1 = ("ws353_similarity", "simlex999", "ws353_relatedness", "men", "mturk287", "ws353", "rareword")


def test_a_group_name_means_all_its_datasets_in_the_order_of_table_1():
    assert resolve_tasks(["word_similarity"]) == {"word_similarity": TABLE_1}


def test_groups_and_datasets_mix_and_repeat_freely():
    assert resolve_tasks(["brainbench", "men", "word_similarity", "men"]) == {
        "word_similarity": TABLE_1,
        "brainbench": ("brainbench",),
    }
    assert resolve_tasks(["rareword", "men"]) == {"word_similarity": ("men", "rareword")}
    assert resolve_tasks([]) == {}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("brianbench", "'brainbench'"), ("simlex", "'simlex999'"), ("qqq", "Known are brainbench")],
)
def test_an_unknown_task_gets_a_suggestion(name, hint):
    with pytest.raises(LexiscopeError, match=f"unknown task '{name}'.*{hint}"):
        resolve_tasks(["men", name])


def test_every_group_has_an_evaluator_and_every_measure_one_owner():
    assert set(EVALUATORS) == set(TASKS)
    listed = [m for group in TASKS.values() for dataset in group.datasets for m in dataset.measures]
    assert len(listed) == len(MEASURES) == 9


def test_metric_names_are_those_of_the_printed_values():
    assert {metric for dataset, metric in MEASURES if dataset in TABLE_1} == {"spearman"}
    assert ("brainbench_fmri", "two_vs_two_accuracy") in MEASURES
    assert ("brainbench_meg", "two_vs_two_accuracy") in MEASURES
    assert MEASURES["brainbench_meg", "two_vs_two_accuracy"].baseline == 0.5
