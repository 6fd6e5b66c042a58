"""What both experiments share: train many models in groups, and write one set of products for all."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Evaluation, Identity, write_evaluation
from lexiscope.files import write_json
from lexiscope.language_modelling.config import ExperimentConfig
from lexiscope.language_modelling.model_store import ModelStore, Name
from lexiscope.language_modelling.products import history_of, scores_of
from lexiscope.language_modelling.settings import ModelSpec, Settings, groups_of
from lexiscope.language_modelling.text import RestrictedText, Table, table_of
from lexiscope.language_modelling.train import TrainedModel, remove_checkpoint, train_group


@dataclass(frozen=True, eq=False)
class Entry:
    """A model that is to be trained, and its place in the scores.

    Attributes
    ----------
    spec
        The model.
    dataset, space
        As in the scores; the seed is the model's.
    method
        What the score's ``protocol`` says first.
    n_missing
        Words of the vocabulary that the space lacks.
    """

    spec: ModelSpec
    dataset: str
    space: str
    method: str
    n_missing: int = 0


@dataclass(frozen=True)
class Products:
    """The files of a job: `Score` and `Item` tables, and histories as a JSON list, a record a model."""

    scores: Path
    items: Path
    history: Path


class Tables:
    """The vectors of an experiment's vocabulary in its spaces; each is made once, unless seeds differ."""

    def __init__(self, spaces: Mapping[str, Path], text: RestrictedText, config: ExperimentConfig) -> None:
        self.spaces, self.text, self.missing = spaces, text, config.missing
        self._made: dict[tuple[str, int | None], Table] = {}

    def of(self, space: str, seed: int) -> Table:
        """The vectors in a space, those of missing words by the experiment's policy."""
        key = (space, seed if self.missing == "random" else None)
        if key not in self._made:
            path = self.spaces[space]
            try:
                self._made[key] = table_of(load_space(path), self.text, missing=self.missing, seed=seed)
            except LexiscopeError as error:
                raise LexiscopeError(
                    error.problem, where=error.where or path, remedy=error.remedy
                ) from None
        return self._made[key]


def train_and_write(
    text: RestrictedText,
    entries: Sequence[Entry],
    config: ExperimentConfig,
    *,
    identities: Mapping[str, Mapping[str, Any]],
    protocol: Mapping[str, Any],
    products: Products,
    checkpoint: Path,
    threads: int,
    device: str,
    store: ModelStore | None = None,
) -> None:
    """Train all models, those of equal shapes side by side, and write their products.

    Groups are trained one after another, each with a checkpoint of its own. Those of finished groups stay
    until the products are written: a job that was killed reads them, and trains no model twice.

    Parameters
    ----------
    text
        The text of all models.
    entries
        The models, in the order of the products.
    config
        The experiment.
    identities
        For each space of ``entries`` the fields of its `Identity`, but for the seed.
    protocol
        Fields of `ProtocolConfig`.
    products
        What to write.
    checkpoint
        A folder for unfinished work; it is removed at the end, and so is the one around it if empty.
    threads, device
        CPU threads; ``auto``, ``cpu`` or ``cuda``.
    store
        Where the models are kept, after their last epoch, if they are.

    Raises
    ------
    LexiscopeError
        As `train_group`, or if an identity is missing.
    """
    rules = ProtocolConfig.model_validate(dict(protocol))
    by_name = {entry.spec.name: entry for entry in entries}
    for entry in entries:
        if entry.space not in identities:
            raise LexiscopeError(f"there is no identity for the space {entry.space!r}")
    found: dict[str, tuple[Evaluation, dict[str, Any]]] = {}
    settings = Settings.of(config)
    for number, group in enumerate(groups_of([entry.spec for entry in entries], config.together)):
        trained = train_group(
            text,
            group,
            settings,
            threads=threads,
            device=device,
            checkpoint=Path(checkpoint) / f"group-{number}",
        )
        # What is kept of a model are numbers: the weights of all of them would not fit into memory.
        for model in trained:
            entry = by_name[model.spec.name]
            found[model.spec.name] = _describe(entry, model, text, identities[entry.space], rules)
            if store is not None:
                store.add(Name(entry.dataset, entry.space, model.spec.seed), model.spec, model.weights)
    evaluation = Evaluation()
    for entry in entries:
        own, _ = found[entry.spec.name]
        evaluation.scores.extend(own.scores)
        evaluation.items.extend(own.items)
    write_evaluation(evaluation, products.scores, products.items)
    write_json(products.history, [found[entry.spec.name][1] for entry in entries])
    if store is not None:
        store.finish()
    remove_checkpoint(Path(checkpoint))
    with contextlib.suppress(OSError):  # other jobs may keep theirs beside it
        Path(checkpoint).parent.rmdir()


def _describe(
    entry: Entry,
    model: TrainedModel,
    text: RestrictedText,
    identity: Mapping[str, Any],
    protocol: ProtocolConfig,
) -> tuple[Evaluation, dict[str, Any]]:
    """Scores, items and history of one model."""
    who = Identity(**{**identity, "seed": model.spec.seed})
    evaluation = evaluation_of(model, text, who, entry.dataset, protocol, entry.method)
    notes = [f"best epoch {model.best_epoch} of {len(model.history)}"]
    if entry.n_missing:
        notes.append(f"{entry.n_missing} words of the vocabulary have no vector of their own")
    scores = [replace(score, note="; ".join(notes)) for score in evaluation.scores]
    place = {"dataset": entry.dataset, "space": entry.space, "missing_words": entry.n_missing}
    return Evaluation(scores, evaluation.items), {**history_of(model, text), **place}


def evaluation_of(
    model: TrainedModel,
    text: RestrictedText,
    identity: Identity,
    dataset: str,
    protocol: ProtocolConfig,
    method: str,
) -> Evaluation:
    """Scores of a model, and items of those after its last epoch.

    A run answers each item once, so the same sentences under the weights that validate best have no items.
    """
    found = scores_of(model, text, identity=identity, dataset=dataset, protocol=protocol)
    line = protocol.describe(method=f"{method} vocabulary={len(text)}")
    return Evaluation(
        [replace(score, protocol=line) for score in found.scores],
        [item for item in found.items if item.split == "test"],
    )


def describe_method(lm: str, config: ExperimentConfig, *further: str) -> str:
    """What decides the scores of an experiment's models, in one line."""
    settings = Settings.of(config)
    parts = [
        f"lm={lm}",
        *further,
        f"hidden={config.hidden_size}x{config.num_layers}",
        f"dropout={config.dropout:g}",
        f"{settings.optimizer}={config.learning_rate:g}",
        f"schedule={settings.schedule}",
        f"epochs={config.epochs}",
        f"missing={config.missing}",
    ]
    if config.softmax == "sampled":
        parts.append(f"softmax=sampled:{config.n_samples}")
    if config.max_tokens is not None:
        parts.append(f"max_tokens={config.max_tokens}")
    return " ".join(parts)
