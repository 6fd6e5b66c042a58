"""The score: one long-form row for every number the workflow reports, and the items behind it.

This is the second file that crosses every border between stages (the first is the embedding space).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path

Status = Literal["ok", "skipped", "failed"]


@dataclass(frozen=True)
class Score:
    """One number, with all that is needed to judge it.

    ``value``, ``ci_low``, ``ci_high`` and ``baseline`` are on the metric's own scale and None where they
    do not exist; a score that could not be computed has no value, and says why in ``error``. ``constant``
    marks a classifier that gives every item the same answer, whose score says nothing about the space;
    ``note`` says what else a reader has to know.
    """

    study: str
    space: str
    model: str
    seed: int
    task: str
    dataset: str
    split: str
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    baseline: float | None
    n_used: int
    n_total: int
    status: Status
    error: str
    higher_is_better: bool
    protocol: str
    constant: bool
    note: str
    dataset_sha256: str
    config_sha256: str
    code_version: str

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status {self.status!r}")
        if (self.value is not None) != (self.status == "ok"):
            raise ValueError(f"a score with status {self.status} and value {self.value}")
        if self.status != "ok" and not self.error:
            raise ValueError("a score without a value must say why")


@dataclass(frozen=True)
class Item:
    """What one space answered on one item of a dataset (a word pair, a pair of brain rows, a sentence).

    Sentences are named by file and line, such as ``rt-polarity.pos:17``. ``split`` is that of the score the
    item belongs to. An item that is not ``used`` was answered without any vector, or not at all.
    """

    study: str
    space: str
    seed: int
    task: str
    dataset: str
    split: str
    item_id: int
    item: str
    gold: float | None
    prediction: float | None
    used: bool


@dataclass(frozen=True)
class Evaluation:
    """The scores of one space on one task, with their items."""

    scores: list[Score] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Identity:
    """Whose scores they are: what every row of one evaluation has in common."""

    study: str
    space: str
    model: str
    seed: int
    config_sha256: str
    code_version: str


@dataclass(frozen=True)
class Result:
    """One number as its evaluator knows it; with an `Identity` it becomes a `Score`.

    It starts without a value; `scored`, `skipped` and `failed` give the finished row.
    """

    dataset: str
    split: str
    metric: str
    baseline: float | None
    higher_is_better: bool
    n_used: int
    n_total: int
    protocol: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    status: Status = "skipped"
    error: str = ""
    constant: bool = False
    note: str = ""

    def for_split(self, split: str) -> Result:
        """The same for another part of the dataset."""
        return replace(self, split=split)

    def scored(
        self,
        value: float,
        ci_low: float | None,
        ci_high: float | None,
        *,
        constant: bool = False,
        note: str = "",
    ) -> Result:
        """The finished row, with its value and interval."""
        return replace(
            self, value=value, ci_low=ci_low, ci_high=ci_high, status="ok", constant=constant, note=note
        )

    def skipped(self, reason: str) -> Result:
        """The finished row of a dataset that cannot be scored on this space."""
        return replace(self, status="skipped", error=reason)

    def failed(self, reason: str) -> Result:
        """The finished row of a dataset that cannot be read."""
        return replace(self, status="failed", error=reason)


@dataclass(frozen=True)
class Answer:
    """One item as its evaluator knows it; with an `Identity` it becomes an `Item`."""

    dataset: str
    item_id: int
    item: str
    gold: float | None
    prediction: float | None
    used: bool
    split: str = "test"


@dataclass(frozen=True)
class Outcome:
    """What an evaluator hands back for one dataset."""

    results: list[Result]
    answers: list[Answer]

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.results + other.results, self.answers + other.answers)


_ARROW = {
    "str": pa.string(),
    "int": pa.int64(),
    "float | None": pa.float64(),
    "bool": pa.bool_(),
    "Status": pa.string(),
}


def _schema(kind: type) -> pa.Schema:
    return pa.schema([(column.name, _ARROW[str(column.type)]) for column in fields(kind)])


SCORE_SCHEMA = _schema(Score)
ITEM_SCHEMA = _schema(Item)


def write_evaluation(evaluation: Evaluation, scores: str | Path, items: str | Path) -> None:
    """Write scores and items to two Parquet files, atomically and with the same bytes each time."""
    write_rows(evaluation.scores, SCORE_SCHEMA, scores)
    write_rows(evaluation.items, ITEM_SCHEMA, items)


def write_rows(rows: Sequence[Score] | Sequence[Item], schema: pa.Schema, path: str | Path) -> None:
    """Write scores or items to one Parquet file, atomically and with the same bytes each time."""
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    write_table(pa.table(columns, schema=schema), path)


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write one Parquet file atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def merge_tables(paths: Sequence[str | Path], schema: pa.Schema, path: str | Path) -> None:
    """Concatenate Parquet files of one schema, in the order given.

    Raises
    ------
    LexiscopeError
        If a file cannot be read or has another schema.
    """
    tables = [read_table(source, schema) for source in paths]
    write_table(pa.concat_tables([schema.empty_table(), *tables]), path)


def read_table(path: str | Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file and check its columns against ``schema``.

    Raises
    ------
    LexiscopeError
        If it cannot be read or its columns differ.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise LexiscopeError(f"not a readable Parquet file ({error})", where=path) from None
    if not table.schema.equals(schema):
        raise LexiscopeError("its columns are not those of this table", where=path)
    return table
