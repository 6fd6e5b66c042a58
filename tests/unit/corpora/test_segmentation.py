from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.corpora.segmentation import Segmenter, decode, without_controls, without_markup

SEGMENTER = Segmenter()


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        (
            "The U.S. economy grew 2,900.5 % in Jan. 2007, Mr. Obama's aide said. \"It won't last.\"",
            [
                "The U.S. economy grew 2,900.5 % in Jan. 2007 , Mr. Obama 's aide said .",
                '" It won \'t last . "',
            ],
        ),
        ("a well-known e.g. (or two)", ["a well-known e.g. ( or two )"]),
        ("keep <unk> and & < > ' as they are", ["keep <unk> and & < > ' as they are"]),
        ("<unk> <unk>.", ["<unk> <unk> ."]),
        ("  ", []),
        ("", []),
        ("no full stop", ["no full stop"]),
    ],
)
def test_tokens_as_in_one_billion_word(paragraph: str, sentences: list[str]) -> None:
    assert list(SEGMENTER.sentences(paragraph)) == sentences


def test_a_text_that_is_tokenised_already_stays_as_it_is() -> None:
    sentence = "The payments , which began in 2007 at $ 2,900 a month , end - says the U.S. agency ."
    assert list(SEGMENTER.sentences(sentence)) == [sentence]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab A.!?,'\"()-:;é戦0 1\u00a0\u200b…"), max_size=120))
def test_no_character_is_lost(text: str) -> None:
    def letters(words: str) -> str:
        return re.sub(r"[\s\u200b]+", "", words)

    assert letters("".join(SEGMENTER.sentences(text))) == letters(text)


def test_a_long_paragraph_is_cut_at_spaces() -> None:
    text = "word " * 20_000
    tokens = [token for sentence in SEGMENTER.sentences(text) for token in sentence.split()]
    assert tokens == ["word"] * 20_000


def test_bad_bytes_are_counted() -> None:
    counts: Counter[str] = Counter()
    assert decode(b"caf\xe9 \xc3\xa9 \xe2\x80", counts) == "caf� é �"
    assert counts["bad_bytes"] == 3


def test_controls_and_line_separators_become_spaces() -> None:
    counts: Counter[str] = Counter()
    assert without_controls("a\x00b\x85c\u2028d\x0be\tf", counts) == "a b c d e\tf"
    assert counts["control_characters"] == 4


def test_markup_goes_and_comparisons_stay() -> None:
    assert without_markup('a<br>b <ref name="x">c</ref> &lt;d&gt; 1 < 2 > 1').split() == (
        ["a", "b", "c", "<d>", "1", "<", "2", ">", "1"]
    )
