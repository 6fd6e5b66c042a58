"""Terms of documents, and the space of latent semantic analysis (Deerwester et al. 1990) over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from lexiscope.errors import LexiscopeError

TERM = r"(?<!\w)(?<!\w')([^\W\d_]{2,})(?:'s)?(?!\w)(?!'\w)"
"""A term: a word of two letters or more, without the ``'s`` at its end. Words with digits are none, nor are
other forms with an apostrophe (``don't``, ``we'll``), which tell as little as the stop words do."""

MIN_DOCUMENTS, MAX_SHARE = 2, 0.5
"""A term stands in two documents or more, and in no more than half of them."""

NO_DIRECTION = 1e-9
"""A document all but orthogonal to a latent space (its projection as a share of 1) has no place in it."""


@dataclass(frozen=True, eq=False)
class TermCounts:
    """How often each term stands in each document.

    Attributes
    ----------
    matrix
        scipy CSR, int64, shape (n_documents, n_terms).
    terms
        The terms, in alphabetical order.
    """

    matrix: Any
    terms: tuple[str, ...]

    def __getitem__(self, documents: NDArray[np.bool_]) -> TermCounts:
        return TermCounts(self.matrix[documents], self.terms)

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return int(self.matrix.shape[0])

    def n_different(self) -> NDArray[np.int64]:
        """How many different terms each document has, shape (n_documents,)."""
        return np.asarray(np.diff(self.matrix.indptr), dtype=np.int64)


def count_terms(texts: Iterable[str], max_terms: int) -> TermCounts:
    """Count the terms of documents, lower-cased, English stop words left out.

    Parameters
    ----------
    texts
        The documents.
    max_terms
        The most frequent so many are kept; of equally frequent ones the first in the alphabet.

    Raises
    ------
    LexiscopeError
        If fewer than two terms remain.
    """
    counter = CountVectorizer(token_pattern=TERM, stop_words="english")
    try:
        matrix = counter.fit_transform(texts).tocsr()
    except ValueError:  # "empty vocabulary"
        raise LexiscopeError(
            "the documents have no words (of two letters or more) but stop words"
        ) from None
    terms = counter.get_feature_names_out()
    in_documents = np.bincount(matrix.indices, minlength=len(terms))
    most = max(MIN_DOCUMENTS, MAX_SHARE * matrix.shape[0])
    usable = np.flatnonzero((in_documents >= MIN_DOCUMENTS) & (in_documents <= most))
    frequency = np.asarray(matrix.sum(axis=0)).ravel()[usable]
    kept = np.sort(usable[np.argsort(-frequency, kind="stable")[:max_terms]])
    if len(kept) < 2:
        raise LexiscopeError(
            f"the documents share {len(kept)} words that are no stop words: too few to compare them by",
            remedy="use more documents, or longer ones",
        )
    return TermCounts(matrix[:, kept], tuple(terms[kept].tolist()))


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """Documents in a latent space.

    Attributes
    ----------
    vectors
        float64, shape (n_documents, rank): of unit length, or zero for a document that has no direction (it
        shares no term with those that the space was made from).
    weights
        scipy CSR, float64, shape (n_documents, n_terms): TF–IDF, rows of unit length.
    """

    vectors: NDArray[np.float64]
    weights: Any

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return int(self.vectors.shape[1])

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Which documents have a direction, shape (n_documents,)."""
        return np.asarray(self.vectors.any(axis=1))


def latent_space(counts: TermCounts, rows: NDArray[np.bool_], rank: int, seed: int) -> LatentSpace:
    """Make a latent space from some of the documents, and place all of them in it.

    Term frequencies weigh as 1 + ln(count). Inverse document frequencies and singular vectors are those of
    the chosen rows. The decomposition is exact (ARPACK): the spectrum of text is flat, and the error of a
    randomised one changes the labels from round to round more than the documents do.

    Parameters
    ----------
    counts
        All documents.
    rows
        bool, shape (n_documents,): those that the space is made from.
    rank
        Dimensions; one less than the number of rows or terms at most.
    seed
        Of ARPACK's start.
    """
    weights = TfidfTransformer(sublinear_tf=True).fit(counts.matrix[rows]).transform(counts.matrix)
    possible = min(int(rows.sum()), len(counts.terms)) - 1
    svd = TruncatedSVD(min(rank, possible), algorithm="arpack", random_state=seed).fit(weights[rows])
    vectors = np.asarray(svd.transform(weights), dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    placed = norms > NO_DIRECTION
    return LatentSpace(np.where(placed, vectors / np.where(placed, norms, 1), 0.0), weights)
