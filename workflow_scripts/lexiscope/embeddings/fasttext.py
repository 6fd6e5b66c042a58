"""fastText (Bojanowski et al. 2017) as its own library trains it: word vectors made of character n-grams.

The library takes no seed. Its random numbers start at the same place in every run, so one thread gives the
same vectors each time, whatever the seed of the study.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fasttext
import numpy as np

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import SPECIALS
from lexiscope.embeddings.config import FastTextConfig
from lexiscope.embeddings.distributional import save_trained_space, training_text
from lexiscope.progress import Progress, logger
from lexiscope.stage import stage_entry

# fastText takes words that start so for class labels; no word starts with a space.
NO_LABEL = " "


@stage_entry
def train_fasttext(
    *, corpus: Path, lexicon: Path, config: dict[str, Any], output: Path, seed: int, threads: int
) -> None:
    """Train fastText on an encoded corpus and write the space of the lexicon's words.

    Parameters
    ----------
    corpus, lexicon
        An encoded corpus (folder) and a lexicon (TSV).
    config
        A `FastTextConfig` as JSON values.
    output
        The space to write. The text that fastText reads lies beside it while training.
    seed
        Goes to the provenance alone, see above.
    threads
        Used unless the configuration is ``deterministic``.

    Raises
    ------
    LexiscopeError
        If the corpus has no text, or none of the lexicon's words.

    Notes
    -----
    fastText breaks a line after 1,024 words kept; no word is lost.
    """
    output = Path(output)
    settings = FastTextConfig.model_validate(config)
    source = EncodedCorpus.open(corpus)
    n_words = int(source.vocabulary.counts[len(SPECIALS) :].sum())
    workers = 1 if settings.deterministic else threads
    logger.info("fasttext: %d words × %d epochs, %d thread(s)", n_words, settings.epochs, workers)
    with (
        training_text(source, output) as text,
        Progress("fasttext", total=settings.epochs * n_words, unit="word") as progress,
    ):
        model = fasttext.train_unsupervised(
            str(text),
            model="skipgram" if settings.sg else "cbow",
            dim=settings.vector_size,
            ws=settings.window,
            epoch=settings.epochs,
            lr=settings.learning_rate,
            neg=settings.negative,
            t=settings.sample,
            minn=settings.min_n,
            maxn=settings.max_n,
            bucket=settings.bucket,
            minCount=1,
            label=NO_LABEL,
            thread=workers,
            # On a terminal fastText draws its own progress with words/s and time left.
            verbose=2 if sys.stderr.isatty() else 0,
        )
        progress.advance(settings.epochs * n_words)
    words = [word for word in model.get_words() if word not in SPECIALS]
    vectors = np.stack([model.get_word_vector(word) for word in words])
    save_trained_space(
        words,
        vectors,
        corpus=source,
        lexicon=lexicon,
        settings=settings,
        seed=seed,
        output=output,
        facts={"library_seed": "fixed"},
    )
