"""The paired tests between spaces: which scores they tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiscope.report.parquet import read_columns

Key = tuple[str, str, str]
"""Dataset, split and metric."""

COLUMNS = ("dataset", "split", "metric", "space_a", "space_b", "difference", "p_holm")


@dataclass(frozen=True)
class Comparison:
    """One space against another on one measure, on the items that both cover.

    Attributes
    ----------
    difference
        Above 0 where the first is better; None where it is not defined.
    p_holm
        The corrected p-value; None where there is no test.
    """

    key: Key
    space_a: str
    space_b: str
    difference: float | None
    p_holm: float | None


class Comparisons:
    """All the paired tests of a study.

    Parameters
    ----------
    rows
        The comparisons, each pair of spaces once on each measure, in either order.
    alpha
        Two spaces are told apart if the corrected p-value is below this.
    """

    def __init__(self, rows: Iterable[Comparison] = (), *, alpha: float = 0.05) -> None:
        self._signs: dict[tuple[Key, str, str], int] = {}
        for row in rows:
            if row.difference is None or row.p_holm is None:
                continue
            sign = 0 if row.p_holm >= alpha else 1 if row.difference > 0 else -1
            self._signs[row.key, row.space_a, row.space_b] = sign
            self._signs[row.key, row.space_b, row.space_a] = -sign
        self._keys = {key for key, _, _ in self._signs}

    def __contains__(self, key: Key) -> bool:
        """Whether there are tests on a measure."""
        return key in self._keys

    def sign(self, key: Key, one: str, other: str) -> int | None:
        """1 if a space is better than another, -1 if worse, 0 if not told apart; None without a test."""
        return self._signs.get((key, one, other))


@dataclass(frozen=True)
class Tally:
    """On how many measures one space is better and worse than another, of those that were tested."""

    better: int
    worse: int
    tested: int


def tally(comparisons: Comparisons, keys: Sequence[Key], one: str, other: str) -> Tally | None:
    """Count the tests of one space against another; None where there are none."""
    found = [comparisons.sign(key, one, other) for key in keys]
    signs = [sign for sign in found if sign is not None]
    return Tally(signs.count(1), signs.count(-1), len(signs)) if signs else None


def read_comparisons(path: Path, *, alpha: float = 0.05) -> Comparisons:
    """The paired tests of a study.

    Raises
    ------
    LexiscopeError
        If the file cannot be read or lacks a column.
    """
    return Comparisons(map(_comparison, read_columns(path, COLUMNS)), alpha=alpha)


def _comparison(row: dict[str, Any]) -> Comparison:
    return Comparison(
        (row["dataset"], row["split"], row["metric"]),
        row["space_a"],
        row["space_b"],
        row["difference"],
        row["p_holm"],
    )
