"""Figures of multi-task language models, and each weight of the second loss against the lowest."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.evaluation.bootstrap import percentile_interval
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.metrics import score_with_interval
from lexiscope.evaluation.paired import Problem, differences, holm
from lexiscope.language_modelling.domain_text import DomainText
from lexiscope.language_modelling.train import TrainedModel

logger = logging.getLogger("lexiscope")

Floats = NDArray[np.float64]

RESAMPLES = "multi_task"
"""Names the bootstrap's resamples of test sentences: the same for all models."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a model did on the test part, after its best epoch.

    Attributes
    ----------
    model
        The trained model.
    weight
        Of the second loss.
    right
        Shape (n_sentences,): tokens whose domain it told.
    log_ranks
        Shape (n_sentences,): sum of the logarithms of its ranks of topical words at their places.
    """

    model: TrainedModel
    weight: float
    right: Floats
    log_ranks: Floats


def describe_runs(data: DomainText, runs: Sequence[Outcome], protocol: ProtocolConfig) -> dict[str, Any]:
    """What `lexiscope.language_modelling.multi_task.train_multi_task` writes."""
    text = data.text
    lengths = text.sentence_lengths("test").astype(np.float64)
    n_places = text.sums_of_sentences("test", data.topical_places.astype(np.float64))
    return {
        "domains": list(data.domains),
        "vocabulary_size": len(text),
        "tokens": {split: text.n_tokens(split) for split in text.splits},
        "majority": data.majority,
        "topical": {
            "words": {
                str(domain): data.topical_words_of(number) for number, domain in enumerate(data.domains)
            },
            "places": int(n_places.sum()),
            "sentences": int(np.count_nonzero(n_places)),
        },
        "runs": [_describe_run(run, lengths, n_places, protocol) for run in runs],
        "weights": _compare(runs, lengths, n_places, protocol),
    }


def _describe_run(
    run: Outcome, lengths: Floats, n_places: Floats, protocol: ProtocolConfig
) -> dict[str, Any]:
    model = run.model
    perplexity = score_with_interval(
        "perplexity", model.best_test_nats, lengths, protocol=protocol, name=RESAMPLES
    )
    return {
        "weight": run.weight,
        "seed": model.spec.seed,
        "best_epoch": model.best_epoch,
        "epochs": model.history,
        "perplexity": dict(zip(("value", "ci_low", "ci_high"), perplexity, strict=True)),
        "domain_accuracy": _ratio(run.right, lengths, protocol),
        "mean_log_rank": _ratio(run.log_ranks, n_places, protocol),
    }


def _ratio(sums: Floats, numbers: Floats, protocol: ProtocolConfig) -> dict[str, float | None] | None:
    """A mean over tokens with its interval over sentences; None without tokens."""
    if not numbers.any():
        return None

    def mean(counts: NDArray[np.int64]) -> Floats:
        drawn = counts @ numbers
        return np.where(drawn > 0, counts @ sums / np.maximum(drawn, 1), np.nan)

    low, high = percentile_interval(mean, len(sums), protocol=protocol, name=RESAMPLES)
    return {"value": float(sums.sum() / numbers.sum()), "ci_low": low, "ci_high": high}


def _compare(
    runs: Sequence[Outcome], lengths: Floats, n_places: Floats, protocol: ProtocolConfig
) -> list[dict[str, Any]]:
    weights = list(dict.fromkeys(run.weight for run in runs))
    sides = [[number for number, run in enumerate(runs) if run.weight == weight] for weight in weights]
    plain = weights.index(min(weights))
    against: dict[str, list[dict[str, Any] | None]] = {
        "perplexity": _differences(
            np.array([run.model.best_test_nats for run in runs]), lengths, sides, plain, protocol
        ),
        # The exponential of a mean logarithm, as perplexity is.
        "geometric_mean_rank": _differences(
            np.array([run.log_ranks for run in runs]), n_places, sides, plain, protocol
        ),
    }
    rows = []
    for number, weight in enumerate(weights):
        own = [runs[run] for run in sides[number]]
        row: dict[str, Any] = {
            "weight": weight,
            "seeds": [run.model.spec.seed for run in own],
            "perplexity": _mean_exp([run.model.best_test_nats for run in own], lengths),
            "domain_accuracy": float(np.mean([run.right.sum() / lengths.sum() for run in own])),
            "geometric_mean_rank": _mean_exp([run.log_ranks for run in own], n_places),
            "against": None,
        }
        if number != plain:
            row["against"] = {
                "weight": weights[plain],
                **{name: found[number] for name, found in against.items()},
            }
        rows.append(row)
        logger.info(
            "weight %g: perplexity %.2f, domain accuracy %.3f, geometric mean rank of topical words %s",
            weight,
            row["perplexity"],
            row["domain_accuracy"],
            row["geometric_mean_rank"],
        )
    return rows


def _mean_exp(sums: Sequence[Floats], numbers: Floats) -> float | None:
    """Mean over seeds of exp(mean over tokens)."""
    if not numbers.any():
        return None
    return float(np.mean([np.exp(own.sum() / numbers.sum()) for own in sums]))


def _differences(
    sums: Floats,
    numbers: Floats,
    sides: Sequence[Sequence[int]],
    plain: int,
    protocol: ProtocolConfig,
) -> list[dict[str, Any] | None]:
    """Each weight less the plain one in exp(mean over tokens), on the same resamples of sentences.

    ``sums`` has shape (n_runs, n_sentences), ``numbers`` (n_sentences,).
    """
    problem = Problem("perplexity", sums, numbers, np.ones(sums.shape, dtype=np.bool_))
    others = [number for number in range(len(sides)) if number != plain]
    pairs = [(number, plain) for number in others]
    found = differences(problem, sides, pairs, protocol=protocol, name=RESAMPLES)
    rows: list[dict[str, Any] | None] = [None] * len(sides)
    corrected = holm([difference.p_value for difference in found])
    for number, difference, p_holm in zip(others, found, corrected, strict=True):
        if not math.isfinite(difference.value):
            continue
        low, high = difference.interval(protocol.confidence)
        rows[number] = {
            "difference": difference.value,
            "ci_low": low,
            "ci_high": high,
            "p_value": difference.p_value,
            "p_holm": p_holm,
        }
    return rows
