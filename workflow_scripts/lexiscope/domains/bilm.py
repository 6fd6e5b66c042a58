"""The bi-LSTM language model of Verwimp & Bellegarda 2019 (section 2), and its embedding space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lexiscope.checkpoints import Checkpoint
from lexiscope.corpora.encoded import SPLITS, EncodedCorpus, Split
from lexiscope.devices import choose_device
from lexiscope.digests import code_digest
from lexiscope.domains.averages import SYMBOLS_AT_ONCE, save_averages
from lexiscope.domains.batches import Batch
from lexiscope.domains.bilstm import BiLanguageModel
from lexiscope.domains.bilstm_training import Trainer, evaluate
from lexiscope.domains.config import BiLMConfig
from lexiscope.domains.sequences import reading_batches, sentences_of
from lexiscope.files import digest_json, write_json
from lexiscope.language_modelling.text import RestrictedText
from lexiscope.language_models.numerics import reproducible
from lexiscope.language_models.softmax import SampledSoftmax
from lexiscope.stage import stage_entry

FULL_SOFTMAX_WORDS = 4096
"""Up to so many words training uses the full softmax, else the sampled one."""

N_SAMPLES = 1024
"""Words drawn for a batch by the sampled softmax, beside the batch's own."""

DEFINITION = (
    "states of a forward and a backward language model of sentences: forward after reading the sentence up "
    "to the word and with it, backward after reading it from its end to the word and with it"
)


@stage_entry
def train_bilm(
    *,
    corpus: Path,
    lexicon: Path | None = None,
    config: Mapping[str, Any],
    output: Path,
    checkpoint: Path,
    history: Path,
    seed: int,
    threads: int,
    device: str = "auto",
) -> None:
    """Train a forward and a backward language model, and write their states averaged over each word.

    Both read sentence by sentence, each from a fresh state, and share embedding and softmax. The state that
    predicts a word has not read it. The weights of the epoch with the least validation loss are used.
    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many threads
    the products are the same.

    Parameters
    ----------
    corpus
        Folder of the encoded corpus.
    lexicon
        Words of the space; by default all of the vocabulary.
    config
        A `BiLMConfig`, as a mapping.
    output
        The space to write, last of all: the average runs over the training text. Column ``count``.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    history
        The JSON list to write. One record an epoch: ``epoch``, ``step``, ``tokens`` read so far,
        ``train_loss`` (as optimised) and ``valid_loss`` (nats per token, mean of both directions),
        ``valid_forward_perplexity`` and ``valid_backward_perplexity`` (full softmax; over all tokens,
        ``</s>`` included), ``tokens_per_second`` of training, ``seconds`` since the start. The last record
        has ``event: final`` and these figures for ``valid`` and ``test`` with the weights used.
    seed, threads, device
        Seed of weights, dropout, samples and batches; CPU threads; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If a part of the corpus is empty, training diverges, or no word of the lexicon occurs.
    """
    settings = BiLMConfig.model_validate(config)
    data = EncodedCorpus.open(corpus)
    text = RestrictedText.build(data, size=settings.vocabulary_size, max_tokens=settings.max_tokens)
    recipe = settings.model_dump(mode="json", exclude={"checkpoint_minutes", "threads", "seed", "seeds"})
    identity = digest_json([recipe, data.sha256, seed, code_digest(Path(__file__)), torch.__version__])
    unfinished = Checkpoint(Path(checkpoint), identity)
    place = choose_device(device)
    with reproducible(place, seed, threads):
        task = SentenceModelling(settings, text, place)
        sparse = [task.model.softmax_weight, task.model.softmax_bias] if task.sampled else []
        trainer = Trainer(task, settings, seed, sparse, unfinished)
        trainer.run()
        final: dict[str, Any] = {"event": "final", "best_epoch": trainer.state.best_epoch}
        for part in SPLITS[1:]:
            final |= evaluate(task, part)
        write_json(history, [*trainer.state.history, final])
        provenance = {
            "kind": settings.kind,
            "definition": DEFINITION,
            "corpus": data.sha256,
            "seed": seed,
            "config": recipe,
            "casing": data.manifest["casing"],
            "softmax": "sampled" if task.sampled else "full",
            "test_forward_perplexity": final["test_forward_perplexity"],
            "test_backward_perplexity": final["test_backward_perplexity"],
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


class SentenceModelling:
    """Predicting the words of sentences both ways: a `lexiscope.domains.bilstm_training.Task`."""

    name = "bi-LSTM language model"

    def __init__(self, config: BiLMConfig, text: RestrictedText, device: torch.device) -> None:
        self.parts = {split: sentences_of(text.splits[split], config.max_length) for split in SPLITS}
        self.text = self.parts["train"]
        self.model = BiLanguageModel(config, len(text)).to(device)
        self.sampled = None
        if len(text) > FULL_SOFTMAX_WORDS:
            counts = np.bincount(text.splits["train"], minlength=len(text))
            self.sampled = SampledSoftmax(counts, N_SAMPLES, device)

    def loss(self, batch: Batch) -> Tensor:
        """Mean negative log-probability of a word over both directions, in nats."""
        return self.model.loss(batch, self.sampled)

    def evaluate(self, part: Split) -> dict[str, float]:
        """Mean loss of a word over both directions, and the perplexity of each."""
        text = self.parts[part]
        totals = np.zeros(2)
        for rows in reading_batches(text, SYMBOLS_AT_ONCE):
            totals += self.model.total_losses(Batch.of(text, rows, self.model.device))
        forward, backward = (totals / text.n_tokens).tolist()
        return {
            "loss": (forward + backward) / 2,
            "forward_perplexity": math.exp(forward),
            "backward_perplexity": math.exp(backward),
        }
