"""What is told of domains: their words, how well they are apart, how they agree with true topics; a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

from lexiscope.analysis.maps import embed_in_plane
from lexiscope.domains.clustering import Round

TOP_TERMS, NAME_TERMS = 10, 3

SILHOUETTE_DOCUMENTS, MAP_DOCUMENTS, MAP_PERPLEXITY = 2000, 1000, 30.0
"""At most so many documents, drawn at random, make the silhouette and the map."""


def describe_round(
    found: Round, terms: Sequence[str], topics: Sequence[str | None], seed: int
) -> dict[str, Any]:
    """One record of ``iterations.json``.

    Parameters
    ----------
    found
        The round.
    terms
        Those of its TF–IDF matrix.
    topics
        The true topic of each document, None where it is not known.
    seed
        Of the sample for the silhouette.

    Returns
    -------
    ``iteration``, ``stability`` (None in round 0), ``rank``, ``documents`` (those with a label),
    ``confident_documents``, ``silhouette``; ``nmi`` and ``ari`` against the true topics over the
    ``with_topic`` documents that have one, and the same with ``confident_`` before; ``domains``: for each
    its ``id``, ``size``, ``confident_size``, ``top_terms``. None stands for what is not defined.
    """
    confident = np.bincount(found.labels[found.confident], minlength=len(found.centroids))
    words = top_terms(found.space.weights, found.labels, len(found.centroids), terms)
    return {
        "iteration": found.number,
        "stability": _rounded(found.stability),
        "rank": found.space.rank,
        "documents": int((found.labels >= 0).sum()),
        "confident_documents": int(found.confident.sum()),
        "silhouette": _rounded(silhouette(found.space.vectors, found.labels, seed)),
        **agreement(found.labels, topics, found.labels >= 0),
        **{
            f"confident_{key}": value
            for key, value in agreement(found.labels, topics, found.confident).items()
        },
        "domains": [
            {
                "id": domain,
                "size": int(size),
                "confident_size": int(confident[domain]),
                "top_terms": words[domain],
            }
            for domain, size in enumerate(found.sizes())
        ],
    }


def top_terms(
    weights: Any, labels: NDArray[np.int64], n_domains: int, terms: Sequence[str]
) -> list[list[str]]:
    """The terms by which each domain differs most from the documents of the others.

    They are ranked by mean TF–IDF in the domain minus mean TF–IDF outside, ties by alphabet; those for
    which this is not positive are left out.

    Parameters
    ----------
    weights
        scipy CSR, shape (n_documents, n_terms).
    labels
        Shape (n_documents,); negative ones count as outside.
    terms
        In alphabetical order.
    """
    n = len(labels)
    inside = np.flatnonzero(labels >= 0)
    indicator = csr_array((np.ones(len(inside)), (labels[inside], inside)), shape=(n_domains, n))
    sums = (indicator @ weights).toarray()
    total = np.asarray(weights.sum(axis=0)).ravel()
    sizes = np.bincount(labels[inside], minlength=n_domains)[:, None]
    contrast = sums / np.maximum(sizes, 1) - (total - sums) / np.maximum(n - sizes, 1)
    contrast = np.round(contrast, 9)  # what is equal but for rounding is a tie
    found: list[list[str]] = []
    for row, size in zip(contrast, sizes[:, 0], strict=True):
        order = np.argsort(-row, kind="stable")[:TOP_TERMS]
        found.append([terms[term] for term in order if size and row[term] > 0])
    return found


def name_of(words: Sequence[str]) -> str:
    """What a domain is called: its first terms."""
    return " ".join(words[:NAME_TERMS])


def silhouette(vectors: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float | None:
    """Mean silhouette (Rousseeuw 1987) by cosine distance over a sample; None where there is one label."""
    sample = draw(np.flatnonzero(labels >= 0), SILHOUETTE_DOCUMENTS, seed)
    if not 2 <= len(np.unique(labels[sample])) < len(sample):
        return None
    return float(silhouette_score(vectors[sample], labels[sample], metric="cosine"))


def agreement(
    labels: NDArray[np.int64], topics: Sequence[str | None], among: NDArray[np.bool_]
) -> dict[str, float | int | None]:
    """Normalised mutual information (arithmetic mean) and adjusted Rand index against the true topics.

    Only the documents marked in ``among`` count, and of these only those with a topic (``with_topic``).
    """
    known = np.array([topic is not None for topic in topics], dtype=bool) & among
    true = [topics[row] for row in np.flatnonzero(known).tolist()]
    if len(set(true)) < 2:
        return {"nmi": None, "ari": None, "with_topic": len(true)}
    return {
        "nmi": _rounded(float(normalized_mutual_info_score(true, labels[known]))),
        "ari": _rounded(float(adjusted_rand_score(true, labels[known]))),
        "with_topic": len(true),
    }


def main_topics(topics: Sequence[str | None], most: int = 3) -> dict[str, int]:
    """The most frequent true topics of some documents and in how many they occur."""
    counts = Counter(topic for topic in topics if topic is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


def map_domains(found: Round, topics: Sequence[str | None], seed: int) -> dict[str, Any]:
    """t-SNE of the latent space: the domains' centroids, and documents drawn at random.

    Returns
    -------
    ``domains``: ``id`` and ``xy`` of each; ``documents``: lists of equal length ``xy``, ``domain``,
    ``confident``, ``topic``; ``perplexity`` and ``kl_divergence`` of t-SNE.
    """
    ids = np.flatnonzero(found.sizes())
    sample = draw(np.flatnonzero(found.labels >= 0), MAP_DOCUMENTS, seed)
    vectors = np.vstack([found.centroids[ids], found.space.vectors[sample]]).astype(np.float32)
    points, facts = embed_in_plane(vectors, perplexity=MAP_PERPLEXITY, seed=seed, threads=1)
    return {
        "method": "t-SNE",
        "seed": seed,
        **facts,
        "domains": [
            {"id": int(domain), "xy": xy.tolist()} for domain, xy in zip(ids, points, strict=False)
        ],
        "documents": {
            "xy": points[len(ids) :].tolist(),
            "domain": found.labels[sample].tolist(),
            "confident": found.confident[sample].tolist(),
            "topic": [topics[row] for row in sample.tolist()],
        },
    }


def draw(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """``rows``, or of more than ``most`` so many at random, in ascending order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _rounded(value: float | None) -> float | None:
    # The last digits of a sum depend on the processor; six are more than anybody reads.
    return None if value is None else round(value, 6)
