"""The project's own passage, and the content words of texts."""

from __future__ import annotations

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.passages import FUNCTION_WORDS, Passage, is_content_word


def test_the_own_passage_is_about_a_storm():
    passage = Passage.read()
    assert 150 <= sum(any(map(str.isalpha, token)) for s in passage.sentences for token in s) <= 250
    tokens = [place.token for place in passage.places()]
    assert {"storm", "hurricane", "wind", "flood", "coast"} < set(tokens)
    assert len(tokens) > 80
    assert not FUNCTION_WORDS & {token.lower() for token in tokens}


@pytest.mark.parametrize(
    ("token", "is_content"),
    [
        ("storm", True),
        ("The", False),
        (",", False),
        ("1,000", False),
        ("don't", True),
        ("café", True),
        ("<unk>", False),
    ],
)
def test_content_words(token, is_content):
    assert is_content_word(token) == is_content


def test_function_words_are_distinct_and_in_lower_case():
    assert {"the", "of", "and", "herself", "without"} < FUNCTION_WORDS
    assert all(word.islower() and word.isalpha() for word in FUNCTION_WORDS)


def test_a_file_with_other_bytes_is_refused(tmp_path):
    (tmp_path / "p.txt").write_bytes(b"storm \xff\n")
    with pytest.raises(LexiscopeError, match="not UTF-8"):
        Passage.read(tmp_path / "p.txt")
