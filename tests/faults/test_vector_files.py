"""Every fault of a vector file is an error that says where, or is dealt with by a policy and counted.

Each file here is one that users have: cut-off downloads, web pages saved as vectors, headers that lie.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lexiscope.embeddings.config import FileConfig
from lexiscope.embeddings.formats import text
from lexiscope.embeddings.formats.read import VectorFile, read_vectors
from lexiscope.errors import LexiscopeError

TWO_WORDS = b"2 2\na " + np.float32([1, 2]).tobytes() + b"\nb " + np.float32([3, 4]).tobytes() + b"\n"


def read(path: Path, **policies: str) -> VectorFile:
    return read_vectors(path, FileConfig(kind="file", path="unused", **policies))


def assert_refused(path: Path, message: str, **policies: str) -> LexiscopeError:
    with pytest.raises(LexiscopeError) as caught:
        read(path, **policies)
    assert str(caught.value).startswith(str(path))
    assert re.search(message, str(caught.value)), str(caught.value)
    return caught.value


TEXT_FAULTS = {
    "nan": (b"a 1 2\nb nan 4\n", 2, "the vector of 'b' has nan as number 1.*'non_finite: drop'"),
    "infinite": (b"a 1 2\nb 3 -inf\n", 2, "the vector of 'b' has -inf as number 2"),
    "too large for float32": (b"a 1 2\nb 3 1e39\n", 2, "the vector of 'b' has inf"),
    "duplicate": (b"a 1 2\nb 3 4\na 5 6\n", 3, r"'a' comes again \(first at line 1\).*'duplicates: first'"),
    "short line": (
        b"a 1 2\nb 3 4\nc 5\n",
        3,
        "1 number .*most lines have 2.*'bad_lines: drop'",
    ),
    "long line": (b"a 1 2\nb 3 4\nc 5 6 7\n", 3, "more numbers than expected"),
    "word alone": (b"a 1 2\nb 3 4\nc\n", 3, "0 numbers"),
    "no word": (b"a 1 2\n 3 4\nb 5 6\n", 2, "the word is missing"),
    "numbers alone": (b"a 1 2 3\nb 3 4 5\n1 2 3\n", 3, "2 numbers .*most lines have 3"),
    "decimal comma": (b"a 1 2\nb 3,5 4\n", 2, "'3,5' is not a number"),
    "underscore": (b"a 1 2\nb 1_000 4\n", 2, "'1_000' is not a number"),
    "hexadecimal": (b"a 1 2\nb 0x1p3 4\n", 2, "'0x1p3' is not a number"),
    "other digits": ("a 1 2\nb \u0663 4\n".encode(), 2, "is not a number"),
    "NUL in a word": (b"a 1 2\nb\0c 3 4\n", 2, r"the word 'b\\x00c' holds a NUL byte"),
    "NUL in a number": (b"a 1 2\nb 3\0 4\n", 2, r"'3\\x00' is not a number"),
    "NUL block": (b"a 1 2\nb 3 4\n" + b"\0" * 512, 3, "0 numbers"),
    "Latin-1": (b"a 1 2\ncaf\xe9 3 4\n", 2, r"the word 'caf\\xe9' is not UTF-8.*'encoding_errors: latin1'"),
    "two lines in one": (b"a 1 2\nb 3 4c 5 6\nd 7 8\n", 2, "more numbers than expected"),
    "carriage return in a word": (b"a 1 2\nb\rc 5 6\n", 2, "holds a line break"),
    "carriage return in a line": (
        b"a 1 2\nb 3 4\rc 5 6\nd 7 8\n",
        2,
        "more numbers",
    ),
    "header twice": (b"2 2\n2 2\na 1 2\n", 2, "1 number .*the header says 2"),
    "header of more words": (b"3 2\na 1 2\nb 3 4\n", 1, "promises 3 words, the file has 2.*'2 2'"),
    "header of fewer words": (b"1 2\na 1 2\nb 3 4\n", 1, "promises 1 words, the file has 2.*'2 2'"),
    "header of more dimensions": (b"2 3\na 1 2\nb 3 4\n", 2, "2 numbers .*the header says 3"),
    "header of fewer dimensions": (b"2 1\na 1 2\nb 3 4\n", 2, "more numbers than expected"),
    "header of no dimensions": (b"2 0\na 1 2\nb 3 4\n", 1, "0 dimensions"),
    "header of absurd dimensions": (b"2 99999999999\na 1 2\n", 1, "99,999,999,999 dimensions"),
    "header of absurd size": (b"99999999999999 2\na 1 2\n", 1, "promises 99,999,999,999,999 words"),
    "cut off within a number": (
        b"3 2\na 1 2\nb 3 4\nc 5 ",
        4,
        "1 number .*the header says 2",
    ),
}


@pytest.mark.parametrize("name", TEXT_FAULTS)
@pytest.mark.parametrize("packed", [False, True])
def test_text_fault(tmp_path: Path, name: str, packed: bool) -> None:
    content, line, message = TEXT_FAULTS[name]
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert assert_refused(path, message).line == line


OF_THE_WHOLE_FILE = ("header", "cut off", "numbers alone")


@pytest.mark.parametrize("name", [name for name in TEXT_FAULTS if not name.startswith(OF_THE_WHOLE_FILE)])
def test_text_fault_among_many_lines(tmp_path, monkeypatch, name: str) -> None:
    """The same fault, past the first block."""
    content, line, message = TEXT_FAULTS[name]
    monkeypatch.setattr(text, "BLOCK_BYTES", 1 << 12)
    before = b"".join(b"w%d %d 0.5\n" % (i, i) for i in range(4000))
    path = tmp_path / "vectors.txt"
    path.write_bytes(before + content)
    error = assert_refused(path, message.replace("line 1", "line 4,001"))
    assert error.line == line + 4000


HEADERLESS = {
    "header without dimension": (
        b"2\na 1 2\nb 3 4\n",
        {},
        1,
        "0 numbers .*most lines have 2",
    ),
    "word2vec asked for": (b"a 1 2\nb 3 4\n", {"format": "word2vec"}, 1, "not 'n_words dim'.*glove"),
    "glove asked for": (
        b"2 3\na 1 2 3\nb 3 4 5\n",
        {"format": "glove"},
        1,
        "1 number .*most lines have 3",
    ),
}


@pytest.mark.parametrize("name", HEADERLESS)
def test_fault_of_the_header(tmp_path: Path, name: str) -> None:
    content, policies, line, message = HEADERLESS[name]
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    assert assert_refused(path, message, **policies).line == line


BINARY_FAULTS = {
    "cut off": (TWO_WORDS[:-4], "promises 2 vectors of 2 numbers|ends within vector 2"),
    "of more words": (TWO_WORDS.replace(b"2 2", b"3 2"), "promises 3 vectors|ends within vector 3"),
    "of fewer words": (TWO_WORDS.replace(b"2 2", b"1 2"), r"more bytes follow the 1 vectors.*\(byte 15\)"),
    "of absurd size": (TWO_WORDS.replace(b"2 2", b"9999999999 2"), "promises 9,999,999,999|ends within"),
    "of absurd dimensions": (TWO_WORDS.replace(b"2 2", b"2 99999999"), "99,999,999 dimensions"),
    "duplicate": (TWO_WORDS.replace(b"\nb", b"\na"), r"comes again \(first at byte 4\) \(at byte 15\)"),
    "nan": (TWO_WORDS.replace(np.float32(3).tobytes(), np.float32("nan").tobytes()), "'b' has nan"),
    "NUL in a word": (TWO_WORDS.replace(b"\nb", b"\n\0"), r"holds a NUL byte \(at byte 15\)"),
    "no word": (
        TWO_WORDS.replace(b"\nb", b"\n"),
        r"is missing \(at byte 15\)|ends within|at least",
    ),
}


@pytest.mark.parametrize("name", BINARY_FAULTS)
@pytest.mark.parametrize("packed", [False, True])
def test_binary_fault(tmp_path: Path, name: str, packed: bool) -> None:
    content, message = BINARY_FAULTS[name]
    path = tmp_path / "vectors.bin"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_refused(path, message)


def test_every_cut_of_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    for end in range(1, len(TWO_WORDS) - 1):  # without the last line break it is whole
        path.write_bytes(TWO_WORDS[:end])
        assert_refused(path, "")
    path.write_bytes(TWO_WORDS[:-1])
    assert read(path).words == ("a", "b")


FOREIGN = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n  \n", "not in any format known"),
    "prose": (b"To be, or not to be,\nthat is the question.\n", "not in any format known"),
    "web page": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "error document": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
    "UTF-16": ("a 1 2\nb 3 4\n".encode("utf-16"), "UTF-16"),
    "bzip2": (b"BZh91AY&SY", "bunzip2"),
    "xz": (b"\xfd7zXZ\0\0\0", "unxz"),
    "npy": (b"\x93NUMPY\x01\0", "without words"),
    "header alone": (b"0 5\n", "no vectors are left"),
    "promise alone": (b"7 5\n", "promises 7 words, the file has 0"),
    "random": (np.random.default_rng(0).bytes(100_000), "not in any format known"),
    "zeros": (bytes(100_000), "not in any format known"),
    "safetensors head": (b"\x08\0\0\0\0\0\0\0{      }", "not an embedding space"),
    "fastText head": (b"\xba\x16\x4f\x2f\x0c\0\0\0", "cut off"),
    "pickle head": (b"\x80\x04\x95" + bytes(20), "cannot be read safely"),
    "zip head": (b"PK\x03\x04" + bytes(50), "the .npz file is damaged"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_something_else(tmp_path: Path, name: str) -> None:
    content, message = FOREIGN[name]
    path = tmp_path / "vectors.vec"
    path.write_bytes(content)
    assert_refused(path, message)


def test_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "vectors.vec"
    path.write_bytes(b"a 1 2\n" + b"x" * (40 << 20))
    assert_refused(path, "a line is longer than 32 MiB")


def test_damaged_gzip(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"w%d %d 0.5\n" % (i, i * i) for i in range(50_000)))
    path = tmp_path / "vectors.txt.gz"
    for content in (packed[: len(packed) // 2], packed[:-9], packed[:500] + b"\0" * 50 + packed[550:]):
        path.write_bytes(content)
        assert_refused(path, "gzip file is cut off or damaged|line 1|:1:|is not a number|:")
    path.write_bytes(packed[:-9])
    assert_refused(path, "gzip file is cut off or damaged")


def test_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "my_vectors.vec").write_bytes(b"a 1\n")
    assert_refused(tmp_path / "my_vector.vec", r"no such file. Did you mean 'my_vectors.vec'\?")
    assert_refused(tmp_path / "folder" / "v.vec", "There is no folder")


def test_folder(tmp_path: Path) -> None:
    assert_refused(tmp_path, "a folder, not a file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.vec"
    path.write_bytes(b"a 1\n")
    path.chmod(0)
    assert_refused(path, "Permission denied")


@pytest.mark.parametrize("wanted", ["npz", "gensim", "lexiscope", "fasttext_bin"])
def test_format_that_the_content_is_not(tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "vectors.vec"
    path.write_bytes(b"2 2\na 1 2\nb 3 4\n")
    assert_refused(path, f"the study says '{wanted}', but the content is 'word2vec'", format=wanted)


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


WORDS = np.array(["a", "b"])
NPZ_FAULTS = {
    "no words": (npz(vectors=np.ones((2, 2))), r"no array 'words' \(it holds 'vectors.npy'\)"),
    "pickled": (npz(words=np.array(["a", "b"], dtype=object), vectors=np.ones((2, 2))), "is pickled"),
    "one more word": (
        npz(words=np.array(["a", "b", "c"]), vectors=np.ones((2, 2))),
        "3 words and 2",
    ),
    "integers": (npz(words=WORDS, vectors=np.ones((2, 2), dtype=int)), "floats of shape"),
    "one dimension": (npz(words=WORDS, vectors=np.ones(2)), "floats of shape"),
    "no dimension": (npz(words=WORDS, vectors=np.ones((2, 0))), "0 dimensions"),
    "duplicate": (npz(words=np.array(["a", "a"]), vectors=np.ones((2, 2))), r"\(at row 2\)"),
    "nan": (npz(words=WORDS, vectors=np.array([[1, 2], [np.nan, 3]])), r"'b' has nan.*\(at row 2\)"),
    "beyond float32": (npz(words=WORDS, vectors=np.array([[1, 2], [1e300, 3]])), "'b' has inf"),
    "empty word": (npz(words=np.array(["a", ""]), vectors=np.ones((2, 2))), "the word is missing"),
    "lone surrogate": (npz(words=np.array(["a", "\ud800"]), vectors=np.ones((2, 2))), "not UTF-8"),
    "cut off": (npz(words=WORDS, vectors=np.ones((2, 2)))[:-30], "damaged"),
}


@pytest.mark.parametrize("name", NPZ_FAULTS)
def test_npz_fault(tmp_path: Path, name: str) -> None:
    content, message = NPZ_FAULTS[name]
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    assert_refused(path, message)


def test_npz_with_a_lying_header_does_not_claim_memory(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 300)}
    )
    path = tmp_path / "vectors.npz"
    with zipfile.ZipFile(path, "w") as archive:
        words = io.BytesIO()
        np.save(words, WORDS)
        archive.writestr("words.npy", words.getvalue())
        archive.writestr("vectors.npy", stream.getvalue())
    assert_refused(path, "'vectors' promises 1,200,000,000,000,000 bytes")


def test_npz_with_a_flipped_bit(tmp_path: Path) -> None:
    content = bytearray(npz(words=WORDS, vectors=np.full((2, 2), 7.0)))
    content[content.index(np.float64(7).tobytes()) + 3] ^= 1
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    assert_refused(path, "damaged.*CRC")


@pytest.mark.parametrize(
    "content",
    [b"99999999999999 100000\na " + b"1 " * 50, b"99999999999999 100000\n" + bytes(range(128, 255)) * 9],
    ids=["text", "binary"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lying_header_does_not_claim_memory(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(content) if packed else content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(path, "")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000  # kB
