"""Models of the NNLM experiments and the n-gram model beside them: forms, products, resumed jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_experiment import PROTOCOL, SIZES, Killed, Tiny, identity_of, kill_after, make_tiny

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.answers import read_answers
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.paired import Problem, differences
from lexiscope.files import read_json
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.ngram import count_ngrams
from lexiscope.language_modelling.nnlm import FORMS, spec_of, train_nnlm
from lexiscope.language_modelling.settings import Settings
from lexiscope.language_modelling.train import Trainer
from lexiscope.language_modelling.vocabulary import restricted_text


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("nnlm"))


def train(tiny: Tiny, folder: Path, kind: str, **changes):
    spaces = {} if kind in ("untied", "tied") else tiny.spaces
    arguments = {
        **tiny.text,
        "kind": kind,
        "spaces": spaces,
        "config": SIZES,
        "identities": {name: identity_of(name) for name in (spaces or [f"({kind})"])},
        "protocol": PROTOCOL,
        "scores": folder / "scores.parquet",
        "items": folder / "items.parquet",
        "history": folder / "history.json",
        "checkpoint": folder / "unfinished",
        "threads": 1,
        "device": "cpu",
    }
    train_nnlm(**{**arguments, **changes})
    rows = [pq.read_table(arguments[name]).to_pylist() for name in ("scores", "items")]
    return *rows, read_json(folder / "history.json")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, *train(tiny, folder, "nnlm_in")


# -- forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMS)
def test_what_is_trained_and_what_is_given(kind):
    table = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    spec = spec_of(kind, "model", None if kind in ("untied", "tied") else table, 1)
    settings = Settings(8, 1, 0.0, 4, 7, 1, 1.0, "sgd")
    model = LanguageModelGroup([spec], settings, 20)
    shapes = {name: tuple(value.shape[1:]) for name, value in model.state_dict().items()}
    lstm = {"w_ih.0", "w_hh.0", "bias_ih.0", "bias_hh.0"}
    expected = {
        "nnlm_in": {"softmax": (20, 8), "output_bias": (20,)},
        "nnlm_out": {"table": (20, 8), "projection": (5, 8)},
        "nnlm_tied": {"projection": (5, 8)},
        "untied": {"table": (20, 8), "softmax": (20, 8), "output_bias": (20,)},
        "tied": {"table": (20, 8), "output_bias": (20,)},
    }[kind]
    assert {name: shape for name, shape in shapes.items() if name not in lstm} == expected
    if kind in ("nnlm_in", "nnlm_tied"):
        assert np.array_equal(model.input_table()[0], table)
    if kind in ("nnlm_out", "nnlm_tied"):
        assert np.array_equal(model.output_weight()[0], table)


# -- products --------------------------------------------------------------------------------------


def test_scores_of_all_spaces_seeds_and_splits(tiny, trained):
    _, scores, items, _ = trained
    text = restricted_text(**tiny.text)
    splits = ["train", "valid", "test", "test_best"]
    expected = [(space, seed, split) for space in tiny.spaces for seed in (1, 2) for split in splits]
    assert [(row["space"], row["seed"], row["split"]) for row in scores] == expected
    for row in scores:
        assert (row["task"], row["dataset"], row["metric"]) == (
            "language_modelling",
            "nnlm_in",
            "perplexity",
        )
        assert 1 < row["value"] < 2 * len(text)
        assert row["baseline"] == len(text)
        assert not row["higher_is_better"]
        part = "test" if row["split"] == "test_best" else row["split"]
        assert (row["n_used"], row["n_total"]) == (text.n_known(part), text.n_tokens(part))
        assert row["protocol"].startswith(
            "lm=nnlm_in hidden=8x1 dropout=0.2 sgd=1 schedule=paper epochs=2 missing=mean vocabulary=24 "
        )
        assert row["note"].startswith("best epoch ")
    for space in tiny.spaces:
        own = [row for row in items if row["space"] == space and row["seed"] == 2]
        assert {row["split"] for row in own} == {"test"}
        (score,) = [r for r in scores if (r["space"], r["seed"], r["split"]) == (space, 2, "test")]
        n_tokens = sum(row["gold"] for row in own)
        assert n_tokens == text.n_tokens("test")
        assert np.exp(sum(row["prediction"] for row in own) / n_tokens) == pytest.approx(score["value"])
        assert score["ci_low"] < score["value"] < score["ci_high"]


def test_the_history_tells_of_each_epoch(tiny, trained):
    *_, history = trained
    assert [(record["space"], record["seed"]) for record in history] == [
        (space, seed) for space in tiny.spaces for seed in (1, 2)
    ]
    for record in history:
        assert (record["dataset"], record["missing_words"]) == ("nnlm_in", 0)
        assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2]


def test_nothing_unfinished_is_left_behind(trained):
    folder, *_ = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.json",
        "items.parquet",
        "scores.parquet",
    ]


def test_the_better_model_is_ahead_in_a_paired_comparison(tiny, trained):
    folder, scores, *_ = trained
    value = {r["space"]: r["value"] for r in scores if (r["seed"], r["split"]) == (1, "test")}
    (answers,) = read_answers(
        folder / "items.parquet",
        study="tiny",
        task="language_modelling",
        datasets=["nnlm_in"],
        spaces=set(tiny.spaces),
    )
    problem = Problem.of(answers, "perplexity", "test")
    runs = [[answers.runs.index((space, 1))] for space in tiny.spaces]
    (found,) = differences(
        problem,
        runs,
        [(0, 1)],
        protocol=ProtocolConfig(n_bootstrap=50),
        name="nnlm_in",
        higher_is_better=False,
    )
    assert found.value == pytest.approx(value["second"] - value["first"])
    assert found.p_value is not None


@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_baselines_stand_beside_each_other(tiny, tmp_path, kind):
    scores, _, history = train(tiny, tmp_path, kind, config={**SIZES, "seeds": [3], "epochs": 1})
    assert {(row["dataset"], row["space"], row["seed"]) for row in scores} == {
        ("nnlm_baseline", f"({kind})", 3)
    }
    assert history[0]["dataset"] == "nnlm_baseline"


# -- resume ----------------------------------------------------------------------------------------


def test_a_killed_job_ends_with_the_same_bytes(tiny, tmp_path, monkeypatch):
    config = {**SIZES, "together": 2}
    train(tiny, tmp_path / "whole", "nnlm_out", config=config)
    of_an_epoch = -(-restricted_text(**tiny.text).n_tokens("train") // (4 * 7))
    with monkeypatch.context() as patch:
        kill_after(patch, Trainer, 3 * of_an_epoch + 3)  # in the second epoch of the second group
        with pytest.raises(Killed):
            train(tiny, tmp_path / "killed", "nnlm_out", config=config)
    with monkeypatch.context() as patch:
        kill_after(patch, Trainer, of_an_epoch)  # nothing that was finished is trained again
        train(tiny, tmp_path / "killed", "nnlm_out", config=config)
    for name in ("scores.parquet", "items.parquet"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# -- errors ----------------------------------------------------------------------------------------


def test_spaces_must_fit_the_kind(tiny, tmp_path):
    with pytest.raises(LexiscopeError, match="'untied' needs no spaces"):
        train(tiny, tmp_path, "untied", spaces=tiny.spaces)
    with pytest.raises(LexiscopeError, match="'nnlm_in' needs at least one space"):
        train(tiny, tmp_path, "nnlm_in", spaces={})
    with pytest.raises(LexiscopeError, match="unknown kind of model 'nnlm_both'"):
        train(tiny, tmp_path, "nnlm_both")
    with pytest.raises(LexiscopeError, match="no identity for the space 'second'"):
        train(tiny, tmp_path, "nnlm_in", identities={"first": identity_of("first")})


# -- the n-gram model ------------------------------------------------------------------------------


def test_the_n_gram_model_has_scores_like_the_others(tiny, tmp_path):
    name = "(kneser-ney 5)"
    files = {key: tmp_path / key for key in ("scores", "items", "history")}
    for max_tokens in (None, 100):
        count_ngrams(
            **tiny.text,
            identity=identity_of(name),
            protocol=PROTOCOL,
            **files,
            max_tokens=max_tokens,
        )
        scores = {row["split"]: row for row in pq.read_table(files["scores"]).to_pylist()}
        assert {(row["dataset"], row["space"], row["seed"]) for row in scores.values()} == {
            ("nnlm_baseline", name, 0)
        }
        assert (scores["train"]["status"], scores["train"]["value"]) == ("skipped", None)
        assert 1 < scores["test"]["value"] == scores["test_best"]["value"]
        assert ("max_tokens=100 " in scores["test"]["protocol"]) == (max_tokens is not None)
        items = pq.read_table(files["items"]).to_pylist()
        n_tokens = sum(row["gold"] for row in items)
        nats = sum(row["prediction"] for row in items)
        assert np.exp(nats / n_tokens) == pytest.approx(scores["test"]["value"])
        (record,) = read_json(files["history"])
        assert record["tokens"]["train"] <= (max_tokens or np.inf)
        assert record["final"]["test_perplexity"] == pytest.approx(scores["test"]["value"])
