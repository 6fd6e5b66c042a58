"""The catalogue of datasets: which files each has, where they come from, and what proves them right.

The facts stand in ``catalogue.yaml``; this module gives them types. Paths are relative to a data root, in
the one layout that all sources share (see ``data/prepare.py``). Checksums are those of the plain file: a
copy stored with ``.gz`` added is unpacked before it is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, model_validator

from lexiscope.config.base import Section, suggest
from lexiscope.errors import LexiscopeError

Kind = Literal[
    "corpus",
    "word_similarity",
    "brain",
    "transfer",
    "relatedness",
    "sts",
    "probing",
    "labelled_documents",
    "treebank",
    "embeddings",
    "language_model",
]
Reader = Literal["sentences", "wikitext", "wikiextractor", "text"]
Algorithm = Literal["sha256", "sha512", "sha1", "git_blob", "md5"]

ALGORITHMS: tuple[Algorithm, ...] = ("sha256", "sha512", "sha1", "git_blob", "md5")
"""Kinds of checksum, the one to be preferred first."""

_NUMBERED = re.compile(r"\{(\d+)\.\.(\d+)\}")
_TOTAL = re.compile(r"-of-\d+")


def _hex(digits: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^[0-9a-f]{{{digits}}}$")


def _inside(path: str) -> str:
    if "\\" in path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError("must be a relative path that stays in its folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


@dataclass(frozen=True)
class Checksum:
    """A hash and how it is computed; ``git_blob`` is the SHA-1 that git gives to a file's content."""

    algorithm: Algorithm
    value: str


class Link(Section):
    """An address; a dead one is kept for the record and never tried. A bare string in YAML is live."""

    url: str
    dead: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value


class Remote(Section):
    """Bytes that can be fetched: addresses (all meant to give the same bytes), size, and known hashes."""

    urls: tuple[Link, ...] = ()
    bytes: int | None = None
    sha256: Annotated[str, _hex(64)] | None = None
    sha512: Annotated[str, _hex(128)] | None = None
    sha1: Annotated[str, _hex(40)] | None = None
    git_blob: Annotated[str, _hex(40)] | None = None
    md5: Annotated[str, _hex(32)] | None = None
    note: str | None = None

    @property
    def live_urls(self) -> tuple[str, ...]:
        """The addresses that are worth trying, in order of preference."""
        return tuple(link.url for link in self.urls if not link.dead)

    @property
    def checksum(self) -> Checksum | None:
        """The strongest hash known, or None."""
        for algorithm in ALGORITHMS:
            if value := getattr(self, algorithm):
                return Checksum(algorithm, value)
        return None


class DataFile(Remote):
    """One file of a dataset, or a numbered series of files.

    Attributes
    ----------
    path
        Place under the data root. ``{00001..00099}`` stands for a series, one file a number.
    role
        What the file is for, as receipts name it (``train``, ``pairs``, ``fmri``, …).
    optional
        Whether a mirror may lack it.
    archive, member
        Name of the dataset's archive that holds the file, and its path in there.
    """

    path: RelativePath
    role: str
    optional: bool = False
    archive: str | None = None
    member: str | None = None

    @model_validator(mode="after")
    def _archive_with_member(self) -> DataFile:
        if (self.archive is None) != (self.member is None):
            raise ValueError("'archive' and 'member' go together")
        return self

    @property
    def numbered(self) -> bool:
        """Whether this is a series of files."""
        return _NUMBERED.search(self.path) is not None

    @property
    def glob(self) -> str:
        """A pattern for the same file in a data set of another size: any number and total of a series."""
        return _TOTAL.sub("-of-*", _NUMBERED.sub("*", self.path))

    def expand(self) -> tuple[DataFile, ...]:
        """The single files of a series in numeric order; a single file gives itself."""
        match = _NUMBERED.search(self.path)
        if match is None:
            return (self,)
        first, last = match.groups()
        numbers = [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
        return tuple(self.model_copy(update=self._with_number(number)) for number in numbers)

    def _with_number(self, number: str) -> dict[str, str | None]:
        member = self.member and _NUMBERED.sub(number, self.member)
        return {"path": _NUMBERED.sub(number, self.path), "member": member}


class OtherForm(Section):
    """The same data in another form: other files, with a note on how they differ.

    ``mirror`` says that a mirror may hold this form in place of the dataset's own files.
    """

    name: str
    note: str | None = None
    mirror: bool = False
    files: tuple[DataFile, ...]


class Dataset(Section):
    """One dataset.

    Attributes
    ----------
    size
        Its size in its own units, for people to read.
    miniature
        Whether the generated miniature has a counterpart of it.
    reader, tokenised, casing
        How a corpus is read; only corpora have these.
    archives
        By name, the archives that files are members of.
    files
        What Lexiscope reads, in reading order.
    other_forms
        Other forms of the data, for the record; they are not downloaded.
    """

    key: str
    title: str
    kind: Kind
    size: str
    licence: str
    citation: tuple[str, ...]
    homepage: str | None = None
    note: str | None = None
    miniature: bool = False
    reader: Reader | None = None
    tokenised: bool | None = None
    casing: Literal["cased", "lower"] | None = None
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    archives: dict[str, Remote] = Field(default_factory=dict)
    files: tuple[DataFile, ...]
    other_forms: tuple[OtherForm, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        every = [*self.files, *(file for form in self.other_forms for file in form.files)]
        if unknown := {file.archive for file in every if file.archive} - set(self.archives):
            raise ValueError(f"unknown archives {sorted(unknown)}")
        if any(file.numbered and file.checksum for file in every):
            raise ValueError("a series of files cannot have one checksum")
        if len({file.path for file in self.files}) != len(self.files):
            raise ValueError("a path occurs twice")
        told = [value is not None for value in (self.reader, self.tokenised, self.casing)]
        if told != [self.kind == "corpus"] * 3:
            raise ValueError("a corpus, and nothing else, has a reader, tokenised and casing")
        return self

    @property
    def mirror_forms(self) -> tuple[tuple[DataFile, ...], ...]:
        """The files of each form in which a mirror may hold the data, the preferred form first."""
        return (self.files, *(form.files for form in self.other_forms if form.mirror))

    @property
    def folder(self) -> str:
        """The folder of the data root in which its files lie."""
        return PurePosixPath(self.files[0].path).parts[0]


@dataclass(frozen=True)
class Catalogue:
    """All datasets, by key.

    Examples
    --------
    >>> load_catalogue()["men"].files[0].path
    'word-sim/EN-MEN-TR-3k.txt'
    """

    datasets: dict[str, Dataset]

    def __getitem__(self, key: str) -> Dataset:
        if key not in self.datasets:
            raise LexiscopeError(
                f"the catalogue has no dataset {key!r}", remedy=suggest(key, self.datasets)
            )
        return self.datasets[key]

    def __contains__(self, key: object) -> bool:
        return key in self.datasets

    def __iter__(self) -> Iterator[str]:
        return iter(self.datasets)

    def __len__(self) -> int:
        return len(self.datasets)

    def of_kind(self, *kinds: Kind) -> list[str]:
        """Keys of the datasets of these kinds, in the catalogue's order."""
        return [key for key, dataset in self.datasets.items() if dataset.kind in kinds]


@cache
def load_catalogue() -> Catalogue:
    """Read the catalogue that comes with Lexiscope (once a process)."""
    # The C loader takes a tenth of the time of the Python one; the workflow reads this at every start.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with Path(__file__).with_name("catalogue.yaml").open("rb") as stream:
        entries = yaml.load(stream, Loader=loader)
    datasets = TypeAdapter(dict[str, Dataset]).validate_python(
        {key: {"key": key, **entry} for key, entry in entries.items()}
    )
    return Catalogue(datasets)
