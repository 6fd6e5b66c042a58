"""The character CNN inside lm_1b's graph, taken out and run in batches.

A graph definition is data from elsewhere: of it only the nodes between the characters and the input
embedding are kept, only if each is an operation on tensors known to be harmless, and its variables become
constants, so that no operation that restores, reads or writes a file is ever part of what runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports.lm_1b_characters import MAX_WORD_LENGTH
from lexiscope.language_models.imports.lm_1b_files import (
    DOWNLOAD_AGAIN,
    graph_variables,
    import_tensorflow,
)

logger = logging.getLogger("lexiscope")

INPUT, OUTPUT = "char_inputs_in", "all_embs_out"

# Largest difference between a word alone and the word in a batch, as a share of the largest component.
BATCH_TOLERANCE = 1e-5

# Operations without state, files, code or network: all that embeddings, convolutions, highway layers and
# projections are made of, in the names that TensorFlow has given them since 2015.
# fmt: off
HARMLESS_OPERATIONS = frozenset(
    {
        "Abs", "Add", "AddN", "AddV2", "All", "Any", "ArgMax", "ArgMin", "AvgPool", "BatchMatMul",
        "BatchMatMulV2", "BatchToSpaceND", "BiasAdd", "BiasAddV1", "BroadcastTo", "Cast", "Ceil",
        "ClipByValue", "Concat", "ConcatOffset", "ConcatV2", "Const", "Conv2D", "Conv3D",
        "DepthwiseConv2dNative", "Div", "DivNoNan", "DynamicPartition", "DynamicStitch", "Einsum",
        "Elu", "Equal", "Exp", "ExpandDims", "Fill", "Floor", "FloorDiv", "FloorMod", "Gather",
        "GatherNd", "GatherV2", "Greater", "GreaterEqual", "Identity", "IdentityN", "Inv",
        "InvertPermutation", "LeakyRelu", "Less", "LessEqual", "Log", "Log1p", "LogicalAnd",
        "LogicalNot", "LogicalOr", "MatMul", "Max", "MaxPool", "MaxPoolV2", "Maximum", "Mean", "Min",
        "Minimum", "Mod", "Mul", "Neg", "NotEqual", "OneHot", "OnesLike", "Pack", "Pad", "PadV2",
        "ParallelDynamicStitch", "Pow", "PreventGradient", "Prod", "Range", "Rank", "RealDiv",
        "Reciprocal", "Relu", "Relu6", "Reshape", "Reverse", "ReverseV2", "Round", "Rsqrt", "Select",
        "SelectV2", "Selu", "Shape", "ShapeN", "Sigmoid", "Sign", "Size", "Slice", "Snapshot",
        "Softmax", "Softplus", "SpaceToBatchND", "SparseToDense", "Split", "SplitV", "Sqrt", "Square",
        "SquaredDifference", "Squeeze", "StopGradient", "StridedSlice", "Sub", "Sum", "Tanh", "Tile",
        "Transpose", "TruncateDiv", "TruncateMod", "Unique", "Unpack", "Where", "ZerosLike",
    }
)
# fmt: on


class CharacterCNN:
    """The part of a graph definition that makes input embeddings of characters.

    Parameters
    ----------
    graph
        The whole graph definition.
    where
        The file it comes from, for messages.

    Attributes
    ----------
    variables
        The variables that this part needs.
    length
        Character ids a word.

    Raises
    ------
    LexiscopeError
        If the graph has no such part, or that part has an operation that is not known to be harmless.
    """

    def __init__(self, graph: Any, where: Path) -> None:
        self._where, self._versions = where, graph.versions
        by_name = {node.name: node for node in graph.node}
        for name in (INPUT, OUTPUT):
            if name not in by_name:
                raise LexiscopeError(f"the graph has no {name!r}", where=where, remedy=DOWNLOAD_AGAIN)
        self._nodes = [by_name[name] for name in _ancestors(by_name, where)]
        known = graph_variables(graph)
        self.variables = [known[node.name] for node in self._nodes if node.name in known]
        for node in self._nodes:
            if node.name not in known and node.name != INPUT and node.op not in HARMLESS_OPERATIONS:
                raise LexiscopeError(
                    f"the node {node.name!r} is the operation {node.op!r}, which no character CNN needs "
                    "and which is not run",
                    where=where,
                    remedy="use the graph file of the release",
                )
        if INPUT not in (node.name for node in self._nodes):
            problem = f"{OUTPUT!r} does not depend on {INPUT!r}"
            raise LexiscopeError(problem, where=where, remedy=DOWNLOAD_AGAIN)
        shape = by_name[INPUT].attr["shape"].shape
        sizes = [int(dim.size) for dim in shape.dim]
        # A graph that leaves the shape open gets what the evaluation program of the release feeds.
        self._rank = len(sizes) if len(sizes) in (2, 3) else 3
        self.length = sizes[-1] if sizes and sizes[-1] > 0 else MAX_WORD_LENGTH

    def start(self, values: Mapping[str, NDArray[np.float32]], threads: int = 1) -> RunningCNN:
        """Load the part of the graph with the variables' ``values``; used as a context manager."""
        tensorflow = import_tensorflow()
        definition = tensorflow.compat.v1.GraphDef(versions=self._versions)
        for node in self._nodes:
            copy = definition.node.add(name=node.name)
            if node.name == INPUT:
                # Without the shape: the released one may hold a batch of one word.
                copy.op = "Placeholder"
                copy.attr["dtype"].CopyFrom(_input_type(node, tensorflow))
                copy.attr["shape"].shape.unknown_rank = True
            elif node.name in values:
                copy.op = "Const"
                tensor = tensorflow.make_tensor_proto(values[node.name])
                copy.attr["dtype"].type = tensor.dtype
                copy.attr["value"].tensor.CopyFrom(tensor)
            else:
                copy.op = node.op
                # Order of execution has no meaning among operations without state.
                copy.input.extend(name for name in node.input if not name.startswith("^"))
                for key, value in node.attr.items():
                    if not key.startswith("_"):  # where to run, beside which node: of another machine
                        copy.attr[key].CopyFrom(value)
        built = tensorflow.Graph()
        try:
            with built.as_default():
                tensorflow.import_graph_def(definition, name="")
        except (ValueError, tensorflow.errors.OpError) as error:
            raise LexiscopeError(
                f"TensorFlow does not take the graph ({error})", where=self._where, remedy=DOWNLOAD_AGAIN
            ) from None
        return RunningCNN(built, self._rank, threads, self._where)


def _ancestors(by_name: Mapping[str, Any], where: Path) -> list[str]:
    """Names of the nodes that ``OUTPUT`` is computed of, up to ``INPUT``, sorted."""
    found, pending = set(), [OUTPUT]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        if name not in by_name:
            problem = f"the graph lacks the node {name!r} that others need"
            raise LexiscopeError(problem, where=where, remedy=DOWNLOAD_AGAIN)
        found.add(name)
        if name != INPUT:
            inputs = by_name[name].input
            pending.extend(source.partition(":")[0] for source in inputs if not source.startswith("^"))
    return sorted(found)


def _input_type(node: Any, tensorflow: Any) -> Any:
    for key in ("dtype", "T"):
        if key in node.attr:
            return node.attr[key]
    return tensorflow.compat.v1.AttrValue(type=tensorflow.int32.as_datatype_enum)


class RunningCNN:
    """A character CNN loaded into a TensorFlow session on the CPU."""

    def __init__(self, graph: Any, rank: int, threads: int, where: Path) -> None:
        tensorflow = import_tensorflow()
        options = tensorflow.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads,
            inter_op_parallelism_threads=1,
            device_count={"GPU": 0},
        )
        self._errors = (tensorflow.errors.OpError, ValueError)
        self._where = where
        self._session = tensorflow.compat.v1.Session(graph=graph, config=options)
        # Words along the batch axis, or along the axis of time steps, or one by one.
        self._layouts: dict[str, Callable[[NDArray[np.int32]], NDArray[np.int32]]] = (
            {"batch": lambda ids: ids}
            if rank == 2
            else {"batch": lambda ids: ids[:, None, :], "time": lambda ids: ids[None, :, :]}
        )
        self.layout = "single"

    def __enter__(self) -> RunningCNN:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def choose_layout(self, ids: NDArray[np.int32]) -> None:
        """Find out on a few different words, shape (n, length), how the graph takes several at once.

        Where no way gives the vectors that the words have alone, they are run one by one, with a warning.
        """
        wanted = self._single(ids)
        for name in self._layouts:
            try:
                found = self._run(ids, name)
            except self._errors:
                logger.info("the graph does not take several words along its %s axis", name)
                continue
            if found.shape == wanted.shape and _largest_difference(found, wanted) <= BATCH_TOLERANCE:
                self.layout = name
                return
            logger.info("the graph mixes up several words along its %s axis", name)
        logger.warning("%s: the graph takes one word at a time only; this is slow", self._where.name)

    def embed(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Input embeddings, shape (n_words, dim), of the character ids, shape (n_words, length).

        Raises
        ------
        LexiscopeError
            If the graph does not run on them.
        """
        if self.layout == "single":
            return self._single(ids)
        try:
            return self._run(ids, self.layout)
        except self._errors as error:
            raise self._refused(error) from None

    def _single(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        try:
            return np.concatenate([self._run(ids[row : row + 1], "batch") for row in range(len(ids))])
        except self._errors as error:
            raise self._refused(error) from None

    def _run(self, ids: NDArray[np.int32], layout: str) -> NDArray[np.float32]:
        feed = {f"{INPUT}:0": self._layouts[layout](ids)}
        vectors: NDArray[np.float32] = self._session.run(f"{OUTPUT}:0", feed)
        return vectors.reshape(len(ids), -1)

    def _refused(self, error: Exception) -> LexiscopeError:
        return LexiscopeError(
            f"the character CNN does not run ({error})", where=self._where, remedy=DOWNLOAD_AGAIN
        )


def _largest_difference(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-30))
