"""The one vocabulary of all models of an experiment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import SPECIALS
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.shared_vocabulary import read_vocabulary
from lexiscope.files import existing_path, write_text
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def choose_vocabulary(*, corpus: Path, spaces: Sequence[Path], size: int | None, output: Path) -> None:
    """Write the words of a corpus that all spaces have, one a line.

    The two specials stand first (in the order of every corpus, ``<unk>`` and ``</s>``), then the words by
    descending count.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    spaces
        The spaces that are put into models; with none, all words of the corpus are taken.
    size
        At most so many words, the most frequent; the specials are not counted.
    output
        The text file to write.

    Raises
    ------
    LexiscopeError
        If the corpus or a space cannot be read, or no word remains.
    """
    data = EncodedCorpus.open(corpus)
    common: set[str] | None = None
    for path in spaces:
        words = load_space(path).words
        common = set(words) if common is None else common.intersection(words)
    allowed = None if common is None else sorted(common)
    chosen = RestrictedText.build(data, allowed, size).words
    n_words = len(chosen) - len(SPECIALS)
    logger.info("%d of the corpus's %d words are kept", n_words, len(data.vocabulary) - len(SPECIALS))
    write_text(output, "".join(f"{word}\n" for word in chosen))


def restricted_text(corpus: Path, vocabulary: Path, max_tokens: int | None = None) -> RestrictedText:
    """The text of an experiment: a corpus over a vocabulary that `choose_vocabulary` wrote.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    vocabulary
        The text file.
    max_tokens
        Of the training part, only the whole sentences among the first so many tokens.

    Raises
    ------
    LexiscopeError
        If either cannot be read, or they do not belong together.
    """
    words = read_vocabulary(existing_path(vocabulary))
    if words[: len(SPECIALS)] != SPECIALS:
        raise LexiscopeError(f"a vocabulary begins with {' and '.join(SPECIALS)}", where=vocabulary)
    text = RestrictedText.build(EncodedCorpus.open(corpus), words[len(SPECIALS) :], None, max_tokens)
    if text.words != words:
        raise LexiscopeError(
            "the vocabulary is of another corpus",
            where=vocabulary,
            remedy="delete the file and run the workflow again",
        )
    return text
