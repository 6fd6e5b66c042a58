"""Training: together and alone, killed and resumed, in two precisions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_nnlm import OVERFITS, SETTINGS, settings, spec, tiny_text

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling import train
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.train import TrainedModel, remove_checkpoint, train_group

TEXT = tiny_text()
PERPLEXITIES = ("train_perplexity", "valid_perplexity", "test_perplexity")


def trained(folder: Path, specs: list[ModelSpec], chosen: Settings = SETTINGS) -> list[TrainedModel]:
    return train_group(TEXT, specs, chosen, device="cpu", checkpoint=folder)


def curve(model: TrainedModel) -> list[float]:
    return [record[name] for record in model.history for name in PERPLEXITIES]


SAMPLED: dict[str, Any] = {"softmax": "sampled", "n_samples": 5}


@pytest.mark.parametrize(
    ("kind", "optimizer", "further"),
    [
        ("nnlm_in", "sgd", {}),
        ("nnlm_out", "sgd", {}),
        ("none", "adam", {}),
        ("nnlm_in", "sgd", SAMPLED),
        ("nnlm_out", "sgd", SAMPLED),
        ("tied", "sgd", SAMPLED),
        ("none", "adam", SAMPLED),
    ],
)
def test_models_trained_together_are_those_trained_alone(
    tmp_path: Path, kind: str, optimizer: str, further: dict[str, Any]
) -> None:
    chosen = settings(optimizer=optimizer, learning_rate=0.5 if optimizer == "sgd" else 0.01, **further)
    specs = [spec(kind, seed) for seed in (1, 2)]
    together = trained(tmp_path / "together", specs, chosen)
    for one, model in zip(specs, together, strict=True):
        (alone,) = trained(tmp_path / one.name, [one], chosen)
        np.testing.assert_allclose(curve(model), curve(alone), rtol=1e-5)
        np.testing.assert_allclose(model.test_nats, alone.test_nats, rtol=1e-5)
        np.testing.assert_allclose(model.best_test_nats, alone.best_test_nats, rtol=1e-5)
        assert model.best_epoch == alone.best_epoch
        for name, weight in model.weights.items():
            np.testing.assert_allclose(weight, alone.weights[name], rtol=0, atol=1e-5)
    assert curve(together[0]) != curve(together[1])


def test_training_learns_and_history_tells_it(tmp_path: Path) -> None:
    chosen = settings(
        **{**OVERFITS, "schedule": "paper", "learning_rate": 0.05, "dropout": 0.1, "epochs": 7}
    )
    (model,) = train_group(tiny_text(600), [spec("untied")], chosen, checkpoint=tmp_path)
    assert [record["epoch"] for record in model.history] == list(range(1, 8))
    assert model.history[-1]["learning_rate"] == pytest.approx(0.05 / 1.2)
    assert model.history[-1]["valid_perplexity"] < 0.6 * model.history[0]["valid_perplexity"]
    assert len(model.test_nats) == len(TEXT.sentence_lengths("test"))
    # The perplexity of the curve is that of several streams, each from a fresh state.
    as_one_stream = np.exp(model.test_nats.sum() / TEXT.n_tokens("test"))
    assert as_one_stream == pytest.approx(model.history[-1]["test_perplexity"], rel=0.1)
    assert model.history[0]["tokens_per_second"] > 0


def test_the_best_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    """Each model of a group has its own best epoch; it is as if its training had ended there."""
    text, chosen = tiny_text(121), settings(**OVERFITS)
    found = train_group(text, [spec("untied", 1), spec("untied", 2)], chosen, checkpoint=tmp_path / "long")
    assert [model.best_epoch for model in found] == [3, 4]
    for model in found:
        best = min(model.history, key=lambda record: record["valid_perplexity"])
        assert model.best_epoch == best["epoch"]
        short = replace(chosen, epochs=model.best_epoch)
        (stopped,) = train_group(text, [model.spec], short, checkpoint=tmp_path / model.spec.name)
        np.testing.assert_allclose(model.best_test_nats, stopped.test_nats, rtol=1e-4)
        np.testing.assert_allclose(model.best_weights["softmax"], stopped.weights["softmax"], atol=1e-4)
        assert model.test_nats.sum() > model.best_test_nats.sum()


def test_a_sampled_softmax_learns_what_the_full_one_does(tmp_path: Path) -> None:
    """About half of the words are candidates; no perplexity that is told is of these alone."""
    chosen = settings(**{**OVERFITS, "learning_rate": 0.02, "epochs": 4})
    text = tiny_text(4000, 600)
    found = [
        train_group(text, [spec("untied")], replace(chosen, **further), checkpoint=tmp_path / str(number))
        for number, further in enumerate(({}, SAMPLED))
    ]
    (full,), (sampled,) = found
    assert curve(sampled) != curve(full)
    assert curve(full)[-1] < 10
    np.testing.assert_allclose(curve(sampled)[-2:], curve(full)[-2:], rtol=0.1)


def test_the_training_perplexity_is_that_of_all_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = settings(learning_rate=1e-12, epochs=1, dropout=0.0)
    for every in (1, 3):
        monkeypatch.setattr(train, "EXACT_LOSS_EVERY", every)
        (full,) = trained(tmp_path / f"full {every}", [spec("nnlm_out")], still)
        (sampled,) = trained(tmp_path / f"{every}", [spec("nnlm_out")], replace(still, **SAMPLED))
        told, expected = (model.history[0]["train_perplexity"] for model in (sampled, full))
        assert told == pytest.approx(expected, rel=1e-6 if every == 1 else 0.05)
        assert (told == pytest.approx(expected, rel=1e-6)) is (every == 1)


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training stop as a kill would, before the step numbered ``steps``."""
    one_step = train.Trainer.train_step
    done = 0

    def stopping(self: train.Trainer) -> int:
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return one_step(self)

    monkeypatch.setattr(train.Trainer, "train_step", stopping)


@pytest.mark.parametrize(
    ("optimizer", "steps", "further"), [("sgd", 11, {}), ("adam", 8, {}), ("sgd", 11, SAMPLED)]
)
def test_killed_and_resumed_it_ends_with_the_same_numbers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    steps: int,
    further: dict[str, Any],
) -> None:
    """8 steps make an epoch: within one, and at the end of one."""
    chosen: Any = settings(optimizer=optimizer, learning_rate=0.05, checkpoint_minutes=1e-9, **further)
    specs = [spec("nnlm_out", seed) for seed in (1, 2)]
    whole = trained(tmp_path / "whole", specs, chosen)
    with monkeypatch.context() as patch:
        interrupt_after(steps, patch)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "killed", specs, chosen)
    with monkeypatch.context() as patch:
        interrupt_after(16 - steps, patch)  # so many are left, and not one more
        resumed = trained(tmp_path / "killed", specs, chosen)
    for one, other in zip(whole, resumed, strict=True):
        assert curve(one) == curve(other)
        assert np.array_equal(one.test_nats, other.test_nats)
        assert np.array_equal(one.best_test_nats, other.best_test_nats)
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    remove_checkpoint(tmp_path / "killed")
    assert not (tmp_path / "killed").exists()


def test_a_checkpoint_of_another_table_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(epochs=1)
    trained(tmp_path, [spec("nnlm_in")], chosen)
    other = replace(spec("nnlm_in"), table=spec("nnlm_in", 9).table)
    with monkeypatch.context() as patch:
        interrupt_after(0, patch)
        trained(tmp_path, [spec("nnlm_in")], chosen)  # nothing is left to do
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, [other], chosen)


def test_bfloat16_ends_where_float32_does(tmp_path: Path) -> None:
    chosen = settings(dropout=0.0, hidden_size=16)
    (exact,) = trained(tmp_path / "32", [spec("nnlm_in")], chosen)
    (quick,) = trained(tmp_path / "16", [spec("nnlm_in")], replace(chosen, precision="bfloat16"))
    assert curve(quick) != curve(exact)
    np.testing.assert_allclose(curve(quick), curve(exact), rtol=0.01)


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="too few for 300 parallel streams"):
        trained(tmp_path, [spec("nnlm_in")], settings(batch_size=300))
    wild = settings(learning_rate=1e30, clip_norm=1e30, dropout=0.0)
    with pytest.raises(LexiscopeError, match=r"'untied_1' diverged|no perplexity"):
        trained(tmp_path, [spec("untied")], wild)
