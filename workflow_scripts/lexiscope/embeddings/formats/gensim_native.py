"""gensim's own files (``KeyedVectors.save``, ``Word2Vec.save``), read as data.

They are pickles, and unpickling runs whatever a file says. Here every class or function that the file names
is replaced by a recorder that keeps its arguments and does nothing; names that gensim's files have no use
for are refused; vectors and words are then picked out of what was recorded. Nothing is imported or called.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.formats.archives import collect_matrix
from lexiscope.embeddings.formats.collect import Collector
from lexiscope.embeddings.formats.source import VectorSource
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file

_REMEDY = (
    "in gensim, save it again with "
    "KeyedVectors.load(path).save_word2vec_format(new_path, binary=True), if you trust the file"
)
_KNOWN_MODULES = ("gensim", "numpy", "collections", "copyreg", "copy_reg", "_codecs")
_KNOWN_BUILTINS = frozenset({"object", "int", "hash", "set", "frozenset", "bytearray"})
_KEYED_VECTORS = frozenset({"KeyedVectors", "Word2VecKeyedVectors", "WordEmbeddingsKeyedVectors"})
_FLOATS = frozenset({"f2", "f4", "f8"})


class _Recorded:
    """What a file would have called ``origin`` with, and the state it would have given the result."""

    origin: ClassVar[str] = ""

    def __new__(cls, *args: Any, **_: Any) -> _Recorded:
        recorded = super().__new__(cls)
        recorded.args = args
        recorded.state = None
        return recorded

    args: tuple[Any, ...]
    state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Items of dictionaries that are of no interest, such as those of a ``defaultdict``."""


# The unpickler written in Python: in the one in C, a few bytes of a bad file claim tens of GB of memory.
class _Recorder(pickle._Unpickler):
    """An unpickler that builds plain values and `_Recorded` ones, and nothing else."""

    def find_class(self, module: str, name: str) -> type[_Recorded]:
        known = module.split(".")[0] in _KNOWN_MODULES
        if not known and not (module in ("builtins", "__builtin__") and name in _KNOWN_BUILTINS):
            raise pickle.UnpicklingError(f"it calls for {module}.{name}, which vectors have no use for")
        return type(name, (_Recorded,), {"origin": f"{module}.{name}"})


def read_gensim(source: VectorSource, collector: Collector) -> dict[str, str]:
    """Read the words and vectors of a gensim file into ``collector``.

    Large arrays lie in a neighbouring ``.npy`` file, which must be there.

    Returns
    -------
    dict
        SHA-256 of each neighbouring file that was read, by name.

    Raises
    ------
    LexiscopeError
        If the file is no such file, calls for anything else, or lacks its neighbour.
    """
    name, state = _keyed_vectors(_record(source), source)
    words = state.get("index_to_key", state.get("index2word"))
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _not_vectors("its keys are not a list of words", source)
    if "vectors" in (state.get("__numpys") or ()):
        side = source.path.with_name(f"{name}.vectors.npy")
        vectors, hashes = _read_side_file(side, source), {side.name: sha256_file(side)}
    else:
        vectors, hashes = _rebuild_array(state.get("vectors"), source), {}
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise _not_vectors(f"its vectors are {vectors.dtype} of shape {vectors.shape}", source)
    collect_matrix(words, vectors, source, collector)
    return hashes


def _record(source: VectorSource) -> Any:
    with source.path.open("rb") as stream:
        try:
            return _Recorder(stream).load()
        except Exception as error:  # a bad pickle raises almost anything
            raise _not_vectors(str(error) or type(error).__name__, source) from None


def _keyed_vectors(root: Any, source: VectorSource) -> tuple[str, dict[str, Any]]:
    """The name gensim gives the neighbours of the vectors' object, and that object's attributes."""
    name = source.path.name
    if isinstance(root, _Recorded) and isinstance(root.state, dict) and "wv" in root.state:
        root, name = root.state["wv"], f"{name}.wv"
    kind = root.origin.rpartition(".")[2] if isinstance(root, _Recorded) else type(root).__name__
    if kind not in _KEYED_VECTORS or not isinstance(root.state, dict):
        raise _not_vectors(f"it holds a {kind}, not KeyedVectors or Word2Vec", source)
    return name, root.state


def _read_side_file(path: Path, source: VectorSource) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise LexiscopeError(
            f"gensim kept the vectors in a second file, {path.name!r}, which is not beside it",
            where=source.path,
            remedy="copy both files",
        ) from None
    except (ValueError, EOFError, OSError) as error:
        raise LexiscopeError(f"not a whole NumPy array ({error})", where=path) from None
    return array


def _rebuild_array(recorded: Any, source: VectorSource) -> NDArray[Any]:
    """The array that NumPy's own ``__setstate__`` would have made, from a checked copy of its state."""
    try:
        _, shape, dtype, fortran, content = recorded.state
        kind, order = dtype.args[0], dtype.state[1]
        if isinstance(content, _Recorded):  # protocol 2 keeps bytes as Latin-1 text
            content = content.args[0].encode("latin-1")
        if kind not in _FLOATS or order not in ("<", ">"):
            raise ValueError(f"unknown type {kind!r}")
        flat = np.frombuffer(content, dtype=np.dtype(f"{order}{kind}"))
        return flat.reshape(shape, order="F" if fortran else "C")
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _not_vectors(f"its array cannot be rebuilt: {error}", source) from None


def _not_vectors(problem: str, source: VectorSource) -> LexiscopeError:
    return LexiscopeError(
        f"a pickle that cannot be read safely as gensim vectors ({problem})",
        where=source.path,
        remedy=_REMEDY,
    )
