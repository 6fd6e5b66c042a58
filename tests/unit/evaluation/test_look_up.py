from __future__ import annotations

import numpy as np
import pytest

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.vectors import MISSING, find_rows, look_up

# Rows by descending frequency, as in a lexicon.
WORDS = ("the", "May", "may", "JAPAN", "Japan", "usa")


@pytest.fixture
def space() -> EmbeddingSpace:
    return EmbeddingSpace(WORDS, np.arange(12, dtype=np.float32).reshape(6, 2))


@pytest.mark.parametrize(
    ("casing", "expected"),
    [
        ("as_is", [1, 2, 4, MISSING, MISSING]),
        ("lower", [2, 2, MISSING, 5, MISSING]),
        ("fallback", [1, 2, 4, 5, MISSING]),
    ],
)
def test_casing_policies(space, casing, expected):
    assert find_rows(space, ["May", "may", "Japan", "USA", "qqq"], casing).tolist() == expected


def test_fallback_takes_the_most_frequent_other_casing(space):
    assert find_rows(space, ["japan"], "fallback").tolist() == [WORDS.index("JAPAN")]


def test_skip_leaves_missing_words_out(space):
    found = look_up(space, ["the", "qqq"], casing="lower", oov="skip")
    assert found.usable.tolist() == found.found.tolist() == [True, False]
    assert found.vectors.tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize(("oov", "vector"), [("zero", [0, 0]), ("mean", [5, 6])])
def test_other_oov_policies_give_a_vector(space, oov, vector):
    found = look_up(space, ["the", "qqq"], casing="lower", oov=oov)
    assert found.usable.all()
    assert found.found.tolist() == [True, False]
    assert found.vectors.tolist() == [[0, 1], vector]


def test_no_words_and_an_empty_space(space):
    assert look_up(space, [], casing="fallback", oov="skip").vectors.shape == (0, 2)
    empty = EmbeddingSpace((), np.zeros((0, 3), dtype=np.float32))
    found = look_up(empty, ["a"], casing="fallback", oov="mean")
    assert found.vectors.tolist() == [[0, 0, 0]]
    assert not found.found.any()
