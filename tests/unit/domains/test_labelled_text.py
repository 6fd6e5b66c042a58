from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_bilstm import write_labelled

from lexiscope.domains.labelled_text import LabelledText, labelled_file, read_texts
from lexiscope.errors import LexiscopeError

TEXTS = {
    "train": [(7, "b a b c"), (3, "a b"), (3, "c <unk> </s>")],
    "valid": [(3, "b new a")],
    "test": [(7, "a")],
}


def read(folder: Path, **change: Any) -> LabelledText:
    settings = {"vocabulary_size": 9, "max_length": 9, "max_tokens": None, "seed": 1, **change}
    return LabelledText.read(folder, "paragraphs", **settings)


def words_of(text: LabelledText, part: str) -> list[str]:
    return [text.words[number] for number in text.parts[part].ids]  # type: ignore[index]


def test_the_vocabulary_is_the_training_parts(tmp_path: Path) -> None:
    text = read(write_labelled(tmp_path, TEXTS))
    assert text.casing == "lower"
    assert text.words == ("<unk>", "</s>", "b", "a", "c")
    assert text.domains == (3, 7)
    assert words_of(text, "train") == ["b", "a", "b", "c", "a", "b", "c", "<unk>", "<unk>"]
    assert words_of(text, "valid") == ["b", "<unk>", "a"]
    assert [part.labels.tolist() for part in text.parts.values()] == [[1, 0, 0], [0], [1]]


def test_of_many_words_the_most_frequent_are_kept(tmp_path: Path) -> None:
    text = read(write_labelled(tmp_path, TEXTS), vocabulary_size=1)
    assert text.words == ("<unk>", "</s>", "b")
    assert words_of(text, "train").count("<unk>") == 6


def test_long_texts_are_cut_and_keep_their_label(tmp_path: Path) -> None:
    part = read(write_labelled(tmp_path, TEXTS), max_length=3).parts["train"]
    assert part.lengths.tolist() == [3, 1, 2, 3]
    assert part.labels[part.texts].tolist() == [1, 1, 0, 0]


def test_max_tokens_takes_whole_texts_from_everywhere(tmp_path: Path) -> None:
    texts = {**TEXTS, "train": [(n // 50, f"w{n} x y") for n in range(100)]}
    folder = write_labelled(tmp_path, texts)
    part = read(folder, max_tokens=61).parts["train"]
    assert part.n_tokens == 60
    assert set(part.lengths) == {3}
    assert 4 < part.labels.sum() < 16, "the texts must not all be the first ones"
    assert read(folder, max_tokens=61).sha256 == read(folder, max_tokens=61).sha256
    assert read(folder, max_tokens=61, seed=2).sha256 != read(folder, max_tokens=61).sha256
    assert read(folder, max_tokens=300).parts["train"].n_tokens == 300


def test_empty_parts_and_a_single_domain_are_errors(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no labelled text remains in the part 'valid'"):
        read(write_labelled(tmp_path / "a", {**TEXTS, "valid": []}))
    with pytest.raises(LexiscopeError, match=r"no labelled text remains in the part 'train'.*max_tokens"):
        read(write_labelled(tmp_path / "b", TEXTS), max_tokens=1)
    with pytest.raises(LexiscopeError, match="one domain: there is nothing to tell apart"):
        read(write_labelled(tmp_path / "c", {**TEXTS, "train": [(3, "a b"), (3, "c")]}))
    labelled_file(tmp_path / "c", "paragraphs", "test").unlink()
    with pytest.raises(LexiscopeError, match="no such file"):
        read(tmp_path / "c")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\ta b\n2 c\n", r":2: not 'domain<TAB>tokens'"),
        (b"1\ta b\nx\tc\n", r":2: not 'domain"),
        (b"1\t  \n", r":1: not 'domain"),
        (b"1\t\n", r":1: not 'domain"),
        (b"1\ta b\n1\t\xff\n", r":2: not UTF-8"),
    ],
)
def test_damaged_lines_are_told(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "paragraphs.txt"
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match=message):
        read_texts(path, {})


def test_line_breaks_of_other_kinds_and_more_spaces_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "paragraphs.txt"
    path.write_bytes("1\ta\u2028b  c \r\n2\td".encode())
    numbers: dict[str, int] = {}
    texts = read_texts(path, numbers)
    assert list(numbers) == ["a\u2028b", "c", "d"]
    assert texts.lengths.tolist() == [2, 1]
    assert np.array_equal(texts.domains, [1, 2])
