"""word2vec (Mikolov et al. 2013) as gensim trains it from a text file, without Python in the loop."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import SPECIALS
from lexiscope.embeddings.config import Word2VecConfig
from lexiscope.embeddings.distributional import save_trained_space, training_text
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry


@stage_entry
def train_word2vec(
    *, corpus: Path, lexicon: Path, config: dict[str, Any], output: Path, seed: int, threads: int
) -> None:
    """Train word2vec on an encoded corpus and write the space of the lexicon's words.

    Parameters
    ----------
    corpus, lexicon
        An encoded corpus (folder) and a lexicon (TSV).
    config
        A `Word2VecConfig` as JSON values.
    output
        The space to write. The text that gensim reads lies beside it while training.
    seed
        Same seed, same bytes, if the configuration is ``deterministic``.
    threads
        Used if it is not.

    Raises
    ------
    LexiscopeError
        If the corpus has no text, or none of the lexicon's words.

    Notes
    -----
    gensim reads batches of sentences until they have more than 10,000 words and trains on 10,000 of those
    that subsampling keeps. So with ``sample: 0`` it skips the end of the last sentence of each batch, about
    one word in a thousand; with subsampling no word is skipped.
    """
    output = Path(output)
    settings = Word2VecConfig.model_validate(config)
    source = EncodedCorpus.open(corpus)
    vocabulary = source.vocabulary
    words, counts = vocabulary.words[len(SPECIALS) :], vocabulary.counts[len(SPECIALS) :]
    n_words = int(counts.sum())
    model = Word2Vec(
        vector_size=settings.vector_size,
        window=settings.window,
        sg=int(settings.sg),
        hs=0,
        negative=settings.negative,
        ns_exponent=settings.ns_exponent,
        sample=settings.sample,
        alpha=settings.learning_rate,
        min_alpha=settings.min_learning_rate,
        epochs=settings.epochs,
        min_count=1,
        seed=seed,
        workers=1 if settings.deterministic else threads,
        hashfxn=_stable_hash,
    )
    model.build_vocab_from_freq(
        dict(zip(words, counts.tolist(), strict=True)), corpus_count=source.n_sentences("train")
    )
    with (
        training_text(source, output) as text,
        Progress("word2vec", total=settings.epochs * n_words, unit="word") as progress,
    ):
        n_kept, _ = model.train(
            corpus_file=str(text),
            total_words=n_words,
            epochs=settings.epochs,
            callbacks=[_EpochProgress(progress, n_words, settings.epochs)],
        )
    save_trained_space(
        model.wv.index_to_key,
        np.asarray(model.wv.vectors, dtype=np.float32),
        corpus=source,
        lexicon=lexicon,
        settings=settings,
        seed=seed,
        output=output,
        facts={"n_words_kept_by_subsampling": int(n_kept)},
    )


def _stable_hash(text: str) -> int:
    """A hash that is the same in every process, which Python's own is not."""
    return zlib.crc32(text.encode("utf-8"))


class _EpochProgress(CallbackAny2Vec):  # type: ignore[misc]
    """Tells of every epoch done; gensim reports nothing in between when it reads from a file."""

    def __init__(self, progress: Progress, words_per_epoch: int, epochs: int) -> None:
        self._progress, self._words, self._epochs = progress, words_per_epoch, epochs
        self._done = 0

    def on_epoch_end(self, model: Word2Vec) -> None:  # noqa: ARG002
        """Count one epoch."""
        self._done += 1
        self._progress.advance(self._words, note=f"epoch {self._done}/{self._epochs}")
