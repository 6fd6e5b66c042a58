from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tiny_model import TINY

from lexiscope.language_models.config import CharCNNLSTMConfig


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden_size": 4}, "hidden_size must be at least embedding_dim"),
        ({"filters": [[17, 8]]}, "wider than max_word_length"),
        ({"filters": []}, "filters"),
        ({"filters": [[0, 8]]}, "filters"),
        ({"max_word_length": 2}, "max_word_length"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"softmax": "hierarchical"}, "softmax"),
        ({"batch_size": 0}, "batch_size"),
        ({"patience": 0}, "patience"),
        ({"checkpoint_minutes": -1}, "checkpoint_minutes"),
        ({"hiden_size": 16}, "hiden_size"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        CharCNNLSTMConfig.model_validate({**TINY, **change})


def test_settings_survive_json() -> None:
    config = CharCNNLSTMConfig.model_validate(TINY)
    assert CharCNNLSTMConfig.model_validate_json(config.model_dump_json()) == config


def test_published_example_is_valid() -> None:
    """The example in the docstring, at the paper's size, is read and has 4096 filters."""
    import textwrap

    import yaml

    documented = CharCNNLSTMConfig.__doc__ or ""
    example = documented.split("would be::\n\n")[1].split("\n\n    Sizes of")[0]
    config = CharCNNLSTMConfig.model_validate(
        {"kind": "char_cnn_lstm", "corpus": "lm1b", **yaml.safe_load(textwrap.dedent(example))}
    )
    assert sum(count for _, count in config.filters) == 4096
    assert (config.hidden_size, config.embedding_dim, config.num_layers) == (8192, 1024, 2)
