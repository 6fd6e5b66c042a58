"""Word similarity: do the cosines of word pairs rank as people's judgements do?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import score_with_interval
from lexiscope.evaluation.rank_correlation import MIN_ITEMS
from lexiscope.evaluation.reading import read_lines
from lexiscope.evaluation.scores import Answer, Outcome, Result
from lexiscope.evaluation.tasks import Dataset
from lexiscope.evaluation.vectors import WordVectors, look_up

COSINE_DECIMALS = 12
"""Above rounding errors, far below what float32 resolves: equal cosines must be ties in a ranking."""


@dataclass(frozen=True)
class WordPair:
    """Two words and how similar people find them, on the dataset's own scale."""

    first: str
    second: str
    score: float


def read_pairs(path: str | Path) -> list[WordPair]:
    """Read a file of ``word1 word2 score`` lines, UTF-8, separated by tabs or by blanks.

    Line ends may be LF or CRLF, the last one may lack; empty lines are passed over.

    Raises
    ------
    LexiscopeError
        If a line is not UTF-8, has other than three columns or a score that is not a finite number, or if
        there is no line at all.
    """
    lines = enumerate(read_lines(path), start=1)
    pairs = [_parse(line, path, number) for number, line in lines if line]
    if not pairs:
        raise LexiscopeError("the file has no word pairs", where=path)
    return pairs


def _parse(line: str, path: str | Path, number: int) -> WordPair:
    # With tabs, a column may hold a phrase with blanks.
    columns = [column.strip() for column in line.split("\t")] if "\t" in line else line.split()
    if len(columns) != 3 or not all(columns):
        raise LexiscopeError(f"expected 'word1 word2 score', found {line[:80]!r}", where=path, line=number)
    first, second, score = columns
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LexiscopeError(f"the score {score!r} is not a number", where=path, line=number)
    return WordPair(first, second, value)


def cosines(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of each row of ``first`` with the same row of ``second``; (n, dim), (n, dim) -> (n,).

    The cosine with a zero vector is 0. All are rounded to `COSINE_DECIMALS`.
    """
    products: NDArray[np.float64] = np.einsum("ij,ij->i", _unit(first), _unit(second))
    return products.clip(-1.0, 1.0).round(COSINE_DECIMALS)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.where(norms > 0, norms, 1.0)
    return unit


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on one word-similarity set.

    Protocol (Derby et al. 2020, section 4.1, run with vecto): Spearman's rho between the cosines of the
    pairs and the human scores, over the pairs that the OOV policy leaves. The interval is a percentile
    bootstrap over pairs.

    Raises
    ------
    LexiscopeError
        If the file of pairs cannot be read.
    """
    pairs = read_pairs(receipt.path("pairs"))
    similarity, used = pair_cosines(space, pairs, protocol)
    gold = np.array([pair.score for pair in pairs])
    (measure,) = dataset.measures
    result = Result(
        dataset=measure.dataset,
        split="test",
        metric=measure.metric,
        baseline=measure.baseline,
        higher_is_better=measure.higher_is_better,
        n_used=int(used.sum()),
        n_total=len(pairs),
        protocol=protocol.describe(),
    )
    answers = [
        Answer(
            dataset=measure.dataset,
            item_id=number,
            item=f"{pair.first}|{pair.second}",
            gold=pair.score,
            prediction=float(similarity[number]) if used[number] else None,
            used=bool(used[number]),
        )
        for number, pair in enumerate(pairs)
    ]
    value, ci_low, ci_high = score_with_interval(
        measure.metric, similarity, gold, protocol=protocol, name=dataset.key, used=used
    )
    if value is None:
        reason = _why_undefined(similarity[used], gold[used], len(pairs))
        return Outcome([result.skipped(reason)], answers)
    return Outcome([result.scored(value, ci_low, ci_high)], answers)


def pair_cosines(
    space: EmbeddingSpace, pairs: Sequence[WordPair], protocol: ProtocolConfig
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cosine of each pair and whether the pair takes part; both of shape (n_pairs,)."""

    def vectors_of(words: list[str]) -> WordVectors:
        return look_up(space, words, casing=protocol.casing, oov=protocol.oov)

    first = vectors_of([pair.first for pair in pairs])
    second = vectors_of([pair.second for pair in pairs])
    return cosines(first.vectors, second.vectors), first.usable & second.usable


def _why_undefined(similarity: NDArray[np.float64], gold: NDArray[np.float64], n_total: int) -> str:
    if len(gold) < MIN_ITEMS:
        return f"{len(gold)} of {n_total} pairs can be used; a rank correlation needs {MIN_ITEMS}"
    if np.ptp(similarity) == 0:
        return f"the cosines of the {len(gold)} pairs used are all the same"
    return f"the human scores of the {len(gold)} pairs used are all the same"
