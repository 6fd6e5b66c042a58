"""From labelled sentences to scores: features, training, accuracy, and everything a reader has to know.

What is trained, and on what, is decided by `classifiers.schedules`; here are the rows that come of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers import schedules
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import METRICS, score_with_interval
from lexiscope.evaluation.scores import Answer, Outcome, Result
from lexiscope.evaluation.sentence_files import LabelledSentences
from lexiscope.evaluation.sentence_pairs import SentencePairs
from lexiscope.evaluation.sentence_vectors import average
from lexiscope.evaluation.tasks import Dataset

Solve = Callable[[], tuple[NDArray[np.int64], float]]
"""Trains, and gives the class of each row of the test features, and the validation accuracy."""

Value = TypeVar("Value", np.bool_, np.int64)


@dataclass(frozen=True)
class Examples:
    """One part of a dataset, in the order of its file; the features alone are in that of training.

    Attributes
    ----------
    order
        int64, shape (n,): the examples in the order in which SentEval trains on them: by length (of the
        first sentence, then of the second), then by class. Batches and folds depend on it.
    features
        float32, shape (n, n_features); row i is that of example ``order[i]``.
    labels
        int64, shape (n,).
    covered
        bool, shape (n,): whether the space has a word of the sentence (of both, if it is a pair).
    items
        Where each stands.
    """

    order: NDArray[np.int64]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    covered: NDArray[np.bool_]
    items: list[str]

    @property
    def ordered_labels(self) -> NDArray[np.int64]:
        """The labels in the order of the features."""
        return self.labels[self.order]


def sentence_examples(
    space: EmbeddingSpace, sentences: LabelledSentences, protocol: ProtocolConfig
) -> Examples:
    """Examples whose features are the vector of the sentence, (n, dim)."""
    order = np.lexsort((sentences.labels, _lengths(sentences.sentences)))
    averaged = average(space, [sentences.sentences[i] for i in order], protocol)
    return Examples(
        order=order,
        features=averaged.vectors,
        labels=sentences.labels,
        covered=_in_file_order(averaged.covered, order),
        items=sentences.items,
    )


def pair_examples(space: EmbeddingSpace, pairs: SentencePairs, protocol: ProtocolConfig) -> Examples:
    """Examples whose features are ``[|u - v|, u * v]`` of the pair's vectors, (n, 2 dim)."""
    labels = pairs.gold.astype(np.int64)
    order = np.lexsort((labels, _lengths(pairs.second), _lengths(pairs.first)))
    first = average(space, [pairs.first[i] for i in order], protocol)
    second = average(space, [pairs.second[i] for i in order], protocol)
    u, v = first.vectors, second.vectors
    return Examples(
        order=order,
        features=np.hstack([np.abs(u - v), u * v]),
        labels=labels,
        covered=_in_file_order(first.covered & second.covered, order),
        items=pairs.items,
    )


def _in_file_order(values: NDArray[Value], order: NDArray[np.int64]) -> NDArray[Value]:
    back = np.empty_like(values)
    back[order] = values
    return back


def _lengths(sentences: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    return np.fromiter((len(words) for words in sentences), dtype=np.int64, count=len(sentences))


def cross_validated(
    dataset: Dataset, examples: Examples, n_classes: int, protocol: ProtocolConfig
) -> Outcome:
    """Score by nested cross-validation: every example is a test example once (MR, CR, MPQA, SUBJ)."""
    config = protocol.classifier_settings

    def solve() -> tuple[NDArray[np.int64], float]:
        found = schedules.cross_validate(
            examples.features, examples.ordered_labels, n_classes, config=config, seed=protocol.seed
        )
        return found.predictions, found.valid_accuracy

    return _outcome(dataset, examples, examples, examples, solve, config, protocol)


def tuned_by_folds(
    dataset: Dataset, train: Examples, test: Examples, n_classes: int, protocol: ProtocolConfig
) -> Outcome:
    """Score on ``test`` with the regulariser chosen by cross-validation on ``train`` (TREC, MRPC)."""
    config = protocol.classifier_settings

    def solve() -> tuple[NDArray[np.int64], float]:
        found = schedules.tune_by_folds(
            train.features,
            train.ordered_labels,
            test.features,
            n_classes,
            config=config,
            seed=protocol.seed,
        )
        return found.predictions, found.valid_accuracy

    return _outcome(dataset, train, train, test, solve, config, protocol)


def tuned_on_split(
    dataset: Dataset,
    train: Examples,
    valid: Examples,
    test: Examples,
    n_classes: int,
    protocol: ProtocolConfig,
    *,
    config: ClassifierConfig | None = None,
    scored: NDArray[np.bool_] | None = None,
    note: str = "",
) -> Outcome:
    """Score on ``test`` with the regulariser chosen on ``valid`` (SST, SICK-E, probing).

    Parameters
    ----------
    config
        Where the task has another classifier than the protocol.
    scored
        Shape (n_test,): the test examples that count; all by default. The others are not answered.
    note
        What a reader of the score has to know.
    """
    settings = config or protocol.classifier_settings

    def solve() -> tuple[NDArray[np.int64], float]:
        found = schedules.tune_on_split(
            train.features,
            train.ordered_labels,
            valid.features,
            valid.ordered_labels,
            test.features,
            n_classes,
            config=settings,
            seed=protocol.seed,
        )
        return found.predictions, found.valid_accuracy

    return _outcome(dataset, train, valid, test, solve, settings, protocol, scored=scored, note=note)


def _outcome(
    dataset: Dataset,
    train: Examples,
    valid: Examples,
    test: Examples,
    solve: Solve,
    config: ClassifierConfig,
    protocol: ProtocolConfig,
    *,
    scored: NDArray[np.bool_] | None = None,
    note: str = "",
) -> Outcome:
    """Train and turn predictions into rows: the dataset's measures on test, and the validation accuracy."""
    if scored is None:
        scored = np.ones(len(test.items), dtype=np.bool_)
    used = test.covered & scored
    gold = test.labels[scored]
    blanks = [
        Result(
            dataset=measure.dataset,
            split=measure.split,
            metric=measure.metric,
            baseline=_baseline(measure.metric, gold),
            higher_is_better=measure.higher_is_better,
            n_used=int(used.sum()),
            n_total=len(test.items),
            protocol=protocol.describe(method=f"classifier={config.describe()}"),
        )
        for measure in dataset.measures
    ]
    reason = _why_unscored(train, test, scored, note)
    if not reason:
        try:
            in_order, valid_accuracy = solve()
        except LexiscopeError as error:
            reason = str(error)
    if reason:
        return Outcome([blank.skipped(reason) for blank in blanks], _answers(dataset, test, None, used))

    predictions = _in_file_order(in_order, test.order)
    counted = predictions[scored]
    constant = bool((counted == counted[0]).all())
    results = []
    for blank in blanks:
        value, ci_low, ci_high = score_with_interval(
            blank.metric,
            predictions.astype(np.float64),
            test.labels.astype(np.float64),
            protocol=protocol,
            name=dataset.key,
            used=scored,
        )
        results.append(
            blank.skipped(f"{blank.metric} is undefined: class 1 is neither among the answers nor the gold")
            if value is None
            else blank.scored(value, ci_low, ci_high, constant=constant, note=note)
        )
    on_valid = Result(
        dataset=blanks[0].dataset,
        split="valid",
        metric="accuracy",
        baseline=_baseline("accuracy", valid.labels),
        higher_is_better=True,
        n_used=int(valid.covered.sum()),
        n_total=len(valid.items),
        protocol=blanks[0].protocol,
    ).scored(valid_accuracy, None, None)
    answers = _answers(dataset, test, np.where(scored, predictions, np.nan), used)
    return Outcome([*results, on_valid], answers)


def _why_unscored(train: Examples, test: Examples, scored: NDArray[np.bool_], note: str) -> str:
    if not scored.any():
        return f"no test sentence is left: {note}"
    if not train.covered.any():
        return "the space has no word of any training sentence"
    if not (test.covered & scored).any():
        return "the space has no word of any test sentence"
    return ""


def _baseline(metric: str, gold: NDArray[np.int64]) -> float | None:
    """What one and the same answer gets: the share of the largest class; for F1, F1 of all positive."""
    if not len(gold):
        return None
    answer = np.bincount(gold).argmax() if metric == "accuracy" else 1
    once = np.ones((1, len(gold)), dtype=np.int64)
    value = float(
        METRICS[metric](np.full(len(gold), answer, dtype=np.float64), gold.astype(np.float64), once)[0]
    )
    return value if np.isfinite(value) else None


def _answers(
    dataset: Dataset, test: Examples, predictions: NDArray[np.float64] | None, used: NDArray[np.bool_]
) -> list[Answer]:
    """The items of a dataset; those without a prediction (NaN) were not answered."""
    if predictions is None:
        predictions = np.full(len(test.items), np.nan)
    return [
        Answer(
            dataset=dataset.key,
            item_id=number,
            item=item,
            gold=float(test.labels[number]),
            prediction=None if np.isnan(predictions[number]) else float(predictions[number]),
            used=bool(used[number]) and not np.isnan(predictions[number]),
        )
        for number, item in enumerate(test.items)
    ]
