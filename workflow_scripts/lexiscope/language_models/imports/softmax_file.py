r"""A softmax layer by itself, in a file of arrays, whatever framework trained it.

The arrays are ``weight`` (V × d), ``words`` (V) and, if the model has them, ``bias`` (V) and ``count`` (V),
in NumPy's ``.npz`` or in safetensors. Floats may be of 16 (safetensors: also bfloat16), 32 or 64 bits.
Safetensors holds numbers alone: there ``words`` is either a uint8 tensor with the words in UTF-8, one a
line (``numpy.frombuffer("\n".join(words).encode(), dtype=numpy.uint8)``), or a JSON list of them in the
file's metadata, ``save_file(tensors, path, metadata={"words": json.dumps(words)})``.
"""

from __future__ import annotations

import difflib
import json
import logging
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from lexiscope.config.base import suggest
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports.config import SoftmaxFileConfig
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

REQUIRED = ("weight", "words")
OPTIONAL = ("bias", "count")
PICKLES = frozenset({".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"})

_ACCEPTED = (
    "give an .npz or a .safetensors file with the arrays weight (V × d), words (V) and, if there are any, "
    "bias (V) and count (V)"
)
_HOW_TO_SAVE = (
    "load it where you trust it, and save it with numpy.savez(path, weight=weight, bias=bias, "
    "words=numpy.array(words, dtype=str))"
)
_WORDS_AS_TEXT = "save them as numpy.array(words, dtype=str)"


@stage_entry
def read_softmax_file(*, path: Path, config: Mapping[str, Any], output: Path) -> None:
    """Read a softmax layer from a file of arrays and save it as a layer file.

    Parameters
    ----------
    path
        The file. What it is is told by its content, not by its name.
    config
        A dumped `SoftmaxFileConfig`.
    output
        The layer file: a space with the rows of ``weight`` as float32 vectors, in the file's order, and the
        columns ``bias`` (float32) and ``count`` (int64) where the file has them.

    Raises
    ------
    LexiscopeError
        If the file is of another kind, an array is missing, misspelt or of the wrong type or shape, lengths
        differ, a word is empty, repeated or holds a line break, or a number is not finite.
    """
    settings = SoftmaxFileConfig.model_validate(config)
    source = VectorSource(path)
    arrays = _read_arrays(source)
    where = source.path
    weight = _floats(arrays["weight"], "weight", 2, where)
    words = _words(arrays["words"], where)
    columns: dict[str, NDArray[Any]] = {}
    if "bias" in arrays:
        columns["bias"] = _floats(arrays["bias"], "bias", 1, where)
    if "count" in arrays:
        columns["count"] = _check_counts(arrays["count"], where)
    for name, length in {
        "words": len(words),
        **{name: len(column) for name, column in columns.items()},
    }.items():
        if length != len(weight):
            raise LexiscopeError(
                f"'{name}' has {length:,} entries and 'weight' {len(weight):,} rows",
                where=where,
                remedy="each row of 'weight' needs its word, and its bias and count where there are any",
            )
    provenance = {
        "kind": settings.kind,
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": settings.model_dump(mode="json", exclude={"path"}),
        "dim": weight.shape[1],
        "n_words_before_lexicon": len(words),
        "file": where.name,
        "sha256": source.sha256,
        "bytes": source.size,
    }
    save_space(EmbeddingSpace(words, weight, provenance, columns), output)
    logger.info(
        "%s: %d words, %d dimensions, %s",
        where.name,
        len(words),
        weight.shape[1],
        _with_and_without(columns),
    )


def _with_and_without(columns: Mapping[str, object]) -> str:
    return ", ".join(f"{'with' if name in columns else 'without'} {name}" for name in OPTIONAL)


def _read_arrays(source: VectorSource) -> dict[str, NDArray[Any]]:
    if source.path.suffix.lower() in PICKLES:
        raise LexiscopeError(
            f"a {source.path.suffix} file is a pickle, which can run code when read; it was not opened",
            where=source.path,
            remedy=_HOW_TO_SAVE,
        )
    if source.packed:
        raise LexiscopeError("a file packed with gzip", where=source.path, remedy="unpack it: gunzip")
    if source.head.startswith(b"PK\x03\x04"):
        return _read_npz(source)
    if source.head[8:9] == b"{":
        return _read_safetensors(source)
    if source.head.startswith(b"\x93NUMPY"):
        raise LexiscopeError("one NumPy array without its words", where=source.path, remedy=_ACCEPTED)
    if source.head[:1] == b"\x80" and source.head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise LexiscopeError(
            "the content is a pickle, which can run code when read", where=source.path, remedy=_HOW_TO_SAVE
        )
    raise LexiscopeError("neither .npz nor safetensors", where=source.path, remedy=_ACCEPTED)


def _read_npz(source: VectorSource) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(source.path) as archive:
            entries = archive.namelist()
            if any(entry.endswith("data.pkl") for entry in entries):
                raise LexiscopeError(
                    "the content is a pickle of PyTorch, which can run code when read",
                    where=source.path,
                    remedy=_HOW_TO_SAVE,
                )
            names = [entry.removesuffix(".npy") for entry in entries]
            return {
                name: _read_npy(archive, name, source.path) for name in _check_names(names, source.path)
            }
    except LexiscopeError:
        raise
    except Exception as error:  # a bad archive raises almost anything
        raise LexiscopeError(
            f"the .npz file is damaged ({error})", where=source.path, remedy="fetch or make it again"
        ) from None


def _read_npy(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        major, _ = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise LexiscopeError(
            f"the array '{name}' is pickled (dtype object), which can run code when read",
            where=path,
            remedy=_WORDS_AS_TEXT if name == "words" else _HOW_TO_SAVE,
        )
    # Checked before NumPy asks for the memory that the header promises to fill.
    promised = dtype.itemsize * int(np.prod(shape, dtype=object))
    if not 0 <= promised <= info.file_size:
        raise ValueError(f"'{name}' promises {promised:,} bytes and holds {info.file_size:,}")
    with archive.open(info) as stream:
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array


def _read_safetensors(source: VectorSource) -> dict[str, NDArray[Any]]:
    path = source.path
    try:
        with safe_open(path, framework="np") as file:
            tensors = set(file.keys())
            metadata = {key: text for key, text in (file.metadata() or {}).items() if key == "words"}
            arrays: dict[str, NDArray[Any]] = {}
            for name in _check_names(tensors | metadata.keys(), path):
                if name not in tensors:
                    arrays[name] = _words_of_metadata(metadata[name], path)
                elif file.get_slice(name).get_dtype() == "BF16":
                    arrays[name] = _read_bfloat16(path, name)
                else:
                    arrays[name] = file.get_tensor(name)
            return arrays
    except SafetensorError as error:
        raise LexiscopeError(
            f"the safetensors file is cut off or damaged ({error})",
            where=path,
            remedy="fetch or make it again",
        ) from None
    except (TypeError, AttributeError) as error:  # a type that NumPy has not, such as an 8-bit float
        raise LexiscopeError(
            f"an array is of a type that cannot be read ({error})", where=path, remedy="save it as float32"
        ) from None


def _read_bfloat16(path: Path, name: str) -> NDArray[np.float32]:
    """A bfloat16 tensor as float32, shape as stored; NumPy itself has no such type.

    The file's header has been checked by safetensors: its length in 8 bytes, then JSON with offsets.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[name]
    start, end = entry["data_offsets"]
    bits = np.fromfile(path, dtype="<u2", count=(end - start) // 2, offset=8 + length + start)
    # A bfloat16 is the upper half of a float32.
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


def _words_of_metadata(text: str, path: Path) -> NDArray[Any]:
    try:
        words = json.loads(text)
    except json.JSONDecodeError as error:
        raise LexiscopeError(f"'words' in the metadata is not JSON ({error})", where=path) from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise LexiscopeError("'words' in the metadata is not a JSON list of strings", where=path)
    return np.array(words, dtype=object)


def _check_names(names: Iterable[str], path: Path) -> list[str]:
    """The arrays to read; others are left aside unless they look like a misspelt one."""
    found = sorted(names)
    for name in REQUIRED:
        if name not in found:
            others = [other for other in found if other not in REQUIRED + OPTIONAL]
            hint = suggest(name, others) if others else None
            meant = f" ({hint})" if hint else ""
            raise LexiscopeError(f"there is no array '{name}'{meant}", where=path, remedy=_ACCEPTED)
    for name in found:
        if name in REQUIRED + OPTIONAL:
            continue
        absent = [optional for optional in OPTIONAL if optional not in found]
        if close := difflib.get_close_matches(name.lower(), absent, n=1, cutoff=0.7):
            raise LexiscopeError(
                f"unknown array '{name}': did you mean '{close[0]}'?", where=path, remedy=_ACCEPTED
            )
        logger.warning("%s: the array '%s' is not used", path.name, name)
    return [name for name in REQUIRED + OPTIONAL if name in found]


def _floats(array: NDArray[Any], name: str, ndim: int, path: Path) -> NDArray[np.float32]:
    shape = "(V, d)" if ndim == 2 else "(V,)"
    if array.ndim != ndim or not array.size:
        raise LexiscopeError(f"'{name}' is of shape {array.shape}, not {shape}", where=path)
    if array.dtype.kind != "f":
        raise LexiscopeError(
            f"'{name}' is of type {array.dtype}, not of floats",
            where=path,
            remedy="save it as float32 (quantised weights must be expanded first)",
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.argwhere(~finite)
        raise LexiscopeError(
            f"'{name}' has {len(bad):,} values that are NaN or infinite as float32, the first in row "
            f"{int(bad[0][0])} (from 0)",
            where=path,
        )
    return values


def _words(array: NDArray[Any], path: Path) -> tuple[str, ...]:
    words = _split_words(array, path)
    seen: dict[str, int] = {}
    for row, word in enumerate(words):
        if not word or "\n" in word:
            what = "is empty" if not word else f"holds a line break ({word!r})"
            raise LexiscopeError(f"the word of row {row} (from 0) {what}", where=path)
        if word in seen:
            raise LexiscopeError(
                f"the word {word!r} stands in the rows {seen[word]} and {row} (from 0)",
                where=path,
                remedy="a word has one row; make the words unique",
            )
        seen[word] = row
    return tuple(words)


def _split_words(array: NDArray[Any], path: Path) -> list[str]:
    if array.ndim == 1 and array.dtype == np.uint8:
        encoded = array.tobytes().removesuffix(b"\n").split(b"\n")
    elif array.ndim == 1 and array.dtype.kind in "UO":
        # A lone surrogate is no character; encoded it is not UTF-8, and is refused below.
        encoded = [str(word).encode("utf-8", "surrogatepass") for word in array]
    elif array.ndim == 1 and array.dtype.kind == "S":
        encoded = array.tolist()
    else:
        raise LexiscopeError(
            f"'words' is of type {array.dtype} and shape {array.shape}, not text of shape (V,)",
            where=path,
            remedy=_WORDS_AS_TEXT,
        )
    words = []
    for row, word in enumerate(encoded):
        try:
            words.append(word.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise LexiscopeError(
                f"the word of row {row} (from 0) is not UTF-8 ({error.reason})", where=path
            ) from None
    return words


def _check_counts(array: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise LexiscopeError(
            f"'count' is of type {array.dtype} and shape {array.shape}, not whole numbers of shape (V,)",
            where=path,
        )
    counts = array.astype(np.int64)
    if (counts < 0).any():
        row = int(np.flatnonzero(counts < 0)[0])
        raise LexiscopeError(f"the count of row {row} (from 0) is {array[row]}: out of range", where=path)
    return counts
