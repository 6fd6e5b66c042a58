from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import build_lexicon, read_lexicon
from lexiscope.errors import LexiscopeError

TEXT = "b a c\nb a\nb d </s> <unk>\n"


def test_the_most_frequent_words_without_the_specials(
    encode_text: Callable[..., EncodedCorpus], tmp_path: Path
) -> None:
    build_lexicon(corpus=encode_text(TEXT).path, size=3, output=tmp_path / "lexicon.tsv")
    lexicon = read_lexicon(tmp_path / "lexicon.tsv")
    assert lexicon.words == ("b", "a", "c")
    assert lexicon.counts.tolist() == [3, 2, 1]
    assert len(lexicon) == 3


def test_a_small_corpus_gives_what_it_has(
    encode_text: Callable[..., EncodedCorpus], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lexiscope"):
        build_lexicon(corpus=encode_text(TEXT).path, size=20, output=tmp_path / "lexicon.tsv")
    assert read_lexicon(tmp_path / "lexicon.tsv").words == ("b", "a", "c", "d")
    assert "the corpus has 4" in caplog.text


def test_a_damaged_lexicon_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lexicon.tsv").write_text("b\t3\na 2\n")
    with pytest.raises(LexiscopeError, match=":2: not 'word<TAB>count'"):
        read_lexicon(tmp_path / "lexicon.tsv")
