"""All jobs' scores in one table, and all items in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, merge_tables, read_table
from lexiscope.stage import stage_entry

SCORE_KEY = ("study", "space", "model", "seed", "task", "dataset", "split", "metric", "protocol")
"""Columns that tell any two scores apart."""


@stage_entry
def merge_scores(
    *, scores: Sequence[Path], items: Sequence[Path], scores_output: Path, items_output: Path
) -> None:
    """Concatenate the tables of all evaluation jobs, in the order given.

    Raises
    ------
    LexiscopeError
        If a file cannot be read or is not such a table, or two files hold a score of the same thing.
    """
    _check_unique(scores)
    merge_tables(items, ITEM_SCHEMA, items_output)
    merge_tables(scores, SCORE_SCHEMA, scores_output)


def _check_unique(scores: Sequence[Path]) -> None:
    first_seen: dict[tuple[object, ...], Path] = {}
    for path in scores:
        for row in read_table(path, SCORE_SCHEMA).select(SCORE_KEY).to_pylist():
            key = tuple(row.values())
            if key in first_seen:
                raise LexiscopeError(f"the score of {row} is also in {first_seen[key]}", where=path)
            first_seen[key] = path
