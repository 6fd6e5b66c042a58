"""Everything a run has left behind, read into plain values for the tables and charts."""

from __future__ import annotations

import csv
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lexiscope import __version__
from lexiscope.data.receipt import read_receipt
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, Score, read_table
from lexiscope.files import read_json
from lexiscope.report.activation import Activation, summarise
from lexiscope.report.neighbours import Neighbour, choose_words, nearest_neighbours

PACKAGES = (
    "numpy", "scipy", "torch", "gensim", "fasttext-community", "numba", "scikit-learn", "pandas", "pyarrow",
    "safetensors", "altair", "vl-convert-python", "snakemake",
)  # fmt: skip

WORD_TASKS = ("word_similarity", "brainbench")
"""The task groups whose items are words."""

_SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class SpaceSummary:
    """What the report says about a space without its vectors.

    Attributes
    ----------
    columns
        Names of what it has beside the vectors.
    """

    name: str
    kind: str
    words: int
    dim: int
    provenance: Mapping[str, Any]
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bias:
    """The softmax bias of each word of an output space against its count.

    Attributes
    ----------
    words, log_count, bias
        One entry a word that occurs in the corpus; ``log_count`` is the natural logarithm.
    pearson
        Their correlation; None where it is not defined (fewer than three words, or no variance).
    """

    space: str
    words: tuple[str, ...]
    log_count: NDArray[np.float64]
    bias: NDArray[np.float64]
    pearson: float | None


@dataclass(frozen=True)
class Validation:
    """One record of a language model's training history; an epoch can have several."""

    epoch: int
    step: int | None
    tokens: int | None
    train_perplexity: float | None
    valid_perplexity: float | None
    tokens_per_second: float | None
    seconds: float | None


@dataclass(frozen=True)
class History:
    """How a language model was trained, and the test perplexity of the weights that were kept."""

    validations: tuple[Validation, ...]
    test_perplexity: float | None

    @property
    def best(self) -> Validation | None:
        """The record of lowest validation perplexity."""
        scored = [record for record in self.validations if record.valid_perplexity is not None]
        return min(scored, key=lambda record: record.valid_perplexity or 0.0, default=None)


@dataclass(frozen=True)
class Split:
    """Size of one split of a corpus."""

    tokens: int
    sentences: int
    unknown: int


@dataclass(frozen=True)
class Corpus:
    """What an encoded corpus holds, and what was counted while its sources were read."""

    name: str
    words: int
    casing: str
    splits: Mapping[str, Split]
    sources: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class DatasetFile:
    """One file of a dataset."""

    path: str
    role: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Dataset:
    """One dataset that the run has read."""

    key: str
    source: str
    sha256: str
    files: tuple[DatasetFile, ...]

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Timing:
    """What one rule took, as Snakemake's benchmark has it; the mean over its repeats."""

    label: str
    seconds: float
    cpu_seconds: float | None
    max_rss_mb: float | None
    mean_load: float | None


@dataclass(frozen=True)
class Spaces:
    """What was read from the embedding spaces, in the order of the study."""

    summaries: tuple[SpaceSummary, ...]
    biases: tuple[Bias, ...]
    activations: tuple[Activation, ...]
    words: tuple[str, ...]
    neighbours: Mapping[str, Mapping[str, list[Neighbour] | None]]


def read_scores(path: Path) -> list[Score]:
    """All rows of a scores table."""
    return [Score(**row) for row in read_table(path, SCORE_SCHEMA).to_pylist()]


def words_asked_for(path: Path) -> set[str]:
    """The words that occur in the items of the tasks whose items are words; those of others are sentences.

    The table can have millions of rows, so it is read in parts.

    Raises
    ------
    LexiscopeError
        If it cannot be read or has other columns.
    """
    found: set[str] = set()
    try:
        with pq.ParquetFile(path) as table:
            if not table.schema_arrow.equals(ITEM_SCHEMA):
                raise LexiscopeError("its columns are not those of this table", where=path)
            for batch in table.iter_batches(columns=["task", "item"]):
                of_words = pc.is_in(batch.column("task"), value_set=pa.array(WORD_TASKS))
                found.update(batch.column("item").filter(of_words).unique().to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise LexiscopeError(f"not a readable Parquet file ({error})", where=path) from None
    return {word for item in found for word in re.split(r"[\s,/|:]+", item or "") if word}


def read_spaces(
    paths: Mapping[str, Path],
    *,
    kinds: Mapping[str, str],
    words: tuple[str, ...] | None,
    asked_for: set[str],
    count: int,
    k: int,
) -> Spaces:
    """Read what the report shows of the spaces.

    Each is read twice, for its words and then for its vectors, so that only one is in memory at a time.
    """
    summaries, biases, activations, vocabularies = [], [], [], {}
    for name, path in paths.items():
        space = load_space(path)
        vocabularies[name] = space.words
        kind = kinds.get(name) or str(space.provenance.get("kind", ""))
        columns = frozenset(space.columns)
        summaries.append(SpaceSummary(name, kind, len(space), space.dim, dict(space.provenance), columns))
        if (activation := summarise(name, space)) is not None:
            activations.append(activation)
        if "bias" in space.columns and "count" in space.columns:
            biases.append(_bias(name, space))
    chosen = choose_words(vocabularies, asked_for, count) if words is None else words
    neighbours = {name: nearest_neighbours(load_space(path), chosen, k) for name, path in paths.items()}
    return Spaces(tuple(summaries), tuple(biases), tuple(activations), tuple(chosen), neighbours)


def _bias(name: str, space: EmbeddingSpace) -> Bias:
    count = np.asarray(space.columns["count"], dtype=np.float64)
    bias = np.asarray(space.columns["bias"], dtype=np.float64)
    seen = (count > 0) & np.isfinite(bias)
    log_count, bias = np.log(count[seen]), bias[seen]
    defined = len(bias) >= 3 and log_count.std() > 0 and bias.std() > 0
    return Bias(
        space=name,
        words=tuple(word for word, kept in zip(space.words, seen, strict=True) if kept),
        log_count=log_count,
        bias=bias,
        pearson=float(np.corrcoef(log_count, bias)[0, 1]) if defined else None,
    )


def read_history(path: Path) -> History:
    """The training history of a language model, in the order of the file.

    Every record is a validation with an ``epoch``, but one with ``event: final`` may stand at the end. What
    else a record says is shown where it is there.

    Raises
    ------
    LexiscopeError
        If the file is not such a list.
    """
    records = read_json(path)
    problem = "not a training history: a list of records with an 'epoch' each"
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise LexiscopeError(problem, where=path)
    final: dict[str, Any] = next((record for record in records if record.get("event") == "final"), {})
    validations = [record for record in records if record.get("event") != "final"]
    if not all("epoch" in record for record in validations):
        raise LexiscopeError(problem, where=path)
    return History(
        tuple(
            Validation(
                epoch=int(record["epoch"]),
                step=record.get("step"),
                tokens=record.get("tokens"),
                train_perplexity=record.get("train_perplexity"),
                valid_perplexity=record.get("valid_perplexity"),
                tokens_per_second=record.get("tokens_per_second"),
                seconds=record.get("seconds"),
            )
            for record in validations
        ),
        test_perplexity=final.get("test_perplexity"),
    )


def read_corpus(name: str, folder: Path) -> Corpus:
    """An encoded corpus, from its manifest.

    Raises
    ------
    LexiscopeError
        If the manifest is missing or is not one.
    """
    path = folder / "manifest.json"
    manifest = read_json(path)
    try:
        return Corpus(
            name=name,
            words=manifest["vocabulary"]["words"],
            casing=manifest["casing"],
            splits={
                split: Split(entry["tokens"], entry["sentences"], entry["unknown"])
                for split, entry in sorted(
                    manifest["splits"].items(), key=lambda item: _SPLITS.index(item[0])
                )
            },
            sources=tuple(manifest["sources"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not the manifest of a corpus ({error!r})", where=path) from None


def read_dataset(path: Path) -> Dataset:
    """A dataset, from its receipt; the folder it lies in stays out of the report."""
    receipt = read_receipt(path)
    return Dataset(
        key=receipt.dataset,
        source=receipt.source,
        sha256=receipt.sha256,
        files=tuple(DatasetFile(file.path, file.role, file.sha256, file.bytes) for file in receipt.files),
    )


def read_timings(folder: Path) -> list[Timing]:
    """Snakemake's benchmark files in a folder, slowest first; that of an earlier report is left out."""
    paths = sorted(path for path in folder.glob("*.tsv") if path.stem != "build_report")
    timings = [read_timing(path.stem.replace(".", " "), path) for path in paths]
    return sorted(timings, key=lambda timing: -timing.seconds)


def read_timing(label: str, path: Path) -> Timing:
    """A benchmark file of Snakemake.

    Raises
    ------
    LexiscopeError
        If it is missing, has no rows, or no column ``s`` of numbers.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        seconds = [float(row["s"]) for row in rows]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise LexiscopeError(f"not a benchmark file of Snakemake ({error!r})", where=path) from None
    if not rows:
        raise LexiscopeError("a benchmark file without a measurement", where=path)
    return Timing(
        label=label,
        seconds=sum(seconds) / len(seconds),
        cpu_seconds=_mean(rows, "cpu_time"),
        max_rss_mb=_mean(rows, "max_rss"),
        mean_load=_mean(rows, "mean_load"),
    )


def _mean(rows: list[dict[str, str]], column: str) -> float | None:
    """The mean of a column in which Snakemake writes ``NA`` or ``-`` where it could not measure."""
    values = []
    for row in rows:
        try:
            values.append(float(row.get(column) or "nan"))
        except ValueError:
            continue
    values = [value for value in values if np.isfinite(value)]
    return sum(values) / len(values) if values else None


def environment() -> list[tuple[str, str]]:
    """Versions of what computed the report: names and versions."""
    found = [
        ("Lexiscope", __version__),
        ("Python", platform.python_version()),
        ("Platform", f"{platform.system()} {platform.machine()}"),
    ]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return found


def flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as dotted keys with values as text, in its own order."""
    if isinstance(value, Mapping) and value:
        return [pair for key, inner in value.items() for pair in flatten(inner, f"{prefix}{key}.")]
    key = prefix.removesuffix(".")
    if isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value):
        return [pair for i, inner in enumerate(value) for pair in flatten(inner, f"{prefix}{i}.")]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [(key, text)]
