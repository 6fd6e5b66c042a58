"""What is maximised: a softmax layer, the words whose inputs are sought, and how good an input is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.activation_maximisation.config import MaximisationConfig
from lexiscope.activation_maximisation.softmax import SoftmaxLayer
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json, sha256_file

logger = logging.getLogger("lexiscope")

JUDGED_AT_ONCE = 1024
COMPARED_AT_ONCE = 1 << 14
N_CHECKED = 64
"""Words whose objective and certificate are computed once more in float64."""


@dataclass(frozen=True)
class Problem:
    """The words of an output space against the softmax that they are part of.

    Attributes
    ----------
    space
        The words, with the columns of their output space.
    targets
        Row of each word in the layer, int64, shape (n,).
    sha256
        Digest of the files that the problem was read from.
    """

    space: EmbeddingSpace
    layer: SoftmaxLayer
    targets: Tensor
    sha256: str

    @classmethod
    def read(
        cls, output_space: Path, layer: Path | None, config: MaximisationConfig, device: torch.device
    ) -> Problem:
        """Read the words and the layer that their softmax runs over.

        Parameters
        ----------
        output_space
            Output embeddings, with a column ``bias`` unless ``config`` does without.
        layer
            The whole layer of the model, for ``softmax_over: vocabulary``; the column ``row`` of the output
            space tells which of its rows a word is.

        Raises
        ------
        LexiscopeError
            If a bias is missing, or the two files do not belong together.
        """
        space = load_space(output_space)
        if config.softmax_over == "lexicon":
            softmax = SoftmaxLayer.from_space(space, bias=config.bias, device=device)
            everything = torch.arange(len(space), device=device)
            return cls(space, softmax, everything, digest_json([sha256_file(output_space)]))
        if layer is None:
            raise LexiscopeError("a softmax over the whole vocabulary needs the model's layer file")
        whole = load_space(layer)
        space = _with_a_row(space, output_space)
        rows = np.asarray(space.columns["row"], dtype=np.int64)
        if not _are_rows_of(space, whole, rows):
            raise LexiscopeError(
                f"the output space does not come from the layer {Path(layer).name}", where=output_space
            )
        softmax = SoftmaxLayer.from_space(whole, bias=config.bias, device=device)
        digest = digest_json([sha256_file(path) for path in (output_space, layer)])
        return cls(space, softmax, torch.from_numpy(rows).to(device), digest)

    def __len__(self) -> int:
        return len(self.targets)

    def judge(
        self, inputs: Tensor, l2: float, *, probability: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """The columns ``objective`` and ``certificate`` for inputs (n, d).

        The objective is −log p + λ‖x‖², or −p + λ‖x‖². The first is 2λ-strongly convex, so ‖∇‖² / 4λ, the
        certificate, bounds its distance to the minimum; the second is not, and has none.
        """
        parts = [
            _judged(self.layer, inputs[block], self.targets[block], l2, probability=probability)
            for block in torch.split(torch.arange(len(self), device=inputs.device), JUDGED_AT_ONCE)
        ]
        objective, certificate = (torch.cat(column) for column in zip(*parts, strict=True))
        columns = {"objective": objective}
        if l2 > 0 and not probability:
            columns["certificate"] = certificate
        return {name: column.cpu().numpy() for name, column in columns.items()}

    def float64_check(self, inputs: Tensor, columns: dict[str, NDArray[np.float32]], l2: float) -> Any:
        """Compute some words' columns again in float64, and tell how far they are off."""
        count = min(N_CHECKED, len(self))
        chosen = torch.linspace(0, len(self) - 1, count, dtype=torch.float64).long().to(inputs.device)
        objective, certificate = _judged(
            self.layer, inputs[chosen].double(), self.targets[chosen], l2, probability=False
        )
        told = torch.from_numpy(columns["objective"][chosen.cpu().numpy()]).double()
        off = ((told - objective.cpu()) / objective.cpu()).abs().max()
        gap = (certificate / objective).max()
        logger.info(
            "%d words in float64: objective off by %.2g at most, certificate %.3g of it at most",
            *(count, off, gap),
        )
        return {"words": count, "objective_off": float(off), "largest_gap": float(gap)}


def _judged(
    layer: SoftmaxLayer, inputs: Tensor, targets: Tensor, l2: float, *, probability: bool
) -> tuple[Tensor, Tensor]:
    loss, gradient = layer.cross_entropy(inputs, targets)
    penalty = l2 * inputs.square().sum(dim=1)
    objective = penalty - torch.exp(-loss) if probability else penalty + loss
    gradient += 2 * l2 * inputs
    return objective, gradient.square().sum(dim=1) / max(4 * l2, 1e-300)


def _are_rows_of(space: EmbeddingSpace, whole: EmbeddingSpace, rows: NDArray[np.int64]) -> bool:
    """Whether the words' vectors stand in these rows of the layer, to the last bit."""
    if space.dim != whole.dim or rows.max(initial=0) >= len(whole):
        return False
    starts = range(0, len(rows), COMPARED_AT_ONCE)
    parts = (slice(start, start + COMPARED_AT_ONCE) for start in starts)
    return all(np.array_equal(space.vectors[part], whole.vectors[rows[part]]) for part in parts)


def _with_a_row(space: EmbeddingSpace, path: Path) -> EmbeddingSpace:
    """The words that are one row of the layer; a mean of several rows has no softmax unit of its own."""
    if "row" not in space.columns:
        raise LexiscopeError("the output space does not say which rows of its layer it holds", where=path)
    kept = np.flatnonzero(np.asarray(space.columns["row"]) >= 0)
    if len(kept) < len(space):
        logger.warning("%d words have no softmax unit of their own", len(space) - len(kept))
    if len(kept) == 0:
        raise LexiscopeError("no word has a softmax unit of its own", where=path)
    return space.restricted_to([space.words[row] for row in kept])
