"""What the page says of how near its optimum activation maximisation came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fabricated_run import CONTROLLED, WORDS, make_space

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.report.activation import Activation, against_exact, summarise


def space_of(columns: dict[str, Any], **config: Any) -> EmbeddingSpace:
    n_words = len(next(iter(columns.values()), WORDS[:4]))
    provenance = {
        "kind": "activation_maximisation",
        "device": "cpu",
        "config": {"of": "output", "objective": "paper", "l2": 1e-5, **config},
    }
    arrays = {name: np.array(values, dtype=np.float32) for name, values in columns.items()}
    return EmbeddingSpace(WORDS[:n_words], np.ones((n_words, 3), dtype=np.float32), provenance, arrays)


def found(columns: dict[str, Any], **config: Any) -> Activation:
    activation = summarise("am", space_of(columns, **config))
    assert activation is not None
    return activation


def test_other_spaces_have_no_row() -> None:
    assert summarise("output", make_space(WORDS, CONTROLLED["output"], 1)) is None


def test_the_bound_is_told_as_a_share_of_each_words_own_objective() -> None:
    objective = [1.0, 2.0, 4.0, 8.0]
    row = found({"objective": objective, "certificate": [0.01, 0.1, 0.04, 4.0]})
    assert row.mean_objective == 3.75
    assert row.gaps == pytest.approx((0.01, 0.5, 0.5))


def test_a_word_at_zero_has_no_gap_or_an_unbounded_one() -> None:
    assert found({"objective": [0.0], "certificate": [0.0]}).gaps == (0, 0, 0)
    assert found({"objective": [0.0], "certificate": [1e-9]}).gaps == (np.inf,) * 3


def test_without_a_certificate_there_is_no_bound() -> None:
    row = found({"objective": [1.0, 2.0]}, l2=0.0)
    assert row.gaps is None
    assert row.mean_objective == 1.5


def test_a_space_that_tells_nothing() -> None:
    row = found({}, objective="exact")
    assert (row.mean_objective, row.gaps, row.softmax_over, row.form) == (
        None,
        None,
        "lexicon",
        "log_probability",
    )


def test_the_penalty_of_the_released_program_acts_once_for_every_word() -> None:
    columns = {"objective": [1.0] * 50}
    assert found(columns, objective="as_coded").effective_l2 == pytest.approx(5e-4)
    assert found(columns, objective="paper").effective_l2 == 1e-5


def test_what_was_optimised_in_words() -> None:
    assert found({}, objective="as_coded").objective_label == "as coded"
    assert found({}, form="probability", bias=False).objective_label == "paper, probability, without bias"


def test_an_exact_solution_of_the_same_problem_is_the_measure() -> None:
    paper = found({"objective": [3.0, 5.0]})
    exact = found({"objective": [1.0, 1.0]}, objective="exact")
    assert against_exact(paper, [paper, exact]) == 4.0
    assert against_exact(exact, [paper, exact]) is None
    for other in ({"l2": 0.1}, {"of": "input"}, {"softmax_over": "vocabulary"}, {"bias": False}):
        assert against_exact(paper, [found({"objective": [1.0, 1.0]}, objective="exact", **other)]) is None
