"""The score tables, laid out like the papers': a row a space, a column a task."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.cells import (
    Cell,
    Column,
    Row,
    over_seeds,
)
from lexiscope.report.comparisons import Comparisons, Key, Tally, tally
from lexiscope.report.paper_values import find_paper_value
from lexiscope.report.score_table import PERPLEXITY, ScoreTable
from lexiscope.report.task_order import BASELINES, is_summary, place_of

POINT = "@"
"""Stands between name and λ in what a solution along a λ path is called; no name of a space may have it."""

SHARED = "vocabulary=shared"
"""In the protocol of a score on the words that all spaces have."""


def is_path_point(score: Score) -> bool:
    """Whether a score is that of a solution along a λ path, not that of a space of the study."""
    return POINT in score.space


def is_restricted(score: Score) -> bool:
    """Whether a score is on the words that all spaces have."""
    return SHARED in score.protocol.split()


def own_scores(scores: Sequence[Score]) -> list[Score]:
    """Those on the spaces' own vocabularies; all if there are none."""
    return [score for score in scores if not is_restricted(score)] or list(scores)


def summary_scores(scores: Iterable[Score]) -> list[Score]:
    """The scores that the tables show: of the spaces of the study, on the split that the papers print."""
    return [
        score
        for score in scores
        if is_summary(score)
        and not is_path_point(score)
        # An n-gram model has no perplexity on its training text: a dash says as much.
        and not (score.status != "ok" and place_of(score).is_aside)
    ]


def score_tables(
    scores: Sequence[Score],
    kinds: Mapping[str, str],
    comparisons: Comparisons | None = None,
    roles: Mapping[str, str] | None = None,
) -> list[ScoreTable]:
    """Group the scores into tables.

    Parameters
    ----------
    scores
        Rows of the scores table, of the splits that one table is to show.
    kinds
        Kind of each space, in the order of the study; spaces it lacks follow in the order of the scores.
    comparisons
        The paired tests between the spaces; without them, intervals say what is separated.
    roles
        Role of each space that plays one in the claims of Verwimp & Bellegarda (2019).
    """
    by_table: dict[str, list[Score]] = defaultdict(list)
    for score in sorted(scores, key=_order):
        by_table[place_of(score).table].append(score)
    order = list(dict.fromkeys([*kinds, *(score.space for score in scores)]))
    # A model without a space comes first: the others are held against it.
    order.sort(key=lambda space: not formats.is_stand_in(space))
    builder = _Builder(order, kinds, comparisons or Comparisons(), roles or {})
    tables = [builder.build(f"scores-{number}", rows) for number, rows in enumerate(by_table.values(), 1)]
    return _with_baselines_below(tables)


def _with_baselines_below(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """The tables, the baselines of language modelling not by themselves if there is what they belong to."""
    baselines = next((table for table in tables if table.place.table == BASELINES), None)
    if baselines is None or not any(table.place.table == "table4" for table in tables):
        return list(tables)
    return [
        replace(table, below=baselines) if table.place.table == "table4" else table
        for table in tables
        if table is not baselines
    ]


def _order(score: Score) -> tuple[tuple[int, ...], str, str, str]:
    # Datasets that the registry does not know come last and keep a fixed order of their own.
    return place_of(score).rank, score.dataset, score.metric, score.split


class _Builder:
    """Builds the tables of one study."""

    def __init__(
        self,
        order: Sequence[str],
        kinds: Mapping[str, str],
        comparisons: Comparisons,
        roles: Mapping[str, str],
    ) -> None:
        self.order = order
        self.kinds = kinds
        self.comparisons = comparisons
        self.roles = roles

    def _kind(self, space: str) -> str:
        return self.kinds.get(space) or (space if formats.is_stand_in(space) else "")

    def build(self, anchor: str, scores: Sequence[Score]) -> ScoreTable:
        """One table, and what there is to show of the shared vocabulary beside it."""
        own = [score for score in scores if not is_restricted(score)]
        restricted = [score for score in scores if is_restricted(score)]
        if not own:
            return replace(self._table(anchor, restricted, self.comparisons), is_shared=True)
        table = self._table(anchor, own, self.comparisons)
        if not restricted:
            return table
        # A space that loses no word by the restriction need not have been scored again.
        at_hand = {_identity(score) for score in restricted}
        tasks = {_key(score) for score in restricted}
        rest = [score for score in own if _key(score) in tasks and _identity(score) not in at_hand]
        both = sorted([*restricted, *rest], key=_order)
        if {_identity(score): score.value for score in own if _key(score) in tasks} == {
            _identity(score): score.value for score in both
        }:
            return table
        # The tests are on the scores of the spaces' own vocabularies.
        shared = replace(self._table(f"{anchor}-shared", both, Comparisons()), is_shared=True)
        return replace(table, shared=shared)

    def _table(self, anchor: str, scores: Sequence[Score], comparisons: Comparisons) -> ScoreTable:
        by_column: dict[Key, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
        for score in scores:
            by_column[_key(score)][score.space].append(score)
        notes = _Footnotes()
        columns, cells = [], []
        spaces = sorted({score.space for score in scores}, key=self.order.index)
        for key, by_space in by_column.items():
            found = self._cells(key, by_space, comparisons)
            columns.append(_column(list(found.values()), is_tested=key in comparisons))
            cells.append(found)
        rows = tuple(
            Row(
                space=space,
                label=space,
                kind=self._kind(space),
                cells=tuple(notes.mark(column.get(space, Cell(None))) for column in cells),
            )
            for space in spaces
        )
        return ScoreTable(
            anchor=anchor,
            place=place_of(scores[0]),
            columns=tuple(columns),
            rows=rows,
            notes=tuple(notes.found),
            matrix=_matrix(columns, spaces, comparisons),
        )

    def _cells(
        self, key: Key, by_space: Mapping[str, list[Score]], comparisons: Comparisons
    ) -> dict[str, Cell]:
        means = {space: over_seeds(scores) for space, scores in by_space.items()}
        best = best_scores(list(means.values()))

        def is_level(score: Score) -> bool:
            """Whether a score that is not the best is not separated from it either."""
            if score.value is None:
                return False
            signs = [comparisons.sign(key, score.space, other.space) for other in best]
            return any(
                intervals_overlap(score, other) if sign is None else sign == 0
                for sign, other in zip(signs, best, strict=True)
            )

        return {
            space: Cell(
                score=score,
                best=score in best,
                overlaps=score not in best and is_level(score),
                paper=find_paper_value(
                    kind=self._kind(space),
                    role=self.roles.get(space, ""),
                    dataset=score.dataset,
                    metric=score.metric,
                    split=score.split,
                ),
                seeds=tuple(sorted(by_space[space], key=_seed)) if len(by_space[space]) > 1 else (),
            )
            for space, score in means.items()
        }


def _seed(score: Score) -> int:
    return score.seed


def _key(score: Score) -> Key:
    return score.dataset, score.split, score.metric


def _identity(score: Score) -> tuple[object, ...]:
    return (*_key(score), score.space, score.seed)


class _Footnotes:
    """Gives every different note a letter."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._marks: dict[str, str] = {}

    def mark(self, cell: Cell) -> Cell:
        """The cell with the marks of its notes; what is noted of language models stands in their list."""
        if cell.score is not None and cell.score.metric == PERPLEXITY:
            return cell
        notes = dict.fromkeys(score.note for score in cell.all_scores if score.note)
        return replace(cell, notes=tuple(self._mark(note) for note in notes))

    def _mark(self, note: str) -> str:
        if note not in self._marks:
            letters = string.ascii_lowercase
            turn, letter = divmod(len(self._marks), len(letters))
            self._marks[note] = letters[letter] * (turn + 1)
            self.found.append((self._marks[note], note))
        return self._marks[note]


def _column(cells: Sequence[Cell], *, is_tested: bool) -> Column:
    scores = [cell.score for cell in cells if cell.score is not None]
    first = scores[0]
    ok = [cell for cell in cells if cell.status == "ok"]
    coverages = {cell.coverage for cell in ok} or {formats.MISSING}
    baselines = {score.baseline for score in scores if score.status == "ok"}
    return Column(
        place=place_of(first),
        dataset=first.dataset,
        split=first.split,
        metric=first.metric,
        higher_is_better=first.higher_is_better,
        coverage=coverages.pop() if len(coverages) == 1 else None,
        baseline=baselines.pop() if len(baselines) == 1 else None,
        is_tested=is_tested,
    )


def _matrix(
    columns: Sequence[Column], spaces: Sequence[str], comparisons: Comparisons
) -> tuple[tuple[Tally | None, ...], ...]:
    keys = [(column.dataset, column.split, column.metric) for column in columns if column.is_tested]
    if not keys:
        return ()
    return tuple(tuple(tally(comparisons, keys, one, other) for other in spaces) for one in spaces)


def best_scores(scores: Iterable[Score]) -> list[Score]:
    """The best of one column; several where they are equal, none where nothing is compared.

    A score alone in its column is not the best of anything.
    """
    ok = [score for score in scores if score.value is not None]
    if len(ok) < 2:
        return []
    values = [score.value for score in ok if score.value is not None]
    best = max(values) if ok[0].higher_is_better else min(values)
    return [score for score in ok if score.value == best]


def intervals_overlap(one: Score, other: Score) -> bool:
    """Whether two confidence intervals share a point; False where either is missing."""
    if one.ci_low is None or one.ci_high is None or other.ci_low is None or other.ci_high is None:
        return False
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high
