"""What a score table is made of: its columns, its rows, and the cells where they meet."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.paper_values import PaperValue
from lexiscope.report.task_order import Place, place_of


@dataclass(frozen=True)
class Column:
    """One task of a table.

    Attributes
    ----------
    coverage
        Items used of all, where it is the same for every space; otherwise each cell has its own.
    baseline
        What chance or the majority scores, where it is the same for every space.
    is_tested
        Whether paired tests between its spaces are at hand.
    """

    place: Place
    dataset: str
    split: str
    metric: str
    higher_is_better: bool
    coverage: str | None
    baseline: float | None
    is_tested: bool = False

    @property
    def label(self) -> str:
        """Heading of the column."""
        return self.place.label

    @property
    def name(self) -> str:
        """What it is called where no heading above says the rest; the metric is not part of it."""
        return self.place.name

    @property
    def anchor(self) -> str:
        """A name that is unique on the page."""
        return formats.anchor(f"{self.dataset}-{self.metric}-{self.split}")

    @property
    def metric_label(self) -> str:
        """The metric in words, with the direction where lower is better."""
        label = formats.metric_label(self.place.shown_as)
        return label if self.higher_is_better else f"{label}, lower is better"

    @property
    def baseline_text(self) -> str:
        """The baseline as the papers print the metric."""
        return formats.score(self.baseline, self.place.shown_as)


@dataclass(frozen=True)
class Cell:
    """One space's score on one task.

    Attributes
    ----------
    score
        The score; of several seeds their mean, see `over_seeds`.
    best
        Whether none is better in its column.
    overlaps
        Whether it is not separated from the best: by the paired test where there is one, otherwise by the
        intervals.
    paper
        The paper's value for the same kind of space.
    seeds
        The scores of the seeds, where there are several.
    notes
        The marks of its footnotes.
    """

    score: Score | None
    best: bool = False
    overlaps: bool = False
    paper: PaperValue | None = None
    seeds: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def all_scores(self) -> tuple[Score, ...]:
        """The scores of the seeds, or the only one."""
        return self.seeds or (() if self.score is None else (self.score,))

    def of_seed(self, seed: int) -> Score | None:
        """The score of one seed; None where there is none."""
        return next((score for score in self.all_scores if score.seed == seed), None)

    @property
    def shown_as(self) -> str:
        """How the score is printed: a key of `formats.METRICS`."""
        return "" if self.score is None else place_of(self.score).shown_as

    @property
    def value(self) -> float | None:
        """The score, None where there is none."""
        return None if self.score is None else self.score.value

    @property
    def text(self) -> str:
        """The score as the papers print it."""
        return formats.score(self.value, self.shown_as)

    @property
    def interval(self) -> str:
        """The confidence interval in brackets."""
        if self.score is None:
            return ""
        return formats.interval(self.score.ci_low, self.score.ci_high, self.shown_as)

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds that have a score; None for fewer than two."""
        values = [score.value for score in self.seeds if score.value is not None]
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def spread_text(self) -> str:
        """The standard deviation over the seeds, empty where there is none."""
        return "" if self.spread is None else f"± {formats.score(self.spread, self.shown_as)}"

    @property
    def coverage(self) -> str:
        """Items used of all; of several seeds the least and the most."""
        if self.score is None:
            return ""
        used = sorted({score.n_used for score in self.seeds if score.status == "ok"})
        if len(used) > 1:
            return f"{used[0]:,}–{used[-1]:,}/{self.score.n_total:,}"
        return coverage(self.score)

    @property
    def baseline_text(self) -> str:
        """What chance or the majority scores."""
        return formats.score(None if self.score is None else self.score.baseline, self.shown_as)

    @property
    def paper_text(self) -> str:
        """The paper's value; one that was read off a figure has a decimal less."""
        if self.paper is None:
            return ""
        if not self.paper.reading_error:
            return formats.score(self.paper.value, self.shown_as)
        decimals = formats.shown(self.shown_as).decimals - 1
        return f"~{formats.number(formats.scaled(self.paper.value, self.shown_as), decimals)}"

    @property
    def is_constant(self) -> bool:
        """Whether the classifier (of any of the seeds) gave every item the same answer."""
        return self.score is not None and self.score.constant

    @property
    def status(self) -> str:
        """``ok``, ``skipped``, ``failed``, or ``absent`` where the table has no such row."""
        return "absent" if self.score is None else self.score.status


@dataclass(frozen=True)
class Row:
    """One space of a table, with its cells in the order of the columns."""

    space: str
    label: str
    kind: str
    cells: tuple[Cell, ...]

    @property
    def family(self) -> str:
        """The family that gives the row its colour."""
        return formats.family(self.kind)

    @property
    def kind_label(self) -> str:
        """The kind of space in words, empty where it would repeat the name."""
        label = formats.short_kind_label(self.kind)
        return "" if label.lower() == self.label.lower() else label

    @property
    def n_seeds(self) -> int:
        """Number of seeds that the space was made with."""
        return max([1, *(len(cell.seeds) for cell in self.cells)])


def coverage(score: Score) -> str:
    """Items used of all; of the tokens of a text, which are many, the share."""
    if score.metric == "perplexity":
        return formats.share(score.n_used, score.n_total)
    return f"{score.n_used:,}/{score.n_total:,}"


def over_seeds(scores: Sequence[Score]) -> Score:
    """One score for all seeds of a space.

    It has the mean of the values that there are and the mean ends of their intervals, so that the interval
    speaks of items alone; it is constant if one of them is. Without any value it is the first.
    """
    ok = [score for score in scores if score.value is not None]
    if len(scores) == 1 or not ok:
        return scores[0]
    return replace(
        ok[0],
        value=_mean([score.value for score in ok]),
        ci_low=_mean([score.ci_low for score in ok]),
        ci_high=_mean([score.ci_high for score in ok]),
        n_used=min(score.n_used for score in ok),
        constant=any(score.constant for score in ok),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
