"""``lexiscope``: score, compare, convert and look into vectors from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lexiscope import __version__
from lexiscope.cli import benchmarks, tables, vectors
from lexiscope.embeddings.config import CONTROL
from lexiscope.embeddings.export import write_space
from lexiscope.embeddings.space import save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.classifiers.config import PRESETS
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.evaluate import evaluate_group
from lexiscope.evaluation.scores import ITEM_SCHEMA, SCORE_SCHEMA, Evaluation, Identity, write_rows
from lexiscope.evaluation.tasks import BUILT_PROBES, TASKS
from lexiscope.files import digest_json
from lexiscope.report.neighbours import nearest_neighbours

app = typer.Typer(
    help="What do word representations know, and what are they good for?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Files = Annotated[list[Path], typer.Argument(help="Files of vectors, in any format Lexiscope reads.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="LEXISCOPE_DATA", help="The folder with the benchmarks (docs/data.md)."),
]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Drop bad lines and repeated words instead of refusing the file.")
]


UNBROKEN = 10_000
"""Columns of a file or pipe; a table takes what it needs."""


def _console() -> Console:
    """What tables are printed on: as wide as the terminal; in a file or a pipe lines are not broken."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNBROKEN
    return console


@app.command()
def evaluate(
    files: Files,
    tasks: Annotated[
        str, typer.Option("--tasks", help="Task groups or tasks, with commas between; all by default.")
    ] = "",
    data: Data = None,
    classifier: Annotated[
        str, typer.Option(help=f"How sentence classifiers are trained: {', '.join(PRESETS)}.")
    ] = "senteval_derby",
    oov: Annotated[str, typer.Option(help="Words without a vector: skip, zero or mean.")] = "skip",
    casing: Annotated[str, typer.Option(help="Look-up of words: as_is, lower or fallback.")] = "lower",
    bootstrap: Annotated[int, typer.Option(help="Resamples behind each interval; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of classifiers and resamples.")] = 1111,
    random: Annotated[
        bool, typer.Option(help="Also score random vectors, with the words and norms of the first file.")
    ] = True,
    output: Annotated[Path | None, typer.Option(help="Write the scores here, as Parquet.")] = None,
    items: Annotated[Path | None, typer.Option(help="Write each answer here, as Parquet.")] = None,
    lenient: Lenient = False,
) -> None:
    """Score vectors on benchmarks and print a table."""
    protocol = _protocol(classifier=classifier, oov=oov, casing=casing, n_bootstrap=bootstrap, seed=seed)
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    benchmarks.choose(names)  # A misspelt task is told before anything is read.
    found = benchmarks.find(names, _folder(data))
    spaces = vectors.read_spaces(files, lenient=lenient)
    if random and CONTROL not in spaces:
        spaces[CONTROL] = vectors.random_control(next(iter(spaces.values())), seed)
    whole = Evaluation()
    for name, space in spaces.items():
        recipe = [space.provenance.get("sha256"), protocol.model_dump(mode="json")]
        kind = space.provenance["kind"]
        who = Identity("command line", name, kind, protocol.seed, digest_json(recipe), __version__)
        for group in found:
            if group.receipts:
                scored = evaluate_group(space, group.group, group.receipts, protocol=protocol, identity=who)
                whole.scores.extend(scored.scores)
                whole.items.extend(scored.items)
    console = _console()
    console.print(tables.score_table(whole.scores, list(spaces)))
    console.print("[dim]×100; 95 % intervals in brackets; items used of all[/dim]")
    for line in tables.remarks(whole.scores, list(spaces)):
        console.print(line, markup=False)
    absent = [missing for group in found for missing in group.missing]
    if absent:
        console.print(f"not in the folder: {', '.join(missing.key for missing in absent)}", markup=False)
    if output is not None:
        write_rows(whole.scores, SCORE_SCHEMA, output)
    if items is not None:
        write_rows(whole.items, ITEM_SCHEMA, items)


@app.command()
def neighbours(
    word: Annotated[str, typer.Argument(help="The word.")],
    spaces: Annotated[
        list[Path], typer.Option("--spaces", "-s", help="A file of vectors; may be given several times.")
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 10,
    lenient: Lenient = False,
) -> None:
    """Print the nearest neighbours of a word in each space, by cosine."""
    read = vectors.read_spaces(spaces, lenient=lenient)
    found = {name: nearest_neighbours(space, [word], k)[word] for name, space in read.items()}
    if all(neighbour is None for neighbour in found.values()):
        raise LexiscopeError(f"no space has a vector of {word!r}")
    _console().print(tables.neighbour_table(escape(word), found))
    for name, neighbour in found.items():
        if neighbour is None:
            _console().print(f"{name} has no vector of {word!r}", markup=False)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A file of vectors.")],
    target: Annotated[Path, typer.Argument(help="Where to write them.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="word2vec, word2vec_binary, glove, npz, gensim or lexiscope; else by the ending."
        ),
    ] = None,
    lenient: Lenient = False,
) -> None:
    """Write vectors in another format."""
    as_space = format == "lexiscope" or (format is None and target.suffix == ".safetensors")
    chosen = None if as_space else vectors.format_of(target, format)
    (space,) = vectors.read_spaces([source], lenient=lenient).values()
    if chosen is None:
        save_space(space, target)
    else:
        write_space(space, chosen, target, where=source)
    _console().print(f"{target}: {len(space):,} words, {space.dim} dimensions", markup=False)


@app.command()
def tasks(data: Data = None) -> None:
    """List the tasks, and which of them are in the folder of benchmarks."""
    table = Table(header_style="bold")
    for heading in ("group", "task", "metrics", "data set", "on disk"):
        # Groups and tasks are what one types after --tasks: they stand whole, however narrow the terminal.
        table.add_column(heading, no_wrap=heading in ("group", "task"))
    there: dict[str, bool] = {}
    for group in TASKS.values():
        for number, dataset in enumerate(group.datasets):
            if data is not None and dataset.source not in there:
                there[dataset.source] = benchmarks.is_there(dataset.source, data)
            state = "" if data is None else "yes" if there[dataset.source] else "[red]no[/red]"
            metrics = dict.fromkeys(measure.metric.replace("_", " ") for measure in dataset.measures)
            name = group.name if number == 0 else ""
            title = escape(benchmarks.title_of(dataset.source))
            table.add_row(name, dataset.key, ", ".join(metrics), title, state)
        table.add_section()
    console = _console()
    console.print(table)
    console.print(f"{BUILT_PROBES}: what a study builds of treebanks (docs/probes.md)", markup=False)
    if data is None:
        console.print("--data DIR tells which are in a folder", markup=False)


def _protocol(**settings: Any) -> ProtocolConfig:
    try:
        return ProtocolConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("n_bootstrap", "bootstrap")
        problem = f"--{option}: {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"
        raise LexiscopeError(problem) from None


def _folder(data: Path | None) -> Path:
    if data is None:
        raise LexiscopeError(
            "where are the benchmarks?", remedy="give their folder with --data, or in LEXISCOPE_DATA"
        )
    return data


def main() -> None:
    """Run the command line; a mistake of the user's ends in one line, without a traceback."""
    try:
        app()
    except LexiscopeError as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}")
        sys.exit(1)
