"""Domains, spaces of bi-LSTM states, and language models with spaces inside, through the whole workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from .conftest import TINY, Project, copy_of_the_project

MINIATURE = {**TINY["data"]["miniature"], "ptb_tokens": 8_000, "enwiki_tokens": 20_000}
BILSTM = {"epochs": 1, "hidden_size": 8, "embedding_dim": 8}
SMALL = {"epochs": 1, "hidden_size": 16, "num_layers": 1, "batch_size": 8, "unroll": 10}

STUDY: dict[str, Any] = {
    "study": "lm",
    "data": {"source": "miniature", "miniature": MINIATURE},
    "corpora": {"ptb": {"sources": ["ptb"]}},
    "domains": {"wiki": {"documents": "enwiki-extracts", "rank": 10, "n_clusters": 4, "n_domains": 3}},
    "spaces": {
        "word2vec": {"kind": "word2vec", "corpus": "ptb", "vector_size": 16, "epochs": 2},
        "bilm": {"kind": "bilm", "corpus": "ptb", **BILSTM},
        "paragraphs": {"kind": "domain_classifier", "domains": "wiki", "level": "paragraphs", **BILSTM},
        "sentences": {"kind": "domain_classifier", "domains": "wiki", "level": "sentences", **BILSTM},
    },
    "nnlm": {"corpus": "ptb", "spaces": ["word2vec", "bilm"], **SMALL},
    "reverse_transfer": {
        "corpus": "ptb",
        **SMALL,
        "compression": 8,
        "seeds": [1, 2],
        "multi_task": {"domains": "wiki", "weights": [0.0, 0.3]},
    },
    "analysis": {"claims": {"roles": {"word2vec_in_domain": "word2vec"}}},
    "tasks": ["men"],
    "protocol": {"n_bootstrap": 50},
}


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_of_the_project(repository, tmp_path_factory.mktemp("language_modelling") / "project")
    project.write(STUDY)
    project.succeed()
    return project


@pytest.fixture(scope="module")
def perplexities(trained: Project) -> pd.DataFrame:
    """The test perplexities after the last epoch."""
    scores = pq.read_table(trained.folder / "reports/lm/scores.parquet").to_pandas()
    return scores[(scores.metric == "perplexity") & (scores.split == "test")]


def test_each_experiment_has_each_space(perplexities: pd.DataFrame) -> None:
    spaces = {dataset: set(rows.space) for dataset, rows in perplexities.groupby("dataset")}
    frozen = {"word2vec", "bilm"}
    assert spaces == {
        "nnlm_in": frozen,
        "nnlm_out": frozen,
        "nnlm_tied": frozen,
        "nnlm_baseline": {"(untied)", "(tied)", "(kneser-ney 5)"},
        "lstm_lm": {"(none)", *STUDY["spaces"], "random"},
    }
    assert (perplexities.status == "ok").all()
    assert perplexities.value.between(1, 10_000).all()
    assert (perplexities.ci_low <= perplexities.value).all()
    assert (perplexities.value <= perplexities.ci_high).all()
    assert set(perplexities[perplexities.dataset == "lstm_lm"].seed) == {1, 2}


def test_all_models_of_an_experiment_read_the_same_text(perplexities: pd.DataFrame) -> None:
    for names in (["lstm_lm"], ["nnlm_in", "nnlm_out", "nnlm_tied", "nnlm_baseline"]):
        assert perplexities[perplexities.dataset.isin(names)].n_total.nunique() == 1


def test_ranks_and_the_second_task(trained: Project) -> None:
    folder = trained.folder / "results/lm/language_modelling"
    ranks = json.loads((folder / "rank_probe.json").read_text())
    assert ranks["source"] == "corpus"  # the miniature's language is not that of the project's passage
    assert {space["space"] for space in ranks["spaces"]} == {"(none)", *STUDY["spaces"], "random"}
    figures = json.loads((folder / "multi_task.json").read_text())
    assert len(figures["runs"]) == 2 * 2


def test_the_claims_about_language_models_are_tested(trained: Project) -> None:
    claims = pq.read_table(trained.folder / "reports/lm/claims.parquet").to_pandas().set_index("claim")
    for claim in (17, 19, 20, 21):
        assert claims.verdict[claim] in ("supported", "contradicted", "not decided")


def test_the_report(trained: Project) -> None:
    report = (trained.folder / "reports/lm/report.html").read_text()
    for part in (
        "Where words stand in the ranking",
        "the first sentences of its test text",
        "NNLM",
        "(none)",
    ):
        assert part in report


def test_a_second_run_has_nothing_to_do(trained: Project) -> None:
    assert "Nothing to be done" in trained.succeed()
