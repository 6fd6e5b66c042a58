"""The bi-LSTM domain classifier of Verwimp & Bellegarda 2019 (section 2), and its embedding space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.encoded import SPLITS, Split
from lexiscope.devices import choose_device
from lexiscope.digests import code_digest
from lexiscope.domains.averages import SYMBOLS_AT_ONCE, save_averages
from lexiscope.domains.batches import Batch
from lexiscope.domains.bilstm import DomainClassifier
from lexiscope.domains.bilstm_training import Trainer, evaluate
from lexiscope.domains.config import DomainClassifierConfig
from lexiscope.domains.labelled_text import LabelledText
from lexiscope.domains.sequences import reading_batches
from lexiscope.files import digest_json, write_json
from lexiscope.language_models.numerics import reproducible
from lexiscope.stage import stage_entry

DEFINITION = (
    "states of the network that tells a text's domain at every word: forward after the text up to the "
    "word and with it, backward after the text from its end to the word and with it"
)


@stage_entry
def train_domain_classifier(
    *,
    labelled: Path,
    lexicon: Path | None = None,
    config: Mapping[str, Any],
    output: Path,
    checkpoint: Path,
    history: Path,
    seed: int,
    threads: int,
    device: str = "auto",
) -> None:
    """Train a bi-LSTM to tell domains, and write its states averaged over each word's occurrences.

    The network reads a whole paragraph (or sentence) and predicts its domain at every token from the
    forward and the backward state there. The weights of the epoch with the least validation loss are used.
    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many threads
    the products are the same.

    Parameters
    ----------
    labelled
        Folder of labelled texts.
    lexicon
        Words of the space; by default all of the vocabulary.
    config
        A `DomainClassifierConfig`, as a mapping.
    output
        The space to write, last of all: the average runs over the training part. Column ``count``.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    history
        The JSON list to write. One record an epoch: ``epoch``, ``step``, ``tokens`` read so far,
        ``train_loss`` (with dropout) and ``valid_loss`` (nats per token), ``valid_token_accuracy``,
        ``valid_text_accuracy`` (a text is a paragraph or sentence, its domain the one with the highest mean
        log-probability over its tokens), ``tokens_per_second`` of training, ``seconds`` since the start.
        The last record has ``event: final``, these figures for ``valid`` and ``test`` with the weights
        used, ``…_token_majority`` and ``…_text_majority`` (accuracy of always telling the domain that is
        most frequent in the training part), and the number of texts and tokens of every domain by part.
    seed, threads, device
        Seed of weights, dropout and batches; CPU threads; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If a part is missing, empty or damaged, the training part has one domain only, training diverges,
        or no word of the lexicon occurs.
    """
    settings = DomainClassifierConfig.model_validate(config)
    text = LabelledText.read(
        Path(labelled),
        settings.level,
        vocabulary_size=settings.vocabulary_size,
        max_length=settings.max_length,
        max_tokens=settings.max_tokens,
        seed=seed,
    )
    recipe = settings.model_dump(mode="json", exclude={"checkpoint_minutes", "threads", "seed", "seeds"})
    identity = digest_json([recipe, text.sha256, seed, code_digest(Path(__file__)), torch.__version__])
    unfinished = Checkpoint(Path(checkpoint), identity)
    place = choose_device(device)
    with reproducible(place, seed, threads):
        task = Classification(settings, text, place)
        trainer = Trainer(task, settings, seed, [], unfinished)
        trainer.run()
        final: dict[str, Any] = {"event": "final", "best_epoch": trainer.state.best_epoch}
        for part in SPLITS[1:]:
            final |= evaluate(task, part) | task.majority(part)
        final["domains"] = task.domain_counts()
        write_json(history, [*trainer.state.history, final])
        provenance = {
            "kind": settings.kind,
            "definition": DEFINITION,
            "corpus": text.sha256,
            "seed": seed,
            "config": recipe,
            "casing": text.casing,
            "n_domains": len(text.domains),
            "test_token_accuracy": final["test_token_accuracy"],
            "test_text_accuracy": final["test_text_accuracy"],
        }
        save_averages(
            task.model,
            task.text,
            text.words,
            settings,
            lexicon=lexicon,
            provenance=provenance,
            output=output,
        )
    unfinished.remove()


class Classification:
    """Telling the domain of texts: a `lexiscope.domains.bilstm_training.Task`."""

    name = "domain classifier"

    def __init__(self, config: DomainClassifierConfig, text: LabelledText, device: torch.device) -> None:
        self.parts, self.text, self.domains = text.parts, text.parts["train"], text.domains
        self.model = DomainClassifier(config, len(text.words), len(text.domains)).to(device)

    def loss(self, batch: Batch) -> Tensor:
        """Mean negative log-probability of a token's domain, in nats."""
        labels = self.text.labels[self.text.texts[batch.rows]]
        return self.model.loss(batch, batch.by_symbol(labels))

    def evaluate(self, part: Split) -> dict[str, float]:
        """Mean loss of a token, and the shares of tokens and of texts whose domain is told rightly."""
        text, device = self.parts[part], self.model.device
        totals = torch.zeros(text.n_texts, len(self.domains), dtype=torch.float64, device=device)
        loss, right = 0.0, 0
        for rows in reading_batches(text, SYMBOLS_AT_ONCE):
            batch = Batch.of(text, rows, device)
            found = self.model.log_probabilities(batch)  # (n, n_domains)
            texts = text.texts[batch.rows]
            labels = batch.by_symbol(text.labels[texts])
            loss -= float(found.gather(1, labels[:, None]).double().sum())
            right += int((found.argmax(1) == labels).sum())
            totals.index_add_(0, batch.by_symbol(texts), found.double())
        told = totals.argmax(1).cpu().numpy()
        return {
            "loss": loss / text.n_tokens,
            "token_accuracy": right / text.n_tokens,
            "text_accuracy": float(np.mean(told == text.labels)),
        }

    def counts(self, part: Split) -> dict[str, NDArray[np.int64]]:
        """Numbers of texts and of tokens of each domain."""
        text, size = self.parts[part], len(self.domains)
        tokens = np.zeros(size, dtype=np.int64)
        np.add.at(tokens, text.labels[text.texts], text.lengths)
        return {"text": np.bincount(text.labels, minlength=size), "token": tokens}

    def majority(self, part: Split) -> dict[str, float]:
        """Accuracy on a part of always telling the most frequent domain of the training part."""
        train, here = self.counts("train"), self.counts(part)
        return {
            f"{part}_{unit}_majority": float(here[unit][train[unit].argmax()] / here[unit].sum())
            for unit in ("token", "text")
        }

    def domain_counts(self) -> list[dict[str, Any]]:
        """For each domain its number, and texts and tokens by part."""
        counts = {f"{part}_{unit}s": found for part in SPLITS for unit, found in self.counts(part).items()}
        return [
            {"domain": domain, **{name: int(found[row]) for name, found in counts.items()}}
            for row, domain in enumerate(self.domains)
        ]
