"""Label documents by domain, and write their paragraphs and sentences with these labels."""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.corpora.gathering import uniform_hash
from lexiscope.corpora.segmentation import Segmenter
from lexiscope.data.receipt import read_receipt
from lexiscope.domains.clustering import Round, find_domains
from lexiscope.domains.config import DomainsConfig
from lexiscope.domains.describe import describe_round, main_topics, map_domains, name_of
from lexiscope.domains.documents import Document, read_dataset, read_files
from lexiscope.domains.labelled_text import Level, labelled_file
from lexiscope.domains.latent import count_terms
from lexiscope.errors import LexiscopeError
from lexiscope.files import atomic_path, digest_json, sha256_file, write_json
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

FORMAT, MANIFEST = "lexiscope-domains-1", "manifest.json"

LEVELS: tuple[Level, ...] = ("paragraphs", "sentences")

HELD_OUT = 0.1
"""Share of each domain's documents that goes to ``valid``, and the same again to ``test``."""

_DRAW, _SPLIT = 1, 2  # streams of the random choices


@stage_entry
def label_domains(
    *, receipt: Sequence[Path], files: Sequence[Path], config: Mapping[str, Any], seed: int, output: Path
) -> None:
    """Find the domains of documents, and write the confident ones as labelled text.

    TF–IDF, latent semantic analysis, k-means; the clusters least like one another become domains; all
    documents are classified against them; the confident ones make the next latent space and the next
    domains; and so on, until the labels are stable (Verwimp & Bellegarda 2019, section 3.1). One thread is
    used, so that the products do not depend on the number of processors.

    A document with fewer than ``min_words`` different terms takes no part. A document that is not among the
    confident ones of the last round has a label in the figures, but is not in the labelled text.

    Parameters
    ----------
    receipt
        Of the dataset, if the documents are one of the catalogue; else empty.
    files
        The user's files; else empty.
    config
        A `DomainsConfig`, as a mapping; its own seed is not read.
    seed
        Of every random choice.
    output
        The folder to write:

        ``{train,valid,test}/{paragraphs,sentences}.txt``
            ``domain<TAB>tokens`` a line, in the order of the documents. All paragraphs of a document bear
            its domain, and all sentences that of their paragraph. Documents are shared out to the parts
            domain by domain (`share_out`).
        ``iterations.json``
            A list of `lexiscope.domains.describe.describe_round`.
        ``domains.json``
            The domains with names, terms and sizes; the counts of documents; the figures of the last round.
        ``map.json``
            `lexiscope.domains.describe.map_domains`.
        ``manifest.json``
            Sizes and SHA-256 of the files above; written last.

    Raises
    ------
    LexiscopeError
        If documents cannot be read, are fewer than the clusters, or are too much alike.
    """
    settings = DomainsConfig.model_validate(config)
    output = Path(output)
    (output / MANIFEST).unlink(missing_ok=True)
    counts: Counter[str] = Counter()
    source, read = _open([Path(path) for path in receipt], [Path(path) for path in files], counts)
    documents = list(read if settings.max_documents is None else _drawn(read, settings.max_documents, seed))
    if not documents:
        raise LexiscopeError("there are no documents", where=", ".join(source["files"]))
    terms = count_terms((document.text for document in documents), settings.max_terms)
    used = terms.n_different() >= settings.min_words
    counts["used_documents"] = len(documents)
    counts["documents_with_few_words"] = int((~used).sum())
    logger.info("%d documents, %d of them with too few words", len(documents), (~used).sum())
    documents = [document for document, kept in zip(documents, used, strict=True) if kept]
    topics = [document.topic for document in documents]
    with threadpool_limits(limits=1):
        iterations: list[dict[str, Any]] = []
        with Progress("finding domains", unit="round") as progress:
            for found in find_domains(terms[used], settings, seed):
                iterations.append(describe_round(found, terms.terms, topics, seed))
                progress.advance(1)
                _tell(iterations[-1])
        write_json(output / "map.json", map_domains(found, topics, seed))
    stable = found.stability is not None and found.stability >= settings.stability
    if not stable:
        logger.warning("the labels are not stable after %d rounds", found.number)
    written = write_labelled(documents, found, settings.casing == "lower", seed, output)
    write_json(output / "iterations.json", iterations)
    write_json(
        output / "domains.json",
        {
            "source": source,
            "config": settings.model_dump(mode="json", exclude={"documents", "files", "seed"}),
            "seed": seed,
            "held_out": HELD_OUT,
            "terms": len(terms.terms),
            "documents": dict(sorted(counts.items())),
            "stable": stable,
            "rounds": found.number,
            "last": {key: value for key, value in iterations[-1].items() if key != "domains"},
            "domains": _domains(found, iterations[-1]["domains"], topics, written),
        },
    )
    _write_manifest(output)


def _open(
    receipts: Sequence[Path], files: Sequence[Path], counts: Counter[str]
) -> tuple[dict[str, Any], Iterator[Document]]:
    """What is told of the source, and its documents."""
    if (len(receipts), bool(files)) not in ((1, False), (0, True)):
        raise LexiscopeError("documents come from one dataset, or from files of the user's own")
    if receipts:
        receipt = read_receipt(receipts[0])
        names = [file.path for file in receipt.files]
        return (
            {"dataset": receipt.dataset, "files": names, "sha256": receipt.sha256},
            read_dataset(receipt, counts),
        )
    for path in files:
        if not path.is_file():
            raise LexiscopeError("no such file", where=path)
    hashes = [sha256_file(path) for path in files]
    return (
        {
            "dataset": None,
            "files": [path.name for path in files],
            "sha256": digest_json(hashes),
        },
        read_files(files, counts),
    )


def _drawn(documents: Iterator[Document], most: int, seed: int) -> Iterator[Document]:
    """At most ``most`` of the documents, drawn at random, in their order; no more are held in memory."""
    heap: list[tuple[float, int, Document]] = []
    for ordinal, document in enumerate(documents):
        draw = float(uniform_hash(np.array([ordinal], dtype=np.uint64), seed, _DRAW)[0])
        # The heap's least entry is the one to go next: the largest draw, of equal ones the last.
        entry = (-draw, -ordinal, document)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    yield from (document for _, _, document in sorted(heap, key=lambda entry: -entry[1]))


def _tell(record: Mapping[str, Any]) -> None:
    stability, nmi = record["stability"], record["nmi"]
    logger.info(
        "round %d: stability %s, silhouette %s%s",
        record["iteration"],
        "-" if stability is None else f"{stability:.4f}",
        record["silhouette"],
        "" if nmi is None else f", NMI against the topics {nmi:.4f}",
    )


@dataclass
class Written:
    """How much labelled text a domain has in a part."""

    documents: int = 0
    paragraphs: int = 0
    sentences: int = 0
    tokens: int = 0


def write_labelled(
    documents: Sequence[Document], found: Round, lower: bool, seed: int, output: Path
) -> dict[tuple[int, Split], Written]:
    """Write the confident documents; how much there is of each domain in each part."""
    parts = share_out(found.labels, found.confident, seed)
    written = {
        (int(domain), split): Written() for domain in np.flatnonzero(found.sizes()) for split in SPLITS
    }
    segmenter = Segmenter()
    with ExitStack() as stack:
        streams = {}
        for split in SPLITS:
            for level in LEVELS:
                path = stack.enter_context(atomic_path(labelled_file(output, level, split)))
                streams[split, level] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        total = int(found.confident.sum())
        progress = stack.enter_context(Progress("splitting into sentences", total=total, unit="document"))
        for row in np.flatnonzero(found.confident).tolist():
            domain, split = int(found.labels[row]), SPLITS[parts[row]]
            here = written[domain, split]
            here.documents += 1
            for sentences in documents[row].sentences(segmenter, lower=lower):
                streams[split, "paragraphs"].write(f"{domain}\t{' '.join(sentences)}\n")
                streams[split, "sentences"].writelines(f"{domain}\t{sentence}\n" for sentence in sentences)
                here.paragraphs += 1
                here.sentences += len(sentences)
                here.tokens += sum(sentence.count(" ") + 1 for sentence in sentences)
            progress.advance(1)
    return written


def share_out(labels: NDArray[np.int64], confident: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """The part (a position in `SPLITS`) of each document, shape (n_documents,); -1 for those left out.

    Of each domain's confident documents `HELD_OUT` go to ``valid`` and to ``test``, rounded, but at least
    one each if there are three.
    """
    parts = np.full(len(labels), -1, dtype=np.int64)
    draws = uniform_hash(np.arange(len(labels), dtype=np.uint64), seed, _SPLIT)
    for domain in np.unique(labels[confident]):
        members = np.flatnonzero(confident & (labels == domain))
        members = members[np.argsort(draws[members], kind="stable")]
        n = max(1, round(HELD_OUT * len(members))) if len(members) >= 3 else 0
        parts[members] = SPLITS.index("train")
        parts[members[:n]] = SPLITS.index("valid")
        parts[members[n : 2 * n]] = SPLITS.index("test")
    return parts


def _domains(
    found: Round,
    described: Sequence[Mapping[str, Any]],
    topics: Sequence[str | None],
    written: Mapping[tuple[int, Split], Written],
) -> list[dict[str, Any]]:
    return [
        {
            **record,
            "name": name_of(record["top_terms"]),
            "topics": main_topics(
                [topics[row] for row in np.flatnonzero(found.labels == record["id"]).tolist()]
            ),
            "parts": {split: vars(written[record["id"], split]) for split in SPLITS},
        }
        for record in described
        if record["size"]
    ]


def _write_manifest(output: Path) -> None:
    names = [f"{split}/{level}.txt" for split in SPLITS for level in LEVELS]
    names += ["domains.json", "iterations.json", "map.json"]
    files = {
        name: {"bytes": (output / name).stat().st_size, "sha256": sha256_file(output / name)}
        for name in names
    }
    write_json(output / MANIFEST, {"format": FORMAT, "files": files})
