"""The files of the released lm_1b: the word list, the graph definition, the checkpoint shards.

Everything here reads; nothing of the files is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError

VOCABULARY = "vocab-2016-09-10.txt"
GRAPH = "graph-2016-09-10.pbtxt"
BASE = "ckpt-base"
CHARACTERS = "ckpt-char-embedding"
SOFTMAX = "ckpt-softmax{}"

BEGIN_SENTENCE, END_SENTENCE, UNKNOWN = "<S>", "</S>", "<UNK>"

DOWNLOAD_AGAIN = "get the file again: every file of the release is needed as it was published"

_END_OF_LIST = b"!!!MAXTERMID"
_VARIABLES = ("Variable", "VariableV2")


def import_tensorflow() -> Any:
    """TensorFlow, without its messages about the machine.

    Raises
    ------
    LexiscopeError
        If it is not installed: it is a part of this rule's environment alone.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
    except ImportError as error:
        raise LexiscopeError(
            f"the released lm_1b is read with TensorFlow, which cannot be imported ({error})",
            remedy="let the workflow make its environments, or install tensorflow-cpu",
        ) from None
    return tensorflow


def require_files(folder: Path, names: Sequence[str]) -> None:
    """Check that ``folder`` has the files ``names``; a checkpoint may also be a pair of files (V2 format).

    Raises
    ------
    LexiscopeError
        Naming all that are missing.
    """
    if not folder.is_dir():
        raise LexiscopeError("no such folder", where=folder, remedy="give the folder of the lm_1b files")
    missing = [name for name in names if not (folder / name).is_file() and not _parts(folder / name)]
    if missing:
        raise LexiscopeError(
            f"{'a file' if len(missing) == 1 else f'{len(missing)} files'} of lm_1b "
            f"{'is' if len(missing) == 1 else 'are'} missing: {', '.join(missing)}",
            where=folder,
            remedy="put all files of the release in this folder under their published names",
        )


def _parts(checkpoint: Path) -> list[Path]:
    """The files of a checkpoint in the V2 format; none if it is not in that format."""
    index = checkpoint.with_name(f"{checkpoint.name}.index")
    return [index, *sorted(checkpoint.parent.glob(f"{checkpoint.name}.data-*"))] if index.is_file() else []


def stored_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """The paths that hold ``names``, whichever format the checkpoints have."""
    return [
        path
        for name in names
        for path in ([folder / name] if (folder / name).is_file() else _parts(folder / name))
    ]


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The words of lm_1b in the order of their ids (UTF-8, one a line).

    Raises
    ------
    LexiscopeError
        If a line is empty, is not UTF-8, or repeats a word.
    """
    index: dict[str, int] = {}
    # Lines end at \n alone and only ASCII blanks are cut, as in the program that numbered the words.
    for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        stripped = line.strip()
        if stripped == _END_OF_LIST:
            continue
        try:
            word = stripped.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"not UTF-8 ({error.reason})"
            raise LexiscopeError(problem, where=path, line=number, remedy=DOWNLOAD_AGAIN) from None
        if not word or word in index:
            problem = f"the word {word!r} occurs twice" if word else "an empty line among the words"
            raise LexiscopeError(problem, where=path, line=number, remedy=DOWNLOAD_AGAIN)
        index[word] = number
    return tuple(index)


def read_graph(path: Path) -> Any:
    """Parse a graph definition (GraphDef in protobuf's text form).

    Raises
    ------
    LexiscopeError
        If it is no such text.
    """
    tensorflow = import_tensorflow()
    from google.protobuf import text_format

    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), tensorflow.compat.v1.GraphDef())
    except (UnicodeDecodeError, text_format.ParseError) as error:
        raise LexiscopeError(
            f"not a graph definition ({error})", where=path, remedy=DOWNLOAD_AGAIN
        ) from None


@dataclass(frozen=True)
class Variable:
    """A variable that the graph names.

    Attributes
    ----------
    name
        Its name, in the graph and in the checkpoint.
    shape
        Its shape by the graph; None where the graph leaves it open.
    """

    name: str
    shape: tuple[int, ...] | None


def graph_variables(graph: Any) -> dict[str, Variable]:
    """The variables of a graph definition by name."""
    return {
        node.name: Variable(node.name, _static_shape(node)) for node in graph.node if node.op in _VARIABLES
    }


def _static_shape(node: Any) -> tuple[int, ...] | None:
    # Graphs of TensorFlow before 1.0 write an unknown shape as one without dimensions.
    sizes = tuple(int(dim.size) for dim in node.attr["shape"].shape.dim) if "shape" in node.attr else ()
    return sizes if sizes and min(sizes) >= 0 else None


def softmax_shards(variables: Mapping[str, Variable], where: Path) -> list[Variable]:
    """The variables ``softmax/W_0``, ``softmax/W_1``, ... of the softmax weights, in order.

    Raises
    ------
    LexiscopeError
        If there are none, if one between them is missing, or if there is no ``softmax/b``.
    """
    numbers = sorted(int(m[1]) for m in map(re.compile(r"softmax/W_(\d+)").fullmatch, variables) if m)
    if not numbers or numbers != list(range(len(numbers))) or "softmax/b" not in variables:
        raise LexiscopeError(
            f"the graph has the softmax variables W_{numbers}"
            f"{' and b' if 'softmax/b' in variables else ''}; "
            "softmax/W_0, softmax/W_1 and so on without a gap, and softmax/b, are wanted",
            where=where,
            remedy=DOWNLOAD_AGAIN,
        )
    return [variables[f"softmax/W_{number}"] for number in numbers]


class CheckpointFile:
    """One checkpoint file of TensorFlow 1 (V1: the file itself; V2: ``.index`` and ``.data`` files)."""

    def __init__(self, path: Path) -> None:
        tensorflow = import_tensorflow()
        self.path = path
        self._failures = (tensorflow.errors.OpError, ValueError, RuntimeError)
        try:
            # TensorFlow takes the name for a pattern of file names.
            name = re.sub(r"([*?\[\\])", r"\\\1", str(path))
            self._reader = tensorflow.train.load_checkpoint(name)
            self.shapes: dict[str, list[int]] = self._reader.get_variable_to_shape_map()
        except self._failures as error:
            raise self._unreadable(error) from None

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """The shape of ``variable`` in this file.

        Raises
        ------
        LexiscopeError
            If the file lacks it or has it in another shape than the graph.
        """
        if variable.name not in self.shapes:
            raise LexiscopeError(
                f"no tensor {variable.name!r} in this checkpoint", where=self.path, remedy=DOWNLOAD_AGAIN
            )
        found = tuple(self.shapes[variable.name])
        if variable.shape is not None and found != variable.shape:
            raise LexiscopeError(
                f"the tensor {variable.name!r} has shape {found}; the graph wants {variable.shape}",
                where=self.path,
                remedy=DOWNLOAD_AGAIN,
            )
        return found

    def read(self, variable: Variable) -> NDArray[np.float32]:
        """The values of ``variable``.

        Raises
        ------
        LexiscopeError
            As `shape`, or if they are of another type than float32, or damaged.
        """
        self.shape(variable)
        try:
            values: NDArray[np.float32] = self._reader.get_tensor(variable.name)
        except self._failures as error:
            raise self._unreadable(error) from None
        if values.dtype != np.float32:
            problem = f"the tensor {variable.name!r} is {values.dtype}, not float32"
            raise LexiscopeError(problem, where=self.path, remedy=DOWNLOAD_AGAIN)
        return values

    def _unreadable(self, error: Exception) -> LexiscopeError:
        return LexiscopeError(
            f"not a readable checkpoint ({error})", where=self.path, remedy=DOWNLOAD_AGAIN
        )
