"""Scores and histories of trained models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_nnlm import N_WORDS, OVERFITS, settings, spec, tiny_text

from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Evaluation, Identity, write_evaluation
from lexiscope.language_modelling.products import kneser_ney_model, scores_of, write_history
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.train import TrainedModel, train_group

PROTOCOL = ProtocolConfig(n_bootstrap=200)


@pytest.fixture(scope="module")
def text() -> RestrictedText:
    text = tiny_text(121)
    text.splits["test"][3] = 0  # an unknown word
    return text


@pytest.fixture(scope="module")
def model(text: RestrictedText, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("products")
    return train_group(text, [spec("untied", 5)], settings(**OVERFITS), checkpoint=folder)[0]


def scored(model: TrainedModel, text: RestrictedText) -> Evaluation:
    identity = Identity("study", "am", "lm", 5, "config", "code")
    return scores_of(model, text, identity=identity, dataset="ptb_nnlm_in", protocol=PROTOCOL)


def test_scores_can_be_recomputed_from_their_items(model: TrainedModel, text: RestrictedText) -> None:
    evaluation = scored(model, text)
    by_split = {score.split: score for score in evaluation.scores}
    assert list(by_split) == ["train", "valid", "test", "test_best"]
    for split in ("test", "test_best"):
        score, items = by_split[split], [item for item in evaluation.items if item.split == split]
        nats = sum(item.prediction for item in items)
        n_tokens = sum(item.gold for item in items)
        assert n_tokens == score.n_total == text.n_tokens("test")
        assert score.n_used == score.n_total - 1
        assert score.value == pytest.approx(np.exp(nats / n_tokens))
        assert score.ci_low < score.value < score.ci_high
        assert items[0].item == "sentence:1"
        assert items[-1].item_id == len(items) - 1
    assert by_split["test_best"].value < by_split["test"].value
    for split in ("train", "valid"):
        assert by_split[split].value == model.history[-1][f"{split}_perplexity"]
        assert by_split[split].ci_low is None
    for score in evaluation.scores:
        assert (score.task, score.metric, score.dataset) == (
            "language_modelling",
            "perplexity",
            "ptb_nnlm_in",
        )
        assert score.baseline == N_WORDS
        assert not score.higher_is_better
        assert (score.space, score.seed, score.dataset_sha256) == ("am", 5, text.sha256)
        assert "lstm=1x16" in score.protocol


def test_scores_are_the_same_bytes_each_time(
    model: TrainedModel, text: RestrictedText, tmp_path: Path
) -> None:
    for run in ("a", "b"):
        write_evaluation(scored(model, text), tmp_path / f"{run}.scores", tmp_path / f"{run}.items")
    for kind in ("scores", "items"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_the_history_tells_epochs_and_final_perplexities(
    model: TrainedModel, text: RestrictedText, tmp_path: Path
) -> None:
    write_history(model, text, tmp_path / "history.json")
    told = json.loads((tmp_path / "history.json").read_text())
    assert len(told["epochs"]) == 6
    assert told["unknown"] == {"train": 0, "valid": 0, "test": 1}
    assert told["settings"]["optimizer"] == "adam"
    final = {score.split: score.value for score in scored(model, text).scores}
    assert told["final"]["test_perplexity"] == pytest.approx(final["test"])
    assert told["final"]["test_perplexity_of_best_epoch"] == pytest.approx(final["test_best"])
    assert told["final"]["best_epoch"] == model.best_epoch


def test_the_n_gram_model_has_scores_like_the_others(text: RestrictedText) -> None:
    floor = kneser_ney_model(text, "kneser_ney")
    by_split = {score.split: score for score in scored(floor, text).scores}
    assert by_split["train"].status == "skipped"
    assert by_split["test"].value == by_split["test_best"].value
    assert by_split["test"].value == pytest.approx(floor.history[0]["test_perplexity"])
    assert by_split["valid"].value < N_WORDS / 2
    assert by_split["test"].protocol.startswith("order=5 ")
