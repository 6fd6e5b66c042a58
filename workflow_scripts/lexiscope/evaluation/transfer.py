"""Transfer: do averaged word vectors tell what a sentence, or a pair of sentences, is about?

SentEval's tasks (Conneau & Kiela 2018): a classifier on frozen sentence vectors, scored by its accuracy.
"""

from __future__ import annotations

from lexiscope.data.receipt import Receipt
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.classification import (
    cross_validated,
    pair_examples,
    sentence_examples,
    tuned_by_folds,
    tuned_on_split,
)
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Outcome
from lexiscope.evaluation.sentence_files import (
    QUESTION_TYPES,
    read_one_class,
    read_questions,
    read_sentiment,
)
from lexiscope.evaluation.sentence_pairs import ENTAILMENT, PARAPHRASE, read_mrpc, read_sick_entailment
from lexiscope.evaluation.tasks import Dataset

TWO_FILES = {
    "mr": ("positive", "negative"),
    "cr": ("positive", "negative"),
    "mpqa": ("positive", "negative"),
    "subj": ("objective", "subjective"),
}
"""Roles of the files of class 1 and class 0, in SentEval's order of the examples."""

SENTIMENT_CLASSES = {"sst2": 2, "sst5": 5}


def evaluate(
    space: EmbeddingSpace, dataset: Dataset, receipt: Receipt, protocol: ProtocolConfig
) -> Outcome:
    """Score a space on one transfer task.

    Protocols (SentEval): MR, CR, MPQA and SUBJ by nested cross-validation; TREC and MRPC with the
    regulariser chosen by cross-validation on the training part; SST and SICK-E with that chosen on their
    validation part. Pairs have the features ``[|u - v|, u * v]``. Sentences without any known word keep
    their zero vector, and are answered and scored like others; ``n_used`` leaves them out.

    Returns
    -------
    The test accuracy (for MRPC also F1 of the paraphrases) with its interval, the validation accuracy, and
    the class given to each test sentence. They are skipped if the space has no word of the training or of
    the test part, or if there are too few sentences of a class to train on.

    Raises
    ------
    LexiscopeError
        If a file cannot be read.
    """
    if dataset.key in TWO_FILES:
        ones, zeros = TWO_FILES[dataset.key]
        both = read_one_class(receipt.path(ones), 1) + read_one_class(receipt.path(zeros), 0)
        return cross_validated(dataset, sentence_examples(space, both, protocol), 2, protocol)
    if dataset.key == "trec":
        train, test = (
            sentence_examples(space, read_questions(receipt.path(role)), protocol)
            for role in ("train", "test")
        )
        return tuned_by_folds(dataset, train, test, len(QUESTION_TYPES), protocol)
    if dataset.key == "mrpc":
        train, test = (
            pair_examples(space, read_mrpc(receipt.path(role)), protocol) for role in ("train", "test")
        )
        return tuned_by_folds(dataset, train, test, len(PARAPHRASE), protocol)
    if dataset.key == "sick_entailment":
        n_classes = len(ENTAILMENT)
        train, valid, test = (
            pair_examples(space, read_sick_entailment(receipt.path(role)), protocol)
            for role in ("train", "valid", "test")
        )
    else:
        n_classes = SENTIMENT_CLASSES[dataset.key]
        train, valid, test = (
            sentence_examples(space, read_sentiment(receipt.path(role), n_classes), protocol)
            for role in ("train", "valid", "test")
        )
    return tuned_on_split(dataset, train, valid, test, n_classes, protocol)
