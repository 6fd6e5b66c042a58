"""Training word2vec, fastText and GloVe: words a second, against the plain call of a library.

    python benchmarks/embedding_training.py [--words 200000] [--rounds 3] [--threads 1]

The text is generated (Zipf-distributed words, 25 a sentence). Ours starts from an encoded corpus, writes
the text that gensim and fastText read, and ends with the space on disk; the plain call starts from a text
file and ends with the trained model, with the same settings and one thread. GloVe has no maintained library
for sparse counts; mittens, which takes a dense matrix, trains until it has the loss that ours ends with, on
a vocabulary small enough for it. Contenders take turns, so that a busy machine slows all of them; medians
are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence
from mittens import GloVe as Mittens
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import build_lexicon
from lexiscope.corpora.vocabulary import EOS_ID, SPECIALS
from lexiscope.embeddings.config import GloVeConfig
from lexiscope.embeddings.cooccurrence import Cooccurrences, Grid, count_cooccurrences
from lexiscope.embeddings.fasttext import train_fasttext
from lexiscope.embeddings.glove import GloVe, fit, train_glove
from lexiscope.embeddings.word2vec import train_word2vec

SIZE, WINDOW, EPOCHS, BUCKET = 100, 5, 2, 50_000
GLOVE_EPOCHS, SMALL_VOCABULARY = 10, 1000
MOST_ITERATIONS = 2000


def write_text(path: Path, n_words: int, vocabulary: int = 8000) -> None:
    """Zipf-distributed words, each sentence with a preference for one of 40 topics."""
    random = np.random.default_rng(1)
    weights = (np.arange(vocabulary) + 2.7) ** -1.0
    topics = random.integers(40, size=vocabulary)
    names = [f"w{rank:x}" for rank in range(vocabulary)]
    with path.open("w", encoding="utf-8") as stream:
        per_topic = -(-n_words // (40 * 25))
        sentences = []
        for topic in range(40):
            preferred = weights * np.where(topics == topic, 10, 1)
            drawn = random.choice(vocabulary, (per_topic, 25), p=preferred / preferred.sum())
            sentences += [" ".join(names[word] for word in row) for row in drawn.tolist()]
        random.shuffle(sentences)
        stream.write("\n".join(sentences) + "\n")


def encode(folder: Path, text: Path, **settings: Any) -> Path:
    """Encode the text; returns the folder of the corpus."""
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0, **settings}
    encode_corpus(receipts=[], config=config, output=folder, seed=1, threads=1)
    return folder


class UntilAsGood(Mittens):
    """Mittens that stops when its mean loss per cell is at most ``target``."""

    def train_until(self, matrix: NDArray[np.float64], target: float) -> float:
        """Train; returns the loss per cell that was reached."""
        self.target = target * np.count_nonzero(matrix)
        with contextlib.suppress(StopIteration):
            self.fit(matrix)
        return float(self.errors[-1] / np.count_nonzero(matrix))

    def _progressbar(self, *_: object) -> None:
        if self.errors[-1] <= self.target:
            raise StopIteration


def dense(counts: Cooccurrences) -> NDArray[np.float64]:
    """The counts as one dense, symmetric matrix (in the order of the grid's positions)."""
    grid = counts.grid
    block = np.repeat(np.arange(grid.n_blocks**2), np.diff(counts.starts))
    rows = block // grid.n_blocks * grid.rows + counts.entries["row"]
    columns = block % grid.n_blocks * grid.rows + counts.entries["column"]
    matrix = np.zeros((grid.n_blocks * grid.rows, grid.n_blocks * grid.rows))
    matrix[rows, columns] = matrix[columns, rows] = np.exp(counts.entries["log_count"])
    at = grid.positions()
    return matrix[np.ix_(at, at)]


def take_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median wall time of each contender."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, function in contenders.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of Lexiscope's GloVe")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), options.words, options.rounds, options.threads)


def compare(folder: Path, n_words: int, rounds: int, threads: int) -> None:
    """Run all contenders and print the table."""
    text, output = folder / "text.txt", folder / "space.safetensors"
    write_text(text, n_words)
    corpus = encode(folder / "corpus", text)
    build_lexicon(corpus=corpus, size=5000, output=folder / "lexicon.tsv")
    shared: dict[str, Any] = {"corpus": "text", "vector_size": SIZE, "window": WINDOW}

    def ours(train: Callable[..., None], **config: Any) -> Callable[[], None]:
        return lambda: train(
            corpus=corpus,
            lexicon=folder / "lexicon.tsv",
            config={**shared, **config},
            output=output,
            seed=1,
            threads=threads,
        )

    def plain_word2vec() -> object:
        settings = {"vector_size": SIZE, "window": WINDOW, "epochs": EPOCHS, "sg": 1, "min_count": 1}
        return Word2Vec(sentences=LineSentence(str(text)), workers=1, **settings)

    def plain_fasttext() -> object:
        settings = {"dim": SIZE, "ws": WINDOW, "epoch": EPOCHS, "bucket": BUCKET, "minCount": 1}
        return fasttext.train_unsupervised(str(text), model="skipgram", thread=1, verbose=0, **settings)

    small = EncodedCorpus.open(encode(folder / "small", text, max_vocabulary=SMALL_VOCABULARY))
    small_config = GloVeConfig(kind="glove", **{**shared, "epochs": GLOVE_EPOCHS})
    counts = count_cooccurrences(
        small.shards("train"),
        first_word=len(SPECIALS),
        end_of_sentence=EOS_ID,
        grid=Grid.fitting(len(small.vocabulary) - len(SPECIALS), 8 * SIZE),
        window=WINDOW,
        memory_mb=256,
        directory=folder / "counts",
        source=small.sha256,
    )
    matrix = dense(counts)

    def fit_small() -> GloVe:
        model = GloVe.initial(counts.grid, SIZE, seed=1)
        fit(model, counts, small_config, seed=1, threads=threads)
        return model

    target = fit_small().losses[-1]  # also compiles what numba has to compile
    reached = []

    def plain_glove() -> None:
        model = UntilAsGood(n=SIZE, max_iter=MOST_ITERATIONS, learning_rate=0.05)
        reached.append(model.train_until(matrix, target))

    medians = take_turns(
        {
            "word2vec": ours(train_word2vec, kind="word2vec", epochs=EPOCHS),
            "gensim, LineSentence": plain_word2vec,
            "fasttext": ours(train_fasttext, kind="fasttext", epochs=EPOCHS, bucket=BUCKET),
            "fasttext.train_unsupervised": plain_fasttext,
            "glove": ours(train_glove, kind="glove", epochs=GLOVE_EPOCHS),
            "glove, small": fit_small,
            "mittens, small": plain_glove,
        },
        rounds,
    )
    print(f"{n_words} words, {SIZE} dimensions, window {WINDOW}, median of {rounds}")
    for mine, plain in (("word2vec", "gensim, LineSentence"), ("fasttext", "fasttext.train_unsupervised")):
        for contender in (mine, plain):
            speed, ratio = n_words * EPOCHS / medians[contender], medians[plain] / medians[contender]
            print(f"{contender:28} {medians[contender]:7.2f} s {speed / 1e3:9.0f} k words/s {ratio:6.2f} x")
    speed = n_words * GLOVE_EPOCHS / medians["glove"]
    print(f"{f'glove, {threads} thread(s)':28} {medians['glove']:7.2f} s {speed / 1e3:9.0f} k words/s")
    cells = GLOVE_EPOCHS * counts.n_cells / medians["glove, small"]
    print(
        f"GloVe of {SMALL_VOCABULARY} words to a loss of {target:.5f}: {medians['glove, small']:.2f} s "
        f"({cells / 1e6:.2f} M cells/s); mittens to {max(reached):.5f}: {medians['mittens, small']:.2f} s "
        f"({medians['mittens, small'] / medians['glove, small']:.1f} x as long)"
    )


if __name__ == "__main__":
    main()
