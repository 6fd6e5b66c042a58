"""Find a dataset's files in a data root, prove them right, and write the receipt that later stages read.

A data root has one layout, whatever fills it: the generated miniature, a mirror (a folder of copies), or
downloads. The catalogue names the files; any of them may be stored with ``.gz`` added. Files of a mirror
and downloads are held to the catalogue's checksums; the miniature's are its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lexiscope.data.catalogue import DataFile, Dataset, load_catalogue
from lexiscope.data.checksums import difference, read_content
from lexiscope.data.receipt import Receipt, ReceiptFile, write_receipt
from lexiscope.errors import LexiscopeError
from lexiscope.files import existing_path
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

SOURCES = ("miniature", "mirror", "download")
MISSING_FILES_TOLD = 4

FoundFile = tuple[DataFile, Path]


@stage_entry
def prepare_dataset(*, dataset: str, source: str, root: Path, receipt: Path) -> None:
    """Check a dataset's files (after fetching them, for ``download``) and write its receipt.

    Parameters
    ----------
    dataset
        Key in the catalogue.
    source
        ``miniature``, ``mirror`` or ``download``.
    root
        The data root; ``download`` fills it.
    receipt
        Where the receipt goes.

    Raises
    ------
    LexiscopeError
        If a file is missing, is not what the catalogue says, or cannot be fetched.
    """
    root = Path(root)
    entry = load_catalogue()[dataset]
    if source not in SOURCES:
        raise LexiscopeError(f"no data source is called {source!r}", remedy=f"known: {', '.join(SOURCES)}")
    if source == "download":
        # Imported here because the HTTP client behind it is slow to import and only this source needs it.
        from lexiscope.data.download import fetch_dataset

        fetch_dataset(entry, root)
    write_receipt(take_stock(dataset, source, root), receipt)


def take_stock(dataset: str, source: str, root: Path) -> Receipt:
    """Check the files of a dataset that lie in ``root``; the receipt of what was found.

    Raises
    ------
    LexiscopeError
        If a file is missing, or is not what the catalogue says.
    """
    entry = load_catalogue()[dataset]
    found = _find_generated(entry, root) if source == "miniature" else _find(entry, root)
    files = _check(entry, found, against_catalogue=source != "miniature")
    return Receipt(dataset=dataset, source=source, root=str(root), files=files)


def dataset_inputs(dataset: str, root: Path) -> list[Path]:
    """The files of a dataset in a mirror, in reading order; nothing is read.

    Raises
    ------
    LexiscopeError
        If the catalogue has no such dataset, or the mirror lacks one of its files.
    """
    return [path for _, path in _find(load_catalogue()[dataset], Path(root))]


def _find(dataset: Dataset, root: Path) -> list[FoundFile]:
    """The files of the first form of the dataset that is there in full."""
    missing: list[list[DataFile]] = []
    for form in dataset.mirror_forms:
        found, absent = _look_up(form, root)
        if not absent:
            return found
        missing.append(absent)
    raise _incomplete(dataset, root, missing[0], remedy=_remedy_for_missing(dataset, root))


def _look_up(files: Sequence[DataFile], root: Path) -> tuple[list[FoundFile], list[DataFile]]:
    """Files that are there, and files that are missing though they are not optional."""
    found: list[FoundFile] = []
    absent: list[DataFile] = []
    for file in _expand(files):
        path = _stored(root / file.path)
        if path is not None:
            found.append((file, path))
        elif not file.optional:
            absent.append(file)
    return found, absent


def _find_generated(dataset: Dataset, root: Path) -> list[FoundFile]:
    """The files that the miniature's generator made: of a series any number, of each role at least one."""
    if not dataset.miniature:
        raise LexiscopeError(
            f"the miniature has no {dataset.key!r}",
            remedy="choose a dataset that it has, or another data.source (mirror, download)",
        )
    matches = [(file, _matches(root, file.glob)) for file in dataset.files]
    # A series takes what no entry of its own names: the test part of a corpus may be one of its shards.
    named = {name for file, paths in matches if not file.numbered for name in paths}
    found = [
        (file.model_copy(update={"path": name}), path)
        for file, paths in matches
        for name, path in paths.items()
        if not (file.numbered and name in named)
    ]
    made = {file.role for file, _ in found}
    lacking = [file for file in dataset.files if file.role not in made and not file.optional]
    if lacking:
        raise _incomplete(
            dataset, root, lacking, remedy=f"delete {root} and run again, so that it is made anew"
        )
    return found


def _matches(root: Path, pattern: str) -> dict[str, Path]:
    """Files that match, by their path without the ``.gz`` of a packed copy, in order of that."""
    stored: dict[str, Path] = {}
    for path in sorted({*root.glob(pattern), *root.glob(pattern + ".gz")}, reverse=True):
        # A plain file sorts before its packed copy; reversed, it is the one that stays.
        stored[path.relative_to(root).as_posix().removesuffix(".gz")] = path
    return dict(sorted(stored.items()))


def _check(
    dataset: Dataset, found: Sequence[FoundFile], *, against_catalogue: bool
) -> tuple[ReceiptFile, ...]:
    """Hash every file, and hold it to the catalogue's checksum if asked to."""
    checked: list[ReceiptFile] = []
    total = sum((against_catalogue and file.bytes) or path.stat().st_size for file, path in found)
    with Progress(f"checking {dataset.key}", total=total, unit="B") as progress:
        for file, path in found:
            checksum = file.checksum if against_catalogue else None
            algorithms = [checksum.algorithm] if checksum else []
            packed = path.name != Path(file.path).name
            content = read_content(path, algorithms, packed=packed, progress=progress)
            if against_catalogue and (problem := difference(content, file)):
                raise LexiscopeError(
                    f"not the file that the catalogue knows as part of {dataset.key!r}: {problem}",
                    where=path,
                    remedy=_remedy_for_wrong_file(file),
                )
            checked.append(ReceiptFile(file.path, file.role, content.hashes["sha256"], content.bytes))
    logger.info("%s: %d files checked", dataset.key, len(checked))
    return tuple(checked)


def _remedy_for_wrong_file(file: DataFile) -> str:
    if file.live_urls:
        return f"replace it by the file of {file.live_urls[0]}"
    return "replace it by an unchanged copy"


def _expand(files: Sequence[DataFile]) -> list[DataFile]:
    return [single for file in files for single in file.expand()]


def _stored(path: Path) -> Path | None:
    """The file at ``path`` or its ``.gz`` copy, None when there is neither."""
    try:
        stored = existing_path(path)
    except LexiscopeError:
        return None
    return stored if stored.is_file() else None


def _incomplete(
    dataset: Dataset, root: Path, missing: Sequence[DataFile], *, remedy: str
) -> LexiscopeError:
    """The error for a dataset that is not there, or not all of it."""
    names = [file.path for file in missing[:MISSING_FILES_TOLD]]
    more = len(missing) - len(names)
    listing = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    folder = root / dataset.folder
    problem = f"dataset {dataset.key!r} is incomplete here; missing: {listing}"
    if not root.is_dir():
        problem = f"no such folder, so dataset {dataset.key!r} cannot be read from it"
    elif not folder.is_dir():
        problem = f"dataset {dataset.key!r} is not here: the folder {folder} was expected, with {listing}"
    return LexiscopeError(problem, where=root, remedy=remedy)


def _remedy_for_missing(dataset: Dataset, root: Path) -> str:
    """What else can be done: put it there, download it, or use a dataset of the same kind that is there."""
    ways = ["put the files there (each may have .gz added)"]
    if all(file.live_urls or file.archive or file.optional for file in dataset.files):
        ways.append("set data.source to 'download'")
    catalogue = load_catalogue()
    others = [
        key
        for key in catalogue.of_kind(dataset.kind)
        if key != dataset.key and not all(_look_up(form, root)[1] for form in catalogue[key].mirror_forms)
    ]
    if others:
        ways.append(f"use one that is there ({', '.join(others)})")
    return ", or ".join(ways)
