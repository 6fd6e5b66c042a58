"""Nearest neighbours against a plain reckoning, and the choice of words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.report.neighbours import choose_words, nearest_neighbours


def space_of(vectors: dict[str, list[float]]) -> EmbeddingSpace:
    return EmbeddingSpace(tuple(vectors), np.array(list(vectors.values()), dtype=np.float32))


def test_neighbours_are_those_of_scipy() -> None:
    generator = np.random.default_rng(3)
    words = tuple(f"w{i}" for i in range(60))
    space = EmbeddingSpace(words, generator.normal(size=(60, 7)).astype(np.float32))
    found = nearest_neighbours(space, ["w5", "w59"], 9)
    for word in ("w5", "w59"):
        expected = sorted(
            ((1 - cosine(space[word], space[other]), other) for other in words if other != word),
            reverse=True,
        )
        entries = found[word]
        assert entries is not None
        assert [entry.word for entry in entries] == [other for _, other in expected[:9]]
        np.testing.assert_allclose(
            [entry.cosine for entry in entries], [similarity for similarity, _ in expected[:9]], atol=1e-6
        )


def test_the_order_asked_for_is_kept_and_missing_words_have_none() -> None:
    space = space_of({"a": [1, 0], "b": [1, 1], "c": [0, 1]})
    found = nearest_neighbours(space, ["c", "nowhere", "a"], 1)
    assert list(found) == ["c", "nowhere", "a"]
    assert found["nowhere"] is None
    assert [entry.word for entry in found["a"] or ()] == ["b"]


def test_zero_vectors_have_no_neighbours_and_are_none() -> None:
    space = space_of({"a": [1, 0], "nil": [0, 0], "b": [-1, 0.1]})
    found = nearest_neighbours(space, ["a", "nil"], 5)
    assert found["nil"] is None
    assert [entry.word for entry in found["a"] or ()] == ["b"]


def test_length_does_not_matter_and_ties_keep_the_order_of_the_space() -> None:
    space = space_of({"q": [1, 0], "z": [2, 0], "m": [1, 0], "far": [0, 1], "a": [5, 0]})
    entries = nearest_neighbours(space, ["q"], 2)["q"]
    assert [entry.word for entry in entries or ()] == ["z", "m"]


def test_fewer_words_than_neighbours() -> None:
    space = space_of({"only": [1, 2]})
    assert nearest_neighbours(space, ["only"], 8) == {"only": []}


def test_words_that_tasks_ask_for_are_preferred_and_spread() -> None:
    words = [f"word{chr(97 + i)}{chr(97 + j)}" for i in range(26) for j in range(26)]
    asked = set(words[100:200])
    chosen = choose_words({"one": words, "two": words[:500]}, asked, 5)
    assert chosen == tuple(words[100 + i] for i in (10, 30, 50, 70, 90))


def test_only_words_that_all_spaces_have_are_chosen() -> None:
    assert choose_words({"one": ["aaa", "bbb", "ccc"], "two": ["ccc", "aaa"]}, set(), 6) == ("aaa", "ccc")


@pytest.mark.parametrize("odd", ["x", "12345", "<unk>", "a-b-c", "U.S."])
def test_what_is_not_a_word_is_not_chosen(odd: str) -> None:
    assert choose_words({"one": [odd, "house"]}, {odd}, 4) == ("house",)


def test_function_words_are_passed_over_in_a_large_lexicon() -> None:
    words = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(400)]
    assert not set(choose_words({"one": words}, set(), 6)) & set(words[:50])


def test_no_spaces_no_words() -> None:
    assert choose_words({}, {"house"}, 6) == ()
