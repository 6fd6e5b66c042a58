"""Frozen embeddings at the input, the output or both ends of an LSTM language model.

The experiments of Derby, Miller & Devereux (2020), section 5 and Table 4, and the models with trained
tables on the same vocabulary that their perplexities are held against.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.config import NNLMConfig
from lexiscope.language_modelling.experiment import (
    Entry,
    Products,
    Tables,
    describe_method,
    train_and_write,
)
from lexiscope.language_modelling.settings import Input, ModelSpec, Output
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.vocabulary import restricted_text
from lexiscope.stage import stage_entry

Kind = Literal["nnlm_in", "nnlm_out", "nnlm_tied", "untied", "tied"]

BASELINE = "nnlm_baseline"
"""The dataset, in the scores, of models without pre-trained vectors."""

FORMS: Mapping[Kind, tuple[Input, Output, bool]] = {
    "nnlm_in": ("frozen", "trainable", True),
    "nnlm_out": ("trainable", "frozen", False),
    "nnlm_tied": ("frozen", "tied", False),
    "untied": ("trainable", "trainable", True),
    "tied": ("trainable", "tied", True),
}
"""Input, output, and whether the softmax has a bias. A frozen softmax has none (Derby et al. 2020)."""


@stage_entry
def train_nnlm(
    *,
    corpus: Path,
    vocabulary: Path,
    kind: Kind,
    spaces: Mapping[str, Path],
    config: Mapping[str, Any],
    identities: Mapping[str, Mapping[str, Any]],
    protocol: Mapping[str, Any],
    scores: Path,
    items: Path,
    history: Path,
    checkpoint: Path,
    threads: int,
    device: str = "auto",
) -> None:
    """Train the models of one kind, of all spaces and seeds, and score them.

    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many threads
    scores and items are then the same to the byte.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    vocabulary
        What `choose_vocabulary` wrote for it.
    kind
        ``nnlm_in``, ``nnlm_out``, ``nnlm_tied``; or ``untied``, ``tied``: without pre-trained vectors.
    spaces
        The spaces that are put into models, by name; none for ``untied`` and ``tied``.
    config
        An `NNLMConfig`, as a mapping.
    identities
        Fields of `Identity` but for the seed, by space; a baseline is called ``(untied)`` or ``(tied)``.
    protocol
        Fields of `ProtocolConfig`.
    scores, items
        The two Parquet files to write: the task is ``language_modelling``, the dataset the kind, or
        ``nnlm_baseline``; splits as `scores_of` has them, items those of ``test``.
    history
        The JSON list to write: of each model what `history_of` tells, its ``dataset`` and ``space``, and
        how many ``missing_words`` the space lacks.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    threads, device
        CPU threads; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If a file cannot be read, the spaces do not fit the kind, or training diverges.
    """
    settings = NNLMConfig.model_validate(config)
    if kind not in get_args(Kind):
        raise LexiscopeError(f"unknown kind of model {kind!r}", remedy=f"known are {', '.join(FORMS)}")
    if bool(spaces) != (kind not in ("untied", "tied")):
        wants = "needs no spaces" if spaces else "needs at least one space"
        raise LexiscopeError(f"a model of the kind {kind!r} {wants}")
    text = restricted_text(corpus, vocabulary, settings.max_tokens)
    train_and_write(
        text,
        _entries(kind, spaces, text, settings),
        settings,
        identities=identities,
        protocol=protocol,
        products=Products(scores, items, history),
        checkpoint=Path(checkpoint) / kind,
        threads=threads,
        device=device,
    )


def spec_of(kind: Kind, name: str, table: NDArray[np.float32] | None, seed: int) -> ModelSpec:
    """The model of a kind; ``table`` has shape (V, d) and is None for the two baselines."""
    at_input, at_output, bias = FORMS[kind]
    return ModelSpec(name, at_input, at_output, table=table, output_bias=bias, seed=seed)


def _entries(
    kind: Kind, spaces: Mapping[str, Path], text: RestrictedText, config: NNLMConfig
) -> list[Entry]:
    method = describe_method(kind, config)
    tables = Tables(spaces, text, config)
    entries = []
    for space in spaces or [f"({kind})"]:
        for seed in config.seeds:
            table = tables.of(space, seed) if spaces else None
            entries.append(
                Entry(
                    spec=spec_of(
                        kind, f"{kind} {space} {seed}", None if table is None else table.vectors, seed
                    ),
                    dataset=kind if spaces else BASELINE,
                    space=space,
                    method=method,
                    n_missing=0 if table is None else table.n_missing,
                )
            )
    return entries
