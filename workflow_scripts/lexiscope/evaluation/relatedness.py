"""Relatedness of sentence pairs: SentEval's trained regression, and the plain cosine beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.relatedness_regression import fit_relatedness, pair_features
from lexiscope.evaluation.scores import Outcome
from lexiscope.evaluation.sentence_pairs import SentencePairs, read_sick_relatedness, read_sts_benchmark
from lexiscope.evaluation.sentence_vectors import average
from lexiscope.evaluation.sts import PairAnswers, compare_by_cosine, unfinished_row, why_unfit
from lexiscope.evaluation.tasks import Dataset

READERS: dict[str, Callable[[str | Path], SentencePairs]] = {
    "sick_relatedness": read_sick_relatedness,
    "stsbenchmark": read_sts_benchmark,
}

REGRESSION = "regression=senteval"
"""The method, as it stands in the protocol of a score."""

PARTS = {"train": "training", "valid": "validation", "test": "test"}
"""The roles of a set's files, in words."""


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on one relatedness set, by SentEval's regression and by the cosine.

    Protocol (SentEval; Derby et al. 2020, section 4.3): Pearson's r and Spearman's rho on the test part.
    The regression is trained on |u − v| and u · v of the averaged sentences (see
    `relatedness_regression`); its Pearson's r on the validation part, by which the training is stopped, is
    a row of its own. The cosine has its own name, ``<dataset>_cosine``. The intervals are percentile
    bootstraps over the test pairs.

    Raises
    ------
    LexiscopeError
        If a file cannot be read.
    """
    read = READERS[dataset.key]
    parts = {role: read(receipt.path(role)) for role in PARTS}
    cosine = compare_by_cosine(space, parts["test"], protocol)
    by_cosine = [measure for measure in dataset.measures if measure.dataset != dataset.key]
    return _by_regression(space, dataset, parts, protocol) + Outcome(
        [cosine.row(measure, "test", protocol) for measure in by_cosine],
        cosine.answers(by_cosine[0].dataset, "test"),
    )


def _by_regression(
    space: EmbeddingSpace, dataset: Dataset, parts: Mapping[str, SentencePairs], protocol: ProtocolConfig
) -> Outcome:
    features, used = {}, {}
    for role, pairs in parts.items():
        first, second = average(space, pairs.first, protocol), average(space, pairs.second, protocol)
        features[role] = pair_features(first.vectors, second.vectors)
        used[role] = first.covered & second.covered

    measures = [measure for measure in dataset.measures if measure.dataset == dataset.key]
    wanted = [(measure, "test") for measure in measures]
    wanted += [(measure, "valid") for measure in measures if measure.metric == "pearson"]
    unfit = {role: why_unfit(pairs.gold, used[role]) for role, pairs in parts.items()}
    reason = "; ".join(f"{PARTS[role]} part: {why}" for role, why in unfit.items() if why)
    if reason:
        described = protocol.describe(method=REGRESSION)
        rows = [unfinished_row(measure, split, used[split], described) for measure, split in wanted]
        return Outcome([row.skipped(reason) for row in rows], [])

    order = _by_length(parts["train"])
    found = fit_relatedness(
        features["train"][order],
        parts["train"].gold[order],
        features["valid"],
        parts["valid"].gold,
        features["test"],
        seed=protocol.seed,
    )
    answered = {
        role: PairAnswers(parts[role].items, parts[role].gold, predictions, used[role], REGRESSION)
        for role, predictions in (("valid", found.valid), ("test", found.test))
    }
    note = _overlap(parts["train"], parts["test"])
    return Outcome(
        [
            answered[split].row(
                measure,
                split,
                protocol,
                interval=split == "test",
                note=note if split == "test" else "",
            )
            for measure, split in wanted
        ],
        answered["test"].answers(dataset.key, "test"),
    )


def _by_length(pairs: SentencePairs) -> NDArray[np.int64]:
    """The order in which SentEval takes the pairs, on which the batches depend."""
    keys = list(zip(map(len, pairs.first), map(len, pairs.second), pairs.gold, strict=True))
    return np.array(sorted(range(len(pairs)), key=keys.__getitem__))


def _overlap(train: SentencePairs, test: SentencePairs) -> str:
    """What a reader has to know of test pairs that stand in the training part too, in either order."""

    def unordered(pairs: SentencePairs) -> list[frozenset[str]]:
        joined = zip(map(" ".join, pairs.first), map(" ".join, pairs.second), strict=True)
        return [frozenset(pair) for pair in joined]

    known = set(unordered(train))
    n_known = sum(pair in known for pair in unordered(test))
    return f"{n_known} of {len(test)} test pairs also stand in the training part" if n_known else ""
