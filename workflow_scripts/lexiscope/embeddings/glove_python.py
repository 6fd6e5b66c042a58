"""GloVe by the package glove-python-binary, which Derby et al. (2020) used.

A program of its own: the package has wheels for Python 3.6 to 3.8 only, so this file runs in the
environment of ``envs/glove.yaml``, without Lexiscope and Snakemake. It reads an encoded
corpus and writes the vectors of its whole vocabulary as a ``.npy`` matrix, of which
`lexiscope.embeddings.glove.adopt_glove_python` makes a space.

The package's model is not GloVe as published: words and contexts share one matrix, a word is not counted
beside itself, and the loss of a cell is clipped.

    python glove_python.py --corpus FOLDER --config JSON --seed 1 --threads 1 --output vectors.npy
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

# As in lexiscope.corpora: ids 0 and 1 are <unk> and </s>, words come after.
EOS_ID, FIRST_WORD_ID = 1, 2


def sentences(corpus: Path) -> Iterator[list[int]]:
    """The words of each training sentence, numbered from 0; words outside the vocabulary are left out."""
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    for shard in manifest["splits"]["train"]["shards"]:
        ids = np.load(str(corpus / shard["file"]), mmap_mode="r")
        start = 0
        for end in np.flatnonzero(ids == EOS_ID).tolist():
            sentence = ids[start:end].astype(np.int64)
            yield (sentence[sentence >= FIRST_WORD_ID] - FIRST_WORD_ID).tolist()
            start = end + 1


def train(corpus: Path, config: dict[str, Any], seed: int, threads: int) -> np.ndarray:
    """Train the package's model.

    Parameters
    ----------
    config
        A `lexiscope.embeddings.config.GloVeConfig` as JSON values.
    threads
        Used unless the configuration is ``deterministic``.

    Returns
    -------
    numpy.ndarray
        float32, shape (n_words, vector_size), in the order of the vocabulary.
    """
    from glove import Corpus, Glove  # type: ignore[import-not-found]

    with (corpus / "vocabulary.tsv").open(encoding="utf-8", newline="\n") as lines:
        n_words = sum(1 for _ in lines) - FIRST_WORD_ID
    counts = Corpus(dictionary={word: word for word in range(n_words)})
    counts.fit(sentences(corpus), window=config["window"])
    model = Glove(
        no_components=config["vector_size"],
        learning_rate=config["learning_rate"],
        alpha=config["alpha"],
        max_count=config["x_max"],
        random_state=seed,
    )
    model.fit(
        counts.matrix,
        epochs=config["epochs"],
        no_threads=1 if config["deterministic"] else threads,
        verbose=True,
    )
    return np.asarray(model.word_vectors, dtype=np.float32)


def main() -> None:
    """Train as the command line says; the vectors appear under their name only when they are whole."""
    parser = argparse.ArgumentParser(description="Train GloVe with glove-python-binary.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--config", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    # Python looks for modules beside the program first, and there is a glove.py there.
    here = Path(__file__).resolve().parent
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != here]
    vectors = train(given.corpus, given.config, given.seed, given.threads)
    part = given.output.with_name("." + given.output.name + ".part")
    with part.open("wb") as stream:
        np.save(stream, vectors)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(str(part), str(given.output))


if __name__ == "__main__":
    main()
