"""The ten probing tasks of SentEval, and those of X-Probe, each in its own layout.

All tasks of a suite choose from one pool of sentences, as the real ones do from one corpus. Classes are
balanced and no sentence is in two parts of a task. In the tasks on tense and number, and among the words
that the odd-man-out task exchanges, each word form belongs to one part only, so that a probe cannot
remember it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from lexiscope.data.miniature.corpus import Files
from lexiscope.data.miniature.dependencies import dependency_depth
from lexiscope.data.miniature.grammar import Tree, depth
from lexiscope.data.miniature.language import stream
from lexiscope.data.miniature.probing_labels import (
    LABELLERS,
    LENGTH_BINS,
    TENSES,
    TOP_CONSTITUENTS,
    Context,
    FormParts,
    PoolSentence,
    exchangeable_forms,
    target_words,
)
from lexiscope.data.miniature.sentences import Materials, SentenceStock, quotas
from lexiscope.errors import LexiscopeError

POOL_STEP = 500  # sentences
POOL_LIMIT = 400  # sentences looked at for one asked for
OPENINGS = ("none", "adverb", "place", "clause", "coordination")  # of the pool's sentences, equally often

DEPTHS = (4, 5, 6, 7, 8, 9)
DEPENDENCY_DEPTHS = (3, 4, 5)
CLASSES: dict[str, tuple[str, ...]] = {
    "sentence_length": tuple(str(number) for number in range(len(LENGTH_BINS))),
    "top_constituents": TOP_CONSTITUENTS,
    "past_present": tuple(TENSES.values()),
    "subj_number": ("NN", "NNS"),
    "obj_number": ("NN", "NNS"),
    "bigram_shift": ("I", "O"),
    "odd_man_out": ("C", "O"),
    "coordination_inversion": ("I", "O"),
}
"""Of the tasks that always have the same."""

XPROBE_TASKS = tuple(task for task in LABELLERS if task != "top_constituents")
XPROBE_LABELS = {
    "past_present": {"PAST": "Past", "PRES": "Pres"},
    "subj_number": {"NN": "Sing", "NNS": "Plur"},
    "obj_number": {"NN": "Sing", "NNS": "Plur"},
    "odd_man_out": {"O": "Orig", "C": "Inv"},
}
"""X-Probe's names of classes, where they differ from SentEval's."""

Rows = dict[str, list[tuple[str, str]]]
"""(label, text) pairs by part."""


def make_probing(materials: Materials) -> Files:
    """SentEval's ten tasks, one file each."""
    config = materials.config
    sizes = {"tr": config.probing_train, "va": config.probing_heldout, "te": config.probing_heldout}
    suite = _Suite(materials, "probing", sizes, DEPTHS, depth)
    files = {}
    for task in LABELLERS:
        rows = suite.rows(task)
        lines = [f"{part}\t{label}\t{text}\n" for part in rows for label, text in rows[part]]
        files[f"senteval/probing/{task}.txt"] = "".join(lines)
    return files


def make_xprobe(materials: Materials) -> Files:
    """X-Probe's nine tasks, two files each; its depth is that of the dependency tree."""
    config = materials.config
    sizes = {"va": config.xprobe_valid, "te": config.xprobe_test}
    suite = _Suite(materials, "xprobe", sizes, DEPENDENCY_DEPTHS, dependency_depth)
    files = {}
    for task in XPROBE_TASKS:
        names = XPROBE_LABELS.get(task, {})
        for part, rows in suite.rows(task).items():
            lines = [f"{text}\t{names.get(label, label)}\n" for label, text in rows]
            files[f"xprobe-en/{task}/{part}.txt"] = "".join(lines)
    return files


class _Pool:
    """Sentences of a stock, as many as are asked for, each made once."""

    def __init__(self, stock: SentenceStock, limit: int) -> None:
        self._stock = stock
        self._limit = limit
        self._sentences: list[PoolSentence] = []

    def __iter__(self) -> Iterator[PoolSentence]:
        for place in range(self._limit):
            if place == len(self._sentences):
                self._sentences += [
                    PoolSentence(self._stock.sentence(opening=OPENINGS[number % len(OPENINGS)]))
                    for number in range(POOL_STEP)
                ]
            yield self._sentences[place]


class _Suite:
    """The tasks that share a pool; ``sizes`` are those of their parts, in the order of the files."""

    def __init__(
        self,
        materials: Materials,
        name: str,
        sizes: Mapping[str, int],
        depths: Sequence[int],
        depth_of: Callable[[Tree], int],
    ) -> None:
        self._name, self._sizes, self._depth = name, sizes, depth_of
        self._seed = materials.seed
        self._truth = materials.language.truth
        self._pool = _Pool(materials.stock(f"{name} pool"), POOL_LIMIT * sum(sizes.values()))
        self._ranks = exchangeable_forms(self._truth, materials.counts)
        self._targets = target_words(self._truth, materials.counts, materials.config.probing_words)
        self._classes = CLASSES | {
            "word_content": tuple(sorted(self._targets)),
            "tree_depth": tuple(str(number) for number in depths),
        }

    def rows(self, task: str) -> Rows:
        """One task: of each class the same number in each part, in random order.

        Raises
        ------
        LexiscopeError
            If the pool does not have enough sentences of a class.
        """
        rng = stream(self._seed, f"{self._name} {task}")
        forms = FormParts(self._sizes, rng)
        context = Context(self._truth, rng, forms, self._ranks, self._targets, self._depth)
        classes = self._classes[task]
        wanted = {
            (part, label): n
            for part, size in self._sizes.items()
            for label, n in zip(classes, quotas(size, [1.0] * len(classes)), strict=True)
        }
        missing = sum(wanted.values())
        rows: Rows = {part: [] for part in self._sizes}
        for sentence in self._pool:
            labelled = LABELLERS[task](sentence, context)
            if labelled is None:
                continue
            parts = [forms.of(labelled.form)] if labelled.form else list(self._sizes)
            part = next((part for part in parts if wanted.get((part, labelled.label))), None)
            if part is None:
                continue
            wanted[part, labelled.label] -= 1
            missing -= 1
            rows[part].append((labelled.label, labelled.text))
            if not missing:
                return {
                    part: [found[i] for i in rng.permutation(len(found))] for part, found in rows.items()
                }
        raise LexiscopeError(
            f"the miniature's language gives too few sentences for the probing task {task!r}",
            remedy="ask for fewer (probing_train, probing_heldout, xprobe_valid, xprobe_test)",
        )
