"""Softmax layers in files of arrays."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports.softmax_file import read_softmax_file

WORDS = ["the", "dog", "façade", "new york"]
WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
BIAS = np.float32([0.5, -1, 2, 0])
COUNT = np.array([9, 5, 3, 1])
CONFIG = {"kind": "softmax_file", "path": "/somewhere/private/layer.npz"}


class RunsWhenRead:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return pytest.fail, ("a file of the user was unpickled",)


def npz(folder: Path, **changes: object) -> Path:
    """A file with all arrays; None leaves one out."""
    arrays = {"weight": WEIGHT, "bias": BIAS, "count": COUNT, "words": np.array(WORDS), **changes}
    path = folder / "layer.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def lines(words: list[str]) -> np.ndarray:
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


def read(path: Path) -> EmbeddingSpace:
    output = path.parent / "output"
    read_softmax_file(path=path, config=CONFIG, output=output)
    return load_space(output)


def test_npz(tmp_path: Path) -> None:
    space = read(npz(tmp_path))
    assert space.words == tuple(WORDS)
    np.testing.assert_array_equal(space.vectors, WEIGHT)
    np.testing.assert_array_equal(space.columns["bias"], BIAS)
    np.testing.assert_array_equal(space.columns["count"], COUNT)
    assert space.columns["bias"].dtype == np.float32
    assert space.columns["count"].dtype == np.int64


def test_bias_and_count_may_be_absent(tmp_path: Path) -> None:
    assert not read(npz(tmp_path, bias=None, count=None)).columns


def test_provenance(tmp_path: Path) -> None:
    path = npz(tmp_path)
    content = path.read_bytes()
    assert read(path).provenance == {
        "kind": "softmax_file",
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": {"kind": "softmax_file"},
        "dim": 3,
        "n_words_before_lexicon": 4,
        "file": "layer.npz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def test_words_of_bytes_are_utf_8(tmp_path: Path) -> None:
    assert read(npz(tmp_path, words=np.array([word.encode() for word in WORDS]))).words == tuple(WORDS)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_become_float32(tmp_path: Path, dtype: type) -> None:
    space = read(npz(tmp_path, weight=WEIGHT.astype(dtype), bias=BIAS.astype(dtype)))
    np.testing.assert_array_equal(space.vectors, WEIGHT)
    np.testing.assert_array_equal(space.columns["bias"], BIAS)


def test_safetensors_with_words_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "layer.safetensors"
    save_file({"weight": WEIGHT, "bias": BIAS, "count": COUNT, "words": lines(WORDS)}, path)
    space = read(path)
    assert space.words == tuple(WORDS)
    np.testing.assert_array_equal(space.vectors, WEIGHT)
    np.testing.assert_array_equal(space.columns["count"], COUNT)


def test_safetensors_with_words_in_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "layer.safetensors"
    save_file({"weight": WEIGHT}, path, metadata={"words": json.dumps(WORDS), "format": "pt"})
    assert read(path).words == tuple(WORDS)


def test_bfloat16_as_torch_writes_it(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    bias = torch.tensor([1.5, -2.25, 0, 1e-3]).to(torch.bfloat16)
    path = tmp_path / "layer.safetensors"
    save_torch_file({"weight": weight, "bias": bias, "words": torch.from_numpy(lines(WORDS).copy())}, path)
    space = read(path)
    np.testing.assert_array_equal(space.vectors, weight.float().numpy())
    np.testing.assert_array_equal(space.columns["bias"], bias.float().numpy())


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    assert len(read(npz(tmp_path).rename(tmp_path / "layer.dat"))) == 4


def test_same_arrays_in_another_folder_give_the_same_bytes(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "layer.npz"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(npz(tmp_path).read_bytes())
    read(tmp_path / "layer.npz")
    read(elsewhere)
    assert (tmp_path / "output").read_bytes() == (elsewhere.parent / "output").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": None}, "there is no array 'weight'. Give an .npz or a .safetensors"),
        ({"weight": None, "weights": WEIGHT}, r"no array 'weight' \(did you mean 'weights'\?\)"),
        ({"words": None, "vocab": np.array(WORDS)}, r"no array 'words' \(known: vocab\)"),
        ({"bias": None, "biases": BIAS}, "unknown array 'biases': did you mean 'bias'"),
        ({"count": None, "Counts": COUNT}, "unknown array 'Counts': did you mean 'count'"),
        ({"weight": WEIGHT[0]}, r"'weight' is of shape \(3,\), not \(V, d\)"),
        ({"weight": WEIGHT[:, :0]}, r"'weight' is of shape \(4, 0\)"),
        ({"weight": np.zeros((0, 3))}, r"'weight' is of shape \(0, 3\)"),
        ({"weight": WEIGHT.astype(np.int8)}, "'weight' is of type int8, not of floats"),
        ({"bias": BIAS[:, None]}, r"'bias' is of shape \(4, 1\), not \(V,\)"),
        ({"bias": BIAS[:3]}, "'bias' has 3 entries and 'weight' 4 rows"),
        ({"bias": BIAS.astype(int)}, "'bias' is of type int64"),
        ({"count": COUNT[:3]}, "'count' has 3 entries and 'weight' 4 rows"),
        ({"count": COUNT.astype(float)}, "'count' is of type float64"),
        ({"count": -COUNT}, r"the count of row 0 \(from 0\) is -9"),
        ({"words": np.array(WORDS[:3])}, "'words' has 3 entries and 'weight' 4 rows"),
        ({"words": np.array([WORDS])}, "'words' is of type <U8 and shape"),
        ({"words": np.arange(4)}, "'words' is of type int64"),
        ({"words": np.array(["a", "b", "c", "a"])}, "the word 'a' stands in the rows 0 and 3"),
        ({"words": np.array(["a", "", "c", "d"])}, r"the word of row 1 \(from 0\) is empty"),
        ({"words": np.array(["a", "b\nc", "d", "e"])}, "the word of row 1 .* holds a line break"),
        ({"words": np.array([b"a", b"\xff", b"c", b"d"])}, "the word of row 1 .* is not UTF-8"),
        ({"words": np.array(["a", "b", "\ud800", "d"])}, "the word of row 2 .* is not UTF-8"),
        ({"words": np.array(WORDS, dtype=object)}, "'words' is pickled .*dtype=str"),
        ({"weight": WEIGHT.astype(object)}, "'weight' is pickled"),
        ({"weight": np.where(WEIGHT == 1, np.nan, WEIGHT)}, "'weight' has 1 values that are NaN .* row 2"),
        ({"weight": WEIGHT.astype(float) + 1e300}, "'weight' has 12 values that are NaN or infinite"),
        ({"bias": np.float32([0, 0, np.inf, 0])}, "'bias' has 1 values .* row 2"),
    ],
)
def test_bad_arrays(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = npz(tmp_path, **changes)
    with pytest.raises(LexiscopeError, match=rf"layer\.npz: .*{message}"):
        read(path)
    assert not (tmp_path / "output").exists()


def test_pickled_objects_of_an_array_are_not_run(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="pickled"):
        read(npz(tmp_path, words=np.array([RunsWhenRead()] * 4, dtype=object)))


def test_other_arrays_are_left_aside_with_a_warning(tmp_path: Path, caplog) -> None:
    assert len(read(npz(tmp_path, epoch=np.array(3)))) == 4
    assert "the array 'epoch' is not used" in caplog.text


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".pkl", ".ckpt"])
def test_pickles_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"layer{suffix}"
    path.write_bytes(pickle.dumps(RunsWhenRead()))
    with pytest.raises(LexiscopeError, match=r"is a pickle.*was not opened\. Load it where you trust it"):
        read(path)


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles_are_refused_by_content(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "layer.npz"
    path.write_bytes(pickle.dumps(RunsWhenRead(), protocol=protocol))
    with pytest.raises(LexiscopeError, match="the content is a pickle"):
        read(path)


def test_file_of_torch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.npz"
    torch.save({"weight": torch.zeros(2, 2)}, path)
    with pytest.raises(LexiscopeError, match="a pickle of PyTorch"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3\n", r"neither \.npz nor safetensors\. Give an \.npz or a \.safetensors file"),
        (b"", "the file is empty"),
        (b"\x1f\x8b\x08\x00", "packed with gzip"),
        (b"\x93NUMPY\x01\x00", "one NumPy array without its words"),
        (b"PK\x03\x04 and nothing", "damaged"),
        (b"\x10\0\0\0\0\0\0\0{not json       ", "cut off or damaged"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "layer.npz"
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match=message):
        read(path)


def test_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    npz(tmp_path)
    with pytest.raises(LexiscopeError, match=r"no such file. Did you mean 'layer.npz'"):
        read(tmp_path / "layers.npz")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="a folder"):
        read(tmp_path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_files_that_are_cut_off(tmp_path: Path, kept: float) -> None:
    path = npz(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(LexiscopeError, match="damaged"):
        read(path)
    path = tmp_path / "layer.safetensors"
    save_file({"weight": WEIGHT, "words": lines(WORDS)}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(LexiscopeError, match="damaged"):
        read(path)


def test_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": (10**13, 3), "fortran_order": False, "descr": "<f4"}
    )
    path = npz(tmp_path, weight=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("weight.npy", stream.getvalue())
    with pytest.raises(LexiscopeError, match="'weight' promises 120,000,000,000,000 bytes"):
        read(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"words": "the dog"}, "'words' in the metadata is not JSON"),
        ({"words": '{"the": 0}'}, "not a JSON list of strings"),
        ({"words": "[1, 2, 3, 4]"}, "not a JSON list of strings"),
        ({}, "there is no array 'words'"),
    ],
)
def test_bad_words_in_safetensors(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    path = tmp_path / "layer.safetensors"
    save_file({"weight": WEIGHT}, path, metadata=metadata)
    with pytest.raises(LexiscopeError, match=message):
        read(path)


def test_floats_of_8_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.safetensors"
    weight = torch.zeros(4, 3).to(torch.float8_e4m3fn)
    save_torch_file({"weight": weight, "words": torch.from_numpy(lines(WORDS).copy())}, path)
    with pytest.raises(LexiscopeError, match=r"cannot be read|not of floats"):
        read(path)
