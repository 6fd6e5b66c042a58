"""Which sentences a probing task gets: balanced classes, and parts that share nothing that tells the class.

Whatever the task, all classes of a part have the same number of sentences, that of the rarest, so a
classifier that knows nothing is right once in as many times as there are classes.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.probes.labels import Label
from lexiscope.probes.targets import share_targets
from lexiscope.probes.treebanks import PARTS, Part

SENTENCE_LENGTH_CLASSES = 6
TOP_CONSTITUENT_CLASSES = 19
"""Of the paper; all other sequences are the class `OTHER`."""
OTHER = "OTHER"
WISHED_DEPTHS = 3
"""Classes of ``tree_depth``, or more; two only if there is no other way."""
WORD_TRAINING_RATIO = 3
"""Training sentences of a class of ``word_content`` for each of validation or test, at least."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that may be used.

    Attributes
    ----------
    part
        The part of the treebank it stands in, or has been given to.
    labels
        By task: its label, or the reason why it has none.
    """

    tokens: tuple[str, ...]
    part: Part
    labels: Mapping[str, Label | str]


@dataclass(frozen=True)
class Rules:
    """What a task may use.

    Attributes
    ----------
    limits
        Most sentences of each part, all classes together; None for no limit.
    shares
        Of the parts, in parts of 1.
    min_class_size
        Fewest sentences of a class in each part.
    n_words
        Most classes of ``word_content``.
    fixed_parts
        Whether the treebank came in parts, which then hold for every task.
    """

    limits: Mapping[Part, int | None]
    shares: Mapping[Part, float]
    min_class_size: int
    n_words: int
    fixed_parts: bool
    seed: int

    def generator(self, task: str) -> np.random.Generator:
        """Random numbers of one task, whatever other tasks there are."""
        return np.random.default_rng([self.seed, zlib.crc32(task.encode())])


@dataclass(frozen=True)
class Candidates:
    """Sentences (by number) that a task could use, by part and class.

    Attributes
    ----------
    classes
        In the order in which they are reported.
    excluded
        Sentences that it cannot use, by reason.
    details
        What else there is to say of the choice.
    matched
        Whether the classes of a part have equally many sentences that belong together by their place, so
        that places are drawn and not sentences.
    """

    classes: tuple[str, ...]
    numbers: Mapping[Part, Mapping[str, Sequence[int]]]
    excluded: Counter[str]
    details: dict[str, Any] = field(default_factory=dict)
    matched: bool = False


@dataclass(frozen=True)
class Chosen:
    """The sentences of a task: (part, class, number of the sentence), training first, in reading order."""

    examples: tuple[tuple[Part, str, int], ...]
    candidates: Candidates


class TooFewError(Exception):
    """A task has too few sentences of a class in some part."""


def choose(task: str, sentences: Sequence[Sentence], rules: Rules) -> Chosen:
    """The sentences of a task.

    Raises
    ------
    TooFewError
        If a class has too few, or there are too few classes.
    """
    generator = rules.generator(task)
    if task == "sentence_length":
        candidates = _by_length(sentences)
    elif task == "word_content":
        candidates = _by_word(sentences, rules)
    elif task == "tree_depth":
        candidates = _by_depth(sentences, rules, generator)
    elif task == "top_constituents":
        candidates = _by_top(sentences, rules)
    else:
        candidates = _by_target(task, sentences, rules, generator)
    return Chosen(tuple(_balance(candidates, rules, generator)), candidates)


def _balance(
    candidates: Candidates, rules: Rules, generator: np.random.Generator
) -> Iterable[tuple[Part, str, int]]:
    """Draw as many of each class as the rarest has, or as the limit of the part allows."""
    for part in PARTS:
        pools = {name: candidates.numbers[part].get(name, ()) for name in candidates.classes}
        rarest = min(pools, key=lambda name: len(pools[name]))
        size, limit = len(pools[rarest]), rules.limits[part]
        if size < rules.min_class_size:
            raise TooFewError(
                f"class {rarest!r} has {size} sentences in the part {part!r}, "
                f"and min_class_size is {rules.min_class_size}"
            )
        if limit is not None:
            size = min(size, limit // len(pools))
            if not size:
                raise TooFewError(f"{limit} sentences in the part {part!r} are fewer than classes")
        together = generator.choice(len(pools[rarest]), size=size, replace=False)
        drawn = [
            (pool[place], name)
            for name, pool in pools.items()
            for place in (
                together if candidates.matched else generator.choice(len(pool), size=size, replace=False)
            )
        ]
        yield from ((part, name, number) for number, name in sorted(drawn))


# Tasks with sentences drawn freely ------------------------------------------------------------------------


def _group(
    sentences: Sequence[Sentence], names: Iterable[str | None]
) -> dict[Part, defaultdict[str, list[int]]]:
    groups: dict[Part, defaultdict[str, list[int]]] = {part: defaultdict(list) for part in PARTS}
    for number, (sentence, name) in enumerate(zip(sentences, names, strict=True)):
        if name is not None:
            groups[sentence.part][name].append(number)
    return groups


def _by_length(sentences: Sequence[Sentence]) -> Candidates:
    """Six classes of consecutive lengths, about as many training sentences in each (equal frequency)."""
    lengths = np.array([len(sentence.tokens) for sentence in sentences], dtype=np.int64)
    training = lengths[[sentence.part == "tr" for sentence in sentences]]
    known, counts = np.unique(training, return_counts=True)
    if len(known) < SENTENCE_LENGTH_CLASSES:
        raise TooFewError(
            f"the training sentences have {len(known)} different lengths, for "
            f"{SENTENCE_LENGTH_CLASSES} classes"
        )
    below = np.concatenate([[0], np.cumsum(counts)])  # sentences shorter than known[i]
    cuts: list[int] = []
    for number in range(1, SENTENCE_LENGTH_CLASSES):
        # At least one length a class, so that six remain however uneven the lengths are.
        first = cuts[-1] + 1 if cuts else 1
        last = len(known) - (SENTENCE_LENGTH_CLASSES - number)
        goal = below[-1] * number / SENTENCE_LENGTH_CLASSES
        cuts.append(first + int(np.argmin(np.abs(below[first : last + 1] - goal))))
    classes = np.searchsorted(known[cuts], lengths, side="right")
    names = tuple(map(str, range(SENTENCE_LENGTH_CLASSES)))
    edges = [int(lengths.min()), *known[cuts].tolist(), int(lengths.max()) + 1]
    bins = {name: [edges[i], edges[i + 1] - 1] for i, name in enumerate(names)}
    groups = _group(sentences, [names[number] for number in classes])
    return Candidates(names, groups, Counter(), {"tokens": bins})


def _by_word(sentences: Sequence[Sentence], rules: Rules) -> Candidates:
    """Sentences with one of the target words, once, and no other of them.

    From the rarest word up, each becomes a target that has enough such sentences in each part (in training
    three times as many) and leaves enough to those before it. In a small treebank these come closest to
    the paper's words of middle frequency.
    """
    least = np.array([WORD_TRAINING_RATIO, 1, 1]) * rules.min_class_size
    places: dict[str, list[int]] = defaultdict(list)
    for number, sentence in enumerate(sentences):
        for token in sentence.tokens:
            if token.isalpha():
                places[token.lower()].append(number)
    parts = np.array([PARTS.index(sentence.part) for sentence in sentences])
    frequent = sorted(
        (word for word in places if len(places[word]) >= least.sum()),
        key=lambda word: (len(places[word]), word),
    )
    n_targets = np.zeros(len(sentences), dtype=np.int64)  # occurrences of target words in each sentence
    targets: dict[str, NDArray[np.int64]] = {}
    for word in frequent:
        if len(targets) == rules.n_words:
            break
        with_word = n_targets.copy()
        np.add.at(with_word, places[word], 1)
        alone = {
            target: numbers[with_word[numbers] == 1]
            for target, numbers in {**targets, word: np.unique(places[word])}.items()
        }
        counts = [np.bincount(parts[numbers], minlength=len(PARTS)) for numbers in alone.values()]
        if (np.array(counts) >= least).all():
            targets, n_targets = alone, with_word
    if len(targets) < 2:
        raise TooFewError(
            f"{len(targets)} words have {rules.min_class_size} sentences of their own in each part "
            f"(min_class_size), {WORD_TRAINING_RATIO} times as many in training, and two are needed"
        )
    names: list[str | None] = [None] * len(sentences)
    for target, numbers in targets.items():
        for number in numbers.tolist():
            names[number] = target
    excluded = Counter(
        {
            "no target word": int((n_targets == 0).sum()),
            "several target words": int((n_targets > 1).sum()),
        }
    )
    frequency = {target: len(places[target]) for target in targets}
    return Candidates(tuple(sorted(targets)), _group(sentences, names), excluded, {"frequency": frequency})


def _by_top(sentences: Sequence[Sentence], rules: Rules) -> Candidates:
    """The 19 most frequent sequences of constituents under the top, if frequent enough, and all others."""
    labels, excluded = _labels("top_constituents", sentences)
    groups = _group(sentences, [label.name if label else None for label in labels])
    frequent = sorted(groups["tr"], key=lambda name: (-len(groups["tr"][name]), name))
    classes = [
        name
        for name in frequent[:TOP_CONSTITUENT_CLASSES]
        if all(len(groups[part][name]) >= rules.min_class_size for part in PARTS)
    ]
    known = set(classes)
    names = [None if label is None else label.name if label.name in known else OTHER for label in labels]
    groups = _group(sentences, names)
    if all(len(groups[part][OTHER]) >= rules.min_class_size for part in PARTS):
        classes.append(OTHER)
    else:
        excluded["a rarer sequence"] += names.count(OTHER)
    if len(classes) < 2:
        raise TooFewError(
            f"{len(classes)} sequences of constituents have {rules.min_class_size} sentences in each part "
            "(min_class_size), and two are needed"
        )
    return Candidates(tuple(classes), groups, excluded)


def _labels(task: str, sentences: Sequence[Sentence]) -> tuple[list[Label | None], Counter[str]]:
    found = [sentence.labels[task] for sentence in sentences]
    excluded = Counter(label for label in found if isinstance(label, str))
    return [label if isinstance(label, Label) else None for label in found], excluded


# Depth, made independent of length ------------------------------------------------------------------------


def _by_depth(sentences: Sequence[Sentence], rules: Rules, generator: np.random.Generator) -> Candidates:
    """Consecutive depths, of each of which every part has the same number of sentences of each length.

    Length then says nothing of depth.
    """
    labels, excluded = _labels("tree_depth", sentences)
    cells: dict[Part, defaultdict[tuple[int, int], list[int]]] = {part: defaultdict(list) for part in PARTS}
    for number, (sentence, label) in enumerate(zip(sentences, labels, strict=True)):
        if label is not None:
            cells[sentence.part][len(sentence.tokens), int(label.name)].append(number)
    depths = sorted({depth for _, depth in cells["tr"]})
    lengths = sorted({length for length, _ in cells["tr"]})
    table = {
        part: np.array([[len(cells[part][length, depth]) for depth in depths] for length in lengths])
        for part in PARTS
    }
    best = _best_run(depths, table, rules)
    chosen = depths[best]
    groups: dict[Part, dict[str, list[int]]] = {
        part: {str(depth): [] for depth in chosen} for part in PARTS
    }
    for part in PARTS:
        for length, size in zip(lengths, table[part][:, best].min(axis=1).tolist(), strict=True):
            for depth in chosen:
                drawn = generator.choice(np.asarray(cells[part][length, depth]), size=size, replace=False)
                groups[part][str(depth)] += drawn.tolist()
    n_labelled = sum(label is not None for label in labels)
    n_used = sum(len(numbers) for group in groups.values() for numbers in group.values())
    excluded["other depths, or lengths that not every depth has"] = n_labelled - n_used
    return Candidates(tuple(map(str, chosen)), groups, excluded, matched=True)


def _best_run(depths: Sequence[int], table: Mapping[Part, NDArray[np.int64]], rules: Rules) -> slice:
    """The run of consecutive depths that keeps the most information, of three depths or more if possible.

    That is the number of training sentences times the logarithm of the number of classes.

    Parameters
    ----------
    table
        By part: sentences by length and depth, shape (n_lengths, n_depths).
    """
    gains: dict[tuple[int, int], float] = {}
    for first in range(len(depths)):
        for last in range(first + 1, len(depths)):
            if depths[last] - depths[first] != last - first:
                break  # a depth that no training sentence has
            sizes = {part: int(table[part][:, first : last + 1].min(axis=1).sum()) for part in PARTS}
            if min(sizes.values()) >= rules.min_class_size:
                n_classes = last - first + 1
                gains[first, last] = sizes["tr"] * n_classes * float(np.log(n_classes))
    if not gains:
        raise TooFewError(
            f"no 2 consecutive depths have {rules.min_class_size} sentences each, of the same lengths, in "
            "each part (min_class_size)"
        )
    wide = [run for run in gains if run[1] - run[0] + 1 >= WISHED_DEPTHS]
    first, last = max(wide or gains, key=lambda run: gains[run])
    return slice(first, last + 1)


# Parts that share no target word --------------------------------------------------------------------------


def _by_target(
    task: str, sentences: Sequence[Sentence], rules: Rules, generator: np.random.Generator
) -> Candidates:
    """Sentences whose target word, the form that gives the class away, occurs as target in one part only.

    In a treebank that comes in parts, a sentence whose target belongs to another part is left out; in any
    other, the target decides the part.
    """
    labels, excluded = _labels(task, sentences)
    uses: dict[str, dict[str, Counter[Part]]] = defaultdict(lambda: defaultdict(Counter))
    for sentence, label in zip(sentences, labels, strict=True):
        if label is not None:
            parts = (sentence.part,) if rules.fixed_parts else PARTS
            uses[label.name][label.target].update(parts)
    # Where parts are given, training is far the largest and would still be so with a third of its words.
    shares = dict.fromkeys(PARTS, 1 / len(PARTS)) if rules.fixed_parts else rules.shares
    owners = share_targets(uses, shares, generator)
    groups: dict[Part, defaultdict[str, list[int]]] = {part: defaultdict(list) for part in PARTS}
    for number, (sentence, label) in enumerate(zip(sentences, labels, strict=True)):
        if label is None:
            continue
        owner = owners[label.target]
        if rules.fixed_parts and sentence.part != owner:
            excluded["the target word belongs to another part"] += 1
        else:
            groups[owner][label.name].append(number)
    classes = tuple(sorted(uses))
    if len(classes) < 2:
        raise TooFewError(f"the sentences show {len(classes)} of 2 classes")
    return Candidates(
        classes, groups, excluded, {} if rules.fixed_parts else {"parts_from": "target words"}
    )
