"""The loop that finds domains: clusters, the least alike of them, confident documents, and again.

Source: Verwimp & Bellegarda 2019, section 3.1, which prints the steps but no sizes or thresholds.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from lexiscope.domains.config import DomainsConfig
from lexiscope.domains.latent import LatentSpace, TermCounts, latent_space
from lexiscope.errors import LexiscopeError

logger = logging.getLogger("lexiscope")

KMEANS_STARTS = 10

NO_DOMAIN = -1
"""The label of a document without a direction in the latent space."""


@dataclass(frozen=True, eq=False)
class Round:
    """One classification of all documents.

    Attributes
    ----------
    number
        From 0: the one against the domains of the clusters.
    space
        The latent space: in round 0 of all documents, later of those confident in the round before.
    centroids
        float64, shape (n_domains, rank): of unit length, zero for an empty domain.
    labels
        int64, shape (n_documents,): a domain or `NO_DOMAIN`.
    confident
        bool, shape (n_documents,).
    stability
        Adjusted Rand index of the labels against the last round's; None in round 0.
    """

    number: int
    space: LatentSpace
    centroids: NDArray[np.float64]
    labels: NDArray[np.int64]
    confident: NDArray[np.bool_]
    stability: float | None

    def sizes(self) -> NDArray[np.int64]:
        """Documents of each domain, shape (n_domains,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.centroids)).astype(np.int64)


def find_domains(counts: TermCounts, settings: DomainsConfig, seed: int) -> Iterator[Round]:
    """Yield rounds until the labels are stable, or there were ``max_iterations`` after round 0.

    A domain that no document is nearest to any more stays empty; domains keep their numbers.

    Parameters
    ----------
    counts
        Of documents that have terms.
    settings
        What `DomainsConfig` says of rank, clusters, domains, confidence, stability and iterations.
    seed
        Of k-means and of the decomposition.

    Raises
    ------
    LexiscopeError
        If there are fewer documents than clusters, the documents make fewer clusters than domains are
        wanted, or fewer than two domains have documents.
    """
    if counts.n_documents < settings.n_clusters:
        raise LexiscopeError(
            f"{counts.n_documents} documents cannot make {settings.n_clusters} clusters",
            where="domains.n_clusters",
            remedy="use more documents, or fewer clusters",
        )
    rows = np.ones(counts.n_documents, dtype=bool)
    space = latent_space(counts, rows, settings.rank, seed)
    if space.rank < settings.rank:
        logger.warning("the latent space has %d dimensions, not %d", space.rank, settings.rank)
    clusters = cluster(space.vectors, settings.n_clusters, seed)
    if len(clusters) < settings.n_domains:
        raise LexiscopeError(
            f"the documents make only {len(clusters)} different clusters, {settings.n_domains} domains are "
            "asked for",
            where="domains.n_domains",
            remedy="many documents may be alike; ask for fewer domains",
        )
    centroids = clusters[least_alike(clusters, settings.n_domains)]
    last: NDArray[np.int64] | None = None
    for number in range(settings.max_iterations + 1):
        if last is not None:
            space = latent_space(counts, rows, settings.rank, seed)
            centroids = centroids_of(space.vectors[rows], last[rows], len(centroids))
        labels, margins = classify(space, centroids)
        rows = most_confident(labels, margins, settings.confidence)
        stability = None if last is None else float(adjusted_rand_score(last, labels))
        found = Round(number, space, centroids, labels, rows, stability)
        if np.count_nonzero(found.sizes()) < 2:
            raise LexiscopeError(
                f"in round {number} all documents are of one domain",
                where="domains",
                remedy="use more clusters, more domains, or a larger share of confident documents",
            )
        yield found
        if stability is not None and stability >= settings.stability:
            return
        last = labels


def cluster(vectors: NDArray[np.float64], n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Centroids of k-means, the best of several k-means++ starts, scaled to unit length.

    Fewer than ``n_clusters`` come back where so many different documents are not there.

    Parameters
    ----------
    vectors
        Shape (n_documents, rank), of unit length or zero.

    Returns
    -------
    Shape (n_found, rank), the largest cluster first.
    """
    with warnings.catch_warnings():
        # "fewer distinct clusters than n_clusters": told below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(n_clusters, n_init=KMEANS_STARTS, random_state=seed).fit_predict(vectors)
    sizes = np.bincount(labels, minlength=n_clusters)
    if (sizes == 0).any():
        logger.warning("k-means found %d clusters, not %d", np.count_nonzero(sizes), n_clusters)
    centroids = centroids_of(vectors, labels, n_clusters)[np.argsort(-sizes, kind="stable")]
    return np.asarray(centroids[centroids.any(axis=1)])


def centroids_of(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], n_groups: int
) -> NDArray[np.float64]:
    """The mean direction of each group, shape (n_groups, rank), of unit length; zero for an empty group."""
    sums = np.zeros((n_groups, vectors.shape[1]))
    for group in range(n_groups):
        sums[group] = vectors[labels == group].sum(axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(norms > 0, sums / np.where(norms > 0, norms, 1), 0.0)


def least_alike(centroids: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Choose ``n`` centroids that are unlike one another.

    Greedy farthest-first choice: the pair with the lowest cosine, then each time the one whose highest
    cosine to a chosen one is lowest.

    Parameters
    ----------
    centroids
        Shape (n_clusters, rank), of unit length.

    Returns
    -------
    Their rows in ascending order, shape (n,).
    """
    cosines = centroids @ centroids.T
    np.fill_diagonal(cosines, np.inf)
    chosen = list(np.unravel_index(int(cosines.argmin()), cosines.shape))[:n]
    while len(chosen) < n:
        nearest = cosines[chosen].max(axis=0)
        nearest[chosen] = np.inf
        chosen.append(np.intp(nearest.argmin()))
    return np.sort(np.array(chosen, dtype=np.int64))


def classify(
    space: LatentSpace, centroids: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest domain of each document.

    Returns
    -------
    labels
        int64, shape (n_documents,).
    margins
        float64, shape (n_documents,): the cosine to that domain minus that to the next nearest.
    """
    cosines = space.vectors @ centroids.T
    cosines[:, ~centroids.any(axis=1)] = -np.inf
    labels = np.where(space.placed, cosines.argmax(axis=1), NO_DOMAIN)
    if np.isfinite(cosines).all(axis=0).sum() < 2:
        return labels, np.zeros(len(labels))
    two = np.partition(cosines, -2, axis=1)[:, -2:]
    return labels, np.asarray(two[:, 1] - two[:, 0])


def most_confident(
    labels: NDArray[np.int64], margins: NDArray[np.float64], share: float
) -> NDArray[np.bool_]:
    """Mark that share of each domain that has the largest margins (rounded up; of equal ones the first)."""
    chosen = np.zeros(len(labels), dtype=bool)
    for domain in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == domain)
        order = np.argsort(-margins[members], kind="stable")
        chosen[members[order[: int(np.ceil(share * len(members)))]]] = True
    return chosen
