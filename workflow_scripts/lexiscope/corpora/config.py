"""What a study may say about a corpus."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PositiveInt, Tag

from lexiscope.config.base import Section
from lexiscope.errors import LexiscopeError

MAX_SENTENCE_TOKENS = 1000
"""Longer sentences are cut (word2vec's own limit; fastText and gensim cut or drop the rest at theirs)."""


class DatasetSource(Section):
    """Text from a dataset of the catalogue.

    Attributes
    ----------
    dataset
        Key in the catalogue.
    max_tokens
        Take whole sentences of its training text, in reading order, while they hold no more tokens than
        this (``</s>`` included).
    """

    dataset: str
    max_tokens: PositiveInt | None = None


class TextSource(Section):
    """Text of the user's own: UTF-8 files, plain or gzipped.

    Attributes
    ----------
    text
        A path or a glob pattern (``**`` crosses folders), relative to where the workflow runs. The files
        are read in the order of their names.
    tokenised
        Whether a line is a sentence of tokens with spaces between them. If not, a line is a paragraph:
        its sentences are found and tokenised.
    max_tokens
        As in `DatasetSource`.
    """

    text: str
    tokenised: bool = False
    max_tokens: PositiveInt | None = None

    def paths(self) -> list[Path]:
        """The files that the pattern matches, by name.

        Raises
        ------
        LexiscopeError
            If it matches none.
        """
        pattern = str(Path(self.text).expanduser())
        paths = sorted(path for path in map(Path, glob(pattern, recursive=True)) if path.is_file())  # noqa: PTH207
        if not paths:
            raise LexiscopeError(
                "no text file matches this pattern",
                where=self.text,
                remedy="patterns are relative to the folder in which the workflow runs",
            )
        return paths


def _from_string(source: Any) -> Any:
    if isinstance(source, str):
        return {"dataset": source}
    if isinstance(source, dict) and "text" in source and "dataset" in source:
        raise ValueError("must have 'dataset' or 'text', not both")
    return source


def _tag(source: Any) -> str:
    is_text = "text" in source if isinstance(source, dict) else isinstance(source, TextSource)
    return "TextSource" if is_text else "DatasetSource"


Source = Annotated[
    Annotated[DatasetSource, Tag("DatasetSource")] | Annotated[TextSource, Tag("TextSource")],
    Discriminator(_tag),
    BeforeValidator(_from_string, json_schema_input_type=str | DatasetSource | TextSource),
]
"""Where text comes from; a bare string is the key of a dataset."""


class CorpusConfig(Section):
    """A corpus: its sources, read one after the other, and how their text becomes integers.

    Attributes
    ----------
    sources
        Datasets of the catalogue and files of the user.
    casing
        ``as_is``, or ``lower`` for lower-casing every token.
    min_count
        Words that occur less often in the training text become ``<unk>``.
    max_vocabulary
        Keep at most so many words, the most frequent ones (``<unk>`` and ``</s>`` not counted).
    held_out
        Share of the training sentences that goes to ``valid``, and the same again to ``test``, for those
        sources which have no such split of their own. The choice is by seed and by the sentence's number.
    shard_tokens
        Most tokens in one file of the encoded corpus. A shard holds whole sentences.
    """

    sources: Annotated[list[Source], Field(min_length=1)]
    casing: Literal["as_is", "lower"] = "as_is"
    min_count: PositiveInt = 1
    max_vocabulary: PositiveInt | None = None
    held_out: float = Field(default=0.01, ge=0, le=0.25)
    shard_tokens: int = Field(default=2**24, gt=MAX_SENTENCE_TOKENS)

    @property
    def datasets(self) -> list[str]:
        """Keys of the datasets it reads, in order, each once."""
        keys = (source.dataset for source in self.sources if isinstance(source, DatasetSource))
        return list(dict.fromkeys(keys))

    def text_paths(self) -> list[Path]:
        """The user's files that it reads (what a workflow rule has to name as inputs)."""
        return [
            path for source in self.sources if isinstance(source, TextSource) for path in source.paths()
        ]
