"""The sections on language-modelling experiments and domains: readers, charts, page."""

from __future__ import annotations

import doctest
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fabricated_experiments import (
    EXPERIMENT_SPACES,
    make_histories,
    make_multi_task,
    make_rank_probe,
    perplexities,
    with_experiments,
    write_domains,
)
from fabricated_run import fabricate, plausible_scores
from test_report_page import HOSTILE, Outline, section_of, text_of

from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json, write_json
from lexiscope.report import drawing as drawing_module
from lexiscope.report import experiments as experiments_module
from lexiscope.report import ranks as ranks_module
from lexiscope.report.build import build_report
from lexiscope.report.domains import read_domains
from lexiscope.report.drawing import round_ticks
from lexiscope.report.experiments import Trained, mean_curve, model_groups, read_experiment
from lexiscope.report.multi_task import read_multi_task
from lexiscope.report.ranks import read_rank_probe

KINDS = {space: section["kind"] for space, section in EXPERIMENT_SPACES.items()}
FEW = {name: EXPERIMENT_SPACES[name] for name in ("word2vec_ptb", "am", "bilm")}


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("experiments")
    scores = perplexities(FEW, seeds=(1, 2))
    similarity = plausible_scores(FEW, groups=("word_similarity",))
    run = fabricate(root, spaces=FEW, scores=[*similarity, *scores], models=[])
    probe, task = make_rank_probe(list(FEW)), make_multi_task()
    build_report(**with_experiments(run, root, scores=scores, rank_probe=probe, multi_task=task))
    return Path(run["output"]).read_text(encoding="utf-8")


def test_the_structure_of_the_page(html: str) -> None:
    outline = Outline(html)
    headings = [text for level, text in outline.headings if level == 2]
    assert headings.index("Domains") == headings.index("Spaces in language models") + 1
    assert all(table == {"caption": True, "unscoped": 0} for table in outline.tables)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert not re.search(r">\s*(None|nan|inf)\b(?! stated| of the)", html.partition("<script")[0])
    assert len(html.encode()) < 2_000_000


def test_the_tables_of_both_papers(html: str) -> None:
    text = text_of(section_of(html, "results"))
    assert "Vocabulary: 7,302 words, 93 % of the test tokens; all others are &lt;unk&gt; ." in text
    assert "Models without pre-trained vectors." in text
    assert "(none) always has a compression layer." in text
    assert "paper 162.0" in text
    # A seed that a column lacks is a dash: (none) has no scores with a compression layer.
    assert re.search(r"Seed LSTM, perplexity.*?\(none\) 1 189\.0 – \(none\) 2 190\.0 –", text)


def test_the_experiments_are_told(html: str) -> None:
    section = section_of(html, "experiments")
    charts = re.findall(r'data-chart="([^"]+)"', section)
    assert charts == [
        "curves-nnlm_in", "curves-nnlm_out", "curves-nnlm_tied", "curves-nnlm_baseline",
        "curves-lstm_lm", "curves-lstm_lm_compressed", "ranks-1", "word-ranks-1",
        "multi-task-1-perplexity", "multi-task-1-domain_accuracy", "multi-task-1-rank",
    ]  # fmt: skip
    text = text_of(section)
    assert f"Language models, {3 * 3 + 3 + 2 + 3 * 2 * 2} in all" in text
    assert "am NNLM-In 1 12 90.2 11 90.2 3 4 17,006" in text
    assert "Not in the vocabulary, so without a rank: sirens." in text
    assert re.search(r"storm [\d,]+ [\d,]+ [\d,]+ [\d,]+", text)
    assert "0.1 2 178.5 −3.00 [−6.00, +0.50] p = 0.160 53.50 165.7" in text
    assert "Domain 0 goal, team Domain 1 disk Domain 2 none" in text


def test_the_domains_are_told(html: str) -> None:
    section = section_of(html, "domains")
    text = text_of(section)
    assert 'data-chart="domains-topics"' in section
    assert "240 documents; after 3 rounds the labels are stable." in text
    assert "game, team, season rec.sport 40, comp.sys 7" in text
    assert re.search(r"2 240 180 0\.900 0\.034 0\.340 0\.390 \d+, \d+, \d+", text)


def test_none_of_it_no_section(tmp_path: Path) -> None:
    run = fabricate(tmp_path, models=[])
    build_report(**run)
    html = Path(run["output"]).read_text(encoding="utf-8")
    assert 'id="experiments"' not in html
    assert 'id="domains"' not in html


def test_hostile_names_are_text(tmp_path: Path) -> None:
    scores = perplexities({"am": FEW["am"]}, seeds=(1,))
    probe = make_rank_probe(["am"])
    probe["sentences"][0][1] = probe["places"][0]["word"] = HOSTILE
    run = fabricate(tmp_path, spaces={"am": FEW["am"]}, scores=scores, models=[])
    run = with_experiments(run, tmp_path, scores=scores, epochs=1, rank_probe=probe, topics=False)
    content = read_json(run["domains"]["topics"] / "domains.json")
    content["domains"][0]["name"] = HOSTILE
    write_json(run["domains"]["topics"] / "domains.json", content)
    build_report(**run)
    html = Path(run["output"]).read_text(encoding="utf-8")
    assert HOSTILE not in html
    assert len(Outline(html).scripts) == 3
    assert "NMI" not in text_of(section_of(html, "domains")), "documents without topics"


# -- readers and charts ----------------------------------------------------------------------------


def trained(tmp_path: Path, epochs: int = 12) -> list[Trained]:
    write_json(tmp_path / "h.json", make_histories(perplexities(), epochs))
    return read_experiment(tmp_path / "h.json")


def test_models_come_by_dataset_then_space_then_seed(tmp_path: Path) -> None:
    groups = model_groups(trained(tmp_path)[::-1], KINDS)
    assert [(group.dataset, group.n_models) for group in groups] == [
        ("nnlm_in", 10), ("nnlm_out", 10), ("nnlm_tied", 10), ("nnlm_baseline", 3),
        ("lstm_lm", 33), ("lstm_lm_compressed", 30),
    ]  # fmt: skip
    first = [(model.space, model.seed) for model in groups[4].models[:5]]
    assert first == [("(none)", 1), ("(none)", 2), ("(none)", 3), ("word2vec", 1), ("word2vec", 2)]


def test_a_curve_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    none = [model for model in trained(tmp_path, 4) if model.space == "(none)"]
    curve = mean_curve(none)
    assert curve[0] == (1, pytest.approx(190.0 * 4))
    assert [epoch for epoch, _ in curve] == [1, 2, 3, 4]
    assert mean_curve([]) == []


@pytest.mark.parametrize("epochs", [1, 2, 39])
def test_curves_of_any_length(tmp_path: Path, epochs: int) -> None:
    group = next(
        group
        for group in model_groups(trained(tmp_path, epochs), KINDS)
        if group.dataset == "nnlm_baseline"
    )
    assert group.chart is not None
    (data, names) = sorted(group.chart.specification["datasets"].values(), key=len, reverse=True)
    drawn = {
        space: [row for row in data if row["space"] == space] for space in ("(tied)", "(kneser-ney 5)")
    }
    assert len(drawn["(tied)"]) == min(epochs, len(drawn["(tied)"])) <= 20
    assert drawn["(tied)"][-1]["epoch"] == epochs
    assert [row["epoch"] for row in drawn["(kneser-ney 5)"]] == ([1] if epochs == 1 else [1, epochs])
    assert {row["space"] for row in names} == {"(untied)", "(tied)", "(kneser-ney 5)"}
    assert "(kneser-ney 5) 141.0" in group.chart.description


def test_names_at_the_ends_do_not_cover_one_another(tmp_path: Path) -> None:
    group = next(g for g in model_groups(trained(tmp_path), KINDS) if g.dataset == "lstm_lm")
    assert group.chart is not None
    names = next(rows for rows in group.chart.specification["datasets"].values() if "at" in rows[0])
    height = group.chart.specification["height"]
    low, high = group.chart.specification["layer"][0]["encoding"]["y"]["scale"]["domain"]
    at = sorted((row["at"], row["perplexity"]) for row in names)
    gaps = [later[0] / earlier[0] for earlier, later in itertools.pairwise(at)]
    assert min(gaps) >= (high / low) ** (12.5 / height)
    assert at == sorted(at, key=lambda pair: pair[1]), "in the order of the curves"
    assert low <= at[0][0] <= at[-1][0] <= high


def test_a_curve_that_begins_far_above_all_others_does_not_squeeze_them(tmp_path: Path) -> None:
    histories = make_histories(perplexities(), 4)
    one = next(model for model in histories if model["dataset"] == "nnlm_tied")
    one["epochs"][0]["valid_perplexity"] = 2e8
    write_json(tmp_path / "h.json", histories)
    models = [m for m in read_experiment(tmp_path / "h.json") if m.dataset == "nnlm_tied"]
    (group,) = model_groups(models, KINDS)
    assert group.chart is not None
    ends = [model.epochs[-1].valid for model in models]
    _, top = group.chart.specification["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert max(end for end in ends if end is not None) < top < 1e5
    marks = [layer["mark"] for layer in group.chart.specification["layer"]]
    assert {mark["type"] for mark in marks if mark.get("clip")} == {"line", "point"}


def test_ranks_are_held_against_no_vectors(tmp_path: Path) -> None:
    content = make_rank_probe(["am", "bilm"])
    write_json(tmp_path / "r.json", content)
    probe = read_rank_probe(tmp_path / "r.json", KINDS)
    assert [space.label for space in probe.spaces] == ["(none)", "am", "bilm, compressed"]
    none, am, _ = probe.spaces
    assert none.ratio is None
    assert am.ratio == pytest.approx(am.mean / none.mean)
    assert probe.has_none
    lowest = [sum(probe.is_best(space, place) for space in probe.spaces) for place in range(3)]
    assert min(lowest) >= 1
    assert probe.n_drawn == len(probe.words) == len(content["places"])


def test_of_many_words_those_are_drawn_on_which_models_differ(tmp_path: Path) -> None:
    content = make_rank_probe(["am"])
    n = 40
    content["places"] = [{**content["places"][0], "word": f"w{i}"} for i in range(n)]
    for number, row in enumerate(content["spaces"]):
        row["mean_log_ranks"] = [3.0 + number * (i % 2 == 0 or i > 20) for i in range(n)]
    write_json(tmp_path / "r.json", content)
    probe = read_rank_probe(tmp_path / "r.json", KINDS)
    drawn = {row["word"] for rows in probe.chart.specification["datasets"].values() for row in rows}
    assert drawn == {f"w{i}" for i in range(n) if i % 2 == 0 or i > 20}


def test_a_second_task_without_topical_words(tmp_path: Path) -> None:
    content = make_multi_task((0.0,))
    for row in content["runs"]:
        row["mean_log_rank"] = None
    for row in content["weights"]:
        row["geometric_mean_rank"] = None
    write_json(tmp_path / "m.json", content)
    found = read_multi_task(tmp_path / "m.json")
    assert [chart.anchor for chart in found.charts] == [
        "multi-task-1-perplexity", "multi-task-1-domain_accuracy",
    ]  # fmt: skip
    assert found.weights[0].perplexity_change is None
    assert found.weights[0].rank is None


def test_a_map_of_many_documents_is_thinned(tmp_path: Path) -> None:
    found = read_domains("topics", write_domains(tmp_path / "d", n_documents=1000))
    assert found.n_mapped == 500
    assert found.chart is not None
    assert found.rounds[-1].number == 3
    assert [split for split, _ in found.domains[0].tokens] == ["train", "valid", "test"]


def broken(path: Path, content: Any) -> Path:
    write_json(path, content)
    return path


def test_files_that_are_something_else_are_errors(tmp_path: Path) -> None:
    path = broken(tmp_path / "x.json", [{"event": "final"}])
    with pytest.raises(LexiscopeError, match=r"x\.json: not the history of an experiment"):
        read_experiment(path)
    with pytest.raises(LexiscopeError, match=r"x\.json: not a rank probe"):
        read_rank_probe(path, KINDS)
    with pytest.raises(LexiscopeError, match=r"x\.json: not a multi-task experiment"):
        read_multi_task(path)
    short = make_rank_probe(["am"])
    short["spaces"][0]["mean_log_ranks"].pop()
    with pytest.raises(LexiscopeError, match="ranks and places do not match"):
        read_rank_probe(broken(tmp_path / "y.json", short), KINDS)
    folder = write_domains(tmp_path / "d")
    spoilt = read_json(folder / "map.json")
    spoilt["documents"]["xy"][3][0] = 1e999
    (folder / "map.json").write_text(json.dumps(spoilt))
    with pytest.raises(LexiscopeError, match=r"map\.json: not of a set of domains"):
        read_domains("topics", folder)
    (folder / "iterations.json").unlink()
    with pytest.raises(LexiscopeError, match=r"iterations\.json: no such file"):
        read_domains("topics", folder)


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (1.5, 2.2), (95, 96), (213, 692), (0.3, 40), (3, 60_000)]
)
def test_round_numbers_on_a_logarithmic_axis(low: float, high: float) -> None:
    found = round_ticks(low, high)
    assert 3 <= len(found) <= 16
    assert all(low / 1.05 <= tick <= high * 1.05 for tick in found)


def test_the_examples_of_the_modules() -> None:
    for module, n_examples in ((experiments_module, 1), (ranks_module, 1), (drawing_module, 3)):
        outcome = doctest.testmod(module)
        assert (outcome.attempted, outcome.failed) == (n_examples, 0)
