"""All jobs' scores in one table, and all items in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, merge_tables
from lexiscope.stage import stage_entry


@stage_entry
def merge_scores(
    *, scores: Sequence[Path], items: Sequence[Path], scores_output: Path, items_output: Path
) -> None:
    """Concatenate the tables of all evaluation jobs, in the order given.

    Raises
    ------
    LexiscopeError
        If a file cannot be read or is not such a table.
    """
    merge_tables(items, ITEM_SCHEMA, items_output)
    merge_tables(scores, SCORE_SCHEMA, scores_output)
