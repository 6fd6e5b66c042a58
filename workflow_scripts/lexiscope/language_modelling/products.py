"""What an experiment leaves behind: histories of trainings, and scores with an item for each sentence."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.corpora.vocabulary import EOS_ID
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import score_with_interval
from lexiscope.evaluation.scores import Answer, Evaluation, Identity, Item, Result, Score
from lexiscope.files import write_json
from lexiscope.language_modelling.kneser_ney import KneserNey
from lexiscope.language_modelling.predict import perplexity_of
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.train import TrainedModel

TASK = "language_modelling"
METRIC = "perplexity"
BEST = "test_best"
"""The split of a test score at the epoch that validates best."""


def kneser_ney_model(text: RestrictedText, name: str, order: int = 5) -> TrainedModel:
    """The modified Kneser-Ney model of a text, in the form of a trained model with a single epoch.

    Its perplexity on the text that its n-grams were counted in says nothing, and is not taken.
    """
    splits = {split: ids.astype(np.int64) for split, ids in text.splits.items()}
    model = KneserNey.train(splits["train"], n_words=len(text), eos=EOS_ID, order=order)
    record: dict[str, Any] = {"epoch": 1, "order": order}
    for split in ("valid", "test"):
        nats = -model.log_probabilities(splits[split], eos=EOS_ID)
        record[f"{split}_perplexity"] = perplexity_of(float(nats.sum()), len(nats))
    sentences = text.sums_of_sentences("test", nats)
    return TrainedModel(
        spec=ModelSpec(name, "trainable", "trainable"),
        settings=None,
        history=[record],
        best_epoch=1,
        test_nats=sentences,
        best_test_nats=sentences,
        weights={},
        best_weights={},
    )


def history_of(model: TrainedModel, text: RestrictedText) -> dict[str, Any]:
    """What became of a model, as JSON values.

    Perplexities of ``final`` are over all test tokens, read as one stream in float32.
    """
    spec, n_tokens = model.spec, text.n_tokens("test")
    return {
        "model": spec.name,
        "seed": spec.seed,
        "settings": None if model.settings is None else asdict(model.settings),
        "vocabulary_size": len(text),
        "tokens": {split: text.n_tokens(split) for split in SPLITS},
        "unknown": {split: text.n_tokens(split) - text.n_known(split) for split in SPLITS},
        "epochs": model.history,
        "final": {
            "best_epoch": model.best_epoch,
            "test_perplexity": perplexity_of(float(model.test_nats.sum()), n_tokens),
            "test_perplexity_of_best_epoch": perplexity_of(float(model.best_test_nats.sum()), n_tokens),
        },
    }


def write_history(model: TrainedModel, text: RestrictedText, path: str | Path) -> None:
    """Write `history_of` as JSON, atomically."""
    write_json(path, history_of(model, text))


def scores_of(
    model: TrainedModel,
    text: RestrictedText,
    *,
    identity: Identity,
    dataset: str,
    protocol: ProtocolConfig,
) -> Evaluation:
    """Scores and items of one model.

    Perplexities of the last epoch: ``train`` is the running average of the epoch, with dropout; ``valid``
    is read in parallel streams; ``test`` as one stream, and so is ``test_best``, at the epoch that
    validates best. Test scores have bootstrap intervals over sentences. Their items are the sentences:
    ``gold`` is the number of tokens, ``prediction`` the negative log-probability in nats.

    Parameters
    ----------
    identity
        Whose scores they are; the space and the seed are the model's, as the report calls them.
    dataset
        Such as ``ptb_nnlm_in``.
    protocol
        For the bootstrap.
    """
    who, last = asdict(identity), model.history[-1]
    lengths = text.sentence_lengths("test").astype(np.float64)
    evaluation = Evaluation()
    for split in ("train", "valid", "test", BEST):
        part: Split = "test" if split == BEST else split  # type: ignore[assignment]
        result = Result(
            dataset=dataset,
            split=split,
            metric=METRIC,
            baseline=float(len(text)),
            higher_is_better=False,
            n_used=text.n_known(part),
            n_total=text.n_tokens(part),
            protocol=describe(model, protocol),
        )
        value: float | None
        if part != "test":
            value = last.get(f"{split}_perplexity")
            scored = (
                result.skipped("an n-gram model has counted this very text")
                if value is None
                else result.scored(value, None, None)
            )
        else:
            nats = model.best_test_nats if split == BEST else model.test_nats
            value, *ends = score_with_interval(METRIC, nats, lengths, protocol=protocol, name=dataset)
            scored = (
                result.skipped("its perplexity is not a finite number")
                if value is None
                else result.scored(value, *ends)
            )
            answers = [
                Answer(dataset, number, f"sentence:{number + 1}", float(gold), float(nat), True, split)
                for number, (gold, nat) in enumerate(zip(lengths.tolist(), nats.tolist(), strict=True))
            ]
            evaluation.items.extend(
                Item(identity.study, identity.space, identity.seed, TASK, **asdict(answer))
                for answer in answers
            )
        evaluation.scores.append(Score(**who, task=TASK, dataset_sha256=text.sha256, **asdict(scored)))
    return evaluation


def describe(model: TrainedModel, protocol: ProtocolConfig) -> str:
    """How a model was trained and scored, in one line."""
    interval = (
        f"bootstrap={protocol.n_bootstrap} confidence={protocol.confidence:g} seed={protocol.seed}"
        if protocol.n_bootstrap
        else "bootstrap=none"
    )
    if model.settings is None:
        return f"order={model.history[-1]['order']} {interval}"
    return f"{_describe_training(model.settings)} best_epoch={model.best_epoch} {interval}"


def _describe_training(settings: Settings) -> str:
    size = f"lstm={settings.num_layers}x{settings.hidden_size} dropout={settings.dropout:g}"
    steps = f"{settings.optimizer}={settings.learning_rate:g} schedule={settings.schedule}"
    return f"{size} {steps} epochs={settings.epochs}"
