"""One job of the workflow: one space on one task group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lexiscope.data.receipt import Receipt, read_receipt
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import (
    Evaluation,
    Identity,
    Item,
    Outcome,
    Result,
    Score,
    write_evaluation,
)
from lexiscope.evaluation.shared_vocabulary import read_vocabulary
from lexiscope.evaluation.tasks import TASKS, Dataset, TaskGroup
from lexiscope.files import read_json
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

Evaluator = Callable[[EmbeddingSpace, Dataset, Receipt, ProtocolConfig], Outcome]

logger = logging.getLogger("lexiscope")


@stage_entry
def evaluate_space(
    *,
    space: Path,
    task: str,
    receipts: Mapping[str, Path],
    shared: Sequence[Path] = (),
    protocol: Mapping[str, Any],
    identity: Mapping[str, Any],
    scores: Path,
    items: Path,
) -> None:
    """Score one space on the datasets of one task group.

    Parameters
    ----------
    space
        The space, as written by `save_space`.
    task
        A task group of `TASKS`.
    receipts
        Receipt of each dataset to be scored, by dataset key: all of the group's datasets or some.
    shared
        One file, the words that all spaces share, where the protocol's ``vocabulary`` asks for them.
    protocol
        Fields of `ProtocolConfig`.
    identity
        Fields of `Identity`: which space of which study this is.
    scores, items
        The two Parquet files to write. The rows follow the order of the registry.

    Raises
    ------
    LexiscopeError
        If the task, the space or a receipt is unknown or unreadable. A dataset that is itself unreadable or
        cannot be scored becomes rows of status ``failed`` or ``skipped``, and the others are scored.
    """
    group = _task_group(task)
    at_hand = _read_receipts(group, receipts)
    rules = ProtocolConfig.model_validate(dict(protocol))
    job = Job(group, at_hand, rules, _shared_words(rules, shared))
    write_evaluation(job.evaluate(load_space(space), Identity(**identity)), scores, items)


@stage_entry
def evaluate_l2_path(
    *,
    path: Path,
    task: str,
    receipts: Mapping[str, Path],
    shared: Sequence[Path] = (),
    protocol: Mapping[str, Any],
    identity: Mapping[str, Any],
    scores: Path,
    items: Path,
) -> None:
    """Score every space of a λ path on the datasets of one task group.

    The rows name their space ``path@λ``, such as ``am_path@1e-05``. Parameters are those of
    `evaluate_space`, but ``path`` is the path's folder, and the space of ``identity`` is the path's name.

    Raises
    ------
    LexiscopeError
        As `evaluate_space`, or if the folder is no finished path.
    """
    group = _task_group(task)
    at_hand = _read_receipts(group, receipts)
    listed = read_json(Path(path) / "path.json")
    rules = ProtocolConfig.model_validate(dict(protocol))
    job = Job(group, at_hand, rules, _shared_words(rules, shared))
    whole = Evaluation()
    for l2, file in zip(listed["l2"], listed["files"], strict=True):
        who = Identity(**{**identity, "space": f"{identity['space']}@{l2:g}"})
        found = job.evaluate(load_space(Path(path) / file), who)
        whole.scores.extend(found.scores)
        whole.items.extend(found.items)
    write_evaluation(whole, scores, items)


@dataclass(frozen=True)
class Job:
    """What spaces are scored on, and how: with all their words, with those they share, or with both."""

    group: TaskGroup
    receipts: Mapping[str, Receipt]
    protocol: ProtocolConfig
    shared: tuple[str, ...] = ()

    def evaluate(self, space: EmbeddingSpace, identity: Identity) -> Evaluation:
        """Score one space.

        With ``both`` vocabularies the items are those of its own.
        """
        if self.protocol.vocabulary == "own":
            return self._score(space, self.protocol, identity)
        restricted = space.restricted_to(self.shared)
        on_shared = self.protocol.model_copy(update={"vocabulary": "shared"})
        if self.protocol.vocabulary == "shared":
            return self._score(restricted, on_shared, identity)
        own = self.protocol.model_copy(update={"vocabulary": "own"})
        found = self._score(space, own, identity)
        if len(restricted) == len(space):
            # The space has no other words, so these are its scores with the shared ones too.
            again = [_restated(score, own, on_shared) for score in found.scores]
        else:
            again = self._score(restricted, on_shared, identity).scores
        return Evaluation(found.scores + again, found.items)

    def _score(self, space: EmbeddingSpace, protocol: ProtocolConfig, identity: Identity) -> Evaluation:
        return evaluate_group(space, self.group, self.receipts, protocol=protocol, identity=identity)


def _restated(score: Score, before: ProtocolConfig, after: ProtocolConfig) -> Score:
    """The same score under a protocol that comes to the same."""
    old, new = (f"casing={rules.casing}{rules.describe_vocabulary()}" for rules in (before, after))
    return replace(score, protocol=score.protocol.replace(old, new))


def _shared_words(protocol: ProtocolConfig, shared: Sequence[Path]) -> tuple[str, ...]:
    if protocol.vocabulary == "own":
        return ()
    if len(shared) != 1:
        raise LexiscopeError(f"vocabulary {protocol.vocabulary!r} needs the file of the shared words")
    return read_vocabulary(shared[0])


def _task_group(task: str) -> TaskGroup:
    if task not in TASKS:
        raise LexiscopeError(f"unknown task {task!r}", remedy=f"known are {', '.join(TASKS)}")
    return TASKS[task]


def _read_receipts(group: TaskGroup, receipts: Mapping[str, Path]) -> dict[str, Receipt]:
    """The receipts in the order of the registry, each checked to be of the dataset it is given for."""
    if not receipts:
        raise LexiscopeError(f"task {group.name!r} was given no dataset")
    for key in receipts:
        group.dataset(key)
    order = [dataset.key for dataset in group.datasets if dataset.key in receipts] or list(receipts)
    read = {key: read_receipt(receipts[key]) for key in order}
    for key, receipt in read.items():
        if receipt.dataset != group.dataset(key).source:
            raise LexiscopeError(
                f"a receipt of {receipt.dataset!r} was given for dataset {key!r}", where=receipts[key]
            )
    return read


def evaluate_group(
    space: EmbeddingSpace,
    group: TaskGroup,
    receipts: Mapping[str, Receipt],
    *,
    protocol: ProtocolConfig,
    identity: Identity,
) -> Evaluation:
    """Score a space in memory on the datasets of ``receipts``; see `evaluate_space`."""
    evaluation = Evaluation()
    evaluator = evaluator_of(group.name)
    with Progress(f"{identity.space} on {group.name}", total=len(receipts), unit="dataset") as progress:
        for key, receipt in receipts.items():
            dataset = group.dataset(key)
            try:
                outcome = evaluator(space, dataset, receipt, protocol)
            except LexiscopeError as error:
                logger.error("%s", error)
                outcome = _failed(dataset, protocol, _reason(error))
            _add(evaluation, outcome, identity, group.name, receipt.sha256)
            progress.advance(1, note=key)
    return evaluation


def evaluator_of(task: str) -> Evaluator:
    """The evaluator of a task group.

    Each is imported when it is needed: to start scikit-learn takes longer than to score word pairs.
    """
    if task == "word_similarity":
        from lexiscope.evaluation.word_similarity import evaluate
    elif task == "brainbench":
        from lexiscope.evaluation.brainbench import evaluate
    elif task == "transfer":
        from lexiscope.evaluation.transfer import evaluate
    elif task == "relatedness":
        from lexiscope.evaluation.relatedness import evaluate
    elif task == "sts":
        from lexiscope.evaluation.sts import evaluate
    else:
        from lexiscope.evaluation.probing import evaluate
    return evaluate


def _failed(dataset: Dataset, protocol: ProtocolConfig, reason: str) -> Outcome:
    blanks = [
        Result(
            dataset=measure.dataset,
            split=measure.split,
            metric=measure.metric,
            baseline=measure.baseline,
            higher_is_better=measure.higher_is_better,
            n_used=0,
            n_total=0,
            protocol=protocol.describe(),
        )
        for measure in dataset.measures
    ]
    return Outcome([blank.failed(reason) for blank in blanks], [])


def _reason(error: LexiscopeError) -> str:
    """The message with the file's name alone: results must not depend on the folder they were made in."""
    where = None if error.where is None else Path(error.where).name
    return str(LexiscopeError(error.problem, where=where, line=error.line, remedy=error.remedy))


def _add(evaluation: Evaluation, outcome: Outcome, identity: Identity, task: str, sha256: str) -> None:
    who = asdict(identity)
    for result in outcome.results:
        score = Score(**who, task=task, dataset_sha256=sha256, **asdict(result))
        evaluation.scores.append(score)
        value = "-" if score.value is None else f"{score.value:.4f}"
        logger.info(
            "%s %s: %s %s (%d of %d) %s",
            *(score.dataset, score.split, score.metric, value, score.n_used, score.n_total, score.error),
        )
    evaluation.items.extend(
        Item(study=identity.study, space=identity.space, seed=identity.seed, task=task, **vars(answer))
        for answer in outcome.answers
    )
