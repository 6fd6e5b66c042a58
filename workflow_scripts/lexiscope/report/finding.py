"""The one sentence at the top of the report, computed from the scores and no bolder than they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.cells import Cell, Column, Row
from lexiscope.report.score_table import ScoreTable


@dataclass(frozen=True)
class Finding:
    """What the scores say.

    Attributes
    ----------
    lead
        The finding itself.
    caution
        What keeps it from meaning more; empty where nothing does.
    """

    lead: str
    caution: str = ""


@dataclass(frozen=True)
class _Contest:
    """One task on which at least two spaces have a score.

    ``clear``: one of them is set apart from all others; ``tested``: by paired tests.
    """

    winners: tuple[str, ...]
    clear: bool
    tested: bool
    noise_wins: bool
    control_wins: bool
    none_wins: bool


def find(tables: Sequence[ScoreTable]) -> Finding:
    """Which space is best on how many tasks, and on how many of those it can be told apart.

    A task counts once, by its main measure.
    """
    cells = [cell for table in tables for cell in table.cells if cell.score is not None]
    if not cells:
        return Finding(
            "No tasks were asked for, so nothing was scored: this page shows the spaces themselves."
        )
    missing = sum(cell.value is None for cell in cells)
    if missing == len(cells):
        return Finding(f"None of the {missing} scores could be computed; the reasons are given below.")
    gap = _gaps(cells, missing)
    contests = [contest for table in tables for contest in _contests(table)]
    if not contests:
        tasks = count_tasks(tables)
        names = list(dict.fromkeys(row.label for table in tables for row in table.rows))
        noun = "one task" if tasks == 1 else f"{tasks} tasks"
        return Finding(
            f"{_listed(names)} was scored on {noun}; there is no other space to compare it with.", gap
        )
    lead, caution = _leaders(contests)
    parts = (caution, _controls(contests), gap)
    return Finding(lead, " ".join(part for part in parts if part))


def count_tasks(tables: Sequence[ScoreTable]) -> int:
    """Number of tasks, each of which may have several measures."""
    return sum(column.place.is_main for table in tables for column in table.columns)


def _contests(table: ScoreTable) -> Iterable[_Contest]:
    for position, column in enumerate(table.columns):
        if not column.place.is_main:
            continue
        entries = [(row, row.cells[position]) for row in table.rows]
        winners = tuple(row.label for row, cell in entries if cell.best)
        if winners:
            kinds = [row.kind for row, cell in entries if cell.best]
            noise_wins = "random" in kinds
            none_wins = any(map(formats.is_stand_in, kinds))
            control_wins = any(
                kind != "random" and not formats.is_stand_in(kind) and formats.family(kind) == "control"
                for kind in kinds
            )
            yield _Contest(
                winners,
                _is_clear(entries, column),
                column.is_tested,
                noise_wins,
                control_wins,
                none_wins,
            )


def _is_clear(entries: Sequence[tuple[Row, Cell]], column: Column) -> bool:
    """One winner, from whom the paired tests tell all others apart.

    Without tests, its interval is known and is reached by nobody's score or interval.
    """
    best = [cell.score for _, cell in entries if cell.best and cell.score is not None]
    if column.is_tested:
        return len(best) == 1 and not any(cell.overlaps for _, cell in entries)
    if len(best) != 1 or best[0].ci_low is None or best[0].ci_high is None:
        return False
    others = [cell.score for _, cell in entries if not cell.best and cell.score is not None]
    return all(_is_behind(other, best[0], column.higher_is_better) for other in others)


def _is_behind(other: Score, best: Score, higher_is_better: bool) -> bool:
    if other.value is None or best.ci_low is None or best.ci_high is None:
        return True
    if higher_is_better:
        return (other.value if other.ci_high is None else other.ci_high) < best.ci_low
    return (other.value if other.ci_low is None else other.ci_low) > best.ci_high


def _leaders(contests: Sequence[_Contest]) -> tuple[str, str]:
    wins = Counter(name for contest in contests for name in contest.winners)
    most = max(wins.values())
    leaders = [name for name, count in wins.items() if count == most]
    total = len(contests)
    of_total = "the only task" if total == 1 else f"{most} of {total} tasks"
    if len(leaders) > 1:
        each = "share the best score on" if total == 1 else "each have the best score on"
        return f"{_listed(leaders)} {each} {of_total}: no space leads.", ""
    leader = leaders[0]
    won = [contest for contest in contests if leader in contest.winners]
    clear = sum(contest.clear for contest in won)
    lead = f"{leader} has the best score on {of_total}."
    tested = {contest.tested for contest in won}
    judge = (
        "paired tests" if tested == {True} else "intervals" if tested == {False} else "tests and intervals"
    )
    if clear == len(won):
        where = "there" if clear == 1 else "on each of them"
        if tested == {False}:
            return lead, f"No other space’s interval reaches into its own {where}."
        return lead, f"The {judge} set it apart from all others {where}."
    if clear == 0:
        where = "there" if len(won) == 1 else "on any of them"
        return lead, f"The {judge} do not set it apart from the others {where}."
    return lead, f"The {judge} set it apart from all others on {clear} of those {len(won)}."


def _controls(contests: Sequence[_Contest]) -> str:
    said = []
    if noise := sum(contest.noise_wins for contest in contests):
        said.append(f"Random vectors are best on {_tasks(noise)}: those scores are noise.")
    if control := sum(contest.control_wins for contest in contests):
        said.append(
            f"On {_tasks(control)} a control is best: no learnt space does better there than a plain "
            "transformation of another."
        )
    if none := sum(contest.none_wins for contest in contests):
        said.append(f"On {_tasks(none)} a language model does best without any pre-trained vectors.")
    return " ".join(said)


def _gaps(cells: Sequence[Cell], missing: int) -> str:
    """Scores that are missing, and those that say nothing of the space."""
    said = []
    if missing:
        said.append(
            f"{missing:,} of {len(cells):,} scores could not be computed; the reasons are given below."
        )
    if constant := sum(cell.is_constant for cell in cells):
        whose = (
            "score is of a classifier that gives"
            if constant == 1
            else "scores are of classifiers that give"
        )
        said.append(f"{constant} {whose} every item one answer.")
    return " ".join(said)


def _tasks(count: int) -> str:
    return "one task" if count == 1 else f"{count} tasks"


def _listed(names: Sequence[str]) -> str:
    """Names as a phrase.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
