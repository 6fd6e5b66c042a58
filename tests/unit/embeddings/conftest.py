"""A corpus that the tests of all trainers share."""

from __future__ import annotations

import pytest
import two_topics


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> two_topics.Made:
    """Two topics whose words never meet; the tests only read it."""
    return two_topics.make(tmp_path_factory.mktemp("two_topics"))
