"""The report: one page that opens offline and shows what a run found and how."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lexiscope.evaluation.claims import fill_roles
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Score
from lexiscope.files import write_bytes, write_text
from lexiscope.report import gather
from lexiscope.report.appendix import map_chart, read_bias_prediction, read_map
from lexiscope.report.charts import bias_chart, training_chart
from lexiscope.report.claims import read_claims
from lexiscope.report.comparisons import read_comparisons
from lexiscope.report.config import ReportConfig
from lexiscope.report.domains import read_domains
from lexiscope.report.drawing import Chart, standalone
from lexiscope.report.experiments import model_groups, read_experiment
from lexiscope.report.l2_path import landmarks, read_path, task_paths
from lexiscope.report.l2_path_chart import path_chart
from lexiscope.report.multi_task import read_multi_task
from lexiscope.report.page import Page, PathSection, Training, is_miniature, render
from lexiscope.report.paper_values import MODEL_OF_ROLE
from lexiscope.report.parts import part_tables
from lexiscope.report.ranks import read_rank_probe
from lexiscope.report.score_charts import score_figures
from lexiscope.report.tables import score_tables, summary_scores
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

_NONE: Mapping[str, Path] = MappingProxyType({})


@stage_entry
def build_report(
    *,
    study: Mapping[str, Any],
    scores: Path,
    items: Path,
    spaces: Mapping[str, Path],
    histories: Mapping[str, Path],
    corpora: Mapping[str, Path],
    receipts: Mapping[str, Path],
    timings: Path,
    output: Path,
    figures: Path,
    paths: Mapping[str, Path] = _NONE,
    bias_predictions: Mapping[str, Path] = _NONE,
    maps: Mapping[str, Path] = _NONE,
    claims: Path | None = None,
    comparisons: Path | None = None,
    experiments: Mapping[str, Path] = _NONE,
    rank_probe: Sequence[Path] = (),
    multi_task: Sequence[Path] = (),
    domains: Mapping[str, Path] = _NONE,
) -> None:
    """Write the report of a study and its figures.

    The same inputs always give the same bytes.

    Parameters
    ----------
    study
        The validated study, as ``Study.model_dump(mode="json")`` gives it.
    scores, items
        The merged tables of the study.
    spaces
        Every space by name, in the order in which the tables are to show them.
    histories
        Training history of each language model.
    corpora
        Folder of each encoded corpus.
    receipts
        Receipt of each dataset that the run has read.
    timings
        A folder with Snakemake's benchmark files, each named after its rule and wildcards.
    output
        The page.
    figures
        A folder that gets every chart as an SVG file of its own.
    paths
        Folder of each λ path.
    bias_predictions
        For each space of activation maximisation, how its vectors predict the bias (JSON).
    maps
        Each map of words (JSON).
    claims
        What became of the papers' claims (Parquet).
    comparisons
        The paired tests between the spaces (Parquet); without them, intervals say what is separated.
    experiments
        Histories of the models of each language-modelling job (JSON), by any name.
    rank_probe, multi_task
        What the rank probe and the multi-task experiment wrote (JSON), where the study asks for them.
    domains
        Folder of each labelled set of documents.

    Raises
    ------
    LexiscopeError
        If any of the files is missing or is not what it should be.
    """
    page = gather_page(
        study=study,
        scores=Path(scores),
        items=Path(items),
        spaces=_paths(spaces),
        histories=_paths(histories),
        corpora=_paths(corpora),
        receipts=_paths(receipts),
        timings=Path(timings),
        paths=_paths(paths),
        bias_predictions=_paths(bias_predictions),
        maps=_paths(maps),
        claims=None if claims is None else Path(claims),
        comparisons=None if comparisons is None else Path(comparisons),
        experiments=_paths(experiments),
        rank_probe=[Path(path) for path in rank_probe],
        multi_task=[Path(path) for path in multi_task],
        domains=_paths(domains),
    )
    _write_figures(page.charts, Path(figures))
    html = render(page)
    write_text(output, html)
    logger.info("report of %d charts and %.1f MB", len(page.charts), len(html.encode()) / 1e6)


def _paths(mapping: Mapping[str, str | Path]) -> dict[str, Path]:
    return {name: Path(path) for name, path in mapping.items()}


def gather_page(
    *,
    study: Mapping[str, Any],
    scores: Path,
    items: Path,
    spaces: Mapping[str, Path],
    histories: Mapping[str, Path],
    corpora: Mapping[str, Path],
    receipts: Mapping[str, Path],
    timings: Path,
    paths: Mapping[str, Path],
    bias_predictions: Mapping[str, Path],
    maps: Mapping[str, Path],
    claims: Path | None,
    comparisons: Path | None,
    experiments: Mapping[str, Path],
    rank_probe: Sequence[Path],
    multi_task: Sequence[Path],
    domains: Mapping[str, Path],
) -> Page:
    """Read what the run has left and compute all that the page shows; see `build_report`."""
    settings = ReportConfig.model_validate(study.get("report") or {})
    chosen = settings.neighbours.words
    # Of a space with several seeds the study lists each; the page knows it by its one name.
    sections = {name: section for name, section in study["spaces"].items() if name in spaces}
    kinds = {name: str(section.get("kind", "")) for name, section in sections.items()}
    # The order of the study rules the tables, also where the workflow lists the files in another.
    ordered = {name: spaces[name] for name in sorted(spaces, key=_position(kinds))}
    all_scores = gather.read_scores(scores)
    read = gather.read_spaces(
        ordered,
        kinds=kinds,
        words=None if chosen is None else tuple(dict.fromkeys(chosen)),
        asked_for=gather.words_asked_for(items) if chosen is None else set(),
        count=settings.neighbours.count,
        k=settings.neighbours.k,
    )
    kinds = {summary.name: summary.kind for summary in read.summaries} | kinds
    trainings = []
    for model, path in histories.items():
        history = gather.read_history(path)
        trainings.append(Training(model, history, training_chart(model, history)))
    datasets = tuple(gather.read_dataset(path) for path in receipts.values())
    protocol = ProtocolConfig.model_validate(study.get("protocol") or {})
    alpha = 1 - protocol.confidence
    tests = None if comparisons is None else read_comparisons(comparisons, alpha=alpha)
    tables = score_tables(summary_scores(all_scores), kinds, tests, reverse_transfer_roles(study, sections))
    models = [model for path in experiments.values() for model in read_experiment(path)]
    word_maps = [read_map(name, path) for name, path in maps.items()]
    return Page(
        study=study,
        settings=settings,
        scores=tuple(all_scores),
        kinds=kinds,
        tables=tuple(tables),
        # A chart invites comparison, and nothing of the miniature compares with the papers.
        figures=tuple(score_figures(tables, papers=not is_miniature(datasets))),
        parts=tuple(part_tables(all_scores, kinds)),
        claims=() if claims is None else read_claims(claims),
        l2_paths=tuple(_path_section(name, path, sections, all_scores) for name, path in paths.items()),
        trainings=tuple(trainings),
        experiments=tuple(model_groups(models, kinds)),
        rank_probes=tuple(
            read_rank_probe(path, kinds, number) for number, path in enumerate(rank_probe, 1)
        ),
        multi_tasks=tuple(read_multi_task(path, number) for number, path in enumerate(multi_task, 1)),
        domains=tuple(read_domains(name, folder) for name, folder in domains.items()),
        spaces=read,
        biases=tuple((bias, bias_chart(bias)) for bias in read.biases),
        bias_predictions=tuple(read_bias_prediction(path) for path in bias_predictions.values()),
        maps=tuple((word_map, map_chart(word_map)) for word_map in word_maps),
        corpora=tuple(gather.read_corpus(name, path) for name, path in corpora.items()),
        datasets=datasets,
        timings=tuple(gather.read_timings(timings)),
        environment=tuple(gather.environment()),
    )


def reverse_transfer_roles(
    study: Mapping[str, Any], spaces: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Role of each space in the claims of Verwimp & Bellegarda (2019), as the claims are tested."""
    given = ((study.get("analysis") or {}).get("claims") or {}).get("roles") or {}
    experiment = study.get("reverse_transfer") or {}
    players = fill_roles(
        {name: {"kind": "", **section} for name, section in spaces.items()},
        {role: space for role, space in given.items() if space in spaces},
        experiment.get("corpus"),
    )
    return {players[role]: role for role in MODEL_OF_ROLE if role in players}


def _path_section(
    name: str, folder: Path, spaces: Mapping[str, Mapping[str, Any]], scores: Sequence[Score]
) -> PathSection:
    path = read_path(name, folder)
    marks = landmarks(path, spaces)
    tasks = task_paths(path, marks, scores)
    charts = [path_chart(path, marks, task) for task in tasks if task.column.place.is_main]
    return PathSection(path, marks, tuple(tasks), tuple(charts))


def _position(kinds: Mapping[str, str]) -> Any:
    names = list(kinds)
    return lambda name: names.index(name) if name in kinds else len(names)


def _write_figures(charts: tuple[Chart, ...], folder: Path) -> None:
    """Write the charts, and remove those of an earlier report: another study's figures would mislead."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("*.svg")) - {folder / f"{chart.anchor}.svg" for chart in charts}:
        stale.unlink()
    for chart in charts:
        write_bytes(folder / f"{chart.anchor}.svg", standalone(chart.svg).encode("utf-8"))
