from __future__ import annotations

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.language_models.characters import (
    N_CHARACTERS,
    PADDING,
    SENTENCE_END,
    WORD_BEGIN,
    WORD_END,
    encode_words,
)


def test_a_word_is_its_bytes_between_marks() -> None:
    row = encode_words(["né"], 8)[0].tolist()
    assert row == [WORD_BEGIN, ord("n"), 0xC3, 0xA9, WORD_END, PADDING, PADDING, PADDING]


def test_a_long_word_is_cut_and_keeps_its_end_mark() -> None:
    row = encode_words(["abcdefghij"], 8)[0].tolist()
    assert row == [WORD_BEGIN, *b"abcdef", WORD_END]


def test_a_word_that_just_fits_is_whole() -> None:
    assert encode_words(["abcdef"], 8)[0].tolist() == [WORD_BEGIN, *b"abcdef", WORD_END]


def test_the_sentence_end_is_one_symbol() -> None:
    assert encode_words(["</s>"], 8)[0, :3].tolist() == [WORD_BEGIN, SENTENCE_END, WORD_END]


def test_unknown_words_and_every_byte_are_spelt() -> None:
    table = encode_words(["<unk>", "\x00\x7f", "\U0010ffff"], 10)
    assert table[0, 1:6].tolist() == list(b"<unk>")
    assert table.max() < N_CHARACTERS


def test_no_words_give_an_empty_table() -> None:
    assert encode_words([], 8).shape == (0, 8)


def test_an_empty_word_is_an_error() -> None:
    with pytest.raises(LexiscopeError, match="word 1 is empty"):
        encode_words(["a", ""], 8)
