from __future__ import annotations

import gzip
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiscope.corpora.readers import (
    LINE_CATEGORIES,
    Chunk,
    read_chunks,
    split_wikitext,
    text_bytes,
    to_sentences,
)
from lexiscope.corpora.segmentation import Segmenter
from lexiscope.errors import LexiscopeError

SEGMENTER = Segmenter()

WIKITEXT = """ \n = Homarus gammarus = \n
 Homarus gammarus is a lobster . It is 0 @.@ 7 – 2 @.@ 2 kg .
 \n = = Life = cycle = = \n
 The hard @-@ shelled male lays 1 @,@ 000 eggs .\n x = y = z \n""".encode()

ARTICLES = b"""<doc id="1" url="u" title="AT&amp;T &quot;x&quot;">
AT&T "x"

AT&amp;T is a <b>firm</b>. It isn't small.
<br>
AT&T "x"
</doc>
<doc id="2" url="u" title="Two">
Two
Two is a number.
</doc>
"""


def sentences_of(content: bytes, reader: str) -> tuple[list[str], Counter[str]]:
    counts: Counter[str] = Counter()
    text = to_sentences(Chunk(content), reader, SEGMENTER, counts)
    return text.decode().split("\n")[:-1], counts


def check_lines_add_up(content: bytes, counts: Counter[str]) -> None:
    assert counts["lines"] == len(content.removesuffix(b"\n").split(b"\n"))
    assert counts["lines"] + counts["line_cuts"] == sum(counts[key] for key in LINE_CATEGORIES)


def test_wikitext_drops_headings_and_joins_numbers_and_hyphens() -> None:
    sentences, counts = sentences_of(WIKITEXT, "wikitext")
    assert sentences == [
        "Homarus gammarus is a lobster .",
        "It is 0.7 – 2.2 kg .",
        "The hard-shelled male lays 1,000 eggs .",
        "x = y = z",
    ]
    assert counts["heading_lines"] == 2
    assert counts["blank_lines"] == 4
    assert counts["text_lines"] == 3
    check_lines_add_up(WIKITEXT, counts)


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("A b . C d ! E f ? G", ["A b .", "C d !", "E f ?", "G"]),
        ('He said " Go . " She went .', ['He said " Go . "', "She went ."]),
        ('He went . " Go , " she said .', ["He went .", '" Go , " she said .']),
        ('" What ? " he asked . No .', ['" What ? " he asked .', "No ."]),
        ("He left ( in May . ) Then", ["He left ( in May . )", "Then"]),
        ("H. americanus is one . . . Maybe .", ["H. americanus is one .", ".", ".", "Maybe ."]),
        ("<unk> . <unk> is", ["<unk> .", "<unk> is"]),
        ("", []),
        (".", ["."]),
    ],
)
def test_sentences_of_wikitext(paragraph: str, sentences: list[str]) -> None:
    assert list(split_wikitext(paragraph)) == sentences


@given(st.lists(st.sampled_from([".", "!", '"', "(", ")", "The", "it", "<unk>", "''"])))
def test_splitting_wikitext_keeps_every_token(tokens: list[str]) -> None:
    assert " ".join(split_wikitext(" ".join(tokens))).split() == tokens


def test_wikiextractor_drops_titles_and_markup() -> None:
    sentences, counts = sentences_of(ARTICLES, "wikiextractor")
    assert sentences == [
        "AT & T is a firm .",
        "It isn 't small .",
        'AT & T " x "',  # the title's text once more, in the article: only the first is the title
        "Two is a number .",
    ]
    assert {key: counts[key] for key in LINE_CATEGORIES} == {
        "text_lines": 3,
        "blank_lines": 1,
        "heading_lines": 0,
        "title_lines": 2,
        "markup_lines": 5,
    }
    check_lines_add_up(ARTICLES, counts)


def test_a_first_line_that_is_not_the_title_is_text() -> None:
    content = b'<doc id="1" url="u" title="Other">\nIt begins at once.\n</doc>'
    sentences, counts = sentences_of(content, "wikiextractor")
    assert sentences == ["It begins at once ."]
    assert counts["title_lines"] == 0
    check_lines_add_up(content, counts)


def test_running_text() -> None:
    content = b"\xef\xbb\xbfDr. Smith's cat ran.  It didn't stop!\r\n\r\n\x00One\xe2\x80\xa8line \xff?"
    chunks = list(_chunks_of(content, "text"))
    sentences, counts = sentences_of(chunks[0].text, "text")
    assert sentences == ["Dr. Smith 's cat ran .", "It didn 't stop !", "One line � ?"]
    assert counts["bad_bytes"] == 1
    assert counts["control_characters"] == 2
    assert counts["text_lines"] == 2
    assert counts["blank_lines"] == 1
    check_lines_add_up(content, counts)


@given(st.binary(max_size=300), st.sampled_from(["wikitext", "wikiextractor", "text"]))
def test_lines_add_up_whatever_comes(content: bytes, reader: str) -> None:
    if content:
        check_lines_add_up(content, sentences_of(content, reader)[1])


def _chunks_of(content: bytes, reader: str = "sentences", size: int | None = None) -> list[Chunk]:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        return list(read_chunks(Path(file.name), reader, size))


@given(
    st.lists(
        st.sampled_from([b"a", b"bc ", b"\n", b"\r\n", "é".encode(), "戦".encode(), b"\xff", b"\x00"])
    ),
    st.integers(8, 40),
)
def test_chunks_are_the_file(pieces: list[bytes], size: int) -> None:
    content = b"".join(pieces)
    chunks = _chunks_of(content, size=size)
    assert b"".join(chunk.text for chunk in chunks) == content
    assert all(0 < len(chunk.text) <= size for chunk in chunks)
    for chunk in chunks[:-1]:
        assert chunk.ends_in_line != chunk.text.endswith(b"\n")
    if chunks:
        assert not chunks[-1].ends_in_line
        counts: Counter[str] = Counter()
        for chunk in chunks:
            to_sentences(chunk, "sentences", SEGMENTER, counts)
        assert counts["lines"] == len(content.removesuffix(b"\n").split(b"\n"))


def test_a_line_is_cut_at_white_space_and_never_inside_a_character() -> None:
    chunks = _chunks_of(b"one two three four five six\nseven", size=12)
    assert [chunk.text for chunk in chunks] == [b"one two ", b"three four ", b"five six\n", b"seven"]
    assert [chunk.ends_in_line for chunk in chunks] == [True, True, False, False]
    for chunk in _chunks_of("戦".encode() * 50, size=16):
        chunk.text.decode("utf-8")


def test_articles_stay_whole() -> None:
    articles = [
        b'<doc id="%d" title="T%d">\nT%d\n%s\n</doc>\n' % (n, n, n, b"text " * 20) for n in range(30)
    ]
    chunks = _chunks_of(b"".join(articles), "wikiextractor", size=400)
    assert len(chunks) > 5
    assert all(chunk.text.startswith(b"<doc") and chunk.text.endswith(b"</doc>\n") for chunk in chunks)


def test_one_giant_line_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "giant.txt"
    with path.open("wb") as stream:
        for _ in range(200):
            stream.write(b"some words and more of them " * 4000)  # 22 MB, no line end
    tracemalloc.start()
    size = sum(len(chunk.text) for chunk in read_chunks(path, "sentences", 1 << 18))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == path.stat().st_size
    assert peak < 2_000_000


def test_gzip_is_read_on_the_way(tmp_path: Path) -> None:
    content = b"a line\n" * 1000
    (tmp_path / "text.gz").write_bytes(gzip.compress(content))
    assert b"".join(chunk.text for chunk in read_chunks(tmp_path / "text", "sentences")) == content
    assert text_bytes(tmp_path / "text") == len(content)


def test_a_cut_gzip_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(bytes(range(256)) * 400)
    for damaged in (packed[:-20], packed[:10] + b"\xff\xff\xff" + packed[13:], b"no gzip"):
        path = tmp_path / "text.gz"
        path.write_bytes(damaged)
        with pytest.raises(LexiscopeError, match="damaged or incomplete"):
            list(read_chunks(path, "sentences"))


def test_utf16_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("words".encode("utf-16"))
    with pytest.raises(LexiscopeError, match="UTF-16"):
        list(read_chunks(path, "sentences"))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        list(read_chunks(tmp_path / "none", "sentences"))
