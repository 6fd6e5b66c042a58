"""Every space against every other, on each number of the tables."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lexiscope.evaluation.answers import Answers, Headline, read_answers, read_headlines
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.paired import Difference, Problem, differences, holm
from lexiscope.evaluation.scores import write_table
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@dataclass
class Comparison:
    """Space a against space b on one number.

    ``difference`` is a less b, with the sign turned where lower is better: above 0, a is better. A seed is
    None where the space has several, over which the number is averaged; ``method`` then names them.
    ``p_holm`` is corrected for all comparisons of the task group. ``reason`` says why there is no
    difference or no test.
    """

    study: str
    task: str
    dataset: str
    split: str
    metric: str
    space_a: str
    seed_a: int | None
    space_b: str
    seed_b: int | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_holm: float | None
    n_common: int
    n_total: int
    method: str
    reason: str


_ARROW = {"str": pa.string(), "int": pa.int64(), "int | None": pa.int64(), "float | None": pa.float64()}

COMPARISON_SCHEMA = pa.schema([(column.name, _ARROW[str(column.type)]) for column in fields(Comparison)])


@stage_entry
def compare_spaces(*, scores: Path, items: Path, protocol: Mapping[str, Any], output: Path) -> None:
    """Compare all pairs of spaces on every number of the tables, on the items that both cover.

    Solutions along λ paths are left out. How differences are judged is told in `paired`; the p-values are
    corrected by Holm's method for all comparisons of a task group.

    Parameters
    ----------
    scores, items
        The tables of all scores and of all items.
    protocol
        Fields of `ProtocolConfig`, for the number of resamples, their seed and the confidence.
    output
        The Parquet file to write, with the columns of `Comparison`.

    Raises
    ------
    LexiscopeError
        If a table cannot be read, or its items contradict each other.
    """
    rules = ProtocolConfig.model_validate(dict(protocol))
    headlines = read_headlines(scores)
    rows: list[Comparison] = []
    # One thread: the sums, and so the bytes, do not depend on how many there are.
    with (
        threadpool_limits(limits=1),
        Progress("comparisons", total=len(headlines), unit="measures") as progress,
    ):
        for study, task in dict.fromkeys((headline.study, headline.task) for headline in headlines):
            table = [known for known in headlines if (known.study, known.task) == (study, task)]
            rows += _compare_table(table, items, rules, progress)
    columns = {name: [getattr(row, name) for row in rows] for name in COMPARISON_SCHEMA.names}
    write_table(pa.table(columns, schema=COMPARISON_SCHEMA), output)


def _compare_table(
    table: Sequence[Headline], items: Path, protocol: ProtocolConfig, progress: Progress
) -> list[Comparison]:
    """The rows of one task group, corrected together."""
    rows: list[Comparison] = []
    found = read_answers(
        items,
        study=table[0].study,
        task=table[0].task,
        datasets=list(dict.fromkeys(headline.dataset for headline in table)),
        spaces={space for headline in table for space in headline.seeds},
    )
    for answers in found:
        for headline in table:
            if headline.dataset == answers.dataset:
                rows += compare_measure(headline, answers, protocol)
                progress.advance(1, note=headline.dataset)
    for row, corrected in zip(rows, holm([row.p_value for row in rows]), strict=True):
        row.p_holm = corrected
    return rows


def compare_measure(headline: Headline, answers: Answers, protocol: ProtocolConfig) -> list[Comparison]:
    """Compare all pairs of spaces on one number; ``p_holm`` is left open."""
    problem = Problem.of(answers, headline.metric, headline.split)
    if problem is None:
        logger.info("%s: no comparisons of %s", headline.dataset, headline.metric)
        return []
    runs = headline.runs_in(answers)
    spaces = list(runs)
    pairs = list(itertools.combinations(range(len(spaces)), 2))
    found = differences(
        problem,
        [runs[space] for space in spaces],
        pairs,
        protocol=protocol,
        name=headline.dataset,
        higher_is_better=headline.higher_is_better,
    )
    rows = []
    for (a, b), difference in zip(pairs, found, strict=True):
        seeds = [[answers.runs[run][1] for run in runs[spaces[side]]] for side in (a, b)]
        low, high = difference.interval(protocol.confidence)
        rows.append(
            Comparison(
                study=headline.study,
                task=headline.task,
                dataset=headline.dataset,
                split=headline.split,
                metric=headline.metric,
                space_a=spaces[a],
                seed_a=seeds[0][0] if len(seeds[0]) == 1 else None,
                space_b=spaces[b],
                seed_b=seeds[1][0] if len(seeds[1]) == 1 else None,
                difference=difference.value if np.isfinite(difference.value) else None,
                ci_low=low,
                ci_high=high,
                p_value=difference.p_value,
                p_holm=None,
                n_common=difference.n_common,
                n_total=difference.n_total,
                method=describe_method(problem, difference, protocol, seeds),
                reason=why_undecided(difference, protocol),
            )
        )
    return rows


def describe_method(
    problem: Problem,
    difference: Difference,
    protocol: ProtocolConfig,
    seeds: Sequence[Sequence[int]] = (),
) -> str:
    """How a difference was judged, in one line."""
    unit = "participants" if problem.resamples_participants else "items"
    within = " within subsets" if problem.strata is not None else ""
    bootstrap = f"paired bootstrap over {unit}{within} ({protocol.n_bootstrap})"
    parts = []
    if difference.p_exact is not None:
        parts.append("test=exact McNemar")
    elif protocol.n_bootstrap:
        parts.append(f"test=t from {bootstrap}")
    if protocol.n_bootstrap:
        parts.append(f"interval={bootstrap}")
    for side, numbers in zip("ab", seeds, strict=False):
        if len(numbers) > 1:
            parts.append(f"{side}=mean over seeds {', '.join(map(str, numbers))}")
    return "; ".join(parts)


def why_undecided(difference: Difference, protocol: ProtocolConfig) -> str:
    """Why there is no difference, or no test of it; empty where there is one."""
    if not difference.n_common:
        return f"no item of {difference.n_total} is covered by both"
    if not np.isfinite(difference.value):
        return f"undefined on the {difference.n_common} of {difference.n_total} items that both cover"
    if difference.p_value is not None:
        return ""
    return "too few resamples are defined" if protocol.n_bootstrap else "no resamples were asked for"


def paired_difference(
    metric: str,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    gold: NDArray[np.float64],
    *,
    protocol: ProtocolConfig,
    name: str,
    used: NDArray[np.bool_] | None = None,
    strata: NDArray[np.int64] | None = None,
) -> Difference:
    """How much better one set of answers is than another.

    Parameters
    ----------
    metric
        A name in `METRICS`.
    first, second, gold
        Shape (n_items,).
    name
        Of the dataset; with the protocol's seed it decides the resamples.
    used
        Items that count, shape (n_items,), all by default.
    strata
        Stratum of each item, shape (n_items,): the metric is taken in each, and averaged.

    Returns
    -------
    ``first`` less ``second``.
    """
    kept = np.ones(len(gold), dtype=np.bool_) if used is None else used
    problem = Problem(
        metric,
        np.array([first, second], dtype=np.float64),
        np.asarray(gold, dtype=np.float64),
        np.array([kept, kept]),
        strata,
    )
    (difference,) = differences(problem, [[0], [1]], [(0, 1)], protocol=protocol, name=name)
    return difference
