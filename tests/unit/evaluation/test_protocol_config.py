from __future__ import annotations

import pytest
from pydantic import ValidationError

from lexiscope.evaluation.config import ProtocolConfig


def test_defaults_are_those_of_the_paper():
    protocol = ProtocolConfig()
    assert (protocol.oov, protocol.casing, protocol.n_bootstrap, protocol.confidence) == (
        "skip",
        "lower",
        1000,
        0.95,
    )


@pytest.mark.parametrize(
    "wrong",
    [{"oov": "keep"}, {"casing": "upper"}, {"n_bootstrap": -1}, {"confidence": 1.0}, {"bootstraps": 3}],
)
def test_wrong_settings_are_rejected(wrong):
    with pytest.raises(ValidationError):
        ProtocolConfig.model_validate(wrong)


def test_two_protocols_that_differ_read_differently():
    texts = {
        ProtocolConfig().describe(),
        ProtocolConfig(oov="zero").describe(),
        ProtocolConfig(casing="as_is").describe(),
        ProtocolConfig(n_bootstrap=10).describe(),
        ProtocolConfig(n_bootstrap=0).describe(),
        ProtocolConfig(confidence=0.9).describe(),
        ProtocolConfig(seed=2).describe(),
    }
    assert len(texts) == 7


def test_a_task_can_state_its_own_oov_policy():
    assert ProtocolConfig(oov="zero").describe(oov="skip") == ProtocolConfig().describe()
