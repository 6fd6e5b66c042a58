from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexiscope.corpora.vocabulary import (
    Vocabulary,
    read_counts,
    read_vocabulary,
    write_counts,
    write_vocabulary,
)
from lexiscope.errors import LexiscopeError


def test_a_vocabulary_survives_the_disk(tmp_path: Path) -> None:
    words = ("<unk>", "</s>", "the", "\u200b", "naïve\u0301", '"', "#", "=1+1")
    vocabulary = Vocabulary(words, np.arange(len(words), dtype=np.int64) * 3_000_000_000)
    write_vocabulary(vocabulary, tmp_path / "v.tsv")
    again = read_vocabulary(tmp_path / "v.tsv")
    assert again.words == words
    np.testing.assert_array_equal(again.counts, vocabulary.counts)
    assert again.counts.dtype == np.int64


def test_ids_of_words() -> None:
    vocabulary = Vocabulary(("<unk>", "</s>", "a", "b"), np.ones(4, dtype=np.int64))
    assert vocabulary.ids(["b", "zebra", "a", "</s>"]).tolist() == [3, 0, 2, 1]
    assert "a" in vocabulary
    assert "zebra" not in vocabulary
    assert len(vocabulary) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<unk>\t1\n</s>\t1\nword\n", ":3: not 'word"),
        (b"<unk>\t1\n</s>\t1\n\t5\n", ":3: not 'word"),
        (b"<unk>\t1\n</s>\t1\nword\t-5\n", ":3: not 'word"),
        (b"<unk>\t1\n</s>\t1\nword\t5.5\n", ":3: not 'word"),
        ("<unk>\t1\n</s>\t1\nword\t²\n".encode(), ":3: not 'word"),
        (b"<unk>\t1\n</s>\t1\nword\t5\n\n", ":4: not 'word"),
        (b"<unk>\t1\n</s>\t1\na\t5\nb\t4\na\t3\n", "'a' occurs twice"),
        (b"the\t5\n", "begins with <unk>"),
        (b"", "begins with <unk>"),
        (b"<unk>\t1\n</s>\t1\ncaf\xe9\t5\n", "not UTF-8"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "v.tsv"
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match=message):
        read_vocabulary(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"none\.tsv: no such file"):
        read_counts(tmp_path / "none.tsv")


def test_crlf_and_a_missing_last_line_end_are_read(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_bytes(b"a\t2\r\nb\t1")
    words, counts = read_counts(tmp_path / "v.tsv")
    assert words == ("a", "b")
    assert counts.tolist() == [2, 1]


def test_no_words_at_all(tmp_path: Path) -> None:
    write_counts(tmp_path / "v.tsv", [], np.empty(0, dtype=np.int64))
    assert read_counts(tmp_path / "v.tsv")[0] == ()
