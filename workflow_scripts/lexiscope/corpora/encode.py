"""Encoding: the sources of a corpus, read once, to a vocabulary and shards of ids.

Worker processes turn chunks of text into integers of the chunk's own numbering (``chunks``, ``interning``).
This process, in the order of the text, maps them to provisional ids, counts words, sets sentences aside
for ``valid`` and ``test``, and appends the ids to scratch files (``gathering``). When all is read the
vocabulary is known, and the scratch files become shards by one table look-up (``shards``). The result does
not depend on the number of processes.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lexiscope.corpora.chunks import ChunkEncoder
from lexiscope.corpora.config import CorpusConfig, DatasetSource, TextSource
from lexiscope.corpora.encoded import FORMAT, MANIFEST, SPLITS, VOCABULARY, Ids, Split
from lexiscope.corpora.gathering import Gathering
from lexiscope.corpora.readers import Chunk, Reader, chunk_bytes, read_chunks, text_bytes
from lexiscope.corpora.shards import Scratch, write_shards
from lexiscope.corpora.vocabulary import write_vocabulary
from lexiscope.data.catalogue import load_catalogue
from lexiscope.data.receipt import Receipt, read_receipt
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json, sha256_file, write_json
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

BYTES_PER_TOKEN = 5.6
"""Of English text, its space included: only to tell how far the reading has come."""


@dataclass(frozen=True)
class TextSet:
    """The files of one source, by split, and how they are read."""

    name: str
    sha256: str
    reader: Reader
    paths: Mapping[Split, Sequence[Path]]
    max_tokens: int | None

    def missing_splits(self) -> list[Split]:
        """Those of ``valid`` and ``test`` that must be held out of the training text."""
        return [split for split in SPLITS[1:] if not self.paths[split]]

    def expected_bytes(self) -> float:
        """About how much text will be read."""
        size: dict[Split, float] = {split: sum(map(text_bytes, self.paths[split])) for split in SPLITS}
        if self.max_tokens is not None:
            size["train"] = min(size["train"], self.max_tokens * BYTES_PER_TOKEN)
        return sum(size.values())


@stage_entry
def encode_corpus(
    *, receipts: Sequence[Path], config: dict[str, Any], output: Path, seed: int, threads: int
) -> None:
    """Encode the sources of a corpus into the folder ``output`` (see `lexiscope.corpora.encoded`).

    Parameters
    ----------
    receipts
        Receipts of the datasets that the configuration names; they are matched by their dataset's key.
    config
        Content of a `CorpusConfig`.
    output
        The folder. What an earlier encoding left there is removed first.
    seed
        Decides which sentences are held out.
    threads
        Number of worker processes.

    Raises
    ------
    LexiscopeError
        If a receipt or a file is missing, or there is no training text.
    """
    settings = CorpusConfig.model_validate(config)
    sets = _text_sets(settings, [read_receipt(path) for path in receipts])
    output = Path(output)
    _clear(output)
    with TemporaryDirectory(prefix="scratch-", dir=output) as folder:
        gathering = Gathering(Scratch(Path(folder)), settings, seed)
        sources = _read_all(sets, gathering, threads)
        _write(output, gathering, sources, settings, seed)


def _text_sets(settings: CorpusConfig, receipts: Sequence[Receipt]) -> list[TextSet]:
    by_dataset = {receipt.dataset: receipt for receipt in receipts}
    sets = []
    for source in settings.sources:
        if isinstance(source, TextSource):
            sets.append(_user_text(source))
        elif source.dataset in by_dataset:
            sets.append(_dataset_text(source, by_dataset[source.dataset]))
        else:
            raise LexiscopeError(f"no receipt was given for the dataset {source.dataset!r}")
    return sets


def _user_text(source: TextSource) -> TextSet:
    paths = source.paths()
    return TextSet(
        name="text",
        sha256=digest_json([[path.name, sha256_file(path)] for path in paths]),
        reader="sentences" if source.tokenised else "text",
        paths={"train": paths, "valid": [], "test": []},
        max_tokens=source.max_tokens,
    )


def _dataset_text(source: DatasetSource, receipt: Receipt) -> TextSet:
    dataset = load_catalogue()[source.dataset]
    if dataset.reader is None:
        raise LexiscopeError(f"the dataset {source.dataset!r} is no corpus")
    tokenised_lines = dataset.reader == "text" and dataset.tokenised
    paths = {split: receipt.paths(split) for split in SPLITS}
    if not paths["train"]:
        logger.warning("%s has no training text; what it has for valid and test is used", source.dataset)
    return TextSet(
        name=source.dataset,
        sha256=receipt.sha256,
        reader="sentences" if tokenised_lines else dataset.reader,
        paths=paths,
        max_tokens=source.max_tokens,
    )


def _clear(folder: Path) -> None:
    """Remove an earlier encoding, the manifest first, so that no moment shows a mixture as finished."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [path for split in SPLITS for path in folder.glob(f"{split}-*.npy")]
    for path in [folder / MANIFEST, folder / VOCABULARY, *shards, *folder.glob(".*.part")]:
        path.unlink(missing_ok=True)
    for scratch in folder.glob("scratch-*"):
        for path in scratch.iterdir():
            path.unlink()
        scratch.rmdir()


def _read_all(sets: Sequence[TextSet], gathering: Gathering, threads: int) -> list[dict[str, Any]]:
    """Read every source; return their entries in the manifest."""
    expected = sum(text_set.expected_bytes() for text_set in sets)
    n_chunks = sum(text_set.expected_bytes() / chunk_bytes(text_set.reader) for text_set in sets)
    n_processes = max(1, min(threads, int(n_chunks)))
    with (
        gathering.scratch,
        ChunkEncoder(n_processes) as encoder,
        Progress("reading text", total=expected, unit="B") as progress,
    ):
        return [
            _read_source(number, text_set, gathering, encoder, progress)
            for number, text_set in enumerate(sets)
        ]


def _read_source(
    number: int, text_set: TextSet, gathering: Gathering, encoder: ChunkEncoder, progress: Progress
) -> dict[str, Any]:
    gathering.start_source(number, text_set.missing_splits(), text_set.max_tokens)
    read: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        counts: Counter[str] = Counter()
        for chunk in encoder.encode(_chunks(text_set, split), text_set.reader, gathering.casing):
            counts.update(chunk.counts)
            progress.advance(chunk.n_bytes, note=text_set.name)
            if not gathering.add(chunk, split):
                break
        if text_set.paths[split]:
            read[split] = dict(sorted(counts.items()))
    _log(text_set, read)
    return {
        "name": text_set.name,
        "sha256": text_set.sha256,
        "reader": text_set.reader,
        "max_tokens": text_set.max_tokens,
        "read": read,
        "kept": dict(sorted(gathering.kept.items())),
    }


def _chunks(text_set: TextSet, split: Split) -> Iterator[Chunk]:
    return itertools.chain.from_iterable(
        read_chunks(path, text_set.reader) for path in text_set.paths[split]
    )


def _log(text_set: TextSet, read: Mapping[str, Mapping[str, int]]) -> None:
    for split, counts in read.items():
        told = ", ".join(
            f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number
        )
        logger.info("%s %s: %s", text_set.name, split, told or "empty")
        for trouble in ("bad_bytes", "control_characters", "line_cuts"):
            if counts.get(trouble):
                logger.warning(
                    "%s %s: %d %s", text_set.name, split, counts[trouble], trouble.replace("_", " ")
                )


def _write(
    output: Path, gathering: Gathering, sources: list[dict[str, Any]], settings: CorpusConfig, seed: int
) -> None:
    vocabulary, final = gathering.words.vocabulary(settings.min_count, settings.max_vocabulary)
    dtype = np.dtype(np.uint16 if len(vocabulary) <= 2**16 else np.uint32)
    splits = _write_splits(output, gathering.scratch, final.astype(dtype), settings.shard_tokens)
    path = output / VOCABULARY
    write_vocabulary(vocabulary, path)
    manifest = {
        "format": FORMAT,
        "dtype": dtype.name,
        "seed": seed,
        **settings.model_dump(mode="json", exclude={"sources"}),
        "vocabulary": {
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": sha256_file(path),
            "words": len(vocabulary),
        },
        "splits": splits,
        "sources": sources,
    }
    write_json(output / MANIFEST, manifest)
    logger.info("%d words, %d training tokens", len(vocabulary), splits["train"]["tokens"])


def _write_splits(output: Path, scratch: Scratch, final: Ids, shard_tokens: int) -> dict[Split, Any]:
    """Write the shards of all splits; return their entries in the manifest."""
    ids = {split: scratch.ids(split) for split in SPLITS}
    if not len(ids["train"]):
        raise LexiscopeError("the corpus has no training text", remedy="look at its sources and max_tokens")
    splits: dict[Split, Any] = {}
    with Progress("writing ids", total=sum(map(len, ids.values())), unit="token") as progress:
        for split in SPLITS:
            shards = []
            for shard in write_shards(ids[split], final, output, split, shard_tokens):
                progress.advance(shard["tokens"])
                shards.append(shard)
            totals = {
                key: sum(shard[key] for shard in shards) for key in ("tokens", "sentences", "unknown")
            }
            splits[split] = {**totals, "shards": shards}
    return splits
