"""What a study may say about probing tasks that it makes from a treebank."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from lexiscope.config.base import Section, suggest
from lexiscope.errors import LexiscopeError

TreebankFormat = Literal["conllu", "brackets"]

CATALOGUE_FORMATS: dict[str, TreebankFormat] = {
    "ud-english-ewt": "conllu",
    "gum": "conllu",
    "nltk-treebank": "brackets",
}
"""How the treebanks of the catalogue are written; known without reading them."""

EXTENSIONS: dict[str, TreebankFormat] = {
    ".conllu": "conllu",
    ".conll": "conllu",
    ".mrg": "brackets",
    ".ptb": "brackets",
    ".parse": "brackets",
    ".txt": "brackets",
}
"""Formats by the ends of files' names, before an added ``.gz``."""

_OF_BOTH = ("sentence_length", "word_content", "tree_depth", "tense", "subj_number", "obj_number")

TASKS_BY_FORMAT: dict[TreebankFormat, tuple[str, ...]] = {
    "conllu": _OF_BOTH,
    "brackets": (*_OF_BOTH[:3], "top_constituents", *_OF_BOTH[3:]),
}
"""The tasks that each format has what it takes for, in the order of Conneau et al. (2018)."""


class ProbeConfig(Section):
    """Probing tasks, in the manner of SentEval's, from one treebank.

    Attributes
    ----------
    treebank
        Key in the catalogue.
    files
        Instead of ``treebank``: paths or glob patterns (``**`` crosses folders) of the user's own files,
        relative to where the workflow runs: CoNLL-U (``.conllu``, ``.conll``) or bracketed trees (``.mrg``,
        ``.ptb``, ``.parse``, ``.txt``), plain or with ``.gz`` added, not both kinds in one probe.
    tasks
        Tasks to make; by default all that the format allows (``top_constituents`` needs brackets).
    n_train, n_valid, n_test
        At most so many sentences in a part of a task, all its classes together; by default as many as
        there are once each class has been cut to the size of the smallest.
    parts
        ``treebank``: training, validation and test are those the treebank comes in, if it does (in the
        user's files, if their names have ``train``, ``dev`` or ``valid``, and ``test`` in them). ``drawn``:
        they are drawn anew, which leaves more sentences to the tasks with target words.
    shares
        Of training, validation and test, in parts of 1, where they are drawn: by documents (by sentences,
        if there are few documents); for ``tense``, ``subj_number`` and ``obj_number`` by target words.
    min_class_size
        The fewest sentences that a class may have in each part.
    min_length, max_length
        Sentences of fewer or more tokens are not used (5 and 28 in Conneau et al. 2018).
    n_words
        Of ``word_content``: at most so many target words (1,000 in Conneau et al. 2018, which needs a
        corpus of millions of sentences).
    casing
        ``as_is``, or ``lower`` for lower-casing every token.
    bad_trees
        A CoNLL-U sentence whose heads are no tree: refuse the file, or ``drop`` the sentence and count it.
    seed
        Seed of every choice; by default the study's.
    """

    treebank: str | None = None
    files: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    n_train: PositiveInt | None = None
    n_valid: PositiveInt | None = None
    n_test: PositiveInt | None = None
    parts: Literal["treebank", "drawn"] = "treebank"
    shares: tuple[
        Annotated[float, Field(gt=0, lt=1)],
        Annotated[float, Field(gt=0, lt=1)],
        Annotated[float, Field(gt=0, lt=1)],
    ] = (0.6, 0.2, 0.2)
    min_class_size: PositiveInt = 10
    min_length: PositiveInt = 5
    max_length: PositiveInt = 28
    n_words: int = Field(default=30, ge=2)
    casing: Literal["as_is", "lower"] = "as_is"
    bad_trees: Literal["error", "drop"] = "error"
    seed: int | None = Field(default=None, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _one_source(self) -> ProbeConfig:
        if (self.treebank is None) == (not self.files):
            raise ValueError("needs one of 'treebank' (a key of the catalogue) and 'files', and not both")
        if self.treebank is not None and self.treebank not in CATALOGUE_FORMATS:
            raise ValueError(
                f"no treebank is called {self.treebank!r}; {suggest(self.treebank, CATALOGUE_FORMATS)}"
            )
        formats = {pattern: _format_of_name(pattern) for pattern in self.files}
        for pattern, format_ in formats.items():
            if format_ is None:
                ends = ", ".join(EXTENSIONS)
                raise ValueError(f"the format of {pattern!r} is not known: it must end in one of {ends}")
        if len(set(formats.values())) > 1:
            raise ValueError("'files' mixes CoNLL-U and bracketed trees; make two probes of them")
        return self

    @model_validator(mode="after")
    def _tasks_of_the_format(self) -> ProbeConfig:
        allowed = TASKS_BY_FORMAT[self.format]
        for task in self.tasks:
            if task in TASKS_BY_FORMAT["brackets"] and task not in allowed:
                raise ValueError(f"task {task!r} needs bracketed trees; these are dependencies (CoNLL-U)")
            if task not in allowed:
                raise ValueError(f"no task of a built probe is called {task!r}; {suggest(task, allowed)}")
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> ProbeConfig:
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"'shares' must add up to 1, these add up to {sum(self.shares):g}")
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is more than max_length {self.max_length}")
        return self

    @property
    def format(self) -> TreebankFormat:
        """How the treebank is written, from its key or its files' names alone."""
        if self.treebank is not None:
            return CATALOGUE_FORMATS[self.treebank]
        format_ = _format_of_name(self.files[0])
        assert format_ is not None  # checked at construction
        return format_

    def paths(self) -> list[Path]:
        """The user's files, pattern by pattern and by name, each once; none for the catalogue's treebanks.

        Raises
        ------
        LexiscopeError
            If a pattern matches none.
        """
        paths: dict[Path, None] = {}
        for pattern in self.files:
            found = glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
            matches = sorted(path for path in map(Path, found) if path.is_file())
            if not matches:
                raise LexiscopeError(
                    "no treebank file matches this pattern",
                    where=pattern,
                    remedy="patterns are relative to the folder in which the workflow runs",
                )
            paths.update(dict.fromkeys(matches))
        return list(paths)


def tasks_of(config: ProbeConfig) -> tuple[str, ...]:
    """The tasks that a probe has, in the order of Conneau et al. (2018); no file is looked at."""
    allowed = TASKS_BY_FORMAT[config.format]
    return tuple(task for task in allowed if not config.tasks or task in config.tasks)


def format_of_file(name: str) -> TreebankFormat | None:
    """The format of a file in an archive, where a plain text (``.txt``) is no treebank; None for others."""
    return None if name.endswith(".txt") else _format_of_name(name)


def _format_of_name(name: str) -> TreebankFormat | None:
    return EXTENSIONS.get(Path(name.removesuffix(".gz")).suffix.lower())
