"""The page as a file: what is in it, what must not be, and every shape of study."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from fabricated_run import (
    CONTROLLED,
    NOUNS,
    SIX,
    WORDS,
    everything,
    fabricate,
    failed,
    make_bias_prediction,
    make_claims,
    make_comparisons,
    make_map,
    make_path,
    path_scores,
    plausible_scores,
    restricted,
    score,
)

from lexiscope.config.base import Section
from lexiscope.errors import LexiscopeError
from lexiscope.files import write_text
from lexiscope.report.build import build_report
from lexiscope.report.config import ReportConfig
from lexiscope.report.page import json_block

HOSTILE = "</script><script>alert(1)</script>"


class Outline(HTMLParser):
    """What an assistive technology would see of a page's structure."""

    VOID = frozenset("meta link input br img hr wbr".split())  # noqa: SIM905

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[tuple[int, str]] = []
        self.tables: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)
        if "id" in given:
            self.ids.append(str(given["id"]))
        self.addresses += [str(given[name]) for name in ("src", "href", "action", "data") if name in given]
        if tag == "a":
            self.links.append(str(given["href"]))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "table":
            self.tables.append({"caption": False, "unscoped": 0})
        if tag == "caption":
            self.tables[-1]["caption"] = True
        if tag == "th" and "scope" not in given:
            self.tables[-1]["unscoped"] += 1
        if tag == "script":
            self.scripts.append((given, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """SVG elements that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)


def built(root: Path, **changes: Any) -> str:
    run = fabricate(root, **changes)
    build_report(**run)
    return Path(run["output"]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    scores = plausible_scores(SIX)
    scores[6] = failed("3 of 2034 pairs can be used", space=scores[6].space, dataset=scores[6].dataset)
    return built(tmp_path_factory.mktemp("run"), scores=scores)


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_headings_are_in_order(outline: Outline) -> None:
    levels = [level for level, _ in outline.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert [text for level, text in outline.headings if level == 2] == [
        "Scores",
        "Scores with intervals",
        "Activation maximisation",
        "Language models",
        "Nearest neighbours",
        "Bias and frequency",
        "The spaces",
        "What was run",
        "How to read this",
        "References",
    ]


def test_every_table_has_a_caption_and_scoped_headings(outline: Outline) -> None:
    assert len(outline.tables) >= 8
    assert all(table == {"caption": True, "unscoped": 0} for table in outline.tables)


def test_ids_are_unique_and_links_lead_somewhere(outline: Outline) -> None:
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)


def test_there_are_landmarks_and_a_skip_link(outline: Outline) -> None:
    assert {"header", "nav", "main", "footer"} <= set(outline.tags)
    assert outline.links[0] == "#main"


def test_nothing_is_fetched(html: str, outline: Outline) -> None:
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert not re.search(r"url\((?!#)", html.partition("<script>")[0])
    assert not re.search(r"<(?:iframe|object|embed|img|base|form)\b", html.partition("<script>")[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "http" not in policy[1]
    assert "unsafe-eval" not in policy[1]


def test_the_policy_admits_just_the_scripts_of_the_page(html: str, outline: Outline) -> None:
    hashes = re.findall(r"sha256-([\w+/=]+)", html[: html.index("<title>")])
    programs = [text for attributes, text in outline.scripts if "type" not in attributes]
    assert hashes == [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in programs
    ]
    assert len(programs) == 2


def test_the_size_is_bearable(html: str) -> None:
    assert len(html.encode()) < 2_000_000


def test_the_specifications_are_json_and_one_for_each_drawing(html: str, outline: Outline) -> None:
    (block,) = [text for attributes, text in outline.scripts if "type" in attributes]
    specifications = json.loads(block)
    assert set(specifications) == set(re.findall(r'data-chart="([^"]+)"', html))
    assert len(specifications) == 11


def test_a_gap_gives_its_reason_and_no_number(html: str) -> None:
    row = re.search(r'data-value="word2vec">.*?</tr>', html[html.index('id="scores-1"') :], re.DOTALL)
    assert row is not None
    cells = re.findall(r"<td.*?</td>", row[0], re.DOTALL)
    assert "skipped" in cells[6]
    assert "data-value" not in cells[6]
    assert "3 of 2034 pairs can be used" in html


def test_interval_coverage_and_paper_are_text(html: str) -> None:
    body = html[html.index('id="scores-1"') :]
    assert re.search(
        r'class="interval"><span class="unseen">95 % interval </span>\[0\.\d\d, 0\.\d\d\]', body
    )
    assert "paper 0.759" in body
    assert "2,820/3,000" in body
    assert "title=" not in body.partition("<script")[0]


def test_what_was_run_is_told(html: str) -> None:
    for text in (
        "mean_load" not in html and "98 %",
        "518,689",
        "encode_corpus news",
        "CC BY",
        "6d" * 32,
        "study: fabricated",
        "143.9",
        "casing: lower",
    ):
        assert text
        assert text in html
    assert "/secret" not in html
    assert "build_report" not in html


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    build_report(**run)
    files_of = lambda: {p.name: p.read_bytes() for p in Path(run["output"]).parent.rglob("*.*")}  # noqa: E731
    first = files_of()
    build_report(**run)
    assert files_of() == first
    assert len(first) == 12


def test_every_chart_is_a_figure_and_old_ones_go(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    write_text(run["figures"] / "scores-of-yore.svg", "<svg/>")
    build_report(**run)
    names = {path.name for path in run["figures"].iterdir()}
    assert {"scores-men-spearman-test.svg", "training-jlm.svg", "bias-output.svg"} <= names
    assert "scores-of-yore.svg" not in names


def test_a_hostile_word_is_text_everywhere(tmp_path: Path) -> None:
    words = (HOSTILE, *WORDS)
    scores = [
        score(space=HOSTILE),
        score(space="am"),
        failed(HOSTILE, space="am", dataset="simlex999"),
    ]
    html = built(
        tmp_path,
        words=words,
        scores=scores,
        report={"title": HOSTILE, "neighbours": {"words": [HOSTILE, "river"]}},
    )
    outline = Outline(html)
    assert "alert" not in "".join(text for attributes, text in outline.scripts if "type" not in attributes)
    assert len(outline.scripts) == 3
    assert HOSTILE not in html
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in html
    (block,) = [text for attributes, text in outline.scripts if "type" in attributes]
    chart = json.loads(block)["bias-output"]
    assert chart["datasets"][chart["data"]["name"]][0]["word"] == HOSTILE


def test_json_in_a_script_element_cannot_end_it() -> None:
    content = {"a": "</script><!--", "b": "\u2028&"}
    block = json_block(content)
    assert not set("<>&\u2028") & set(block)
    assert json.loads(block) == content


LONG = "a_space_whose_name_is_as_long_as_the_grammar_of_studies_admits_it"[:64]
SHAPES: dict[str, dict[str, Any]] = {
    "no tasks": {"scores": []},
    "no language model": {"models": [], "spaces": {"word2vec": SIX["word2vec"], "mine": {"kind": "file"}}},
    "vectors of one's own": {"models": [], "spaces": {"mine": {"kind": "file", "path": "my_vectors.vec"}}},
    "one space without a task": {"models": [], "scores": [], "spaces": {"mine": {"kind": "file"}}},
    "twelve spaces": {"spaces": {f"space_{i}": {"kind": "file"} for i in range(12)}},
    "long names": {"spaces": {LONG: {"kind": "glove"}, LONG[::-1].strip("_"): {"kind": "lm_output"}}},
    "two language models": {"models": ["jlm", "small"]},
    "nothing could be scored": {"scores": [failed("no data", space=name) for name in SIX]},
    "one epoch": {"epochs": 1},
    "the miniature": {"source": "miniature"},
    "few words": {"words": ("the", "of", "cat")},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_study(tmp_path: Path, shape: str) -> None:
    html = built(tmp_path, **SHAPES[shape])
    outline = Outline(html)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    sections = {text for level, text in outline.headings if level == 2}
    charts = set(re.findall(r'data-chart="([^"]+)"', html))
    assert ("Scores" in sections) == (SHAPES[shape].get("scores") != [])
    assert ("Scores with intervals" in sections) == any(chart.startswith("scores-") for chart in charts)
    assert ("Language models" in sections) == (SHAPES[shape].get("models") != [])
    assert ("chart-specifications" in outline.ids) == bool(charts)
    assert ("A generated language" in html) == (shape == "the miniature")
    assert not re.search(r">\s*(None|nan)\b(?! stated| of the)", html.partition("<script")[0])


def test_words_may_be_chosen(tmp_path: Path) -> None:
    html = built(
        tmp_path, report={"title": "My study", "neighbours": {"words": ["river", "nowhere"], "k": 3}}
    )
    assert "<h1>My study</h1>" in html
    assert re.findall(r"<summary><h3>(\w+)</h3>", html) == ["river", "nowhere"]
    assert html.count("not in this space") == len(SIX)
    assert len(re.findall(r'class="cosine"', html)) == 3 * len(SIX)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Every task there is, with seeds, shared vocabulary, claims and comparisons."""
    spaces = {name: SIX[name] for name in ("word2vec", "am", "random")}
    scores = everything(spaces)
    intrinsic = [one for one in scores if one.task == "word_similarity"]
    again = [
        replace(one, seed=2, value=one.value and one.value - 0.01) for one in scores if one.space == "am"
    ]
    return built(
        tmp_path_factory.mktemp("complete"),
        spaces=spaces,
        scores=[*scores, *again, *restricted(intrinsic)],
        claims=make_claims(),
        comparisons=make_comparisons([one for one in scores if one.split in ("test", "mean")]),
    )


def test_the_structure_of_the_complete_page(complete: str) -> None:
    outline = Outline(complete)
    levels = [level for level, _ in outline.headings]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(table == {"caption": True, "unscoped": 0} for table in outline.tables)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert [text for level, text in outline.headings if level == 2][:3] == [
        "Scores",
        "Claims of the papers",
        "Scores with intervals",
    ]
    assert not re.search(r">\s*(None|nan|inf)\b(?! stated| of the)", complete.partition("<script")[0])
    assert len(complete.encode()) < 3_000_000


def test_a_section_for_each_figure(complete: str) -> None:
    section = section_of(complete, "intervals")
    assert re.findall(r"<h3>(.*?)</h3>", section) == [
        "Intrinsic evaluation",
        "Sentence classification",
        "Semantic relatedness",
        "Semantic textual similarity",
        "Probing",
        "X-Probe, English",
        "Probe ewt, built from a treebank",
        "Probe gum, built from a treebank",
    ]
    assert len(re.findall("data-chart=", section)) == 9 + 10 + 8 + 5 + 10 + 8 + 6 + 6


def test_flags_footnotes_and_seeds_are_text(complete: str) -> None:
    text = text_of(section_of(complete, "results"))
    assert re.search(r"66\.49 (?:best of the column )?all one class", text)
    assert "paper 66.49† all one class" in text
    assert "is exactly what calling every pair a paraphrase gives" in text
    assert "a 112 of 1,000 test sentences also stand in the training part" in text
    assert "mean of 2 seeds" in text
    assert re.search(r"± 0\.\d+ over seeds", text)
    assert "Every space on X-Probe, TreeDepth: skipped. the test part is the training part" in text
    assert "Intrinsic evaluation, on the words that all spaces have." in text
    assert "≈ not separable from the best by the paired test, Holm-corrected" in text
    assert "all pairs together" in text


def test_who_beats_whom_is_told(complete: str) -> None:
    results = section_of(complete, "results")
    matrix = text_of(
        results[results.index("Intrinsic evaluation: better : worse") :].partition("</table>")[0]
    )
    assert re.search(r"random 0 : 9 0 : 9 –", matrix)


def test_all_claims_are_told(complete: str) -> None:
    section = section_of(complete, "claims")
    assert section.count('<li class="claim') == 22
    assert section.count('class="badge supported"') == 10
    assert section.count('class="badge not-tested"') == 8
    assert section.count('class="track"') == 12
    text = text_of(section)
    assert "10 supported, 2 contradicted, 2 not decided, 8 not tested" in text
    assert "this study trains no language model on frozen embeddings" in text
    assert "+0.024 [+0.004, +0.044]" in text


def test_a_hostile_claim_is_text(tmp_path: Path) -> None:
    claims = [{**make_claims()[0], "statement": HOSTILE, "reason": HOSTILE, "verdict": HOSTILE}]
    scores = [score(note=HOSTILE), score(space="glove", dataset=f"{HOSTILE}/tense", metric="accuracy")]
    html = built(tmp_path, scores=scores, claims=claims)
    assert HOSTILE not in html
    assert len(Outline(html).scripts) == 3


IMPORTED: dict[str, dict[str, Any]] = {
    "gpt_in": {"kind": "lm_input", "model": "gpt", "tied": True, "coverage": {"bare": 5, "pieces": 80}},
    "gpt_out": {"kind": "lm_output", "model": "gpt", "tied": True, "bias": False},
    "big_out": {"kind": "lm_output", "model": "big", "bias_frequency_pearson": 0.8512},
}
MODELS = {"gpt": {"kind": "huggingface", "path": "org/model"}, "big": {"kind": "lm_1b"}}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study with everything: λ path, controls, imported models, appendix."""
    spaces = {**CONTROLLED, **IMPORTED}
    scores = plausible_scores(spaces)
    skipped = {"status": "skipped", "reason": "too few words", "rows": [], "differences": []}
    return built(
        tmp_path_factory.mktemp("full"),
        spaces=spaces,
        scores=[*scores, *path_scores("am_path", scores)],
        l2_paths={"am_path": make_path("output", 20_000)},
        bias_predictions={
            "am": make_bias_prediction("am"),
            "am_exact": make_bias_prediction("am_exact") | skipped,
        },
        maps={"nouns": make_map(NOUNS.split()), "void": make_map([])},
        language_models=MODELS,
    )


def section_of(html: str, anchor: str) -> str:
    begin = html.index(f'<section id="{anchor}"')
    return html[begin : html.index("</section>", begin)]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL)))


def test_the_structure_of_the_full_page(full: str) -> None:
    outline = Outline(full)
    levels = [level for level, _ in outline.headings]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(table == {"caption": True, "unscoped": 0} for table in outline.tables)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert {"The λ path", "Activation maximisation", "Bias prediction and maps"} <= {
        text for level, text in outline.headings if level == 2
    }
    assert not re.search(r">\s*(None|nan|inf)\b(?! stated| of the)", full.partition("<script")[0])


def test_the_section_of_the_path(full: str) -> None:
    section = section_of(full, "l2-path")
    assert len(re.findall(r'data-chart="path-am_path-', section)) == 9
    text = text_of(section)
    assert "λ·V = 1e−5 × 20,000 = 0.2 as coded" in text
    assert "the centring limit, output_centred" in text
    assert re.search(r"1e−6 4e−4 0\.99 % 5\.1", text)


def test_no_solution_of_the_path_is_anywhere_else(full: str) -> None:
    results = section_of(full, "results") + section_of(full, "intervals")
    assert "@" not in text_of(results)
    assert "best score on" in full
    assert "@" not in full[full.index('class="finding"') : full.index('class="facts"')]


def test_the_table_of_activation_maximisation(full: str) -> None:
    section = section_of(full, "activation")
    rows = re.findall(r"<tr><th scope=\"row\".*?</tr>", section, re.DOTALL)
    told = [text_of(row).split() for row in rows]
    assert [row[0] for row in told] == ["am", "am_", "am_"]
    assert "over 100 %" in text_of(rows[1])
    assert "8.5e−4" in text_of(rows[1])  # λ times 85 words
    assert re.search(r"× \d", text_of(rows[0]))
    assert "are still those for λ on each word" in section


def test_imported_models_are_told_of(full: str) -> None:
    text = text_of(section_of(full, "spaces"))
    assert "gpt_in and gpt_out are one space under several names" in text
    assert "a Hugging Face model" in text
    assert "Pearson’s r = 0.851 (paper 0.85)" in text
    assert "output, centred by its mean with words weighted by the softmax of the bias" in text
    assert "random vectors with the words and norms of output" in text
    bias = text_of(section_of(full, "bias"))
    assert "gpt_out : the softmax of this model has no bias" in bias


def test_the_appendix(full: str) -> None:
    section = section_of(full, "appendix")
    text = text_of(section)
    assert "AM vectors 16 0.200 [0.180, 0.220] 0.800 [0.770, 0.830] 0.195" in text
    assert "Not computed: too few words." in text
    assert "Not drawn: no words." in text
    assert section.count('data-chart="map-') == 1
    assert "archipelago" in text


def test_imported_models_alone_need_no_history_and_no_corpus(tmp_path: Path) -> None:
    html = built(tmp_path, spaces=IMPORTED, models=[], language_models=MODELS)
    headings = {text for level, text in Outline(html).headings if level == 2}
    assert "Language models" not in headings
    assert "Bias and frequency" in headings


def test_a_path_without_scores_has_its_table(tmp_path: Path) -> None:
    path = make_path("output", 85) | {"gap": None, "passes": None}
    section = section_of(built(tmp_path, l2_paths={"am_path": path}), "l2-path")
    assert "No task has a score along this path." in section
    assert "data-chart" not in section
    assert "1e−6 4e−4 – –" in text_of(section)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    run["spaces"]["glove"] = tmp_path / "no.safetensors"
    with pytest.raises(LexiscopeError, match=r"no\.safetensors: no such file"):
        build_report(**run)
    assert not run["output"].exists()


def test_the_settings_have_their_limits() -> None:
    assert issubclass(ReportConfig, Section)
    with pytest.raises(ValueError, match="greater than 0"):
        ReportConfig.model_validate({"neighbours": {"k": 0}})
    with pytest.raises(ValueError, match="Extra inputs"):
        ReportConfig.model_validate({"colour": "pink"})


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_can_be_read(scheme: str) -> None:
    style = files("lexiscope.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[0 if scheme == "light" else 1]))
    for ground in ("page", "surface", "tint", "best"):
        for text in ("ink", "muted", "accent", "warn"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for family in [name for name in colours if name.startswith(("family-", "domain-"))]:
        for ground in ("page", "surface"):
            assert contrast(colours[family], colours[ground]) >= 3, (family, ground)
