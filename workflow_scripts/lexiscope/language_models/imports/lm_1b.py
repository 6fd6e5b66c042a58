"""The released language model lm_1b (Jozefowicz et al. 2016), which Derby et al. 2020 look into.

Its softmax layer becomes a layer file; its character CNN makes input embeddings of any word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.lexicon import Lexicon, read_lexicon
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.language_models.imports.config import LM1BConfig
from lexiscope.language_models.imports.lm_1b_characters import CharacterIds
from lexiscope.language_models.imports.lm_1b_files import (
    BASE,
    BEGIN_SENTENCE,
    CHARACTERS,
    DOWNLOAD_AGAIN,
    END_SENTENCE,
    GRAPH,
    SOFTMAX,
    UNKNOWN,
    VOCABULARY,
    CheckpointFile,
    Variable,
    graph_variables,
    read_graph,
    read_vocabulary,
    require_files,
    softmax_shards,
    stored_files,
)
from lexiscope.language_models.imports.lm_1b_graph import CharacterCNN
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

BATCH_SIZE = 256

# Where the rows stand in the right order, the bias follows the frequency (about 0.85 for the release).
EXPECTED_PEARSON = 0.5


@stage_entry
def import_lm_1b(
    *, folder: Path, config: Mapping[str, Any], output: Path, lexicon: Path | None = None
) -> None:
    """Write the softmax layer of lm_1b over its whole vocabulary as a layer file.

    The weights are stored in n interleaved shards: row v of the matrix is row v // n of shard v mod n. One
    shard is in memory at a time beside the whole matrix. The graph is read for names and shapes, not run.

    Parameters
    ----------
    folder
        The folder with the files of the release.
    config
        A dumped `LM1BConfig`.
    output
        The layer file: a space with the column ``bias``, in the order of the vocabulary.
    lexicon
        Words with counts, to check the bias against; without it, the rank in the vocabulary stands for the
        frequency.

    Raises
    ------
    LexiscopeError
        If a file is missing or damaged, a tensor has another shape than the graph says, or vocabulary and
        softmax do not fit together.
    """
    settings, folder = LM1BConfig.model_validate(config), Path(folder)
    require_files(folder, [VOCABULARY, GRAPH])
    variables = graph_variables(read_graph(folder / GRAPH))
    shards = softmax_shards(variables, folder / GRAPH)
    names = [SOFTMAX.format(number) for number in range(len(shards) + 1)]
    require_files(folder, names)
    words = read_vocabulary(folder / VOCABULARY)
    bias = CheckpointFile(folder / names[-1]).read(variables["softmax/b"])
    if bias.ndim != 1 or not np.isfinite(bias).all():
        problem = f"'softmax/b' has shape {bias.shape}; one finite number a word is wanted"
        raise LexiscopeError(problem, where=folder / names[-1], remedy=DOWNLOAD_AGAIN)
    _check_length(len(words), len(bias), len(shards), folder)
    weights = _read_weights(folder, names[:-1], shards, len(words), len(bias))
    n_rows, bias = len(bias), bias[: len(words)]
    check = _bias_frequency_pearson(words, bias, None if lexicon is None else read_lexicon(lexicon))
    provenance = {
        **_provenance(folder, [VOCABULARY, GRAPH, *names], settings),
        "kind": "lm_output",
        "dim": weights.shape[1],
        "n_words_before_lexicon": len(words),
        "n_shards": len(shards),
        "n_padding_rows": n_rows - len(words),
        **check,
    }
    save_space(EmbeddingSpace(words, weights, provenance, {"bias": bias}), output)
    logger.info("lm_1b: %d words, %d dimensions, %d shards", len(words), weights.shape[1], len(shards))


def _allowed_padding(n_rows: int, n_shards: int) -> int:
    # Rows are filled up to a multiple of the shards, or to a round number: public accounts of the release
    # speak of 800,000 rows for its 793,471 words, which is 0.8 % more.
    return max(n_shards - 1, n_rows // 100)


def _check_length(n_words: int, n_rows: int, n_shards: int, folder: Path) -> None:
    if n_rows - _allowed_padding(n_rows, n_shards) <= n_words <= n_rows:
        return
    relation = "longer" if n_words > n_rows else "shorter"
    raise LexiscopeError(
        f"the vocabulary is {relation} than the softmax: {n_words} words, {n_rows} rows (of which at most "
        f"{_allowed_padding(n_rows, n_shards)} may be padding)",
        where=folder / VOCABULARY,
        remedy="use the vocabulary that was published with these checkpoint files",
    )


def _read_weights(
    folder: Path, names: Sequence[str], shards: Sequence[Variable], n_words: int, n_rows: int
) -> NDArray[np.float32]:
    """The softmax weights, shape (n_words, dim), put together of the interleaved shards."""
    files = [CheckpointFile(folder / name) for name in names]
    shapes = [file.shape(variable) for file, variable in zip(files, shards, strict=True)]
    # All shapes before the first byte of gigabytes.
    for file, variable, shape in zip(files, shards, shapes, strict=True):
        padding = len(shards) * shape[0] - n_rows if len(shape) == 2 else -1
        if shape != shapes[0] or not 0 <= padding <= _allowed_padding(n_rows, len(shards)):
            raise LexiscopeError(
                f"the tensor {variable.name!r} has shape {shape}; {len(shards)} shards of one shape are "
                f"wanted that give the {n_rows} rows of 'softmax/b'",
                where=file.path,
                remedy=DOWNLOAD_AGAIN,
            )
    weights = np.empty((n_words, shapes[0][1]), dtype=np.float32)
    with Progress("softmax shards", total=len(shards), unit="shard") as progress:
        for number, (file, variable) in enumerate(zip(files, shards, strict=True)):
            rows = weights[number :: len(shards)]
            rows[...] = file.read(variable)[: len(rows)]
            progress.advance(1)
    return weights


def _bias_frequency_pearson(
    words: Sequence[str], bias: NDArray[np.float32], lexicon: Lexicon | None
) -> dict[str, Any]:
    """Pearson correlation of the bias with the frequency: the test that rows and words are aligned."""
    special = {BEGIN_SENTENCE, END_SENTENCE, UNKNOWN}
    if lexicon is None:
        pairs = [(row, -np.log(row + 1)) for row, word in enumerate(words) if word not in special]
        against = "-ln(rank in the vocabulary)"
    else:
        index = {word: row for row, word in enumerate(words)}
        counts = zip(lexicon.words, lexicon.counts.tolist(), strict=True)
        pairs = [(index[word], np.log(count)) for word, count in counts if word in index and count > 0]
        against = "ln(count in the lexicon)"
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    frequency = np.array([value for _, value in pairs], dtype=np.float64)
    value: float | None = None
    if len(rows) > 2 and np.ptp(frequency) > 0 and np.ptp(bias[rows]) > 0:
        value = float(np.corrcoef(bias[rows].astype(np.float64), frequency)[0, 1])
        logger.info("softmax bias against %s: r = %.3f over %d words", against, value, len(rows))
    if value is None or value < EXPECTED_PEARSON:
        logger.warning(
            "the softmax bias does not follow %s (r %s; about 0.85 is expected of lm_1b): the vocabulary "
            "may be of another model, or rows and words may not be aligned",
            against,
            "undefined" if value is None else f"= {value:.3f}",
        )
    return {
        "bias_frequency_pearson": value,
        "bias_frequency_measured_against": against,
        "bias_frequency_n_words": len(rows),
    }


@stage_entry
def embed_with_lm_1b(
    *, folder: Path, lexicon: Path | None, config: Mapping[str, Any], output: Path, threads: int = 1
) -> None:
    """Write what lm_1b's character CNN makes of words: its input embeddings, for any word.

    Parameters
    ----------
    folder
        The folder with the files of the release.
    lexicon
        The words, in or out of the model's vocabulary; None for the whole vocabulary.
    config
        A dumped `LM1BConfig`.
    output
        The space to write. With a lexicon it has the column ``count`` (int64), the lexicon's counts.
    threads
        CPU threads; vectors may differ in the last bits between numbers of threads.

    Raises
    ------
    LexiscopeError
        If a file is missing or damaged, a tensor has another shape than the graph says, or the graph holds
        operations that a character CNN does not need.
    """
    settings, folder = LM1BConfig.model_validate(config), Path(folder)
    names = [VOCABULARY, GRAPH, BASE, CHARACTERS]
    require_files(folder, names)
    cnn = CharacterCNN(read_graph(folder / GRAPH), folder / GRAPH)
    vocabulary = read_vocabulary(folder / VOCABULARY)
    entries = None if lexicon is None else read_lexicon(lexicon)
    words = vocabulary if entries is None else entries.words
    characters = CharacterIds(vocabulary, cnn.length)
    values = _read_variables([folder / CHARACTERS, folder / BASE], cnn.variables)
    with cnn.start(values, threads) as running, Progress("embedding", total=len(words), unit="word") as bar:
        running.choose_layout(characters.encode(vocabulary[:8]))
        batches = []
        for start in range(0, len(words), BATCH_SIZE):
            batches.append(running.embed(characters.encode(words[start : start + BATCH_SIZE])))
            bar.advance(len(batches[-1]))
    if not batches:
        raise LexiscopeError("there are no words to embed", where=lexicon)
    vectors = np.concatenate(batches)
    known = set(vocabulary)
    provenance = {
        **_provenance(folder, names, settings),
        "kind": "lm_input",
        "dim": vectors.shape[1],
        "n_words_before_lexicon": len(vocabulary),
        "n_words_out_of_vocabulary": sum(word not in known for word in words),
        "n_words_cut": sum(map(characters.is_cut, words)),
        "words_at_once": 1 if running.layout == "single" else BATCH_SIZE,
    }
    columns = {} if entries is None else {"count": entries.counts}
    save_space(EmbeddingSpace(words, vectors, provenance, columns), output)
    logger.info("lm_1b: input embeddings of %d words, %d dimensions", *vectors.shape)


def _read_variables(paths: Sequence[Path], variables: Sequence[Variable]) -> dict[str, NDArray[np.float32]]:
    """The values of ``variables``, each of the first file that has it."""
    files = [CheckpointFile(path) for path in paths]
    values = {}
    for variable in variables:
        # A variable that no file has is told as missing in the first, where it belongs.
        file = next((file for file in files if variable.name in file.shapes), files[0])
        values[variable.name] = file.read(variable)
    return values


def _provenance(folder: Path, names: Sequence[str], settings: LM1BConfig) -> dict[str, Any]:
    return {
        "model": "lm_1b",
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": settings.model_dump(mode="json", exclude={"path"}),
        "files": {path.name: sha256_file(path) for path in stored_files(folder, names)},
    }
