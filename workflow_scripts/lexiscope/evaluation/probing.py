"""Probing: which properties of a sentence can a classifier read off its averaged vector?

Serves SentEval's ten tasks (Conneau et al. 2018), X-Probe (Ravishankar et al. 2019), and probes that a
study builds from treebanks.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.classification import sentence_examples, tuned_on_split
from lexiscope.evaluation.classifiers.config import ClassifierConfig
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Outcome
from lexiscope.evaluation.sentence_files import LabelledSentences, ProbingSet, read_probing, read_xprobe
from lexiscope.evaluation.tasks import Dataset

OFFICIAL = "senteval-probing"
"""SentEval's own sets are scored on all their test sentences, whatever they share with the other parts."""

VALID_SHARE = 10
"""One in so many distinct sentences of a class goes to the validation part where a set has none."""


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on one probing task.

    Protocol (SentEval): one classifier on the training part, its regulariser chosen on the validation part.
    X-Probe has no training part; its validation part is cut into the two (see `cut`). Test sentences that
    also stand in the other parts are left out, but for SentEval's own sets, where a note counts them.
    WordContent never has a hidden layer, as in SentEval.

    Returns
    -------
    The test accuracy with its interval, the validation accuracy, and the class given to each test sentence.
    They are skipped if the space has no word of the training or of the test part, if no test sentence is
    left, or if there are too few sentences to train on.

    Raises
    ------
    LexiscopeError
        If a file cannot be read.
    """
    task = _read(dataset, receipt)
    seen = {tuple(words) for part in (task.train, task.valid) for words in part.sentences}
    repeated = np.array([tuple(words) in seen for words in task.test.sentences])
    official = dataset.source == OFFICIAL
    train, valid, test = (
        sentence_examples(space, part, protocol) for part in (task.train, task.valid, task.test)
    )
    return tuned_on_split(
        dataset,
        train,
        valid,
        test,
        len(task.classes),
        protocol,
        config=_settings(dataset, protocol),
        scored=None if official else ~repeated,
        note=_note(int(repeated.sum()), len(repeated), official=official),
    )


def _read(dataset: Dataset, receipt: Receipt) -> ProbingSet:
    if receipt.paths(f"{dataset.role}.valid"):
        valid, test, classes = read_xprobe(
            receipt.path(f"{dataset.role}.valid"), receipt.path(f"{dataset.role}.test")
        )
        return ProbingSet(*cut(valid), test, classes)
    return read_probing(receipt.path(dataset.role))


def _settings(dataset: Dataset, protocol: ProtocolConfig) -> ClassifierConfig:
    settings = protocol.classifier_settings
    return settings.model_copy(update={"n_hidden": 0}) if dataset.role == "word_content" else settings


def _note(n_repeated: int, n_test: int, *, official: bool) -> str:
    if not n_repeated:
        return ""
    what = "count, as in SentEval" if official else "are left out"
    return f"{n_repeated} of {n_test} test sentences also stand in the other parts and {what}"


def cut(sentences: LabelledSentences) -> tuple[LabelledSentences, LabelledSentences]:
    """Cut a part into nine tenths to train on and a tenth to validate on, without a sentence in both.

    Of each class, the tenth of its distinct sentences with the lowest SHA-256 (of the tokens, joined by
    blanks) is for validation: one at least, unless the class has a single sentence. The cut depends on
    neither a seed nor the order of the file. A sentence that comes several times, be it with several
    labels, goes with the class where it stands first.
    """
    classes: dict[int, dict[str, None]] = defaultdict(dict)
    class_of: dict[str, int] = {}
    texts = [" ".join(words) for words in sentences.sentences]
    for text, label in zip(texts, sentences.labels.tolist(), strict=True):
        classes[class_of.setdefault(text, label)][text] = None
    held_out = {text for members in classes.values() for text in _tenth(members)}
    is_valid: NDArray[np.bool_] = np.array([text in held_out for text in texts])
    return sentences[np.flatnonzero(~is_valid)], sentences[np.flatnonzero(is_valid)]


def _tenth(texts: Iterable[str]) -> list[str]:
    ranked = sorted(texts, key=lambda text: hashlib.sha256(text.encode("utf-8")).digest())
    size = max(1, len(ranked) // VALID_SHARE) if len(ranked) > 1 else 0
    return ranked[:size]
