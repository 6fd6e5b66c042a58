"""The sentence at the top: no bolder than the scores."""

from __future__ import annotations

from typing import Any

import pytest
from fabricated_run import failed, score

from lexiscope.evaluation.scores import Score
from lexiscope.report.finding import Finding, find
from lexiscope.report.tables import score_tables

KINDS = {"word2vec": "word2vec", "am": "activation_maximisation", "random": "random"}
SETS = ("ws353_similarity", "simlex999", "ws353_relatedness", "men", "mturk287")


def of(*scores: Score) -> Finding:
    return find(score_tables(scores, KINDS))


def duel(dataset: str, am: float, word2vec: float, half: float | None = 0.02) -> list[Score]:
    """Two spaces on one task, with intervals of the given half width."""

    def one(space: str, value: float) -> Score:
        low, high = (None, None) if half is None else (value - half, value + half)
        return score(space=space, dataset=dataset, value=value, ci_low=low, ci_high=high)

    return [one("am", am), one("word2vec", word2vec)]


def test_a_clear_lead() -> None:
    found = of(*duel("men", 0.7, 0.5), *duel("simlex999", 0.6, 0.3), *duel("mturk287", 0.4, 0.9))
    assert found.lead == "am has the best score on 2 of 3 tasks."
    assert found.caution == "No other space’s interval reaches into its own on each of them."


def test_a_lead_that_the_intervals_do_not_bear_out() -> None:
    found = of(*duel("men", 0.51, 0.5), *duel("simlex999", 0.31, 0.3))
    assert found.lead == "am has the best score on 2 of 2 tasks."
    assert found.caution == "The intervals do not set it apart from the others on any of them."


def test_a_lead_that_they_bear_out_in_part() -> None:
    found = of(*duel("men", 0.7, 0.5), *duel("simlex999", 0.31, 0.3))
    assert found.caution == "The intervals set it apart from all others on 1 of those 2."


def test_without_intervals_nothing_is_clear() -> None:
    assert "do not set it apart" in of(*duel("men", 0.9, 0.1, half=None)).caution


def test_no_space_leads() -> None:
    found = of(*duel("men", 0.7, 0.5), *duel("simlex999", 0.2, 0.3))
    assert found.lead == "word2vec and am each have the best score on 1 of 2 tasks: no space leads."


def test_equal_scores_on_the_only_task() -> None:
    found = of(*duel("men", 0.5, 0.5))
    assert found.lead == "word2vec and am share the best score on the only task: no space leads."


def test_lower_is_better_where_it_is() -> None:
    def perplexity(space: str, value: float) -> Score:
        return score(
            space=space, task="nnlm", dataset="nnlm_in", metric="perplexity", value=value,
            ci_low=value - 1, ci_high=value + 1, baseline=None, higher_is_better=False,
        )  # fmt: skip

    found = of(perplexity("am", 56.4), perplexity("word2vec", 59.3))
    assert found == Finding(
        "am has the best score on the only task.", "No other space’s interval reaches into its own there."
    )


def test_noise_is_called_noise() -> None:
    found = of(score(space="am", value=0.01), score(space="random", value=0.02))
    assert "Random vectors are best on one task: those scores are noise." in found.caution


def test_a_control_that_is_no_noise_is_not_called_so() -> None:
    kinds = {**KINDS, "centred": "centred", "top": "all_but_the_top"}
    scores = [score(space="am", value=0.4), score(space="centred", value=0.6), score(space="top")]
    caution = find(score_tables(scores, kinds)).caution
    assert "On one task a control is best: no learnt space does better there" in caution
    assert "noise" not in caution


def test_gaps_are_told() -> None:
    found = of(
        *duel("men", 0.7, 0.5),
        *duel("simlex999", 0.7, 0.5)[:1],
        failed("x", dataset="simlex999", space="word2vec"),
    )
    assert found.lead == "am has the best score on the only task."
    assert found.caution.endswith("1 of 4 scores could not be computed; the reasons are given below.")


@pytest.mark.parametrize(
    ("datasets", "lead"),
    [
        (["men"], "am was scored on one task; there is no other space to compare it with."),
        (SETS, "am was scored on 5 tasks; there is no other space to compare it with."),
    ],
)
def test_one_space(datasets: Any, lead: str) -> None:
    assert of(*(score(dataset=dataset) for dataset in datasets)).lead == lead


def test_no_tasks() -> None:
    assert of().lead.startswith("No tasks were asked for")


def test_nothing_could_be_computed() -> None:
    assert of(failed("x"), failed("y", space="word2vec")).lead.startswith("None of the 2 scores")
