"""What a study needs built: which datasets, corpora and models, and with what identity.

The rules ask these questions to draw the graph of jobs. Only what a space or the lexicon leads to is built.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lexiscope.config.references import sources_of_spaces
from lexiscope.config.study import SEED_MARK, Study
from lexiscope.data.catalogue import load_catalogue
from lexiscope.data.prepare import dataset_inputs
from lexiscope.embeddings.config import FileConfig
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import BUILT_PROBES, TASKS, resolve_tasks
from lexiscope.files import digest_json
from lexiscope.language_modelling.config import ExperimentConfig
from lexiscope.language_models.config import InputSpaceConfig, OutputSpaceConfig
from lexiscope.probes.config import tasks_of

LM_1B = "lm_1b"
"""Catalogue key of the released model."""


@dataclass(frozen=True)
class Plan:
    """The answers for one study."""

    study: Study

    # Which things are built -----------------------------------------------------------------------

    def spaces(self, *kinds: str) -> list[str]:
        """Names of the spaces of these kinds (of all kinds when none is given)."""
        return [name for name, space in self.study.spaces.items() if not kinds or space.kind in kinds]

    def glove_spaces(self, backend: str) -> list[str]:
        """Names of the GloVe spaces that this program trains."""
        spaces = self.study.spaces.items()
        return [name for name, space in spaces if space.kind == "glove" and space.backend == backend]

    def spaces_of(self, which: str, *model_kinds: str) -> list[str]:
        """Names of the spaces of one kind, ``lm_input`` or ``lm_output``, of models of these kinds."""
        models = self.study.language_models
        return [
            name
            for name, space in self.study.spaces.items()
            if isinstance(space, InputSpaceConfig | OutputSpaceConfig)
            and space.kind == which
            and models[space.model].kind in model_kinds
        ]

    @cached_property
    def plain_spaces(self) -> list[str]:
        """Names of the spaces as the user gave them: of one made with several seeds, the first alone."""
        return [name for name in self.study.spaces if SEED_MARK not in name]

    def public_name(self, space: str) -> str:
        """The name by which scores call a space: several seeds of one space have the same."""
        return space.partition(SEED_MARK)[0]

    @cached_property
    def models(self) -> list[str]:
        """Names of the language models that some space is taken from."""
        used = {space.model for space in self.study.spaces.values() if hasattr(space, "model")}
        return [name for name in self.study.language_models if name in used]

    def models_of(self, *kinds: str) -> list[str]:
        """Those of the models in use that are of these kinds."""
        return [name for name in self.models if self.study.language_models[name].kind in kinds]

    @cached_property
    def lexicon_corpus(self) -> str | None:
        """The corpus that the lexicon counts; None when the study trains nothing and has no lexicon."""
        if self.study.lexicon.corpus is not None:
            return self.study.lexicon.corpus
        return next(iter(self._trained_on), None)

    @cached_property
    def _trained_on(self) -> list[str]:
        """The corpora of models and spaces in use, models first."""
        models = [self.study.language_models[name] for name in self.models]
        users: list[Any] = [*models, *self.study.spaces.values()]
        return [user.corpus for user in users if hasattr(user, "corpus")]

    @cached_property
    def corpora(self) -> list[str]:
        """Names of the corpora that are encoded."""
        used = {
            self.lexicon_corpus,
            *self._trained_on,
            *(found.corpus for found in self.experiments.values()),
        }
        return [name for name in self.study.corpora if name in used]

    @cached_property
    def experiments(self) -> dict[str, ExperimentConfig]:
        """The language-modelling experiments of the study."""
        both = {"nnlm": self.study.nnlm, "reverse_transfer": self.study.reverse_transfer}
        return {name: config for name, config in both.items() if config is not None}

    def spaces_in(self, experiment: str) -> list[str]:
        """Names of the spaces that are put into an experiment's models."""
        chosen = self.experiments[experiment].spaces
        return self.plain_spaces if chosen is None else list(chosen)

    @cached_property
    def nnlm_jobs(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """What trains the models of `nnlm`: kind and spaces of each job, by name."""
        config = self.study.nnlm
        if config is None:
            return {}
        kinds = [kind for kind in config.baselines if kind != "kneser_ney"]
        jobs: dict[str, tuple[str, tuple[str, ...]]] = {kind: (kind, ()) for kind in kinds}
        for kind in config.models:
            for number, spaces in enumerate(self._dealt("nnlm")):
                jobs[f"{kind}-{number}"] = (kind, spaces)
        return jobs

    @cached_property
    def reverse_transfer_jobs(self) -> dict[str, tuple[str, ...]]:
        """What trains the models of `reverse_transfer`: spaces of each job, by name.

        The job of the model without pre-trained vectors has none.
        """
        if self.study.reverse_transfer is None:
            return {}
        dealt = enumerate([(), *self._dealt("reverse_transfer")])
        return {f"lstm_lm-{number}": spaces for number, spaces in dealt}

    def _dealt(self, experiment: str) -> list[tuple[str, ...]]:
        """The spaces of an experiment, as many to a job as it trains models together."""
        config, spaces = self.experiments[experiment], self.spaces_in(experiment)
        size = max(1, config.together // len(config.seeds))
        return [tuple(spaces[start : start + size]) for start in range(0, len(spaces), size)]

    @cached_property
    def language_modelling_scores(self) -> list[str]:
        """Names of all jobs that score language models with embeddings inside."""
        ngrams = ["kneser_ney"] if self.study.nnlm and "kneser_ney" in self.study.nnlm.baselines else []
        return [*self.nnlm_jobs, *ngrams, *self.reverse_transfer_jobs]

    @cached_property
    def predicted_biases(self) -> list[str]:
        """Names of the spaces from which the softmax bias is predicted."""
        if self.study.analysis.bias_prediction is None:
            return []
        return self.spaces("activation_maximisation")

    @cached_property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """Task groups to run, each with its datasets."""
        return self._resolve(self.study.tasks)

    def path_tasks(self, path: str) -> dict[str, tuple[str, ...]]:
        """Task groups to run on the solutions along a λ path: its own choice, or all of the study's."""
        chosen = self.study.l2_paths[path].tasks
        return self.tasks if chosen is None else self._resolve(chosen)

    def _resolve(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        return resolve_tasks(names, {name: tasks_of(probe) for name, probe in self.study.probes.items()})

    @cached_property
    def tasks_on_paths(self) -> list[str]:
        """Task groups that some λ path is scored on."""
        return list(dict.fromkeys(task for path in self.study.l2_paths for task in self.path_tasks(path)))

    @cached_property
    def evaluations(self) -> list[tuple[str, str]]:
        """All (space or λ path, task group) that are scored, each by a job of its own."""
        paths = [(path, task) for path in self.study.l2_paths for task in self.path_tasks(path)]
        return [(space, task) for space in self.spaces() for task in self.tasks] + paths

    def source_of(self, task: str, dataset: str) -> str:
        """Where a dataset's files come from: an entry of the catalogue, or a probe that is built."""
        return TASKS[task].dataset(dataset).source

    @cached_property
    def _asked_for(self) -> list[tuple[str, str]]:
        """All (task group, dataset), each once."""
        groups = [self.tasks, *map(self.path_tasks, self.study.l2_paths)]
        return list(dict.fromkeys((task, key) for group in groups for task in group for key in group[task]))

    @cached_property
    def probes(self) -> list[str]:
        """Names of the probes that are built."""
        used = {self.source_of(task, key) for task, key in self._asked_for if task == BUILT_PROBES}
        return [name for name in self.study.probes if name in used]

    @cached_property
    def datasets(self) -> list[str]:
        """Catalogue keys of all datasets that are prepared."""
        used = [key for corpus in self.corpora for key in self.study.corpora[corpus].datasets]
        used += [LM_1B for model in self.models_of("lm_1b") if self.model_path(model) is None]
        used += [self.source_of(task, key) for task, key in self._asked_for if task != BUILT_PROBES]
        used += [probe.treebank for name in self.probes if (probe := self.study.probes[name]).treebank]
        used += [domains.documents for domains in self.study.domains.values() if domains.documents]
        return list(dict.fromkeys(used))

    # Where data lie -------------------------------------------------------------------------------

    @cached_property
    def data_root(self) -> Path:
        """The folder with the data, in the layout that all sources share."""
        data = self.study.data
        if data.source == "miniature":
            key = digest_json([data.miniature.model_dump(mode="json"), self.study.seed])[:8]
            return Path("resources") / f"miniature-{key}"
        return Path(data.root or "resources/download").expanduser()

    def dataset_inputs(self, dataset: str) -> list[str]:
        """Files of a dataset that must exist beforehand: those of a mirror.

        Raises
        ------
        LexiscopeError
            If the mirror lacks one.
        """
        if self.study.data.source != "mirror":
            return []
        return [str(path) for path in dataset_inputs(dataset, self.data_root)]

    def dataset_mb(self, dataset: str) -> float:
        """What is fetched or read to prepare a dataset, in megabytes; nothing to speak of if generated."""
        if self.study.data.source == "miniature":
            return 0.0
        if self.study.data.source == "mirror":
            return sum(Path(path).stat().st_size for path in self.dataset_inputs(dataset)) / 1e6
        entry = load_catalogue()[dataset]
        return sum(part.bytes or 0 for part in (*entry.files, *entry.archives.values())) / 1e6

    def model_path(self, model: str) -> str | None:
        """The file or folder that a model is read from, as the study gives it."""
        return getattr(self.study.language_models[model], "path", None)

    def model_folder(self, model: str) -> str:
        """The folder of the released lm_1b: the user's, or that of the data set."""
        return self.model_path(model) or str(self.data_root / LM_1B)

    def model_files(self, model: str) -> list[str]:
        """Files of an imported model that are there already; a model on the hub has none."""
        path = Path(self.model_path(model) or "")
        if self.model_path(model) is None or not path.exists():
            return []
        return (
            [str(path)]
            if path.is_file()
            else sorted(str(file) for file in path.iterdir() if file.is_file())
        )

    def corpus_mb(self, corpus: str) -> float:
        """Size of the text that a corpus is made of, in megabytes."""
        config = self.study.corpora[corpus]
        texts = sum(path.stat().st_size for path in config.text_paths()) / 1e6
        return texts + sum(map(self.dataset_mb, config.datasets))

    def check_inputs(self) -> None:
        """Look whether everything is there that the study reads and does not make.

        Raises
        ------
        LexiscopeError
            If a vector file, a model's file, a text file or a file of a mirror is missing.
        """
        for name, space in self.study.spaces.items():
            if isinstance(space, FileConfig):
                _demand(Path(space.path), "file", f"spaces.{name}.path")
        for name in self.models:
            path = self.model_path(name)
            kind = self.study.language_models[name].kind
            if path is not None and kind != "huggingface":
                _demand(Path(path), "folder" if kind == "lm_1b" else "file", f"language_models.{name}.path")
        for corpus in self.corpora:
            self.study.corpora[corpus].text_paths()
        for dataset in self.datasets:
            self.dataset_inputs(dataset)
        for name in self.probes:
            self.study.probes[name].paths()
        for domains in self.study.domains.values():
            domains.paths()

    # Identity -------------------------------------------------------------------------------------

    def space_seed(self, space: str) -> int:
        """The seed of a space or model: its own if it has one, else the study's."""
        return self._seed_of(self.study.spaces[space])

    def model_seed(self, model: str) -> int:
        """The seed of a language model: its own if it has one, else the study's."""
        return self._seed_of(self.study.language_models[model])

    def model_of(self, space: str) -> str:
        """The language model behind a space, or the space's kind when there is none."""
        config = self.study.spaces[space]
        source = sources_of_spaces(self.study).get(space)
        if source is not None and config.kind != "random":
            return self.model_of(source)
        return getattr(config, "model", config.kind)

    def space_recipe(self, space: str) -> dict[str, Any]:
        """All settings that a space depends on, and no others."""
        config = self.study.spaces[space]
        recipe: dict[str, Any] = {"space": config.model_dump(mode="json"), "seed": self.space_seed(space)}
        if (source := sources_of_spaces(self.study).get(space)) is not None:
            recipe["of"] = self.space_recipe(source)
        if hasattr(config, "model"):
            model = self.study.language_models[config.model]
            recipe["model"] = model.model_dump(mode="json")
            recipe["model_seed"] = self.model_seed(config.model)
            if hasattr(model, "corpus"):
                recipe["corpus"] = self._corpus_recipe(model.corpus)
        if hasattr(config, "corpus"):
            recipe["corpus"] = self._corpus_recipe(config.corpus)
        if hasattr(config, "domains"):
            recipe["domains"] = self.study.domains[config.domains].model_dump(mode="json")
        if self.lexicon_corpus is not None:
            recipe["lexicon"] = [self._corpus_recipe(self.lexicon_corpus), self.study.lexicon.size]
        return recipe

    def _corpus_recipe(self, corpus: str) -> dict[str, Any]:
        data = self.study.data.model_dump(mode="json", exclude={"root"})
        config = self.study.corpora[corpus].model_dump(mode="json")
        return {"config": config, "data": data, "seed": self.study.seed}

    def config_sha256(self, space: str) -> str:
        """Digest of all settings that the scores of a space depend on."""
        return self._scored(self.space_recipe(space))

    def experiment_sha256(self, experiment: str, space: str | None) -> str:
        """Digest of all settings that the scores of an experiment's models with a space depend on."""
        config = self.experiments[experiment]
        recipe = [config.model_dump(mode="json"), self._corpus_recipe(config.corpus)]
        return self._scored([*recipe, None if space is None else self.space_recipe(space)])

    def path_seed(self, path: str) -> int:
        """The seed of a λ path: its own if it has one, else the study's."""
        return self._seed_of(self.study.l2_paths[path])

    def path_sha256(self, path: str) -> str:
        """Digest of all settings that the scores along a λ path depend on."""
        config = self.study.l2_paths[path]
        return self._scored(
            [config.model_dump(mode="json"), self.path_seed(path), self.space_recipe(config.of)]
        )

    def domains_seed(self, domains: str) -> int:
        """The seed of domain labels: their own if they have one, else the study's."""
        return self._seed_of(self.study.domains[domains])

    def probe_seed(self, probe: str) -> int:
        """The seed of a probe: its own if it has one, else the study's."""
        return self._seed_of(self.study.probes[probe])

    def analysis_seed(self, analysis: Any) -> int:
        """The seed of an analysis: its own if it has one, else the study's."""
        return self._seed_of(analysis)

    def _seed_of(self, section: Any) -> int:
        own: int | None = getattr(section, "seed", None)
        return self.study.seed if own is None else own

    def _scored(self, recipe: Any) -> str:
        protocol = self.study.protocol.model_dump(mode="json")
        return digest_json([recipe, protocol, self.study.data.source])


def _demand(path: Path, what: str, where: str) -> None:
    if path.is_file() if what == "file" else path.is_dir():
        return
    raise LexiscopeError(f"there is no {what} {str(path)!r}", where=where, remedy=_neighbours(path, what))


def _neighbours(path: Path, what: str) -> str:
    """What a missing file or folder may have been meant to be; paths count from where Snakemake runs."""
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either; paths are relative to {Path.cwd()}"
    names = [entry.name for entry in path.parent.iterdir() if entry.is_dir() == (what == "folder")]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"paths are relative to {Path.cwd()}"
