"""Which tasks there are: their datasets, the numbers each gives, and where the papers print them.

One workflow job evaluates one space on one task group. A dataset is what is scored, and a task by itself;
the files behind it come from an entry of the catalogue, which several datasets may share. A measure is one
number reported on it (it has a column in a table).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lexiscope.errors import LexiscopeError

Scale = Literal["correlation", "proportion", "perplexity"]

BUILT_PROBES = "treebank_probing"
"""The task group of the probes that a study builds from treebanks; its datasets are ``probe/task``."""


@dataclass(frozen=True)
class Measure:
    """One reported number.

    Attributes
    ----------
    dataset
        Name in the ``dataset`` column of the scores, and the paper's ``task`` in the printed values.
    metric
        Name in the ``metric`` column.
    label
        Heading of its column in a table.
    paper, table
        Where it is printed; empty where no paper prints it.
    scale
        ``correlation`` (-1 to 1), ``proportion`` (0 to 1) or ``perplexity`` (1 and more).
    baseline
        What a space that knows nothing gets: the chance level; None where the data decide it, as they do
        the share of the largest class.
    split
        The split whose score stands in the tables: ``test``, or the ``mean`` over the subsets of a year.
    higher_is_better
        Direction.
    """

    dataset: str
    metric: str
    label: str
    paper: str
    table: str
    scale: Scale
    baseline: float | None
    split: str = "test"
    higher_is_better: bool = True


@dataclass(frozen=True)
class Dataset:
    """Something to be scored on.

    Attributes
    ----------
    key
        Its name as a task.
    measures
        The numbers it gives.
    source
        Its files' entry in the catalogue (or the name of a built probe); by default named as the key.
    role
        Which of that entry's files are its own, where the entry holds several datasets.
    """

    key: str
    measures: tuple[Measure, ...]
    source: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", self.source or self.key)


@dataclass(frozen=True)
class TaskGroup:
    """Datasets that share one way of scoring and one workflow job."""

    name: str
    label: str
    datasets: tuple[Dataset, ...]

    def dataset(self, key: str) -> Dataset:
        """The dataset of that key.

        Raises
        ------
        LexiscopeError
            If the group has none of that key.
        """
        if self.name == BUILT_PROBES and "/" in key:
            return built_probe(*key.split("/", 1))
        for dataset in self.datasets:
            if dataset.key == key:
                return dataset
        keys = [dataset.key for dataset in self.datasets]
        raise LexiscopeError(f"task {self.name!r} has no dataset {key!r}", remedy=_suggestion(key, keys))


def _similarity(key: str, label: str) -> Dataset:
    return Dataset(key, (Measure(key, "spearman", label, "derby2020", "table1", "correlation", 0.0),))


def _brainbench(dataset: str, label: str) -> Measure:
    return Measure(dataset, "two_vs_two_accuracy", label, "derby2020", "table1", "proportion", 0.5)


def _accuracy(key: str, label: str, paper: str = "derby2020", table: str = "table2") -> Measure:
    return Measure(key, "accuracy", label, paper, table, "proportion", None)


def _transfer(key: str, label: str, source: str = "") -> Dataset:
    return Dataset(key, (_accuracy(key, label),), source)


def _mrpc() -> Dataset:
    f1 = Measure("mrpc", "f1", "MRPC F1", "derby2020", "table2", "proportion", None)
    return Dataset("mrpc", (_accuracy("mrpc", "MRPC"), f1))


def _relatedness(key: str, label: str, source: str) -> Dataset:
    """SentEval's trained regression; and the plain cosine, which trains nothing, named on its own."""
    plain = f"{key}_cosine"
    return Dataset(
        key,
        (
            Measure(key, "pearson", label, "derby2020", "table3", "correlation", 0.0),
            Measure(key, "spearman", label, "", "table3", "correlation", 0.0),
            Measure(plain, "pearson", f"{label} cosine", "", "table3", "correlation", 0.0),
            Measure(plain, "spearman", f"{label} cosine", "", "table3", "correlation", 0.0),
        ),
        source,
    )


def _sts(year: int) -> Dataset:
    key, label = f"sts{year}", f"STS{year}"
    return Dataset(
        key,
        tuple(
            Measure(key, metric, label, "derby2020", "figure1", "correlation", 0.0, split="mean")
            for metric in ("pearson", "spearman")
        ),
    )


PROBES = {
    "sentence_length": "SentLen",
    "word_content": "WordContent",
    "tree_depth": "TreeDepth",
    "top_constituents": "TopConst",
    "bigram_shift": "BigramShift",
    "tense": "Tense",
    "subj_number": "SubjNum",
    "obj_number": "ObjNum",
    "odd_man_out": "OddManOut",
    "coordination_inversion": "CoordInv",
}
"""Labels of SentEval's ten probing tasks (Conneau et al. 2018)."""

_ROLES = {"tense": "past_present"}
"""SentEval's and X-Probe's file of a probe, where it has another name than the paper's task."""


def _probe(task: str) -> Dataset:
    return Dataset(
        task,
        (_accuracy(task, PROBES[task], table="figure2"),),
        "senteval-probing",
        _ROLES.get(task, task),
    )


def _xprobe(task: str) -> Dataset:
    key = f"xprobe_{task}"
    measures = (_accuracy(key, f"X-Probe {PROBES[task]}", paper="", table="xprobe"),)
    return Dataset(key, measures, "xprobe-en", _ROLES.get(task, task))


def built_probe(probe: str, task: str) -> Dataset:
    """The dataset of one task of a probe that a study builds; its key is ``probe/task``."""
    key = f"{probe}/{task}"
    label = f"{probe} {PROBES.get(task, task)}"
    return Dataset(key, (_accuracy(key, label, paper="", table=BUILT_PROBES),), probe, task)


# In the order of the tables and figures of Derby et al. (2020).
TASKS: dict[str, TaskGroup] = {
    group.name: group
    for group in (
        TaskGroup(
            "word_similarity",
            "Word similarity",
            (
                _similarity("ws353_similarity", "WordSim353-Sim"),
                _similarity("simlex999", "SimLex-999"),
                _similarity("ws353_relatedness", "WordSim353-Rel"),
                _similarity("men", "MEN"),
                _similarity("mturk287", "MTurk-287"),
                _similarity("ws353", "WordSim353"),
                _similarity("rareword", "RareWords"),
            ),
        ),
        TaskGroup(
            "brainbench",
            "BrainBench",
            (
                Dataset(
                    "brainbench",
                    (
                        _brainbench("brainbench_fmri", "BrainBench fMRI"),
                        _brainbench("brainbench_meg", "BrainBench MEG"),
                    ),
                ),
            ),
        ),
        TaskGroup(
            "transfer",
            "Transfer",
            (
                _transfer("mr", "MR"),
                _transfer("cr", "CR"),
                _transfer("mpqa", "MPQA"),
                _transfer("subj", "SUBJ"),
                _transfer("sst2", "SST2"),
                _transfer("sst5", "SST5"),
                _transfer("trec", "TREC"),
                _transfer("sick_entailment", "SICK-E", "sick"),
                _mrpc(),
            ),
        ),
        TaskGroup(
            "relatedness",
            "Relatedness",
            (
                _relatedness("sick_relatedness", "SICK-R", "sick"),
                _relatedness("stsbenchmark", "STS-B", "stsbenchmark"),
            ),
        ),
        TaskGroup("sts", "Textual similarity", tuple(_sts(year) for year in range(12, 17))),
        TaskGroup("probing", "Probing", tuple(_probe(task) for task in PROBES)),
        TaskGroup(
            "xprobe",
            "X-Probe",
            tuple(_xprobe(task) for task in PROBES if task != "top_constituents"),
        ),
        TaskGroup(BUILT_PROBES, "Probes built from treebanks", ()),
    )
}


def _perplexity(key: str, label: str, paper: str, table: str) -> Dataset:
    measure = Measure(
        key, "perplexity", label, paper, table, "perplexity", None, split="test", higher_is_better=False
    )
    return Dataset(key, (measure,))


LANGUAGE_MODELLING = TaskGroup(
    "language_modelling",
    "Language modelling",
    (
        _perplexity("nnlm_in", "NNLM-In", "derby2020", "table4"),
        _perplexity("nnlm_out", "NNLM-Out", "derby2020", "table4"),
        _perplexity("nnlm_tied", "NNLM-Tied", "derby2020", "table4"),
        _perplexity("nnlm_baseline", "Baselines", "", "table4"),
        _perplexity("lstm_lm", "LSTM", "verwimp2019", "table1"),
        _perplexity("lstm_lm_compressed", "LSTM, compressed", "", "verwimp_table1"),
    ),
)
"""What the language-modelling experiments report. No task: a section of the study asks for them."""

GROUPS = (*TASKS.values(), LANGUAGE_MODELLING)
"""All groups of scores."""

MEASURES: dict[tuple[str, str], Measure] = {
    (measure.dataset, measure.metric): measure
    for group in GROUPS
    for dataset in group.datasets
    for measure in dataset.measures
}
"""Every measure by (dataset, metric), in table order; those of built probes are not among them."""


def measure_of(dataset: str, metric: str) -> Measure | None:
    """The measure behind a score, that of a built probe too; None for one the registry does not know."""
    if "/" in dataset and metric == "accuracy":
        return built_probe(*dataset.split("/", 1)).measures[0]
    return MEASURES.get((dataset, metric))


def resolve_tasks(
    names: Sequence[str], probes: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Turn what a user lists under ``tasks`` into dataset keys by task group.

    A name is that of a group (all its datasets) or of one dataset. Groups and datasets come in the order of
    the registry, each once, whatever the order of the names.

    Parameters
    ----------
    names
        The user's names.
    probes
        The probes that the study builds, each with its tasks.

    Raises
    ------
    LexiscopeError
        If a name is unknown.

    Examples
    --------
    >>> resolve_tasks(["brainbench", "men", "simlex999"])
    {'word_similarity': ('simlex999', 'men'), 'brainbench': ('brainbench',)}
    >>> resolve_tasks(["treebank_probing"], {"ewt": ["tense"]})
    {'treebank_probing': ('ewt/tense',)}
    """
    keys = {group.name: tuple(dataset.key for dataset in group.datasets) for group in TASKS.values()}
    keys[BUILT_PROBES] = tuple(f"{name}/{task}" for name, tasks in (probes or {}).items() for task in tasks)
    known = set(keys).union(*keys.values())
    for name in names:
        if name not in known:
            raise LexiscopeError(f"unknown task {name!r}", remedy=_suggestion(name, sorted(known)))
    wanted = set(names)
    chosen = {
        group: tuple(key for key in members if group in wanted or key in wanted)
        for group, members in keys.items()
    }
    return {group: datasets for group, datasets in chosen.items() if datasets}


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
