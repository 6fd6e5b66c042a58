"""BrainBench: does the space tell two words apart as recordings of people's brains do?

Xu, Murphy & Fyshe (2016), BrainBench: A Brain-Image Test Suite for Distributional Semantic Models (EMNLP).
Every participant is a matrix of correlations between the brain images of 60 words; the space gives a matrix
of correlations between the vectors of the same words, and the two are compared two words at a time.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.bootstrap import percentile_interval
from lexiscope.evaluation.brainbench_permutation import TIE, permutation_p_value
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.reading import read_lines
from lexiscope.evaluation.scores import Answer, Outcome, Result
from lexiscope.evaluation.tasks import Dataset, Measure
from lexiscope.evaluation.vectors import look_up
from lexiscope.files import open_binary

MIN_WORDS = 5
"""Two words leave n - 2 columns, and a correlation over two columns is always 1 or -1."""

NEARLY_CONSTANT = 1e-13
"""Deviations below this share of the mean are rounding (the limit at which scipy's ``pearsonr`` warns)."""

logger = logging.getLogger("lexiscope")


@dataclass(frozen=True)
class Participant:
    """One person's correlations between the brain images of the words, shape (n_words, n_words)."""

    name: str
    matrix: NDArray[np.float64]


@dataclass(frozen=True)
class WordPairs:
    """All pairs a < b of n words, as two index arrays of shape (n_pairs,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @classmethod
    def of(cls, n_words: int) -> WordPairs:
        """The n (n - 1) / 2 pairs, ordered by first word, then second."""
        first, second = np.triu_indices(n_words, k=1)
        return cls(first, second)

    def __len__(self) -> int:
        return len(self.first)


def read_dictionary(path: str | Path) -> list[str]:
    """Read the words, one a line, in the order of the rows of the matrices.

    Raises
    ------
    LexiscopeError
        If the file cannot be read, or a line is empty or repeats a word.
    """
    words: dict[str, None] = {}
    for number, word in enumerate(read_lines(path), start=1):
        if word in words:
            raise LexiscopeError(f"the word {word!r} occurs twice", where=path, line=number)
        if not word:
            raise LexiscopeError("an empty line instead of a word", where=path, line=number)
        words[word] = None
    return list(words)


def read_participant(path: str | Path, n_words: int) -> Participant:
    """Read one participant's ``.npy`` matrix; the participant is named as the file, as in ``b1.npy``.

    Raises
    ------
    LexiscopeError
        If it is not a ``.npy`` file of finite numbers of shape (n_words, n_words).
    """
    try:
        with open_binary(path) as stream:
            matrix = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, zlib.error) as error:
        raise LexiscopeError(f"not a readable NumPy matrix ({error})", where=path) from None
    if matrix.shape != (n_words, n_words):
        raise LexiscopeError(
            f"a matrix of shape {matrix.shape} does not fit a dictionary of {n_words} words", where=path
        )
    if matrix.dtype.kind not in "fiu" or not np.isfinite(matrix).all():
        raise LexiscopeError("the matrix has entries that are not finite numbers", where=path)
    return Participant(Path(path).name.partition(".")[0], matrix.astype(np.float64))


def correlation_matrix(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation between every two rows; (n, dim) -> (n, n). No row may be constant."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    matrix: NDArray[np.float64] = centred @ centred.T
    return matrix


def two_vs_two_margins(
    space_matrix: NDArray[np.float64], brain_matrices: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """How much better the right matching of each two words is than the wrong one.

    For words a and b, take rows a and b of either matrix without columns a and b. The margin is the sum of
    the correlations of the matched rows, r(a, a') + r(b, b'), minus that of the mismatched,
    r(a, b') + r(b, a').

    Parameters
    ----------
    space_matrix
        Shape (n_words, n_words).
    brain_matrices
        Each of the same shape and word order.

    Returns
    -------
    float64, shape (n_matrices, n_pairs), pairs in the order of `WordPairs`; NaN where a row is constant.
    """
    pairs = WordPairs.of(len(space_matrix))
    space_a = _standard_rows(space_matrix, pairs.first, pairs)
    space_b = _standard_rows(space_matrix, pairs.second, pairs)
    margins = np.empty((len(brain_matrices), len(pairs)))
    for margin, matrix in zip(margins, brain_matrices, strict=True):
        brain_a = _standard_rows(matrix, pairs.first, pairs)
        brain_b = _standard_rows(matrix, pairs.second, pairs)
        matched = _dot(space_a, brain_a) + _dot(space_b, brain_b)
        mismatched = _dot(space_a, brain_b) + _dot(space_b, brain_a)
        margin[:] = matched - mismatched
    return margins


def _standard_rows(
    matrix: NDArray[np.float64], rows: NDArray[np.int64], pairs: WordPairs
) -> NDArray[np.float64]:
    """Rows centred and scaled to length 1 over the columns that are not of their pair, which become 0.

    (n, n), (n_pairs,) -> (n_pairs, n). A dot product of two such rows is their Pearson correlation.
    """
    number = np.arange(len(pairs))
    left_out = np.array([pairs.first, pairs.second])
    standard = matrix[rows]
    standard[number, left_out] = 0
    mean = standard.sum(axis=1, keepdims=True) / (matrix.shape[1] - 2)
    standard -= mean
    standard[number, left_out] = 0
    norm = np.sqrt(_dot(standard, standard))[:, None]
    standard /= np.where(norm > NEARLY_CONSTANT * np.abs(mean), norm, np.nan)
    return standard


def _dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.einsum("pi,pi->p", left, right)
    return products


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on BrainBench: fMRI and MEG, each participant and their average.

    Words that the space lacks are removed from both sides, whatever the OOV policy of the run: that is how
    the test is defined. So are words whose vector is constant, which has no correlation with anything.

    Two different intervals are given, as 60 words make 1,770 pairs that are far from independent:

    - The average (split ``test``) resamples participants. It says how far another group of people, shown
      the same words, could move the average; with nine people it is somewhat too narrow.
    - A participant (split ``b1`` and so on) resamples words: a pair counts as often as both its words were
      drawn together, and a word is never paired with itself. It says how far other words could move it.

    The note of the average gives its p-value against random matchings of the words of space and brains.

    An item is one pair of words for one participant: its prediction is the margin, a hit is a margin above
    `TIE`. A pair with a constant row has no margin and is no hit, as in the published code, where NaN
    compares as false.

    Raises
    ------
    LexiscopeError
        If the dictionary or a matrix cannot be read, or the participants of a measure are not there.
    """
    words = read_dictionary(receipt.path("dictionary"))
    kept, vectors = _words_taking_part(space, words, protocol)
    outcome = Outcome([], [])
    for measure in dataset.measures:
        participants = [
            read_participant(path, len(words))
            for path in receipt.paths(measure.dataset.removeprefix("brainbench_"))
        ]
        if not participants:
            raise LexiscopeError(f"{measure.label}: the receipt names no participants", where=receipt.root)
        outcome += _evaluate_measure(measure, words, kept, vectors, participants, protocol)
    return outcome


def _words_taking_part(
    space: EmbeddingSpace, words: Sequence[str], protocol: ProtocolConfig
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices of the words that take part, shape (n_kept,), and their vectors, shape (n_kept, dim)."""
    found = look_up(space, words, casing=protocol.casing, oov="skip")
    centre = found.vectors.mean(axis=1, keepdims=True) if space.dim else np.zeros((len(words), 1))
    spread = np.linalg.norm(found.vectors - centre, axis=1)
    constant = found.usable & (spread <= NEARLY_CONSTANT * np.abs(centre[:, 0]))
    if constant.any():
        logger.warning("BrainBench: %d words with constant vectors are left out", constant.sum())
    kept = np.flatnonzero(found.usable & ~constant)
    return kept, found.vectors[kept]


def _evaluate_measure(
    measure: Measure,
    words: Sequence[str],
    kept: NDArray[np.int64],
    vectors: NDArray[np.float64],
    participants: Sequence[Participant],
    protocol: ProtocolConfig,
) -> Outcome:
    blank = Result(
        dataset=measure.dataset,
        split="test",
        metric=measure.metric,
        baseline=measure.baseline,
        higher_is_better=measure.higher_is_better,
        n_used=len(kept),
        n_total=len(words),
        protocol=protocol.describe(oov="skip"),
    )
    splits = [blank, *(blank.for_split(participant.name) for participant in participants)]
    margins = np.full((len(participants), len(words), len(words)), np.nan)
    enough = len(kept) >= MIN_WORDS
    note = ""
    if enough:
        pairs = WordPairs.of(len(kept))
        correlations = correlation_matrix(vectors)
        brains = [participant.matrix[np.ix_(kept, kept)] for participant in participants]
        pair_margins = two_vs_two_margins(correlations, brains)
        p_value = permutation_p_value(correlations, brains, protocol=protocol, name=measure.dataset)
        note = "" if p_value is None else f"permutation p={p_value:.3g}"
        margins[:, kept[pairs.first], kept[pairs.second]] = pair_margins
    taking_part = np.zeros(len(words), dtype=np.bool_)
    taking_part[kept] = enough
    answers = _answers(measure, words, taking_part, participants, margins)
    if not enough:
        reason = f"{len(kept)} of {len(words)} words can be used; the test needs {MIN_WORDS}"
        return Outcome([result.skipped(reason) for result in splits], answers)

    hits = margins > TIE
    n_pairs = len(kept) * (len(kept) - 1) // 2
    accuracies = hits.sum(axis=(1, 2)) / n_pairs
    interval = percentile_interval(
        lambda counts: counts @ accuracies / len(accuracies),
        len(participants),
        protocol=protocol,
        name=measure.dataset,
    )
    scored = [splits[0].scored(float(accuracies.mean()), *interval, note=note)]
    for result, accuracy, hit in zip(splits[1:], accuracies, hits, strict=True):
        interval = _word_interval(hit, taking_part, protocol, measure.dataset)
        scored.append(result.scored(float(accuracy), *interval))
    return Outcome(scored, answers)


def _word_interval(
    hits: NDArray[np.bool_], taking_part: NDArray[np.bool_], protocol: ProtocolConfig, name: str
) -> tuple[float | None, float | None]:
    """Interval over words of one participant's accuracy; ``hits`` is (n_words, n_words), upper triangle."""
    hit = hits.astype(np.float64)
    scored = np.triu(np.outer(taking_part, taking_part), k=1).astype(np.float64)

    def accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        drawn = counts.astype(np.float64)
        n_hits = _dot(drawn @ hit, drawn)
        n_pairs = _dot(drawn @ scored, drawn)
        shares = np.full(len(drawn), np.nan)
        np.divide(n_hits, n_pairs, out=shares, where=n_pairs > 0)
        return shares

    return percentile_interval(accuracy, len(hits), protocol=protocol, name=f"{name}:words")


def _answers(
    measure: Measure,
    words: Sequence[str],
    taking_part: NDArray[np.bool_],
    participants: Sequence[Participant],
    margins: NDArray[np.float64],
) -> list[Answer]:
    """One answer a participant and pair of words, margins being (n_participants, n_words, n_words)."""
    pairs = WordPairs.of(len(words))
    used = (taking_part[pairs.first] & taking_part[pairs.second]).tolist()
    names = [f"{words[a]}|{words[b]}" for a, b in zip(pairs.first, pairs.second, strict=True)]
    answers: list[Answer] = []
    for participant, matrix in zip(participants, margins, strict=True):
        values = matrix[pairs.first, pairs.second]
        predictions = [float(value) if np.isfinite(value) else None for value in values]
        for name, prediction, is_used in zip(names, predictions, used, strict=True):
            answers.append(
                Answer(
                    dataset=measure.dataset,
                    item_id=len(answers),
                    item=f"{participant.name}:{name}",
                    gold=1.0,
                    prediction=prediction,
                    used=is_used,
                    split=participant.name,
                )
            )
    return answers
