"""What is exported is read back exactly, by Lexiscope and by gensim."""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lexiscope.embeddings.config import EXPORT_EXTENSIONS, ExportFormat, FileConfig
from lexiscope.embeddings.export import export_space
from lexiscope.embeddings.formats.read import read_vectors
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError

FORMATS = get_args(ExportFormat)
TEXT_AND_BINARY = ("word2vec", "word2vec_binary", "glove")


def export(space: EmbeddingSpace, folder: Path, file_format: str) -> Path:
    save_space(space, folder / "space.safetensors")
    output = folder / f"out.{EXPORT_EXTENSIONS[file_format]}"
    export_space(space=folder / "space.safetensors", format=file_format, output=output)
    assert sorted(path.name for path in folder.iterdir()) == sorted([output.name, "space.safetensors"])
    return output


def some_space(n_words: int = 50, dim: int = 7, **columns: np.ndarray) -> EmbeddingSpace:
    vectors = np.random.default_rng(5).standard_normal((n_words, dim)).astype(np.float32)
    return EmbeddingSpace(tuple(f"wörd{i}" for i in range(n_words)), vectors, {}, columns)


WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0 \t\n\r\v\f"), min_size=1)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def spaces(draw: st.DrawFn) -> EmbeddingSpace:
    words = draw(st.lists(WORD, min_size=1, max_size=8, unique=True))
    dim = draw(st.integers(2, 6))
    return EmbeddingSpace(tuple(words), draw(arrays.arrays(np.float32, (len(words), dim), elements=FLOATS)))


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=30, deadline=None)
@given(space=spaces())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, file_format: str, space) -> None:
    if file_format == "glove" and space.words[0].startswith("\ufeff"):
        return
    path = export(space, tmp_path_factory.mktemp("export"), file_format)
    for read_as in ("auto", file_format):
        file = read_vectors(path, FileConfig(kind="file", path="unused", format=read_as))
        assert file.format == file_format
        assert file.words == space.words
        assert file.vectors.tobytes() == space.vectors.tobytes()  # the sign of zero, too
        assert not file.counts


@pytest.mark.parametrize("file_format", ["word2vec", "word2vec_binary", "glove", "gensim"])
def test_gensim_loads_it(tmp_path: Path, file_format: str) -> None:
    from gensim.models import KeyedVectors

    space = some_space()
    path = str(export(space, tmp_path, file_format))
    if file_format == "gensim":
        keyed = KeyedVectors.load(path)
    else:
        keyed = KeyedVectors.load_word2vec_format(
            path, binary=file_format == "word2vec_binary", no_header=file_format == "glove"
        )
    assert keyed.index_to_key == list(space.words)
    assert keyed.vectors.dtype == np.float32
    np.testing.assert_array_equal(keyed.vectors, space.vectors)
    assert keyed.most_similar("wörd3", topn=1)[0][0] != "wörd3"


def test_gensim_gets_the_counts(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    path = export(some_space(3, 2, count=np.array([9, 5, 2])), tmp_path, "gensim")
    assert KeyedVectors.load(str(path)).get_vecattr("wörd1", "count") == 5


def test_large_matrix_stays_in_one_gensim_file(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    space = some_space(11_000, 1000)  # over gensim's limit of 10 M numbers
    path = export(space, tmp_path, "gensim")  # which looks for further files
    np.testing.assert_array_equal(KeyedVectors.load(str(path)).vectors, space.vectors)


def test_npz_is_read_without_pickle(tmp_path: Path) -> None:
    space = some_space()
    with np.load(export(space, tmp_path, "npz"), allow_pickle=False) as file:
        assert file["words"].tolist() == list(space.words)
        np.testing.assert_array_equal(file["vectors"], space.vectors)


def test_fasttext_and_glove_text_look_as_expected(tmp_path: Path) -> None:
    space = EmbeddingSpace(("a", "b"), np.array([[1, -0.1], [1e-20, 3e8]], dtype=np.float32))
    assert export(space, tmp_path, "word2vec").read_text() == (
        "2 2\na 1 -0.100000001\nb 9.99999968e-21 300000000\n"
    )


@pytest.mark.parametrize("file_format", FORMATS)
def test_same_space_gives_the_same_bytes(tmp_path: Path, file_format: str) -> None:
    contents = []
    for name in ("first", "the second folder"):
        folder = tmp_path / name
        folder.mkdir()
        contents.append(export(some_space(), folder, file_format).read_bytes())
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in contents[0]


def test_gensim_file_holds_no_time_host_or_path(tmp_path: Path) -> None:
    content = export(some_space(3, 2), tmp_path, "gensim").read_bytes()
    texts = [argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)]
    assert not [
        text for text in texts if "/" in text or "python" in text.lower() or re.search(r"\d:\d", text)
    ]


@pytest.mark.parametrize("file_format", TEXT_AND_BINARY)
@pytest.mark.parametrize("word", ["New York", "tab\tbed", "line\rfeed", " leading"])
def test_white_space_is_refused_where_it_would_break_the_word(tmp_path, file_format, word) -> None:
    space = EmbeddingSpace(("a", word), np.ones((2, 2), dtype=np.float32))
    with pytest.raises(
        LexiscopeError, match=f"{word!r} holds white space.*Export as npz".replace("\\", ".")
    ):
        export(space, tmp_path, file_format)
    assert [path.name for path in tmp_path.iterdir()] == ["space.safetensors"]


@pytest.mark.parametrize("file_format", ["npz", "gensim"])
def test_white_space_is_kept_where_it_can_be(tmp_path: Path, file_format: str) -> None:
    space = EmbeddingSpace(("New York", " a\t"), np.ones((2, 2), dtype=np.float32))
    path = export(space, tmp_path, file_format)
    assert read_vectors(path, FileConfig(kind="file", path="unused")).words == space.words


@pytest.mark.parametrize("file_format", FORMATS)
def test_nul_is_refused(tmp_path: Path, file_format: str) -> None:
    space = EmbeddingSpace(("a\0",), np.ones((1, 2), dtype=np.float32))
    with pytest.raises(LexiscopeError, match="NUL"):
        export(space, tmp_path, file_format)


def test_leading_byte_order_mark_is_refused_for_glove(tmp_path: Path) -> None:
    space = EmbeddingSpace(("\ufeffa",), np.ones((1, 2), dtype=np.float32))
    with pytest.raises(LexiscopeError, match="byte order mark"):
        export(space, tmp_path, "glove")
    export(space, tmp_path, "word2vec")


def test_unknown_format(tmp_path: Path) -> None:
    save_space(some_space(), tmp_path / "s")
    with pytest.raises(LexiscopeError, match="unknown export format 'excel'"):
        export_space(space=tmp_path / "s", format="excel", output=tmp_path / "o")


def test_every_format_has_its_own_extension() -> None:
    assert tuple(EXPORT_EXTENSIONS) == FORMATS
    assert len(set(EXPORT_EXTENSIONS.values())) == len(FORMATS)
