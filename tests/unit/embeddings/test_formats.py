"""Readers of vector files, against plain Python, gensim and fastText."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.embeddings.config import FileConfig
from lexiscope.embeddings.formats import text
from lexiscope.embeddings.formats.read import VectorFile, read_vectors
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError

WORDS = ("the", "Köln", "東京", "1984", '"quoted"', "don't", "#", "a,b")
VECTORS = np.random.default_rng(3).standard_normal((len(WORDS), 4)).astype(np.float32)


def read(path: Path, *, lexicon: tuple[str, ...] | None = None, **policies: str) -> VectorFile:
    return read_vectors(path, FileConfig(kind="file", path="unused", **policies), lexicon=lexicon)


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines_of(words=WORDS, vectors=VECTORS) -> list[str]:
    return [
        " ".join([word, *(repr(float(x)) for x in row)]) for word, row in zip(words, vectors, strict=True)
    ]


def assert_holds(file: VectorFile, words=WORDS, vectors=VECTORS) -> None:
    assert file.words == tuple(words)
    assert file.vectors.dtype == np.float32
    np.testing.assert_array_equal(file.vectors, vectors)


# --- text


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\t\n"])
@pytest.mark.parametrize("header", [True, False])
def test_text_with_any_line_end(tmp_path: Path, end: str, header: bool) -> None:
    lines = [f"{len(WORDS)} 4"] * header + lines_of()
    file = read(write(tmp_path / "v.txt", end.join(lines)))
    assert_holds(file)
    assert file.format == ("word2vec" if header else "glove")
    assert file.counts.get("lines_with_crlf", 0) == (len(lines) - 1 if end == "\r\n" else 0)


def test_tabs_and_several_spaces_separate_numbers(tmp_path: Path) -> None:
    content = "a\t1\t2\nb  3   4\nc 5 6\n"
    assert_holds(read(write(tmp_path / "v.txt", content)), ("a", "b", "c"), [[1, 2], [3, 4], [5, 6]])


def test_byte_order_mark_and_blank_lines_are_counted(tmp_path: Path) -> None:
    content = "\ufeffa 1 2\n\n  \nb 3 4\n\n"
    file = read(write(tmp_path / "v.txt", content))
    assert_holds(file, ("a", "b"), [[1, 2], [3, 4]])
    assert file.counts == {"blank_lines": 3, "byte_order_marks": 1}


def test_blank_block_before_the_first_word(tmp_path: Path) -> None:
    assert_holds(read(write(tmp_path / "v.txt", "\n93 3.5")), ("93",), [[3.5]])


def test_words_with_spaces_take_the_last_fields_as_numbers(tmp_path: Path) -> None:
    content = "a 1 2\n. . . 3 4\nat  name@domain.com 5 6\n"
    file = read(write(tmp_path / "v.txt", content))
    assert_holds(file, ("a", ". . .", "at  name@domain.com"), [[1, 2], [3, 4], [5, 6]])
    assert file.counts == {"words_with_spaces": 2}


def test_dimension_without_header_is_that_of_most_lines(tmp_path: Path) -> None:
    content = ". . 1 2\n" + "".join(f"w{i} {i} 0\n" for i in range(5))
    assert read(write(tmp_path / "v.txt", content)).words[0] == ". ."


NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.9g}"),
    st.floats(-1e30, 1e30).map(repr),
    st.decimals(-1000, 1000, places=25).map(str),
    st.sampled_from(["0", "-0", "-0.0", "1", "+2.5", ".5", "3.", "1e-320", "1e-46", "7E2", "-1.5e+10"]),
    # Halfway between two float32s, and a little beyond what a double can tell from that.
    st.sampled_from(["1.000000059604644775390625", "1.00000005960464477539062500000001"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_numbers_are_those_of_python(tmp_path_factory: pytest.TempPathFactory, rows) -> None:
    path = tmp_path_factory.mktemp("numbers") / "v.txt"
    write(path, "".join(f"w{i} {' '.join(row)}\n" for i, row in enumerate(rows)))
    expected = np.array([[np.float32(float(number)) for number in row] for row in rows])
    file = read(path, format="glove")
    assert file.vectors.tobytes() == expected.astype(np.float32).tobytes()


@pytest.mark.parametrize("block_bytes", [8, 64, 1000])
def test_blocks_cut_anywhere_give_the_same(tmp_path, monkeypatch, block_bytes: int) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    lines = lines_of()
    lines.insert(3, "two words 1 2 3 4")
    lines.insert(5, "")
    file = read(write(tmp_path / "v.txt", "\r\n".join([f"{len(WORDS) + 1} 4", *lines])))
    assert file.words == (*WORDS[:3], "two words", *WORDS[3:])
    np.testing.assert_array_equal(np.delete(file.vectors, 3, axis=0), VECTORS)
    assert file.counts["lines_with_crlf"] == len(lines)


def test_error_line_is_counted_over_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 100)
    lines = [f"w{i} {i} 0.5" for i in range(500)]
    lines[377] = "w377 377 x"
    with pytest.raises(LexiscopeError, match=r"v\.txt:379: 'x' is not a number"):
        read(write(tmp_path / "v.txt", "\n".join(["500 2", *lines])))


# --- lexicon


def test_only_the_lexicon_is_kept_but_all_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", "a 1 2\nb 3 4\nc 5 6\n")
    file = read(path, lexicon=("c", "a", "zebra"))
    assert_holds(file, ("a", "c"), [[1, 2], [5, 6]])
    assert file.n_words_before_lexicon == 3
    write(path, "a 1 2\nb 3 nan\n")
    with pytest.raises(LexiscopeError, match=":2:"):
        read(path, lexicon=("a",))


def test_no_word_in_the_lexicon_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"none of its 2 words.*'Haus'.*casing"):
        read(write(tmp_path / "v.txt", "Haus 1 2\nHund 3 4\n"), lexicon=("dog",))


# --- policies


def test_policies_are_applied_and_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "v.txt",
        b"a 1 2\na 9 9\nb nan 2\ncaf\xe9 3 4\nd 1\ne 1 2 3 4\nf\0 1 2\ng 1 x\nb 5 6\nh 1e39 0\n",
    )
    file = read(path, duplicates="first", non_finite="drop", encoding_errors="latin1", bad_lines="drop")
    assert_holds(file, ("a", "café", "b"), [[1, 2], [3, 4], [5, 6]])
    assert file.counts == {
        "bad_lines_dropped": 4,
        "duplicates_dropped": 1,
        "non_finite_dropped": 2,
        "words_not_utf8": 1,
    }


def test_replaced_bytes_may_make_duplicates(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", b"caf\xe9 1 2\ncaf\xe8 3 4\n")
    assert read(path, encoding_errors="latin1").words == ("café", "cafè")
    with pytest.raises(LexiscopeError, match=r":2: the word 'caf\ufffd' comes again \(first at line 1\)"):
        read(path, encoding_errors="replace")
    assert read(path, encoding_errors="replace", duplicates="first").words == ("caf\ufffd",)


def test_dropped_lines_are_counted_for_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", "3 2\na 1 2\nb 1\nc 5 6\n")
    assert read(path, bad_lines="drop").words == ("a", "c")


def test_drops_are_logged_with_their_line(tmp_path, caplog) -> None:
    with caplog.at_level("WARNING", logger="lexiscope"):
        read(write(tmp_path / "v.txt", "a 1 2\nb 1\nc 5 6\n"), bad_lines="drop")
    assert "v.txt:2: 1 number after the word, most lines have 2; left out" in caplog.text
    assert "bad lines dropped: 1" in caplog.text


# --- word2vec binary


def binary_of(separator: bytes = b"\n", words=WORDS, vectors=VECTORS) -> bytes:
    rows = zip(words, np.asarray(vectors, dtype="<f4"), strict=True)
    body = b"".join(word.encode() + b" " + row.tobytes() + separator for word, row in rows)
    return f"{len(words)} {len(vectors[0])}\n".encode() + body


@pytest.mark.parametrize("separator", [b"\n", b"", b"\r\n"])
def test_binary_with_and_without_line_breaks(tmp_path: Path, separator: bytes) -> None:
    file = read(write(tmp_path / "v.bin", binary_of(separator)))
    assert_holds(file)
    assert file.format == "word2vec_binary"


def test_binary_of_many_blocks(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((10_000, 3)).astype(np.float32)
    words = tuple(f"w{i}" for i in range(10_000))
    assert_holds(read(write(tmp_path / "v.bin", binary_of(b"", words, vectors))), words, vectors)


def test_binary_numbers_that_look_like_line_breaks(tmp_path: Path) -> None:
    vectors = np.frombuffer(b"\n\n\n\n    " * 4, dtype="<f4").reshape(4, 2)
    words = ("a", "b", "c", "d")
    for separator in (b"", b"\n"):
        assert_holds(read(write(tmp_path / "v.bin", binary_of(separator, words, vectors))), words, vectors)


def test_binary_policies(tmp_path: Path) -> None:
    words = ("a", "b", "a", "c")
    vectors = np.array([[1, 2], [np.nan, 0], [3, 4], [5, 6]], dtype=np.float32)
    path = write(tmp_path / "v.bin", binary_of(b"\n", words, vectors).replace(b"c ", b"c\xe9 "))
    with pytest.raises(LexiscopeError, match=r"not UTF-8 \(at byte 37\)"):
        read(path)
    file = read(path, encoding_errors="latin1", duplicates="first", non_finite="drop")
    assert_holds(file, ("a", "cé"), [[1, 2], [5, 6]])


# --- gzip


@pytest.mark.parametrize("content", ["\n".join(lines_of()).encode(), binary_of()])
@pytest.mark.parametrize("name", ["v.gz", "v.txt"])  # told by content
def test_gzip(tmp_path: Path, content: bytes, name: str) -> None:
    packed = gzip.compress(content)
    file = read(write(tmp_path / name, packed))
    assert_holds(file)
    assert file.sha256 == hashlib.sha256(packed).hexdigest()
    assert file.n_bytes == len(packed)


def test_hash_is_that_of_the_file(tmp_path: Path) -> None:
    content = binary_of()
    assert read(write(tmp_path / "v", content)).sha256 == hashlib.sha256(content).hexdigest()


# --- npz and Lexiscope


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npz(tmp_path: Path, dtype) -> None:
    np.savez_compressed(tmp_path / "v.npz", words=np.array(WORDS), vectors=VECTORS.astype(dtype))
    file = read(tmp_path / "v.npz")
    assert_holds(file, WORDS, VECTORS.astype(dtype).astype(np.float32))
    assert file.format == "npz"


def test_npz_words_as_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", words=np.array([w.encode() for w in WORDS]), vectors=VECTORS)
    assert_holds(read(tmp_path / "v.npz"))


def test_lexiscope_space_keeps_columns_and_provenance(tmp_path: Path) -> None:
    columns = {"bias": np.arange(len(WORDS), dtype=np.float32)}
    save_space(EmbeddingSpace(WORDS, VECTORS, {"kind": "glove"}, columns), tmp_path / "s.safetensors")
    file = read(tmp_path / "s.safetensors", lexicon=WORDS[2:4])
    assert_holds(file, WORDS[2:4], VECTORS[2:4])
    np.testing.assert_array_equal(file.columns["bias"], [2, 3])
    assert file.details["provenance"] == {"kind": "glove"}


# --- fastText


@pytest.fixture(scope="module")
def fasttext_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import fasttext

    folder = tmp_path_factory.mktemp("fasttext")
    draw = random.Random(0)
    words = ["the", "café", "dog", "東京", "runs"]
    sentences = (" ".join(draw.choice(words) for _ in range(8)) for _ in range(200))
    write(folder / "corpus.txt", "\n".join(sentences))
    model = fasttext.train_unsupervised(
        str(folder / "corpus.txt"), dim=5, bucket=40, epoch=1, thread=1, minCount=1, verbose=0
    )
    model.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def test_fasttext_model(fasttext_model: Path) -> None:
    import fasttext

    model = fasttext.load_model(str(fasttext_model))
    expected = [model.get_word_vector(word) for word in model.get_words()]
    file = read(fasttext_model)
    assert_holds(file, model.get_words(), expected)
    assert file.format == "fasttext_bin"
    kept = read(fasttext_model, lexicon=("東京", "the"))
    np.testing.assert_array_equal(kept.vectors[kept.words.index("東京")], model.get_word_vector("東京"))
    assert len(kept.words) == 2
    assert kept.n_words_before_lexicon == 6


def test_fasttext_model_with_latin1_words(tmp_path: Path, fasttext_model: Path) -> None:
    content = fasttext_model.read_bytes().replace("café\0".encode(), b"caf\xe9s\0")
    path = write(tmp_path / "model.bin", content)
    with pytest.raises(LexiscopeError, match="not UTF-8"):
        read(path)
    file = read(path, encoding_errors="latin1", lexicon=("cafés",))
    assert file.words == ("cafés",)
    assert np.abs(file.vectors).max() > 0


@pytest.mark.parametrize("cut", [10, 70, 100, 200, 1000, -1])
def test_fasttext_model_cut_off(tmp_path: Path, fasttext_model: Path, cut: int) -> None:
    path = write(tmp_path / "model.bin", fasttext_model.read_bytes()[:cut])
    with pytest.raises(LexiscopeError, match="cut off"):
        read(path)


def test_fasttext_model_whose_parts_do_not_fit(tmp_path: Path, fasttext_model: Path) -> None:
    content = bytearray(fasttext_model.read_bytes())
    content[40:44] = struct.pack("<i", 0)  # no buckets for n-grams: fastText would divide by zero
    with pytest.raises(LexiscopeError, match="do not fit together"):
        read(write(tmp_path / "model.bin", bytes(content)))


def test_fasttext_model_with_more_bytes_or_newer(tmp_path: Path, fasttext_model: Path) -> None:
    content = fasttext_model.read_bytes()
    with pytest.raises(LexiscopeError, match="3 bytes too many"):
        read(write(tmp_path / "model.bin", content + b"abc"))
    with pytest.raises(LexiscopeError, match="unknown version 99"):
        read(write(tmp_path / "model.bin", content[:4] + struct.pack("<i", 99) + content[8:]))


# --- gensim


def keyed_vectors():
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(4)
    keyed.add_vectors(list(WORDS), VECTORS)
    return keyed


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_gensim_keyed_vectors(tmp_path: Path, protocol: int) -> None:
    keyed_vectors().save(str(tmp_path / "v.kv"), pickle_protocol=protocol)
    file = read(tmp_path / "v.kv")
    assert_holds(file)
    assert file.format == "gensim"


def test_gensim_with_arrays_beside(tmp_path: Path) -> None:
    keyed_vectors().save(str(tmp_path / "v.kv"), separately=["vectors"])
    file = read(tmp_path / "v.kv")
    assert_holds(file)
    side = tmp_path / "v.kv.vectors.npy"
    digest = hashlib.sha256(side.read_bytes()).hexdigest()
    assert file.details["neighbouring_files_sha256"] == {side.name: digest}
    write(side, side.read_bytes()[:-8])
    with pytest.raises(LexiscopeError, match=r"v\.kv\.vectors\.npy: not a whole NumPy array"):
        read(tmp_path / "v.kv")
    side.unlink()
    with pytest.raises(LexiscopeError, match="which is not beside it"):
        read(tmp_path / "v.kv")


@pytest.mark.parametrize("sep_limit", [1, 10**9])
def test_gensim_whole_model(tmp_path: Path, sep_limit: int) -> None:
    from gensim.models import Word2Vec

    model = Word2Vec([["a", "b", "c"]] * 5, min_count=1, vector_size=3, seed=1, workers=1)
    model.save(str(tmp_path / "v.model"), sep_limit=sep_limit)
    assert_holds(read(tmp_path / "v.model"), model.wv.index_to_key, model.wv.vectors)


class Attack:
    """A pickle that makes a file when it is read as pickles are."""

    def __init__(self, path: Path, function) -> None:
        self.path, self.function = path, function

    def __reduce__(self):
        return self.function, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("wrapped", [True, False])
def test_malicious_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int, wrapped: bool) -> None:
    import os

    trace = tmp_path / "ran"
    attack = Attack(trace, os.mkdir)
    content: object = attack
    if wrapped:
        content = keyed_vectors()
        content.index_to_key = [attack]
    path = write(tmp_path / "v.kv", pickle.dumps(content, protocol=protocol))
    with pytest.raises(LexiscopeError, match=r"calls for (posix|nt)\.mkdir"):
        read(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # the attack is a real one
    assert trace.exists()


def test_known_module_in_a_pickle_is_not_called_either(tmp_path: Path) -> None:
    trace = tmp_path / "ran.npy"

    class Saves:
        def __reduce__(self):
            return np.save, (str(trace), np.zeros(1))

    keyed = keyed_vectors()
    keyed.norms = Saves()
    path = write(tmp_path / "v.kv", pickle.dumps(keyed))
    assert_holds(read(path))
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()


def test_a_few_bytes_cannot_claim_memory(tmp_path: Path) -> None:
    for claim in (b"r\xff\xff\xff\xff", b"\x8e" + b"\xff" * 7 + b"\x7f", b"\x95" + b"\xff" * 7 + b"\x7f"):
        with pytest.raises(LexiscopeError, match="cannot be read safely"):
            read(write(tmp_path / "v.kv", b"\x80\x04N" + claim + b"abcdef."))


def test_other_pickles_are_refused(tmp_path: Path) -> None:
    for content in ({"the": [1.0, 2.0]}, [1] * 20, np.zeros(3)):
        path = write(tmp_path / "v.pkl", pickle.dumps(content))
        with pytest.raises(LexiscopeError, match=r"not KeyedVectors.*save_word2vec_format"):
            read(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_gensim_file_is_an_error_or_its_words(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("damaged") / "v.kv"
    content = bytearray(pickle.dumps(keyed_vectors(), protocol=4))
    for _ in range(3):
        content[data.draw(st.integers(2, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read(path)
    except LexiscopeError:
        return
