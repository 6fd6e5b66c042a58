"""Make probing tasks from a treebank, in SentEval's file format, with a receipt like any dataset's."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexiscope.data.receipt import Receipt, ReceiptFile, read_receipt, write_receipt
from lexiscope.errors import LexiscopeError
from lexiscope.files import write_bytes, write_json
from lexiscope.probes.brackets import read_brackets
from lexiscope.probes.config import ProbeConfig, tasks_of
from lexiscope.probes.conllu import read_conllu
from lexiscope.probes.labels import Analysis, analyse_constituents, analyse_dependencies
from lexiscope.probes.selection import Chosen, Rules, Sentence, TooFewError, choose
from lexiscope.probes.treebanks import (
    PARTS,
    Part,
    TreebankFile,
    files_by_name,
    files_of_receipt,
    read_texts,
)
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

MIN_DOCUMENTS = 20
"""With fewer documents, a treebank that has no parts is divided by sentences."""


@dataclass(frozen=True)
class _Read:
    """A sentence as read: its document, and its part if the treebank has parts."""

    analysis: Analysis
    document: str
    part: Part | None


@stage_entry
def build_probe(
    *,
    receipt: Path | None,
    files: Sequence[Path],
    config: dict[str, Any],
    seed: int,
    output: Path,
    receipt_output: Path,
    name: str,
) -> None:
    """Write ``<task>.txt`` for each task, ``probe.json`` that tells of them, and a receipt.

    A line is ``part<TAB>class<TAB>tokens``, the part being ``tr``, ``va`` or ``te`` and the tokens having
    spaces between them. Sentences of the same (lower-cased) tokens are used once, in one part.

    Parameters
    ----------
    receipt
        Of the treebank, if it is one of the catalogue.
    files
        The user's files otherwise.
    config
        A `ProbeConfig` as plain values.
    seed
        Of every choice.
    output
        Folder of the tasks.
    receipt_output
        Where the receipt goes: one file a task, its role being the task.
    name
        The probe's name, which the receipt has for its dataset.

    Raises
    ------
    LexiscopeError
        If a file is missing, damaged or holds no trees, or a task has too few sentences.
    """
    settings = ProbeConfig.model_validate(config)
    if receipt:
        sources = files_of_receipt(read_receipt(receipt), settings.format)
    else:
        sources = files_by_name([Path(file) for file in files])
    if settings.parts == "drawn":
        sources = [TreebankFile(source.path) for source in sources]
    excluded: Counter[str] = Counter()
    read = list(_read(sources, settings, name, excluded))
    kept = _usable(read, settings, excluded)
    if not kept:
        reasons = (
            ", ".join(f"{reason}: {number}" for reason, number in sorted(excluded.items())) or "none read"
        )
        raise LexiscopeError(f"there is no sentence to make probes of ({reasons})", where=f"probes.{name}")
    sentences, division = _divide(kept, settings, seed)
    rules = Rules(
        limits=dict(zip(PARTS, (settings.n_train, settings.n_valid, settings.n_test), strict=True)),
        shares=dict(zip(PARTS, settings.shares, strict=True)),
        min_class_size=settings.min_class_size,
        n_words=settings.n_words,
        fixed_parts=division == "treebank",
        seed=seed,
    )
    chosen = _choose_all(tasks_of(settings), sentences, rules, name)
    output = Path(output)
    written = [_write(task, choice, sentences, output) for task, choice in chosen.items()]
    summary = {
        "name": name,
        "treebank": settings.treebank,
        "files": [source.path.name for source in sources],
        "format": settings.format,
        "parts_from": division,
        "seed": seed,
        "config": settings.model_dump(mode="json", exclude={"treebank", "files"}),
        "sentences": {
            "read": len(read) + excluded["heads that are no tree"],
            "excluded": dict(sorted(excluded.items())),
            "used_by_part": dict(Counter(sentence.part for sentence in sentences)),
        },
        "tasks": {task: describe(task, choice, sentences) for task, choice in chosen.items()},
    }
    write_json(output / "probe.json", summary)
    write_receipt(
        Receipt(dataset=name, source="treebank", root=str(output), files=tuple(written)), receipt_output
    )


def _read(
    sources: Sequence[TreebankFile], settings: ProbeConfig, name: str, dropped: Counter[str]
) -> Iterator[_Read]:
    with Progress(f"reading {name}", unit="sentence") as progress:
        for text in read_texts(sources, settings.format):
            if settings.format == "conllu":
                for tree in read_conllu(text, bad_trees=settings.bad_trees, dropped=dropped):
                    yield _Read(analyse_dependencies(tree), f"{text.name}#{tree.document}", text.part)
                    progress.advance()
            else:
                for constituent in read_brackets(text):
                    yield _Read(analyse_constituents(constituent), text.name, text.part)
                    progress.advance()


def _usable(read: Sequence[_Read], settings: ProbeConfig, excluded: Counter[str]) -> list[_Read]:
    """Sentences of the right length, each once; of equal ones that in the smallest part: a test's."""
    seen: set[tuple[str, ...]] = set()
    usable: list[int] = []
    order: dict[Part | None, int] = {"te": 0, "va": 1, "tr": 2, None: 3}
    for number in sorted(range(len(read)), key=lambda number: order[read[number].part]):
        tokens = tuple(token.lower() for token in read[number].analysis.tokens)
        if not settings.min_length <= len(tokens) <= settings.max_length:
            excluded["shorter or longer than asked for"] += 1
        elif 2 * sum(not token.strip("_") for token in tokens) > len(tokens):
            excluded["most words are blanked"] += 1
        elif tokens in seen:
            excluded["the same tokens as another sentence"] += 1
        else:
            seen.add(tokens)
            usable.append(number)
    return [read[number] for number in sorted(usable)]


def _divide(kept: Sequence[_Read], settings: ProbeConfig, seed: int) -> tuple[list[Sentence], str]:
    """Each sentence with its part, and what the parts come from."""
    if kept[0].part is not None:
        parts, division = [read.part for read in kept], "treebank"
    else:
        documents = [read.document for read in kept]
        sizes = Counter(documents)
        # A document of more than the smallest part would leave that part with it alone, or with nothing.
        by_document = (
            len(sizes) >= MIN_DOCUMENTS and max(sizes.values()) <= min(settings.shares) * len(kept) / 2
        )
        units = documents if by_document else [str(number) for number in range(len(kept))]
        given = _deal(Counter(units), settings.shares, np.random.default_rng(seed))
        parts, division = [given[unit] for unit in units], "documents" if by_document else "sentences"
    sentences = [
        Sentence(_cased(read.analysis.tokens, settings), part, read.analysis.labels)
        for read, part in zip(kept, parts, strict=True)
        if part is not None
    ]
    return sentences, division


def _deal(
    sizes: Mapping[str, int], shares: Sequence[float], generator: np.random.Generator
) -> dict[str, Part]:
    """Give units of some sizes to the parts, in random order, each to the part that lacks most."""
    units = list(sizes)
    generator.shuffle(units)
    given: dict[str, Part] = {}
    filled = dict.fromkeys(PARTS, 0)
    for unit in units:
        part = min(PARTS, key=lambda part: filled[part] / shares[PARTS.index(part)])
        given[unit] = part
        filled[part] += sizes[unit]
    return given


def _cased(tokens: tuple[str, ...], settings: ProbeConfig) -> tuple[str, ...]:
    return tuple(token.lower() for token in tokens) if settings.casing == "lower" else tokens


def _choose_all(
    tasks: Sequence[str], sentences: Sequence[Sentence], rules: Rules, name: str
) -> dict[str, Chosen]:
    chosen: dict[str, Chosen] = {}
    problems: list[str] = []
    for task in tasks:
        try:
            chosen[task] = choose(task, sentences, rules)
        except TooFewError as error:
            problems.append(f"{task}: {error}")
    if problems:
        raise LexiscopeError(
            f"too few sentences for {'; '.join(problems)}",
            where=f"probes.{name}",
            remedy="give more text, lower min_class_size, or name under 'tasks' those that can be made",
        )
    return chosen


def _write(task: str, chosen: Chosen, sentences: Sequence[Sentence], output: Path) -> ReceiptFile:
    lines = [
        f"{part}\t{label}\t{' '.join(sentences[number].tokens)}\n"
        for part, label, number in chosen.examples
    ]
    content = "".join(lines).encode("utf-8")
    write_bytes(output / f"{task}.txt", content)
    logger.info(
        "%s: %d sentences of %d classes", task, len(chosen.examples), len(chosen.candidates.classes)
    )
    return ReceiptFile(f"{task}.txt", task, hashlib.sha256(content).hexdigest(), len(content))


def describe(task: str, chosen: Chosen, sentences: Sequence[Sentence]) -> dict[str, Any]:
    """What ``probe.json`` says of a task; balance and overlaps are counted from the sentences chosen."""
    counts = {part: Counter[str]() for part in PARTS}
    tokens: dict[Part, set[tuple[str, ...]]] = {part: set() for part in PARTS}
    targets: dict[Part, set[str]] = {part: set() for part in PARTS}
    for part, name, number in chosen.examples:
        counts[part][name] += 1
        tokens[part].add(tuple(token.lower() for token in sentences[number].tokens))
        label = sentences[number].labels.get(task)
        if not isinstance(label, str) and label is not None and label.target:
            targets[part].add(label.target)
    return {
        "classes": list(chosen.candidates.classes),
        "sentences": {part: counts[part].total() for part in PARTS},
        "sentences_by_class": {part: dict(sorted(counts[part].items())) for part in PARTS},
        "majority": {part: max(counts[part].values()) / counts[part].total() for part in PARTS},
        "excluded": dict(sorted(chosen.candidates.excluded.items())),
        "shared_sentences": _n_shared(tokens),
        "target_words": {part: len(targets[part]) for part in PARTS},
        "shared_target_words": _n_shared(targets),
        **chosen.candidates.details,
    }


def _n_shared(by_part: Mapping[Part, set[Any]]) -> int:
    """How many things more than one part has."""
    return sum(
        number > 1 for number in Counter(thing for part in PARTS for thing in by_part[part]).values()
    )
