"""Semantic textual similarity: do the cosines of averaged sentences follow people's judgements?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import Combine, score_with_interval
from lexiscope.evaluation.rank_correlation import MIN_ITEMS
from lexiscope.evaluation.scores import Answer, Outcome, Result
from lexiscope.evaluation.sentence_pairs import SentencePairs, read_sts
from lexiscope.evaluation.sentence_vectors import average
from lexiscope.evaluation.tasks import Dataset, Measure
from lexiscope.evaluation.word_similarity import cosines

SENTENCES, GOLD = "input.", "gold."
"""How the roles of a year's files begin; the name of the subset follows."""

COMBINATIONS: tuple[Combine, ...] = ("mean", "wmean", "all")
"""Splits of a year beside its subsets: their plain mean, their mean by pairs, all pairs together."""

COSINE = "similarity=cosine"
"""The method, as it stands in the protocol of a score."""

UNDEFINED = "the correlation is undefined: the values differ by no more than rounding"


@dataclass(frozen=True)
class PairAnswers:
    """What a space makes of sentence pairs.

    Attributes
    ----------
    items, gold
        Those of the `SentencePairs`.
    predictions
        float64, shape (n_pairs,).
    used
        bool, shape (n_pairs,): whether the space has a word of both sentences.
    method
        How the predictions were made, as it stands in the protocol of a score.
    """

    items: list[str]
    gold: NDArray[np.float64]
    predictions: NDArray[np.float64]
    used: NDArray[np.bool_]
    method: str = COSINE

    def why_undefined(self) -> str:
        """Why the predictions cannot be correlated with the gold scores; empty if they can."""
        reason = why_unfit(self.gold, self.used)
        if not reason and np.ptp(self.predictions) == 0:
            reason = f"the predictions for all {len(self.items)} pairs are the same"
        return reason

    def row(
        self,
        measure: Measure,
        split: str,
        protocol: ProtocolConfig,
        *,
        interval: bool = True,
        note: str = "",
    ) -> Result:
        """The row of one correlation over all the pairs, those not covered too."""
        row = unfinished_row(measure, split, self.used, protocol.describe(method=self.method))
        reason = self.why_undefined()
        if reason:
            return row.skipped(reason)
        value, low, high = score_with_interval(
            measure.metric,
            self.predictions,
            self.gold,
            protocol=protocol if interval else protocol.model_copy(update={"n_bootstrap": 0}),
            name=f"{measure.dataset}/{split}",
        )
        return row.skipped(UNDEFINED) if value is None else row.scored(value, low, high, note=note)

    def answers(self, dataset: str, split: str, first_id: int = 0) -> list[Answer]:
        """The items of a score; they are numbered from ``first_id``."""
        return [
            Answer(
                dataset=dataset,
                item_id=first_id + number,
                item=item,
                gold=float(self.gold[number]),
                prediction=float(self.predictions[number]),
                used=bool(self.used[number]),
                split=split,
            )
            for number, item in enumerate(self.items)
        ]


def why_unfit(gold: NDArray[np.float64], used: NDArray[np.bool_]) -> str:
    """Why nothing can be correlated with these gold scores, shape (n,); empty if something can."""
    n_used = int(used.sum())
    if n_used < MIN_ITEMS:
        return f"the space covers {n_used} of {len(used)} pairs; a correlation needs {MIN_ITEMS}"
    if np.ptp(gold) == 0:
        return f"the human scores of all {len(gold)} pairs are the same"
    return ""


def unfinished_row(measure: Measure, split: str, used: NDArray[np.bool_], protocol: str) -> Result:
    """A row without a value yet."""
    return Result(
        dataset=measure.dataset,
        split=split,
        metric=measure.metric,
        baseline=measure.baseline,
        higher_is_better=measure.higher_is_better,
        n_used=int(used.sum()),
        n_total=len(used),
        protocol=protocol,
    )


def compare_by_cosine(space: EmbeddingSpace, pairs: SentencePairs, protocol: ProtocolConfig) -> PairAnswers:
    """Cosine of the averaged sentences of each pair; 0, as in SentEval, where a sentence is not covered.

    Pairs whose sentences have the same words get the same cosine to the last bit, which they do not in
    SentEval: its Spearman's rho ranks such pairs by their rounding errors.
    """
    first, second = average(space, pairs.first, protocol), average(space, pairs.second, protocol)
    return PairAnswers(
        items=pairs.items,
        gold=pairs.gold,
        predictions=cosines(first.vectors.astype(np.float64), second.vectors.astype(np.float64)),
        used=first.covered & second.covered,
    )


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on one year of STS.

    Protocol (SentEval; Derby et al. 2020, section 4.3): Pearson's r and Spearman's rho between the cosines
    of the averaged sentences and the human scores, in each subset (a split of its name) and over the year:
    ``mean`` and ``wmean`` of the subsets, and ``all``, the pairs of all subsets together. The intervals are
    percentile bootstraps over pairs, drawn within the subsets.

    Raises
    ------
    LexiscopeError
        If a file cannot be read.
    """
    answered = {
        name: compare_by_cosine(space, pairs, protocol) for name, pairs in read_subsets(receipt).items()
    }
    results: list[Result] = []
    for measure in dataset.measures:
        results += [subset.row(measure, name, protocol) for name, subset in answered.items()]
        results += [_over_the_year(answered, measure, combine, protocol) for combine in COMBINATIONS]
    answers: list[Answer] = []
    for name, subset in answered.items():
        answers += subset.answers(dataset.key, name, first_id=len(answers))
    return Outcome(results, answers)


def read_subsets(receipt: Receipt) -> dict[str, SentencePairs]:
    """Read the subsets of one year by name, in the order of the receipt.

    A subset is one whose sentences the receipt has: gold scores alone, as they are published for STS13's
    SMT, make none.

    Raises
    ------
    LexiscopeError
        If there is no subset, or a file of one is missing or faulty.
    """
    roles = [file.role for file in receipt.files if file.role.startswith(SENTENCES)]
    names = [role.removeprefix(SENTENCES) for role in roles]
    if not names:
        raise LexiscopeError(f"dataset {receipt.dataset!r} has no subsets", where=receipt.root)
    return {name: read_sts(receipt.path(SENTENCES + name), receipt.path(GOLD + name)) for name in names}


def _over_the_year(
    answered: dict[str, PairAnswers], measure: Measure, combine: Combine, protocol: ProtocolConfig
) -> Result:
    subsets = list(answered.values())
    year = PairAnswers(
        items=[item for subset in subsets for item in subset.items],
        gold=np.concatenate([subset.gold for subset in subsets]),
        predictions=np.concatenate([subset.predictions for subset in subsets]),
        used=np.concatenate([subset.used for subset in subsets]),
    )
    row = unfinished_row(measure, combine, year.used, protocol.describe(method=COSINE))
    # A mean over the subsets that happen to be defined would be another number under the same name.
    parts = {"": year} if combine == "all" else {f"{name}: ": subset for name, subset in answered.items()}
    reasons = [f"{name}{part.why_undefined()}" for name, part in parts.items() if part.why_undefined()]
    if reasons:
        return row.skipped("; ".join(reasons))
    value, low, high = score_with_interval(
        measure.metric,
        year.predictions,
        year.gold,
        protocol=protocol,
        name=measure.dataset,
        strata=np.repeat(np.arange(len(subsets)), [len(subset.items) for subset in subsets]),
        combine=combine,
    )
    return row.skipped(UNDEFINED) if value is None else row.scored(value, low, high)
