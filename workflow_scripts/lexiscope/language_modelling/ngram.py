"""The 5-gram model on the restricted text of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.scores import Identity, write_evaluation
from lexiscope.files import write_json
from lexiscope.language_modelling.experiment import evaluation_of
from lexiscope.language_modelling.nnlm import BASELINE
from lexiscope.language_modelling.products import history_of, kneser_ney_model
from lexiscope.language_modelling.vocabulary import restricted_text
from lexiscope.stage import stage_entry

ORDER = 5

NO_SEED = 0
"""Stands in the scores of a model that nothing random goes into."""


@stage_entry
def count_ngrams(
    *,
    corpus: Path,
    vocabulary: Path,
    identity: Mapping[str, Any],
    protocol: Mapping[str, Any],
    scores: Path,
    items: Path,
    history: Path,
    max_tokens: int | None = None,
) -> None:
    """Count the 5-grams of a text, smoothed by Kneser and Ney's method, and score the model.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    vocabulary
        What `choose_vocabulary` wrote for it.
    identity
        Fields of `Identity` but for the seed.
    protocol
        Fields of `ProtocolConfig`.
    scores, items, history
        As `lexiscope.language_modelling.nnlm.train_nnlm` writes them, with one model.
    max_tokens
        As the other models of the experiment: count the n-grams of the first so many tokens only.

    Raises
    ------
    LexiscopeError
        If the corpus or the vocabulary cannot be read, or does not belong to the other.
    """
    rules = ProtocolConfig.model_validate(dict(protocol))
    text = restricted_text(corpus, vocabulary, max_tokens)
    who = Identity(**{**identity, "seed": NO_SEED})
    model = kneser_ney_model(text, who.space, ORDER)
    model = replace(model, spec=replace(model.spec, seed=NO_SEED))
    method = f"lm=kneser_ney order={ORDER}"
    if max_tokens is not None:
        method += f" max_tokens={max_tokens}"
    write_evaluation(evaluation_of(model, text, who, BASELINE, rules, method), scores, items)
    place = {"dataset": BASELINE, "space": who.space, "missing_words": 0}
    write_json(history, [{**history_of(model, text), **place}])
