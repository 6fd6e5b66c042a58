"""Every score of the study, one row each, in the few bytes that thousands of rows can take."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.tables import is_path_point
from lexiscope.report.task_order import is_summary, place_of

MAX_ROWS = 4000
"""More would weigh megabytes; the file of scores has them all."""


@dataclass(frozen=True)
class ScoreList:
    """The rows that the page lists.

    Attributes
    ----------
    scores
        The rows.
    n_total
        How many there are in all.
    protocols
        The protocols of the rows, in the order in which they occur; a row names its own by number.
    has_seeds
        Whether any space has several seeds.
    """

    scores: tuple[Score, ...]
    n_total: int
    protocols: tuple[str, ...]
    has_seeds: bool

    def number_of(self, score: Score) -> int:
        """The number of a row's protocol, from 1."""
        return self._numbers[score.protocol]

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {protocol: number for number, protocol in enumerate(self.protocols, 1)}

    @staticmethod
    def shown_as(score: Score) -> str:
        """How a score is printed: a key of `formats.METRICS`."""
        return place_of(score).shown_as

    @staticmethod
    def metric_label(score: Score) -> str:
        """A row's metric in words."""
        return formats.metric_label(place_of(score).shown_as)


def list_scores(scores: Sequence[Score]) -> ScoreList:
    """The scores to list: all but those along λ paths; if they are too many, those of the tables."""
    every = [score for score in scores if not is_path_point(score)]
    shown = every if len(every) <= MAX_ROWS else [score for score in every if is_summary(score)][:MAX_ROWS]
    runs = {(score.space, score.seed) for score in shown}
    return ScoreList(
        scores=tuple(shown),
        n_total=len(every),
        protocols=tuple(dict.fromkeys(score.protocol for score in shown)),
        has_seeds=len(runs) > len({space for space, _ in runs}),
    )
