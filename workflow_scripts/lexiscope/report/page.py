"""The page: what the templates show, and how they are filled in."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import vl_convert
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lexiscope.data.catalogue import Dataset as CatalogueEntry
from lexiscope.data.catalogue import load_catalogue
from lexiscope.evaluation.scores import Score
from lexiscope.report import formats
from lexiscope.report.activation import against_exact
from lexiscope.report.appendix import BiasPrediction, WordMap
from lexiscope.report.claims import Claim, count_verdicts
from lexiscope.report.config import ReportConfig
from lexiscope.report.domains import Domains
from lexiscope.report.drawing import Chart
from lexiscope.report.experiments import ModelGroup
from lexiscope.report.finding import Finding, count_tasks, find
from lexiscope.report.gather import Bias, Corpus, Dataset, History, Spaces, SpaceSummary, Timing, flatten
from lexiscope.report.imported import ModelNote, model_notes
from lexiscope.report.l2_path import PAPER_L2, L2Path, Landmarks, TaskPath
from lexiscope.report.multi_task import MultiTask
from lexiscope.report.neighbours import Neighbour
from lexiscope.report.paper_values import (
    PAPERS,
    PaperValue,
    paper_bias_correlation,
    paper_bias_regression,
)
from lexiscope.report.parts import PartTable
from lexiscope.report.ranks import RankProbe
from lexiscope.report.score_charts import Figure
from lexiscope.report.score_list import ScoreList, list_scores
from lexiscope.report.score_table import ScoreTable

TEMPLATES = "templates"


@dataclass(frozen=True)
class Training:
    """How one language model was trained."""

    model: str
    history: History
    chart: Chart | None


@dataclass(frozen=True)
class PathSection:
    """One λ path with what stands beside it, and a chart for every task that was scored along it."""

    path: L2Path
    marks: Landmarks
    tasks: tuple[TaskPath, ...]
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Page:
    """All that the report shows; a section without content is left out of the page."""

    study: Mapping[str, Any]
    settings: ReportConfig
    scores: tuple[Score, ...]
    kinds: Mapping[str, str]
    tables: tuple[ScoreTable, ...]
    figures: tuple[Figure, ...]
    parts: tuple[PartTable, ...]
    claims: tuple[Claim, ...]
    l2_paths: tuple[PathSection, ...]
    trainings: tuple[Training, ...]
    experiments: tuple[ModelGroup, ...]
    rank_probes: tuple[RankProbe, ...]
    multi_tasks: tuple[MultiTask, ...]
    domains: tuple[Domains, ...]
    spaces: Spaces
    biases: tuple[tuple[Bias, Chart | None], ...]
    bias_predictions: tuple[BiasPrediction, ...]
    maps: tuple[tuple[WordMap, Chart | None], ...]
    corpora: tuple[Corpus, ...]
    datasets: tuple[Dataset, ...]
    timings: tuple[Timing, ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def title(self) -> str:
        """Heading of the page."""
        return self.settings.title or str(self.study["study"])

    @functools.cached_property
    def finding(self) -> Finding:
        """The sentence at the top."""
        return find(self.tables)

    @property
    def is_miniature(self) -> bool:
        """Whether the data are those of the generated language."""
        return is_miniature(self.datasets)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """Every chart of the page."""
        along = [chart for section in self.l2_paths for chart in section.charts]
        trained = [training.chart for training in self.trainings]
        others = [*trained, *(chart for _, chart in self.biases), *(chart for _, chart in self.maps)]
        others += [*(group.chart for group in self.experiments), *(found.chart for found in self.domains)]
        scores = [chart for figure in self.figures for chart in figure.charts]
        experiments = [
            *(chart for probe in self.rank_probes for chart in (probe.summary, probe.chart)),
            *(chart for found in self.multi_tasks for chart in found.charts),
        ]
        return (*scores, *along, *(chart for chart in others if chart is not None), *experiments)

    @property
    def families(self) -> list[str]:
        """The families of the spaces, each once."""
        stand_ins = (row.family for table in self.tables for row in table.rows)
        kinds = (formats.family(kind) for kind in self.kinds.values())
        return list(dict.fromkeys([*kinds, *stand_ins]))

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The few numbers under the title."""
        facts = [("Spaces", str(len(self.spaces.summaries)))]
        if self.tables:
            facts.append(("Tasks", str(count_tasks(self.tables))))
        sizes = [summary.words for summary in self.spaces.summaries]
        if sizes:
            same = min(sizes) == max(sizes)
            text = f"{sizes[0]:,}" if same else f"{min(sizes):,} to {max(sizes):,}"
            facts.append(("Words in a space", text))
        if self.timings:
            facts.append(("Computing time", formats.duration(self.total_seconds)))
        if "seed" in self.study:
            facts.append(("Seed", str(self.study["seed"])))
        return facts

    @property
    def total_seconds(self) -> float:
        """Wall time of all rules added up."""
        return sum(timing.seconds for timing in self.timings)

    @property
    def configuration(self) -> str:
        """The study as YAML."""
        text: str = yaml.safe_dump(
            json.loads(json.dumps(self.study)), sort_keys=False, allow_unicode=True, width=100
        )
        return text

    @property
    def bias_in_paper(self) -> PaperValue:
        """The correlation that the paper prints for the bias."""
        return paper_bias_correlation()

    @property
    def without_bias(self) -> list[str]:
        """The output spaces of models whose softmax has no bias."""
        return [
            space.name
            for space in self.spaces.summaries
            if space.kind == "lm_output" and "bias" not in space.columns
        ]

    @property
    def model_notes(self) -> list[ModelNote]:
        """What there is to say of imported and of tied language models."""
        return model_notes(self.spaces.summaries, self.study)

    @functools.cached_property
    def score_list(self) -> ScoreList:
        """Every score, but for those along a λ path, which stand there."""
        return list_scores(self.scores)

    @property
    def verdicts(self) -> str:
        """How many claims there are of each verdict."""
        return count_verdicts(self.claims)

    def space_label(self, space: SpaceSummary) -> str:
        """What a space is in words."""
        section = self.study["spaces"].get(space.name) or space.provenance.get("config") or {}
        return formats.space_label(space.kind, section)

    @property
    def is_tested(self) -> bool:
        """Whether there are paired tests."""
        return any(table.n_tested for table in self.tables)

    @property
    def alpha(self) -> float:
        """The corrected p-value below which two spaces are told apart."""
        return 1 - float(self.protocol.get("confidence", 0.95))

    @property
    def percent(self) -> str:
        """Coverage that the intervals aim at, in per cent."""
        return f"{100 * self.protocol.get('confidence', 0.95):g}"

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How the tasks were scored."""
        section: Mapping[str, Any] = self.study.get("protocol") or {}
        return section

    @property
    def has_experiments(self) -> bool:
        """Whether spaces were put into language models."""
        return bool(self.experiments or self.rank_probes or self.multi_tasks)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchor and heading of each section that has content."""
        present = [
            ("results", "Scores", bool(self.tables)),
            ("claims", "Claims of the papers", bool(self.claims)),
            ("intervals", "Scores with intervals", bool(self.figures)),
            ("l2-path", "The λ path", bool(self.l2_paths)),
            ("activation", "Activation maximisation", bool(self.spaces.activations)),
            ("training", "Language models", bool(self.trainings)),
            ("experiments", "Spaces in language models", self.has_experiments),
            ("domains", "Domains", bool(self.domains)),
            ("neighbours", "Nearest neighbours", bool(self.spaces.words)),
            ("bias", "Bias and frequency", bool(self.biases or self.without_bias)),
            ("appendix", "Bias prediction and maps", bool(self.bias_predictions or self.maps)),
            ("spaces", "The spaces", bool(self.spaces.summaries)),
            ("run", "What was run", True),
            ("reading", "How to read this", bool(self.tables)),
            ("citations", "References", True),
        ]
        return [(anchor, heading) for anchor, heading, shown in present if shown]

    def catalogue_entry(self, dataset: Dataset) -> CatalogueEntry | None:
        """What the catalogue knows of a dataset; None for generated data, which has no licence to state."""
        catalogue = load_catalogue()
        return (
            catalogue[dataset.key] if dataset.source != "miniature" and dataset.key in catalogue else None
        )

    @property
    def citations(self) -> list[str]:
        """References of the data sets that were read, each once."""
        entries = [self.catalogue_entry(dataset) for dataset in self.datasets]
        return list(dict.fromkeys(text for entry in entries if entry for text in entry.citation))

    def neighbour_lists(self, word: str) -> list[list[Neighbour] | None]:
        """A word's neighbours in each space; None in a space that lacks the word."""
        return [found[word] for found in self.spaces.neighbours.values()]

    def neighbour_rows(self, word: str) -> int:
        """Length of the longest list of a word's neighbours, one where there is none."""
        return max([1, *(len(entries) for entries in self.neighbour_lists(word) if entries)])

    def is_shared(self, word: str, neighbour: str) -> bool:
        """Whether more than half of the spaces (of at least three) list a word's neighbour."""
        lists = [entries for entries in self.neighbour_lists(word) if entries]
        count = sum(neighbour in (entry.word for entry in entries) for entries in lists)
        return len(lists) >= 3 and 2 * count > len(lists)


def is_miniature(datasets: Iterable[Dataset]) -> bool:
    """Whether any of the data are those of the generated language."""
    return any(dataset.source == "miniature" for dataset in datasets)


def render(page: Page) -> str:
    """The page as HTML, with everything it needs inside."""
    environment = Environment(
        loader=PackageLoader("lexiscope.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["json_block"] = json_block
    environment.filters["breakable"] = breakable
    environment.filters["drawing"] = Markup  # only ever given the SVG of a chart, whose texts are escaped
    scripts = {
        "library": _vega() if page.charts else "",
        "page": _asset("report.js"),
    }
    text: str = environment.get_template("report.html.j2").render(
        page=page,
        fmt=formats,
        flatten=flatten,
        papers=PAPERS,
        paper_l2=PAPER_L2,
        paper_bias_regression=paper_bias_regression,
        against_exact=against_exact,
        style=Markup(_asset("report.css")),
        # Our own code and a library's, not data; `_inline_script` checks that they cannot end early.
        scripts={name: _inline_script(script) for name, script in scripts.items()},
        script_hashes=[_csp_hash(script) for script in scripts.values() if script],
        specifications={chart.anchor: chart.specification for chart in page.charts},
    )
    return text


def breakable(name: str) -> Markup:
    """A name as HTML that may be broken after an underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def json_block(content: Any) -> Markup:
    """JSON that is safe inside a ``script`` element, whatever its strings hold."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script."""
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    return script


def _inline_script(script: str) -> Markup:
    lowered = script.lower()
    if "</script" in lowered or "<!--" in lowered:
        raise ValueError("a script that would end its own element")
    return Markup(script)


def _csp_hash(script: str) -> str:
    """The hash by which a content security policy lets exactly this script run."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _asset(name: str) -> str:
    return files("lexiscope.report").joinpath(TEMPLATES, name).read_text(encoding="utf-8")
