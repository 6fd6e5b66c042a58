"""GloVe's inner loops, compiled by numba."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""Shape (n_positions, 2, stride): each word's parameters, and the AdaGrad sums of their squared steps."""


class Settings(NamedTuple):
    """The numbers of the loss and of AdaGrad, in float32."""

    learning_rate: np.float32
    alpha: np.float32
    log_x_max: np.float32
    max_gradient: np.float32


class Blocks(NamedTuple):
    """The upper triangle of the co-occurrence matrix (`lexiscope.embeddings.cooccurrence.Cooccurrences`).

    ``entries`` are the cells as whole 64-bit numbers: row, column, and the bits of the log count.
    """

    entries: NDArray[np.uint64]
    starts: NDArray[np.int64]
    n_blocks: int
    rows: int


@njit(cache=True, nogil=True)
def train_blocks(
    words: Rows,
    contexts: Rows,
    blocks: Blocks,
    share: NDArray[np.int64],
    settings: Settings,
    seed: np.uint64,
    buffer: NDArray[np.uint64],
    cells: NDArray[Any],
    losses: NDArray[np.float64],
) -> int:
    """Train the blocks (p, q) of ``share``, shape (n, 2), and return how many cells they had.

    Parameters
    ----------
    buffer, cells
        The same memory, as 64-bit numbers and as records; it must hold the largest block.
    losses
        Shape (n_blocks,): where the summed loss of block (p, q) goes, at p.
    """
    n_trained = 0
    for p, q in share:
        stored = min(p, q) * blocks.n_blocks + max(p, q)
        entries = blocks.entries[blocks.starts[stored] : blocks.starts[stored + 1]]
        n_cells = _unfold(entries, p > q, p == q, buffer)
        _shuffle(buffer[:n_cells], seed + np.uint64(p * blocks.n_blocks + q))
        losses[p] = _train_cells(
            words[p * blocks.rows : (p + 1) * blocks.rows],
            contexts[q * blocks.rows : (q + 1) * blocks.rows],
            cells[:n_cells],
            settings,
        )
        n_trained += n_cells
    return n_trained


@njit(cache=True, nogil=True)
def _unfold(entries: NDArray[np.uint64], mirrored: bool, diagonal: bool, buffer: NDArray[np.uint64]) -> int:
    """Write the cells of a block to ``buffer`` and return how many they are.

    If ``mirrored`` the block lies below the diagonal, and ``entries`` are those of its mirror image; if
    ``diagonal`` the block is its own mirror image, of which ``entries`` are the upper half.
    """
    low = np.uint64(0xFFFF)
    n_cells = 0
    for entry in entries:
        row, column = entry & low, entry >> np.uint64(16) & low
        transposed = entry >> np.uint64(32) << np.uint64(32) | row << np.uint64(16) | column
        buffer[n_cells] = transposed if mirrored else entry
        n_cells += 1
        if diagonal and row != column:
            buffer[n_cells] = transposed
            n_cells += 1
    return n_cells


@njit(cache=True, nogil=True)
def _shuffle(items: NDArray[np.uint64], seed: np.uint64) -> None:
    """Fisher–Yates with SplitMix64 (Steele, Lea and Flood 2014) as the generator."""
    for last in range(len(items) - 1, 0, -1):
        seed += np.uint64(0x9E3779B97F4A7C15)
        bits = (seed ^ seed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ bits >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
        other = (bits >> np.uint64(32)) * np.uint64(last + 1) >> np.uint64(32)
        items[last], items[other] = items[other], items[last]


# With Python's check for division by zero LLVM leaves the second inner loop scalar: a sixth of the speed.
@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _train_cells(words: Rows, contexts: Rows, cells: NDArray[Any], settings: Settings) -> float:
    """One AdaGrad step for each of ``cells``, whose rows and columns are those of the matrices given."""
    stride = words.shape[2]
    rate, bound = settings.learning_rate, settings.max_gradient
    loss = 0.0
    for cell in cells:
        word, word_sums = words[cell.row, 0], words[cell.row, 1]
        context, context_sums = contexts[cell.column, 0], contexts[cell.column, 1]
        product = np.float32(0)
        for d in range(stride):
            product += word[d] * context[d]
        error = product - cell.log_count
        weight = math.exp(settings.alpha * (cell.log_count - settings.log_x_max))
        slope = error * min(np.float32(1), np.float32(weight))
        loss += 0.5 * slope * error
        for d in range(stride):
            word_step = rate * min(max(slope * context[d], -bound), bound)
            context_step = rate * min(max(slope * word[d], -bound), bound)
            word[d] -= word_step / math.sqrt(word_sums[d])
            context[d] -= context_step / math.sqrt(context_sums[d])
            word_sums[d] += word_step * word_step
            context_sums[d] += context_step * context_step
    return loss
