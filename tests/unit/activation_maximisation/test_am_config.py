"""Settings of activation maximisation and of the λ path."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lexiscope.activation_maximisation.config import (
    PAPER_L2,
    ActivationMaximisationConfig,
    L2PathConfig,
)


def maximisation(**settings: object) -> ActivationMaximisationConfig:
    defaults = {"kind": "activation_maximisation", "of": "output"}
    return ActivationMaximisationConfig.model_validate(defaults | settings)


def test_the_defaults_are_the_papers() -> None:
    config = maximisation()
    assert (config.objective, config.form) == ("paper", "log_probability")
    assert (config.l2, config.learning_rate) == (PAPER_L2, 1e-3) == (1e-5, 1e-3)
    assert (config.epochs, config.batch_size) == (100, 1024)
    assert (config.softmax_over, config.bias, config.precision) == ("lexicon", "auto", "float32")


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "exact"},
        {"objective": "exact", "l2": 1e-12, "tolerance": 1e-6},
        {"objective": "paper", "l2": 0},
        {"objective": "as_coded", "l2": 0},
        {"objective": "paper", "form": "probability"},
        {"objective": "as_coded", "form": "log_probability"},
        {"bias": True},
        {"bias": False},
        {"softmax_over": "vocabulary"},
    ],
)
def test_what_is_allowed(settings: dict[str, object]) -> None:
    config = maximisation(**settings)
    assert maximisation(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"objective": "exact", "l2": 0}, "objective 'exact' needs l2 > 0"),
        ({"objective": "exact", "form": "probability"}, "for objective 'paper', not 'exact'"),
        ({"objective": "as_coded", "form": "probability"}, "for objective 'paper', not 'as_coded'"),
        ({"objective": "newton"}, "'paper', 'as_coded' or 'exact'"),
        ({"l2": -1e-9}, "greater than or equal to 0"),
        ({"l2": float("nan")}, "finite"),
        ({"l2": float("inf")}, "finite"),
        ({"learning_rate": float("inf")}, "finite"),
        ({"init_range": float("inf")}, "finite"),
        ({"tolerance": 0}, "greater than 0"),
        ({"tolerance": 1}, "less than 1"),
        ({"precision": "float16"}, "'float32' or 'mixed'"),
        ({"softmax_over": "words"}, "'lexicon' or 'vocabulary'"),
        ({"bias": "never"}, "bias"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"init_range": 0}, "init_range"),
        ({"l2_path": [1, 2]}, "l2_path"),
        ({"of": None}, "of"),
    ],
)
def test_what_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        maximisation(**settings)
    assert told in str(caught.value)


def test_the_default_path_holds_the_papers_l2_and_the_centring_limit() -> None:
    grid = L2PathConfig(of="output").l2
    assert PAPER_L2 in grid
    assert max(grid) >= 10
    assert list(grid) == sorted(grid)


def test_a_path_keeps_its_order_and_may_be_written_as_a_list() -> None:
    assert L2PathConfig.model_validate({"of": "output", "l2": [1, 1e-3]}).l2 == (1.0, 1e-3)


@pytest.mark.parametrize(
    ("l2", "told"),
    [
        ([0.1, 1, 0.1], "l2 has a value twice"),
        ([1e-5, 0.00001], "l2 has a value twice"),
        ([0.1, 0.1000000001], "l2 has a value twice"),  # scores are listed by λ to six digits
        ([0.1], "at least 2"),
        ([], "at least 2"),
        ([0, 1], "greater than 0"),
        ([-1, 1], "greater than 0"),
        ([1, float("inf")], "finite"),
        (1e-5, "tuple"),
    ],
)
def test_grids_that_are_refused(l2: object, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        L2PathConfig.model_validate({"of": "output", "l2": l2})
    assert told in str(caught.value)


def test_a_path_has_no_settings_of_adam() -> None:
    for name in ("learning_rate", "epochs", "objective", "form"):
        with pytest.raises(ValidationError, match=name):
            L2PathConfig.model_validate({"of": "output", name: 1})
