"""Embeddings that were trained for other tasks as the input of a small LSTM language model.

The experiments of Verwimp & Bellegarda (2019), Table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexiscope.errors import LexiscopeError
from lexiscope.language_modelling.config import ReverseTransferConfig
from lexiscope.language_modelling.experiment import (
    Entry,
    Products,
    Tables,
    describe_method,
    train_and_write,
)
from lexiscope.language_modelling.model_store import ModelStore
from lexiscope.language_modelling.rank_probe import NO_SPACE
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_modelling.vocabulary import restricted_text
from lexiscope.stage import stage_entry

DATASET = "lstm_lm"

COMPRESSED = f"{DATASET}_compressed"
"""The dataset, in the scores, of models with a compression layer on pre-trained vectors."""


@stage_entry
def train_reverse_transfer(
    *,
    corpus: Path,
    vocabulary: Path,
    spaces: Mapping[str, Path],
    with_none: bool,
    config: Mapping[str, Any],
    identities: Mapping[str, Mapping[str, Any]],
    protocol: Mapping[str, Any],
    scores: Path,
    items: Path,
    history: Path,
    models: Path,
    checkpoint: Path,
    threads: int,
    device: str = "auto",
) -> None:
    """Train language models with the vectors of each space as input, and score and keep them.

    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many threads
    scores, items and models are then the same to the byte.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    vocabulary
        What `choose_vocabulary` wrote for it.
    spaces
        The spaces that are put into models, by name.
    with_none
        Whether to train the model without pre-trained vectors too.
    config
        A `ReverseTransferConfig`, as a mapping.
    identities
        Fields of `Identity` but for the seed, by space; ``(none)`` is without pre-trained vectors.
    protocol
        Fields of `ProtocolConfig`.
    scores, items
        The two Parquet files to write: the task is ``language_modelling``; the dataset ``lstm_lm``, or
        ``lstm_lm_compressed`` with a compression layer on pre-trained vectors; splits as `scores_of` has
        them, items those of ``test``.
    history
        As `lexiscope.language_modelling.nnlm.train_nnlm` writes it.
    models
        The folder to write, with the models after their last epoch, as `ModelStore` does.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    threads, device
        CPU threads; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If there is no model to train, a file cannot be read, or training diverges.
    """
    settings = ReverseTransferConfig.model_validate(config)
    if not spaces and not with_none:
        raise LexiscopeError("there are no spaces to put into language models")
    text = restricted_text(corpus, vocabulary, settings.max_tokens)
    train_and_write(
        text,
        _entries(spaces, with_none, text, settings),
        settings,
        identities=identities,
        protocol=protocol,
        products=Products(scores, items, history),
        checkpoint=Path(checkpoint) / "reverse_transfer",
        threads=threads,
        device=device,
        store=ModelStore(models, text.words, Settings.of(settings)),
    )


def plain_spec(config: ReverseTransferConfig, seed: int) -> ModelSpec:
    """The model without pre-trained vectors: its words pass the compression layer one-hot."""
    return ModelSpec(
        f"{DATASET} {NO_SPACE} {seed}", "trainable", "trainable", compression=config.compression, seed=seed
    )


def _entries(
    spaces: Mapping[str, Path], with_none: bool, text: RestrictedText, config: ReverseTransferConfig
) -> list[Entry]:
    layer = f"compression={config.compression}"
    entries = []
    if with_none:
        method = describe_method("lstm", config, "embeddings=none", layer)
        entries += [Entry(plain_spec(config, seed), DATASET, NO_SPACE, method) for seed in config.seeds]
    tables = Tables(spaces, text, config)
    chosen = {"without": (False,), "with": (True,), "both": (False, True)}[config.compressed]
    for space in spaces:
        for compressed in chosen:
            dataset = COMPRESSED if compressed else DATASET
            method = describe_method(
                "lstm",
                config,
                f"embeddings={config.embeddings}",
                layer if compressed else "compression=none",
            )
            for seed in config.seeds:
                table = tables.of(space, seed)
                spec = ModelSpec(
                    f"{dataset} {space} {seed}",
                    config.embeddings,
                    "trainable",
                    table=table.vectors,
                    compression=config.compression if compressed else None,
                    seed=seed,
                )
                entries.append(Entry(spec, dataset, space, method, table.n_missing))
    return entries
