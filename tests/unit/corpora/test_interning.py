from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_encoder import SEPARATORS, read_plainly

from lexiscope.corpora.interning import intern

PIECES = [
    b" ", b"\n", b"\r\n", b"\t", b"\x00", b"\x0b", b"\x1c", b"\r", b"\x7f", b"\xff", b"\xc3", b"a", b"The",
    b"<unk>", b"<UNK>", b"</s>", b"</S>", "é".encode(), "É".encode(), "\u00a0".encode(), "\u2028".encode(),
    "\x85".encode(), "\u3000".encode(), "\ufffd".encode(), "İ".encode(), "戦".encode(), b".", b"1,000",
]  # fmt: skip


def interned(content: bytes, casing: str = "as_is") -> tuple[list[list[str]], Counter[str]]:
    counts: Counter[str] = Counter()
    chunk = intern(content, casing, counts)
    words = ["<unk>", "</s>", *(chunk.words.decode("utf-8").split("\n") if chunk.words else [])]
    assert len(set(words)) == len(words)
    sentences: list[list[str]] = [[]]
    for number in chunk.ids.tolist():
        if number == 1:
            sentences.append([])
        else:
            sentences[-1].append(words[number])
    assert sentences.pop() == []
    return sentences, counts


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.sampled_from(["as_is", "lower"]))
def test_it_does_what_the_plain_encoder_does(content: bytes, casing: str) -> None:
    content += b"\n"
    sentences, counts = interned(content, casing)
    expected = read_plainly(content, casing)
    assert sentences == expected
    assert counts["sentences"] == len(expected)
    assert counts["sentences"] + counts["empty_sentences"] == content.count(b"\n")
    text = content.decode("utf-8", "replace")
    stray = sum(len(SEPARATORS.findall(line.removesuffix("\r"))) for line in text.split("\n"))
    assert counts["control_characters"] == stray - text.count(" ") - text.count("\t")
    assert counts["bad_bytes"] == len(content) - len(content.decode("utf-8", "ignore").encode())


def test_unknown_and_reserved_tokens() -> None:
    sentences, counts = interned(b"<unk> a </s> b\n</s>\n</s> </s>\n")
    assert sentences == [["<unk>", "a", "b"]]
    assert counts["reserved_tokens"] == 4
    assert counts["empty_sentences"] == 2


@pytest.mark.parametrize("length", [999, 1000, 1001, 2000, 2001])
def test_long_sentences_are_cut(length: int) -> None:
    sentences, counts = interned(
        b"x y\n" + b" ".join([b"w%d" % number for number in range(length)]) + b"\nz\n"
    )
    assert sentences[0] == ["x", "y"]
    assert sentences[-1] == ["z"]
    assert [word for sentence in sentences[1:-1] for word in sentence] == [f"w{n}" for n in range(length)]
    assert [len(sentence) for sentence in sentences[1:-2]] == [1000] * counts["sentence_cuts"]
    assert counts["sentence_cuts"] == (length - 1) // 1000
    assert counts["sentences"] == len(sentences)


def test_nothing_gives_nothing() -> None:
    assert interned(b"") == ([], Counter(dict.fromkeys(interned(b"")[1], 0)))
    assert interned(b"\n \n")[0] == []
