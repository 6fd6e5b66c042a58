from __future__ import annotations

import pytest

from lexiscope.data.catalogue import load_catalogue
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.evaluate import evaluator_of
from lexiscope.evaluation.tasks import GROUPS, MEASURES, TASKS, measure_of, resolve_tasks

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
    [("brianbench", "'brainbench'"), ("simlex", "'simlex999'"), ("qqq", "Known are bigram_shift")],
)
def test_an_unknown_task_gets_a_suggestion(name, hint):
    with pytest.raises(LexiscopeError, match=f"unknown task '{name}'.*{hint}"):
        resolve_tasks(["men", name])


def test_every_group_has_an_evaluator_of_its_own_kind():
    modules = {group: evaluator_of(group).__module__.rsplit(".", 1)[1] for group in TASKS}
    assert modules == {group: group for group in TASKS} | {
        "xprobe": "probing",
        "treebank_probing": "probing",
    }


def test_every_measure_has_one_owner():
    listed = [m for group in GROUPS for dataset in group.datasets for m in dataset.measures]
    assert len(listed) == len(MEASURES)


def test_every_table_and_figure_of_the_paper_has_its_datasets():
    sizes = {group.name: len(group.datasets) for group in TASKS.values()}
    assert sizes == {
        "word_similarity": 7,
        "brainbench": 1,
        "transfer": 9,
        "relatedness": 2,
        "sts": 5,
        "probing": 10,
        "xprobe": 9,
        "treebank_probing": 0,
    }


def test_every_dataset_is_an_entry_of_the_catalogue():
    catalogue = load_catalogue()
    for group in TASKS.values():
        for dataset in group.datasets:
            roles = {file.role for file in catalogue[dataset.source].files}
            if dataset.role:
                assert any(role.split(".")[0] == dataset.role for role in roles), dataset.key


def test_a_built_probe_is_known_by_its_name():
    dataset = TASKS["treebank_probing"].dataset("ewt/tense")
    assert (dataset.source, dataset.role) == ("ewt", "tense")
    assert measure_of("ewt/tense", "accuracy") == dataset.measures[0]
    assert measure_of("ewt/tense", "f1") is None
    assert resolve_tasks(["ewt/tense"], {"ewt": ["tense", "tree_depth"]}) == {
        "treebank_probing": ("ewt/tense",)
    }


def test_metric_names_are_those_of_the_printed_values():
    assert {metric for dataset, metric in MEASURES if dataset in TABLE_1} == {"spearman"}
    assert ("brainbench_fmri", "two_vs_two_accuracy") in MEASURES
    assert ("brainbench_meg", "two_vs_two_accuracy") in MEASURES
    assert MEASURES["brainbench_meg", "two_vs_two_accuracy"].baseline == 0.5
