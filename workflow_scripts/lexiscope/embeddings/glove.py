"""GloVe (Pennington et al. 2014): word vectors whose products explain the logarithms of word pair counts.

The loss of a cell that counts x is ``min(1, (x / x_max) ** alpha) * (w . c + b_w + b_c - log x) ** 2 / 2``,
with a vector and a bias for the word and others for the context, minimised by AdaGrad, cell after cell in
random order. Cells are visited block by block (`cooccurrence`): the blocks in random order, the cells of a
block in random order. So the vectors in use stay in the processor's cache, and as threads work on blocks
that share no vector, the result is the same, bit for bit, whatever the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import EOS_ID, SPECIALS
from lexiscope.embeddings.config import GloVeConfig
from lexiscope.embeddings.cooccurrence import ENTRY, Cooccurrences, Grid, count_cooccurrences
from lexiscope.embeddings.distributional import save_trained_space
from lexiscope.embeddings.glove_kernels import Blocks, Rows, Settings, train_blocks
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json
from lexiscope.progress import Progress, logger
from lexiscope.stage import stage_entry

LANES = 16  # float32 values in a SIMD register; rows are padded to whole registers
MAX_GRADIENT = 100.0  # gradients are clipped as in the released code


@stage_entry
def train_glove(
    *,
    corpus: Path,
    lexicon: Path,
    config: dict[str, Any],
    output: Path,
    seed: int,
    threads: int,
    checkpoint: Path | None = None,
) -> None:
    """Train GloVe on an encoded corpus and write the space of the lexicon's words.

    Parameters
    ----------
    corpus, lexicon
        An encoded corpus (folder) and a lexicon (TSV).
    config
        A `GloVeConfig` as JSON values.
    output
        The space to write.
    seed
        Decides the start and the order of the cells; same seed, same bytes, with any number of threads.
    threads
        At most this many are used.
    checkpoint
        A folder for the counts and the state of the training, so that a killed run goes on where it was;
        removed at the end. By default ``output`` with ``.checkpoint`` added.

    Raises
    ------
    LexiscopeError
        If the corpus has no pair of words, or the training diverges.
    """
    output = Path(output)
    settings = GloVeConfig.model_validate(config)
    if settings.backend != "lexiscope":
        raise LexiscopeError(
            f"the backend {settings.backend!r} is trained by glove_python.py, in its own environment"
        )
    source = EncodedCorpus.open(corpus)
    unfinished = Checkpoint(
        checkpoint or output.with_name(output.name + ".checkpoint"),
        digest_json({"corpus": source.sha256, "config": settings.settings(), "seed": seed}),
    )
    words = source.vocabulary.words[len(SPECIALS) :]
    counts = count_cooccurrences(
        source.shards("train"),
        first_word=len(SPECIALS),
        end_of_sentence=EOS_ID,
        grid=Grid.fitting(len(words), 2 * 4 * _stride(settings.vector_size)),
        window=settings.window,
        memory_mb=settings.memory_mb,
        directory=unfinished.folder,
        source=source.sha256,
    )
    model = GloVe.resumed(unfinished) or GloVe.initial(counts.grid, settings.vector_size, seed)
    fit(model, counts, settings, seed=seed, threads=threads, checkpoint=unfinished)
    save_trained_space(
        words,
        model.vectors(counts.grid, settings),
        corpus=source,
        lexicon=lexicon,
        settings=settings,
        seed=seed,
        output=output,
        facts={"n_cells": counts.n_cells, "loss": model.losses[-1]},
    )
    unfinished.remove()


@stage_entry
def adopt_glove_python(
    *, vectors: Path, corpus: Path, lexicon: Path, config: dict[str, Any], output: Path, seed: int
) -> None:
    """Make a space of the matrix that `lexiscope.embeddings.glove_python` wrote to ``vectors``.

    The other parameters are those of the training.

    Raises
    ------
    LexiscopeError
        If the matrix is not one of float32 with a row for each word of the corpus.
    """
    settings = GloVeConfig.model_validate(config)
    source = EncodedCorpus.open(corpus)
    words = source.vocabulary.words[len(SPECIALS) :]
    try:
        matrix = np.load(vectors, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise LexiscopeError(f"not a NumPy matrix ({error})", where=vectors) from None
    wanted = (len(words), settings.vector_size)
    if matrix.shape != wanted or matrix.dtype != np.float32:
        raise LexiscopeError(f"{matrix.dtype} of shape {matrix.shape}, not float32 {wanted}", where=vectors)
    save_trained_space(
        words,
        matrix,
        corpus=source,
        lexicon=lexicon,
        settings=settings,
        seed=seed,
        output=Path(output),
        facts={"library": "glove-python-binary"},
    )


@dataclass
class GloVe:
    """The parameters of the model, and how far their training has come.

    A row holds a vector, a bias, a one and zeros for padding; in ``contexts`` the bias and the one change
    places. So the product of a word's row and a context's row is ``w . c + b_w + b_c``, and one loop over
    whole registers updates everything. The ones stay what they are because their AdaGrad sums are huge.

    Attributes
    ----------
    words, contexts
        The two matrices, in the order of `Grid.positions`.
    losses
        Mean loss per cell of each epoch done.
    """

    words: Rows
    contexts: Rows
    losses: list[float]

    @classmethod
    def initial(cls, grid: Grid, vector_size: int, seed: int) -> GloVe:
        """Uniform values in ±0.5 / ``vector_size``, AdaGrad sums of one, as in the released code."""
        generator = np.random.default_rng(seed)
        matrices = []
        for bias, one in ((vector_size, vector_size + 1), (vector_size + 1, vector_size)):
            rows = np.zeros((grid.n_blocks * grid.rows, 2, _stride(vector_size)), dtype=np.float32)
            start = generator.random((grid.n_words, vector_size + 1), dtype=np.float32) - np.float32(0.5)
            positions = grid.positions()
            rows[positions, 0, :vector_size] = start[:, :-1] / np.float32(vector_size)
            rows[positions, 0, bias] = start[:, -1] / np.float32(vector_size)
            rows[:, 1] = 1.0
            rows[:, 0, one] = 1.0
            rows[:, 1, one] = 1e30
            matrices.append(rows)
        return cls(matrices[0], matrices[1], [])

    @classmethod
    def resumed(cls, checkpoint: Checkpoint) -> GloVe | None:
        """The model that `save` left behind, if any."""
        found = checkpoint.load("model")
        if found is None:
            return None
        logger.info("glove: going on after epoch %d", len(found["losses"]))
        return cls(found["words"], found["contexts"], found["losses"].tolist())

    def save(self, checkpoint: Checkpoint) -> None:
        """Save all that training goes on from."""
        losses = np.array(self.losses)
        checkpoint.save("model", {"words": self.words, "contexts": self.contexts, "losses": losses})

    def vectors(self, grid: Grid, settings: GloVeConfig) -> NDArray[np.float32]:
        """The vectors of all words in the order of the vocabulary, shape (n_words, vector_size)."""
        positions = grid.positions()
        vectors = self.words[positions, 0, : settings.vector_size]
        if settings.combine == "sum":
            vectors += self.contexts[positions, 0, : settings.vector_size]
        return vectors


def _stride(vector_size: int) -> int:
    return -(-(vector_size + 2) // LANES) * LANES


def fit(
    model: GloVe,
    counts: Cooccurrences,
    settings: GloVeConfig,
    *,
    seed: int,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train ``model`` until it has seen ``settings.epochs`` epochs.

    Raises
    ------
    LexiscopeError
        If the loss is no longer finite.
    """
    done = len(model.losses)
    buffers = [np.empty(_largest_block(counts), dtype=np.uint64) for _ in range(threads)]
    with (
        ThreadPoolExecutor(threads) as pool,
        Progress("glove", total=settings.epochs * counts.n_cells, unit="cell") as progress,
    ):
        progress.resume_at(done * counts.n_cells)
        for epoch in range(done + 1, settings.epochs + 1):
            generator = np.random.default_rng((seed, epoch))
            loss = 0.0
            for share_of_loss, n_cells in _train_epoch(model, counts, settings, generator, pool, buffers):
                loss += share_of_loss / counts.n_cells
                progress.advance(n_cells, note=f"epoch {epoch}/{settings.epochs}")
            if not math.isfinite(loss):
                raise LexiscopeError(f"GloVe diverged in epoch {epoch}", remedy="lower its learning_rate")
            model.losses.append(loss)
            logger.info("glove: epoch %d/%d, loss %.6f", epoch, settings.epochs, loss)
            if checkpoint is not None and checkpoint.is_due():
                model.save(checkpoint)


def _train_epoch(
    model: GloVe,
    counts: Cooccurrences,
    settings: GloVeConfig,
    generator: np.random.Generator,
    pool: ThreadPoolExecutor,
    buffers: Sequence[NDArray[np.uint64]],
) -> Iterator[tuple[float, int]]:
    """Train on every cell once; yield the summed loss and the number of cells of each group of blocks.

    As many threads work as there are ``buffers``, each long enough for any block.
    """
    grid = counts.grid
    blocks = Blocks(counts.entries.view(np.uint64), counts.starts, grid.n_blocks, grid.rows)
    numbers = Settings(
        np.float32(settings.learning_rate),
        np.float32(settings.alpha),
        np.float32(math.log(settings.x_max)),
        np.float32(MAX_GRADIENT),
    )
    seed = generator.integers(1 << 64, dtype=np.uint64)
    losses = np.zeros(grid.n_blocks)
    for stratum in _strata(grid.n_blocks, generator):
        jobs = [
            pool.submit(
                train_blocks,
                model.words,
                model.contexts,
                blocks,
                share,
                numbers,
                seed,
                buffer,
                buffer.view(ENTRY),
                losses,
            )
            for share, buffer in zip(_shares(stratum, counts, len(buffers)), buffers, strict=True)
        ]
        n_cells = sum(job.result() for job in jobs)
        # Summed in the order of the blocks, so that not even this depends on the threads.
        yield float(losses.sum()), n_cells


def _strata(n_blocks: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """All blocks in random order, in groups (shape (n_blocks, 2)) that share no row and no column."""
    columns = generator.permutation(n_blocks)
    for shift in generator.permutation(n_blocks):
        yield np.stack((np.arange(n_blocks), np.roll(columns, shift)), axis=1)


def _largest_block(counts: Cooccurrences) -> int:
    """Cells of the largest block once a diagonal block is unfolded."""
    sizes = np.diff(counts.starts)
    diagonal = sizes[:: counts.grid.n_blocks + 1]
    return int(max(sizes.max(), 2 * diagonal.max()))


def _shares(stratum: NDArray[np.int64], counts: Cooccurrences, threads: int) -> list[NDArray[np.int64]]:
    """Deal blocks out to threads, the largest first, each to the thread that has least to do."""
    if threads == 1:
        return [stratum]
    stored = stratum.min(axis=1) * counts.grid.n_blocks + stratum.max(axis=1)
    sizes = counts.starts[stored + 1] - counts.starts[stored]
    load = np.zeros(threads, dtype=np.int64)
    owner = np.empty(len(stratum), dtype=np.int64)
    for block in np.argsort(-sizes, kind="stable"):
        owner[block] = np.argmin(load)
        load[owner[block]] += sizes[block]
    return [stratum[owner == thread] for thread in range(threads)]
