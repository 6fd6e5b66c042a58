"""Reading the columns of a table that the page needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lexiscope.errors import LexiscopeError


def read_columns(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a Parquet file; numbers that are not numbers (NaN) become None.

    Raises
    ------
    LexiscopeError
        If it cannot be read or lacks a column.
    """
    try:
        names = pq.read_schema(path).names
        if missing := [column for column in columns if column not in names]:
            raise LexiscopeError(f"no column {missing[0]!r}", where=path)
        rows: list[dict[str, Any]] = pq.read_table(
            path, columns=list(columns), partitioning=None
        ).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise LexiscopeError(f"not a readable Parquet file ({error})", where=path) from None
    return [{name: None if value != value else value for name, value in row.items()} for row in rows]
