"""Names that one section of a study uses of another: do they answer to anything, and of the right kind?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lexiscope.config.base import suggest
from lexiscope.config.positions import KeyPath
from lexiscope.data.catalogue import load_catalogue
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import resolve_tasks

if TYPE_CHECKING:
    from lexiscope.config.study import Study

Finding = tuple[KeyPath, str, str | None]

OUTPUT_LAYER_KINDS = ("lm_output",)
"""Kinds of space that hold a softmax layer, which activation maximisation can start from."""


def dangling_references(study: Study) -> Iterator[Finding]:
    """Every name that nothing answers to: its key path, what is wrong, and a suggestion."""
    yield from _datasets(study)
    for name, model in study.language_models.items():
        yield from _corpus(study, ("language_models", name, "corpus"), model.corpus)
    if study.lexicon.corpus is not None:
        yield from _corpus(study, ("lexicon", "corpus"), study.lexicon.corpus)
    for name, space in study.spaces.items():
        path: KeyPath = ("spaces", name)
        if (corpus := getattr(space, "corpus", None)) is not None:
            yield from _corpus(study, (*path, "corpus"), corpus)
        if (model_name := getattr(space, "model", None)) is not None:
            yield from _unknown((*path, "model"), "language model", model_name, study.language_models)
        if space.kind == "activation_maximisation":
            yield from _output_layer(study, (*path, "of"), space.of)
        if space.kind == "random" and not _has_lexicon(study):
            yield path, "random vectors need the words of a lexicon", "name a corpus in lexicon.corpus"
    for number, task in enumerate(study.tasks):
        try:
            resolve_tasks([task])
        except LexiscopeError as error:
            yield ("tasks", number), error.problem, error.remedy


def _has_lexicon(study: Study) -> bool:
    spaces = study.spaces.values()
    trained = any(hasattr(space, "corpus") or hasattr(space, "model") for space in spaces)
    return trained or study.lexicon.corpus is not None


def _corpus(study: Study, path: KeyPath, name: str) -> Iterator[Finding]:
    yield from _unknown(path, "corpus", name, study.corpora)


def _unknown(path: KeyPath, what: str, name: str, known: Iterable[str]) -> Iterator[Finding]:
    known = list(known)
    if name not in known:
        reason = f"no {what} is called {name!r}"
        yield path, reason, suggest(name, known) if known else f"the study defines no {what}"


def _output_layer(study: Study, path: KeyPath, name: str) -> Iterator[Finding]:
    layers = [key for key, space in study.spaces.items() if space.kind in OUTPUT_LAYER_KINDS]
    if name in study.spaces and name not in layers:
        kind = study.spaces[name].kind
        yield path, f"{name!r} is a {kind} space, and has no softmax layer", suggest(name, layers)
        return
    yield from _unknown(path, "lm_output space", name, layers)


def _datasets(study: Study) -> Iterator[Finding]:
    catalogue = load_catalogue()
    corpora = [key for key in catalogue if catalogue[key].kind == "corpus"]
    for name, corpus in study.corpora.items():
        for number, source in enumerate(corpus.sources):
            dataset = getattr(source, "dataset", None)
            path: KeyPath = ("corpora", name, "sources", number)
            if dataset is None:
                continue
            if dataset not in corpora:
                yield path, f"no corpus in the catalogue is called {dataset!r}", suggest(dataset, corpora)
            elif study.data.source == "miniature" and not catalogue[dataset].miniature:
                made = [key for key in corpora if catalogue[key].miniature]
                yield path, f"the miniature has no {dataset!r}", suggest(dataset, made)
