"""Encoding tokenised text: megabytes a second, against a plain Python loop that does the same.

    python benchmarks/corpus_encoding.py [--megabytes 100] [--rounds 3] [--path TEXT]

Both read the text, count words, order the vocabulary, and write the ids to disk. The text is generated
(word lengths and frequencies about as in English news) unless one is given: UTF-8, a tokenised sentence a
line. They take turns, so that a busy machine slows all of them; medians are compared.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus


def write_sample(path: Path, megabytes: float, seed: int = 1) -> None:
    """Write Zipf-distributed words, 25 a sentence on average; the frequent ones are short."""
    random = np.random.default_rng(seed)
    n_words = 200_000
    alphabet = np.array(list("etaoinshrdlcumwfgypbvk"))
    lengths = np.clip(random.normal(1.8 + 0.55 * np.log(np.arange(n_words) + 2), 1.5), 1, 18).astype(int)
    words = list(dict.fromkeys("".join(random.choice(alphabet, length)) for length in lengths))
    weights = (np.arange(len(words)) + 2.7) ** -1.12
    cumulative = np.cumsum(weights / weights.sum())
    with path.open("w", encoding="utf-8") as stream:
        while stream.tell() < megabytes * 1e6:
            tokens = [words[rank] for rank in np.searchsorted(cumulative, random.random(250_000)).tolist()]
            ends = [0, *np.cumsum(random.poisson(25, 9_000) + 1).tolist()]
            for start, stop in itertools.pairwise(ends):
                if start < len(tokens):
                    stream.write(" ".join(tokens[start:stop]) + "\n")


def encode_plainly(text: Path, output: Path, min_count: int) -> None:
    """Two passes, line by line, with a dictionary."""
    counts: Counter[str] = Counter()
    with text.open(encoding="utf-8") as stream:
        for line in stream:
            counts.update(line.split())
    kept = [(word, count) for word, count in counts.items() if count >= min_count]
    kept.sort(key=lambda item: (-item[1], item[0]))
    index = {word: number + 2 for number, (word, _) in enumerate(kept)}
    with text.open(encoding="utf-8") as stream, output.open("wb") as target:
        ids: list[int] = []
        for line in stream:
            ids.extend(index.get(word, 0) for word in line.split())
            ids.append(1)
            if len(ids) > 1_000_000:
                np.array(ids, dtype=np.uint32).tofile(target)
                ids.clear()
        np.array(ids, dtype=np.uint32).tofile(target)


def seconds(function: Callable[[], None]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--path", type=Path, help="a text of one's own")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = options.path or Path(folder) / "text.txt"
        if options.path is None:
            write_sample(text, options.megabytes)
        megabytes = text.stat().st_size / 1e6
        config = {"sources": [{"text": str(text), "tokenised": True}], "min_count": 3, "held_out": 0}

        def ours(threads: int) -> Callable[[], None]:
            output = Path(folder) / "encoded"
            return lambda: encode_corpus(receipts=[], config=config, output=output, seed=1, threads=threads)

        def plain() -> None:
            encode_plainly(text, Path(folder) / "plain.ids", min_count=3)

        contenders = {
            "plain Python loop": plain,
            "encode_corpus, 1 process": ours(1),
            f"encode_corpus, {options.threads} processes": ours(options.threads),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, function in contenders.items():
                times[name].append(seconds(function))
        corpus = EncodedCorpus.open(Path(folder) / "encoded")
        decoding = seconds(lambda: corpus.write_text("train", Path(folder) / "decoded.txt"))
        n_tokens = corpus.n_tokens("train")

    print(f"{megabytes:.1f} MB, {n_tokens / 1e6:.1f} M tokens, median of {options.rounds}")
    base = statistics.median(times["plain Python loop"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:28} {median:7.2f} s {megabytes / median:8.1f} MB/s {base / median:6.2f} x")
    print(f"{'write_text':28} {decoding:7.2f} s {n_tokens / decoding / 1e6:8.1f} M tokens/s")


if __name__ == "__main__":
    main()
