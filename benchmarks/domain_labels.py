"""Domain labels against scikit-learn's text-clustering example, on 20 Newsgroups.

    python benchmarks/domain_labels.py <folder with 20newsgroups/> [--seeds 1 2 3 4 5]
        [--dataset 20newsgroups]

Both get the same documents (header, signature and quotations removed by the project's reader) and as many
clusters as there are topics; all of them are kept as domains. The example is
``TfidfVectorizer(max_df=0.5, min_df=5, stop_words="english")``, ``TruncatedSVD(100)``, ``Normalizer``,
``KMeans(n_init=1, max_iter=100)``, as in "Clustering text documents using k-means" of its gallery.

Normalised mutual information with the true topics is given over all documents (those that the project
leaves out for want of words count as a cluster of their own) and over those that the project labels; the
adjusted Rand index (ARI) over all. Seconds are CPU time, the reading of documents not counted. The last
column is the project's stability: the ARI of its last labels against those of the round before.

The project's settings are the defaults. They were chosen with seeds 11 and 12, on every second document
and on Reuters-21578, never with the seeds that are reported.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.data.prepare import take_stock
from lexiscope.domains.clustering import NO_DOMAIN, Round, find_domains
from lexiscope.domains.config import DomainsConfig
from lexiscope.domains.documents import read_dataset
from lexiscope.domains.latent import count_terms


def example(texts: list[str], n_clusters: int, seed: int) -> np.ndarray:
    pipeline = make_pipeline(
        TfidfVectorizer(max_df=0.5, min_df=5, stop_words="english"),
        TruncatedSVD(n_components=100, random_state=seed),
        Normalizer(copy=False),
    )
    clusters = KMeans(n_clusters, n_init=1, max_iter=100, random_state=seed)
    return clusters.fit_predict(pipeline.fit_transform(texts))


def domains(texts: list[str], settings: DomainsConfig, seed: int) -> tuple[np.ndarray, list[Round]]:
    counts = count_terms(texts, settings.max_terms)
    used = counts.n_different() >= settings.min_words
    rounds = list(find_domains(counts[used], settings, seed))
    labels = np.full(len(texts), NO_DOMAIN)
    labels[used] = rounds[-1].labels
    return labels, rounds


def row(name: object, *values: float) -> None:
    print(f"{name!s:>6}" + "".join(f"{value:>12.4g}" for value in values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--dataset", default="20newsgroups", choices=["20newsgroups", "reuters21578"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    receipt = take_stock(arguments.dataset, "mirror", arguments.data)
    documents = list(read_dataset(receipt, Counter()))
    texts = [document.text for document in documents]
    n_topics = len({document.topic for document in documents if document.topic})
    n_clusters = min(n_topics, 20)
    known = np.array([document.topic is not None for document in documents])
    topics = np.array([document.topic or "" for document in documents])
    settings = DomainsConfig.model_validate(
        {"documents": arguments.dataset, "n_clusters": n_clusters, "n_domains": n_clusters}
    )
    print(f"{len(texts)} documents, {known.sum()} with one of {n_topics} topics; {n_clusters} clusters")
    columns = ["all:theirs", "all:ours", "used:theirs", "used:ours", "ARI:theirs", "ARI:ours"]
    columns += ["s:theirs", "s:ours", "rounds", "stability"]
    print(f"{'seed':>6}" + "".join(f"{column:>12}" for column in columns))
    rows: list[list[float]] = []
    for seed in arguments.seeds:
        started = time.process_time()
        theirs = example(texts, n_clusters, seed)
        between = time.process_time()
        ours, rounds = domains(texts, settings, seed)
        ended = time.process_time()
        values: list[float] = []
        for among in (known, known & (ours != NO_DOMAIN)):
            values += [
                normalized_mutual_info_score(topics[among], labels[among]) for labels in (theirs, ours)
            ]
        values += [adjusted_rand_score(topics[known], labels[known]) for labels in (theirs, ours)]
        values += [between - started, ended - between, rounds[-1].number, rounds[-1].stability or 0.0]
        row(seed, *values)
        rows.append(values)
    row("mean", *(statistics.mean(column) for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
