"""The stage that makes a space of the user's own vectors."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lexiscope.embeddings.config import FileConfig
from lexiscope.embeddings.import_space import import_space
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError

CONTENT = b"3 2\nthe 1 2\ndog 3 4\nThe 5 6\n"


def config(**settings: object) -> dict[str, object]:
    return FileConfig(kind="file", path="/somewhere/private/v.vec", **settings).model_dump(mode="json")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "v.vec"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.tsv"
    path.write_text("dog\t9\ncat\t7\nthe\t5\n", encoding="utf-8")
    return path


def test_space_is_aligned_to_the_lexicon(tmp_path: Path, vectors: Path, lexicon: Path) -> None:
    output = tmp_path / "mine.safetensors"
    import_space(path=vectors, lexicon=lexicon, config=config(), output=output, log=tmp_path / "log")
    space = load_space(output)
    assert space.words == ("dog", "the")
    np.testing.assert_array_equal(space.vectors, [[3, 4], [1, 2]])
    assert "2 of the lexicon's 3 words have a vector" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("align", [True, False])
def test_all_words_are_kept_without_alignment(tmp_path, vectors, lexicon, align: bool) -> None:
    output = tmp_path / "mine.safetensors"
    import_space(
        path=vectors, lexicon=None if align else lexicon, config=config(align=align), output=output
    )
    assert load_space(output).words == ("the", "dog", "The")


def test_provenance(tmp_path: Path, vectors: Path, lexicon: Path) -> None:
    vectors.write_bytes(CONTENT.replace(b"The", b"dog").replace(b"\n", b"\r\n"))
    output = tmp_path / "mine.safetensors"
    import_space(path=vectors, lexicon=lexicon, config=config(duplicates="first"), output=output)
    assert load_space(output).provenance == {
        "kind": "file",
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": {
            "kind": "file",
            "format": "auto",
            "encoding_errors": "error",
            "duplicates": "first",
            "non_finite": "error",
            "bad_lines": "error",
            "align": True,
        },
        "dim": 2,
        "n_words_before_lexicon": 2,
        "n_lexicon_words": 3,
        "file": "v.vec",
        "format": "word2vec",
        "sha256": hashlib.sha256(vectors.read_bytes()).hexdigest(),
        "bytes": len(vectors.read_bytes()),
        "counts": {"duplicates_dropped": 1, "lines_with_crlf": 4},
    }


def test_same_file_elsewhere_gives_the_same_bytes(tmp_path: Path, vectors: Path, lexicon: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "v.vec"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(CONTENT)
    for number, path in enumerate((vectors, elsewhere)):
        import_space(path=path, lexicon=lexicon, config=config(), output=tmp_path / f"{number}")
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_columns_of_a_lexiscope_space_follow_its_words(tmp_path: Path, lexicon: Path) -> None:
    words = ("the", "a", "dog")
    space = EmbeddingSpace(
        words, np.eye(3, dtype=np.float32), {"kind": "lm_output"}, {"bias": np.arange(3.0)}
    )
    save_space(space, tmp_path / "other.safetensors")
    import_space(
        path=tmp_path / "other.safetensors", lexicon=lexicon, config=config(), output=tmp_path / "mine"
    )
    mine = load_space(tmp_path / "mine")
    assert mine.words == ("dog", "the")
    np.testing.assert_array_equal(mine.columns["bias"], [2, 0])
    assert mine.provenance["provenance"] == {"kind": "lm_output"}


def test_bad_file_leaves_no_space_and_a_readable_log(tmp_path: Path, vectors: Path) -> None:
    vectors.write_bytes(CONTENT + b"cat 1 2\n")
    with pytest.raises(LexiscopeError):
        import_space(path=vectors, lexicon=None, config=config(), output=tmp_path / "mine")
    with pytest.raises(SystemExit):
        import_space(
            path=vectors, lexicon=None, config=config(), output=tmp_path / "mine", log=tmp_path / "log"
        )
    assert not (tmp_path / "mine").exists()
    log = (tmp_path / "log").read_text()
    assert "v.vec:1: the header promises 3 words, the file has 4" in log
    assert "Traceback" not in log
