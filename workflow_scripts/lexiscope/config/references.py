"""Names that one section of a study uses of another: do they answer to anything, and of the right kind?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lexiscope.config.base import suggest
from lexiscope.config.positions import KeyPath
from lexiscope.data.catalogue import load_catalogue
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import resolve_tasks
from lexiscope.probes.config import tasks_of

if TYPE_CHECKING:
    from lexiscope.config.study import Study

Finding = tuple[KeyPath, str, str | None]

SOURCE_KEYS = ("of", "like")
"""Keys of a space that name another space, which it is made of."""


def dangling_references(study: Study) -> Iterator[Finding]:
    """Every name that nothing answers to: its key path, what is wrong, and a suggestion."""
    yield from _datasets(study)
    for name, model in study.language_models.items():
        path: KeyPath = ("language_models", name)
        if (corpus := getattr(model, "corpus", None)) is not None:
            yield from _corpus(study, (*path, "corpus"), corpus)
        if model.kind == "lm_1b" and model.path is None and study.data.source == "miniature":
            yield path, "the miniature has no lm_1b", "give the folder of the released files as 'path'"
    if study.lexicon.corpus is not None:
        yield from _corpus(study, ("lexicon", "corpus"), study.lexicon.corpus)
    yield from _spaces(study)
    for name, path_config in study.l2_paths.items():
        yield from _output_layer(study, ("l2_paths", name, "of"), path_config.of)
        if name in study.spaces:
            yield ("l2_paths", name), f"a space is called {name!r} too", "give the path another name"
    for name, chart in study.analysis.maps.items():
        for key in ("start", "end"):
            yield from _space(study, ("analysis", "maps", name, key), getattr(chart, key))
    yield from _experiments(study)
    for role, space in study.analysis.claims.roles.items():
        yield from _space(study, ("analysis", "claims", "roles", role), space)
    yield from _tasks(study)


def _experiments(study: Study) -> Iterator[Finding]:
    for name in ("nnlm", "reverse_transfer"):
        experiment = getattr(study, name)
        if experiment is None:
            continue
        yield from _corpus(study, (name, "corpus"), experiment.corpus)
        for number, space in enumerate(experiment.spaces or ()):
            yield from _space(study, (name, "spaces", number), space)
    if study.reverse_transfer is not None and (task := study.reverse_transfer.multi_task) is not None:
        path: KeyPath = ("reverse_transfer", "multi_task", "domains")
        yield from _unknown(path, "domains", task.domains, study.domains)


def _tasks(study: Study) -> Iterator[Finding]:
    probes = {name: tasks_of(probe) for name, probe in study.probes.items()}
    chosen: dict[KeyPath, tuple[str, ...]] = {("tasks",): study.tasks}
    for name, path in study.l2_paths.items():
        chosen["l2_paths", name, "tasks"] = path.tasks or ()
    for key, tasks in chosen.items():
        for number, task in enumerate(tasks):
            try:
                resolved = resolve_tasks([task], probes)
            except LexiscopeError as error:
                yield (*key, number), error.problem, error.remedy
                continue
            if not resolved:
                yield (*key, number), f"there is nothing in {task!r}", "define one under 'probes'"


def _spaces(study: Study) -> Iterator[Finding]:
    for name, space in study.spaces.items():
        path: KeyPath = ("spaces", name)
        if (corpus := getattr(space, "corpus", None)) is not None:
            yield from _corpus(study, (*path, "corpus"), corpus)
        if (model_name := getattr(space, "model", None)) is not None:
            yield from _unknown((*path, "model"), "language model", model_name, study.language_models)
            model = study.language_models.get(model_name)
            if space.kind == "lm_input" and model is not None and model.kind == "softmax_file":
                yield (*path, "model"), f"{model_name!r} is a softmax layer alone, without an input", None
        if space.kind == "domain_classifier":
            yield from _unknown((*path, "domains"), "domains", space.domains, study.domains)
        if space.kind == "activation_maximisation":
            yield from _output_layer(study, (*path, "of"), space.of)
        else:
            for key in SOURCE_KEYS:
                if (source := getattr(space, key, None)) is not None:
                    yield from _space(study, (*path, key), source)
        if space.kind == "random" and space.like is None and not _has_lexicon(study):
            remedy = "name a corpus in lexicon.corpus, or a space in 'like'"
            yield path, "random vectors need the words of a lexicon", remedy
    for name in _in_a_circle(sources_of_spaces(study)):
        yield ("spaces", name), "this space is made of itself, by way of others", None


def sources_of_spaces(study: Study) -> dict[str, str]:
    """The space that each space is made of, for those that are made of one."""
    found = {}
    for name, space in study.spaces.items():
        for key in SOURCE_KEYS:
            if (source := getattr(space, key, None)) is not None:
                found[name] = source
    return found


def _in_a_circle(sources: Mapping[str, str]) -> Iterator[str]:
    for name in sources:
        seen, at = {name}, sources[name]
        while at in sources and at not in seen:
            seen.add(at)
            at = sources[at]
        if at == name:
            yield name


def _has_lexicon(study: Study) -> bool:
    used = {space.model for space in study.spaces.values() if hasattr(space, "model")}
    models = [model for name, model in study.language_models.items() if name in used]
    trained = [*study.spaces.values(), *models]
    return study.lexicon.corpus is not None or any(hasattr(thing, "corpus") for thing in trained)


def _corpus(study: Study, path: KeyPath, name: str) -> Iterator[Finding]:
    yield from _unknown(path, "corpus", name, study.corpora)


def _space(study: Study, path: KeyPath, name: str) -> Iterator[Finding]:
    yield from _unknown(path, "space", name, study.spaces)


def _unknown(path: KeyPath, what: str, name: str, known: Iterable[str]) -> Iterator[Finding]:
    known = list(known)
    if name not in known:
        reason = f"no {what} is called {name!r}"
        yield path, reason, suggest(name, known) if known else f"the study defines no {what}"


def _output_layer(study: Study, path: KeyPath, name: str) -> Iterator[Finding]:
    layers = [key for key, space in study.spaces.items() if space.kind == "lm_output"]
    if name in study.spaces and name not in layers:
        kind = study.spaces[name].kind
        yield path, f"{name!r} is of kind {kind}, and has no softmax layer", suggest(name, layers)
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
