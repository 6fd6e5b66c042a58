"""Two spaces on the same items: how far apart they are, and whether that may be chance.

Every difference is taken on the items that both spaces cover, and judged in one way for all metrics: the
items (BrainBench: the participants) are resampled, the same for both spaces, which gives the standard error
of the difference and its interval.

Intervals are expanded percentile intervals: the percentiles of the resampled differences, at levels widened
by as much as Student's t is wider than the normal distribution and the bootstrap's standard error is too
narrow, by √((n − 1)/n). That matters for nine participants and not for a thousand sentences. The p-values
(two-sided) are those of t = difference / standard error. Counting resamples instead would give no p-value
below 1 / (resamples + 1), so that no difference would outlive the correction for some hundred comparisons.
Only where two classifiers are right or wrong about single items is there an exact test, McNemar's.

References
----------
Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 10 and 13.
Hesterberg (2015), What Teachers Should Know about the Bootstrap, The American Statistician 69.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lexiscope.evaluation.answers import Answers
from lexiscope.evaluation.bootstrap import resample_counts
from lexiscope.evaluation.brainbench_permutation import TIE
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import METRICS, combined

TWO_VS_TWO = "two_vs_two_accuracy"

OVER_SPLITS = "mean"
"""The split of a number that is the mean over the others, those of its subsets."""


@dataclass(frozen=True)
class Problem:
    """One number of many runs, in a form that can be taken on any items and resampled.

    Attributes
    ----------
    metric
        Its name in the scores.
    predictions, used
        Shape (n_runs, n_items).
    gold
        Shape (n_items,).
    groups
        Group of each item, 0 … n_groups − 1, shape (n_items,): the subset, over which the metric is
        averaged, or the participant of BrainBench. None where all items count together.
    """

    metric: str
    predictions: NDArray[np.float64]
    gold: NDArray[np.float64]
    used: NDArray[np.bool_]
    groups: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, answers: Answers, metric: str, split: str) -> Problem | None:
        """The number of a dataset that stands in the tables; None for a metric that is not known here."""
        if metric != TWO_VS_TWO and metric not in METRICS:
            return None
        grouped = metric == TWO_VS_TWO or split == OVER_SPLITS
        wanted = [code for code, name in enumerate(answers.splits) if grouped or name == split]
        chosen = np.isin(answers.split_of, wanted)
        return cls(
            metric,
            answers.predictions[:, chosen],
            answers.gold[chosen],
            answers.used[:, chosen],
            answers.split_of[chosen] if grouped else None,
        )

    @property
    def resamples_participants(self) -> bool:
        """Whether whole groups are resampled, and not the items in them."""
        return self.metric == TWO_VS_TWO

    @property
    def n_units(self) -> int:
        """How many items, or participants, are resampled."""
        if self.resamples_participants and self.groups is not None:
            return len(np.unique(self.groups))
        return len(self.gold)

    @property
    def strata(self) -> NDArray[np.int64] | None:
        """Stratum of each item that is resampled."""
        return None if self.resamples_participants else self.groups

    def values(
        self, runs: Sequence[int], common: NDArray[np.bool_], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The number of some runs in each resample, on the items ``common``, shape (n_items,).

        Returns
        -------
        float64, shape (len(runs), n_resamples); NaN where it is undefined, as in a group without items.
        """
        everything = bool(common.all())
        predictions = self.predictions[list(runs)]
        if not everything:
            predictions = predictions[:, common]
        if self.resamples_participants:
            return self._mean_hits(predictions, common, counts)
        if self.groups is not None and len(np.unique(self.groups[common])) < len(np.unique(self.groups)):
            return np.full((len(runs), len(counts)), np.nan)
        if everything:
            return combined(self.metric, predictions, self.gold, counts, strata=self.groups, combine="mean")
        groups = None if self.groups is None else self.groups[common]
        return combined(
            self.metric,
            predictions,
            self.gold[common],
            counts[:, common],
            strata=groups,
            combine="mean",
        )

    def _mean_hits(
        self, margins: NDArray[np.float64], common: NDArray[np.bool_], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        assert self.groups is not None
        members = np.unique(self.groups)[:, None] == self.groups[common]
        n_pairs = members.sum(axis=1)
        n_hits = (margins > TIE).astype(np.float64) @ members.T
        shares = np.where(n_pairs > 0, n_hits / np.maximum(n_pairs, 1), np.nan)
        means: NDArray[np.float64] = shares @ counts.T.astype(np.float64) / len(members)
        return means


@dataclass(frozen=True)
class Difference:
    """How much better one side is than the other, on the items that both cover.

    Attributes
    ----------
    value
        The difference; NaN where the number is undefined on those items.
    replicates
        The same in each resample, shape (n_resamples,); NaN where undefined.
    standard_error, degrees
        Of ``value``; NaN where it cannot be told.
    n_common, n_total
        Items that both sides cover, and items there are.
    p_exact
        Where there is an exact test.
    """

    value: float
    replicates: NDArray[np.float64]
    standard_error: float
    degrees: float
    n_common: int
    n_total: int
    p_exact: float | None = None

    @cached_property
    def p_value(self) -> float | None:
        """Two-sided; None where the difference or its standard error is unknown.

        Where no resample differs from the value, the error is at most one in all of them.
        """
        if not math.isfinite(self.value):
            return None
        if self.p_exact is not None:
            return self.p_exact
        if not math.isfinite(self.standard_error):
            return None
        if self.standard_error == 0:
            return 1.0 if self.value == 0 else 1 / (len(self.replicates) + 1)
        return float(2 * stats.t.sf(abs(self.value) / self.standard_error, self.degrees))

    def interval(self, confidence: float) -> tuple[float | None, float | None]:
        """Expanded percentile interval; None and None where the standard error is unknown."""
        if not math.isfinite(self.standard_error) or not math.isfinite(self.value):
            return None, None
        defined = self.replicates[np.isfinite(self.replicates)]
        spread = defined.std()
        if spread == 0:
            return self.value, self.value
        reach = stats.t.ppf((1 + confidence) / 2, self.degrees) * self.standard_error / spread
        tail = stats.norm.sf(reach)
        low, high = np.quantile(defined, [tail, 1 - tail])
        return float(low), float(high)


def standard_error(replicates: NDArray[np.float64], n_units: int) -> float:
    """Standard deviation of resampled values, corrected for the bootstrap's factor (n − 1)/n.

    NaN with fewer than two units, without resamples, or if half of them are undefined.
    """
    defined = replicates[np.isfinite(replicates)]
    if n_units < 2 or len(defined) < 2 or 2 * len(defined) <= len(replicates):
        return math.nan
    return float(defined.std() * math.sqrt(n_units / (n_units - 1)))


def differences(
    problem: Problem,
    sides: Sequence[Sequence[int]],
    pairs: Iterable[tuple[int, int]],
    *,
    protocol: ProtocolConfig,
    name: str,
    higher_is_better: bool = True,
) -> list[Difference]:
    """Compare pairs of spaces, all on the same resamples.

    Parameters
    ----------
    problem
        The number.
    sides
        The runs of each space: one for each of its seeds. A space's number is the mean over its seeds, and
        it covers an item if all its seeds do.
    pairs
        Which spaces to compare, as pairs (a, b) of indices into ``sides``.
    name
        Of the dataset; with the protocol's seed it decides the resamples.
    higher_is_better
        If not, differences have their signs turned, so that above 0 is always in favour of a.

    Returns
    -------
    The differences a less b, in the order of the pairs.
    """
    pairs = list(pairs)
    covered = np.array([problem.used[list(side)].all(axis=0) for side in sides])
    common = [covered[a] & covered[b] for a, b in pairs]
    # Most pairs share their items with others: what is resampled is told by the items, not by the pair.
    masks, mask_of = _distinct(common)
    needed: list[set[int]] = [set() for _ in masks]
    for pair, mask in zip(pairs, mask_of, strict=True):
        needed[mask].update(pair)
    values = [
        _side_values(problem, sides, sorted(chosen), mask, protocol, name)
        for chosen, mask in zip(needed, masks, strict=True)
    ]
    found = []
    sign = 1.0 if higher_is_better else -1.0
    for (a, b), mask in zip(pairs, mask_of, strict=True):
        gap = sign * (values[mask][a] - values[mask][b])
        n_units = problem.n_units if problem.resamples_participants else int(masks[mask].sum())
        found.append(
            Difference(
                value=float(gap[0]),
                replicates=gap[1:],
                standard_error=standard_error(gap[1:], n_units),
                degrees=float(n_units - 1),
                n_common=int(masks[mask].sum()),
                n_total=len(problem.gold),
                p_exact=_mcnemar(problem, sides[a], sides[b], masks[mask]),
            )
        )
    return found


def _distinct(masks: Sequence[NDArray[np.bool_]]) -> tuple[list[NDArray[np.bool_]], list[int]]:
    numbers: dict[bytes, int] = {}
    mask_of = [numbers.setdefault(np.packbits(mask).tobytes(), len(numbers)) for mask in masks]
    return [masks[mask_of.index(number)] for number in range(len(numbers))], mask_of


def _side_values(
    problem: Problem,
    sides: Sequence[Sequence[int]],
    chosen: Sequence[int],
    common: NDArray[np.bool_],
    protocol: ProtocolConfig,
    name: str,
) -> dict[int, NDArray[np.float64]]:
    """The number of each chosen side on the sample itself and then on each resample."""
    runs = [run for side in chosen for run in sides[side]]
    n_units = problem.n_units
    whole = problem.values(runs, common, np.ones((1, n_units), dtype=np.int64))
    blocks = [whole]
    if np.isfinite(whole).any():
        resamples = resample_counts(
            n_units,
            n_resamples=protocol.n_bootstrap,
            seed=protocol.seed,
            name=name,
            strata=problem.strata,
        )
        blocks += [problem.values(runs, common, counts) for counts in resamples]
    by_run = dict(zip(runs, np.hstack(blocks), strict=True))
    return {side: np.mean([by_run[run] for run in sides[side]], axis=0) for side in chosen}


def _mcnemar(
    problem: Problem, a: Sequence[int], b: Sequence[int], common: NDArray[np.bool_]
) -> float | None:
    """McNemar's exact test: do the items that only one of two classifiers gets right favour either?"""
    if problem.metric != "accuracy" or problem.groups is not None or len(a) > 1 or len(b) > 1:
        return None
    right = problem.predictions[[a[0], b[0]]][:, common] == problem.gold[common]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return min(1.0, 2 * float(stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)))


def pooled(parts: Sequence[Difference]) -> Difference:
    """The mean of differences on several datasets, each resampled by itself.

    The degrees of freedom are those of Welch & Satterthwaite.
    """
    if len(parts) == 1:
        return parts[0]
    variances = np.array([part.standard_error**2 for part in parts])
    degrees = np.array([part.degrees for part in parts])
    total = float(variances.sum())
    share = float((variances**2 / np.maximum(degrees, 1)).sum())
    return Difference(
        value=float(np.mean([part.value for part in parts])),
        replicates=np.mean([part.replicates for part in parts], axis=0),
        standard_error=math.sqrt(total) / len(parts) if math.isfinite(total) else math.nan,
        degrees=total**2 / share if share > 0 else float(degrees.min()),
        n_common=sum(part.n_common for part in parts),
        n_total=sum(part.n_total for part in parts),
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for several tests; a None is no test.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    tests = sorted((p, number) for number, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, number) in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - rank) * p))
        corrected[number] = largest
    return corrected
