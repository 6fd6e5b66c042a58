"""Controls made from another space: centred, without its strongest directions, or reduced to a few.

What is estimated from the vectors (mean, covariance, principal components) is estimated in float64 on
one thread, so that the same space gives the same bytes on any number of cores; rows pass in blocks, so
that a whole vocabulary needs no second copy in float64.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from scipy.linalg import eigh
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from lexiscope.embeddings.config import AllButTheTopConfig, CentredConfig, PCAConfig
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import digest_json, sha256_file
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

TransformConfig = CentredConfig | AllButTheTopConfig | PCAConfig

WORD_COLUMNS = ("bias", "count", "row")
"""Columns that belong to the word whatever its vector; others, such as a certificate, judge the old one."""

INHERITED = ("corpus", "seed", "casing", "n_words_before_lexicon")
"""Provenance that holds for the new space as it held for the old one."""

BLOCK_ROWS = 8192

_CONFIG: TypeAdapter[TransformConfig] = TypeAdapter(Annotated[TransformConfig, Field(discriminator="kind")])


@stage_entry
def transform_space(*, space: Path, config: dict[str, Any], output: Path) -> None:
    """Write a space that is a linear function of another one.

    Columns of the source that belong to the words (``count``, ``bias``, ``row``) are kept.

    Parameters
    ----------
    space
        The space to change.
    config
        A `CentredConfig`, `AllButTheTopConfig` or `PCAConfig` as JSON values.
    output
        The space to write. Its provenance has that of the source under ``source``, and for ``pca`` the
        ``variance_kept`` (a share), for ``all_but_the_top`` the ``variance_removed``.

    Raises
    ------
    LexiscopeError
        If the source lacks the column that weighs its words, or has fewer components than are asked for.
    """
    settings = _CONFIG.validate_python(config)
    source = load_space(space)
    with threadpool_limits(limits=1):
        match settings:
            case CentredConfig():
                vectors, facts = _centre(source, settings, space)
            case AllButTheTopConfig():
                vectors, facts = _remove_top(source, settings, space)
            case PCAConfig():
                vectors, facts = _reduce(source, settings, space)
    provenance = {
        **{name: source.provenance.get(name) for name in INHERITED},
        "kind": settings.kind,
        "config": settings.model_dump(mode="json"),
        "dim": vectors.shape[1],
        "source": dict(source.provenance),
        "source_provenance_sha256": digest_json(dict(source.provenance)),
        "source_sha256": sha256_file(space),
        **facts,
    }
    columns = {name: source.columns[name] for name in WORD_COLUMNS if name in source.columns}
    save_space(EmbeddingSpace(source.words, vectors, provenance, columns), output)
    logger.info("%s of %s: %d words, %d dimensions", settings.kind, settings.of, *vectors.shape)


def centring_weights(space: EmbeddingSpace, weights: str, name: str) -> NDArray[np.float64]:
    """What each word weighs in the mean.

    Parameters
    ----------
    space
        A space with the column that is asked for.
    weights
        ``uniform``; ``count``: unigram probability; ``bias``: softmax of the bias over the space's words,
        which is what the layer gives at the origin, and so the limit of activation maximisation for a
        large penalty.
    name
        What the study calls the space.

    Returns
    -------
    float64, shape (n_words,), non-negative, summing to 1.
    """
    if weights == "uniform":
        return np.full(len(space), 1 / len(space))
    if weights not in space.columns:
        raise LexiscopeError(
            f"the space {name!r} has no column {weights!r}, by which its words are to be weighed",
            remedy=(
                "take an lm_output space of a model whose softmax has a bias, or weights: count or uniform"
                if weights == "bias"
                else "take a space of a model that knows its words' counts, or weights: bias or uniform"
            ),
        )
    column = space.columns[weights].astype(np.float64)
    unfit = ~np.isfinite(column) if weights == "bias" else ~(column >= 0)
    if unfit.any():
        word = space.words[int(np.flatnonzero(unfit)[0])]
        raise LexiscopeError(
            f"the column {weights!r} of the space {name!r} has no usable value for {word!r}"
        )
    if weights == "bias":
        return np.asarray(softmax(column), dtype=np.float64)
    if not column.any():
        raise LexiscopeError(
            f"all words of the space {name!r} have count 0", remedy="use weights: bias or uniform"
        )
    return np.asarray(column / column.sum(), dtype=np.float64)


def _centre(
    source: EmbeddingSpace, settings: CentredConfig, path: Path
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    _refuse_fewer(source, 1, path)
    mean = _mean(source.vectors, centring_weights(source, settings.weights, settings.of))
    vectors = np.empty_like(source.vectors)
    for rows in _blocks(len(source)):
        vectors[rows] = source.vectors[rows].astype(np.float64) - mean
    return vectors, {"mean_norm": float(np.linalg.norm(mean))}


def _remove_top(
    source: EmbeddingSpace, settings: AllButTheTopConfig, path: Path
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    _refuse_fewer(source, 2, path)
    n_components = settings.components or max(1, round(source.dim / 100))
    limit = min(len(source) - 1, source.dim) - 1
    if n_components > limit:
        raise LexiscopeError(
            f"{settings.of!r} has {len(source)} words and {source.dim} dimensions: without its top "
            f"{n_components} components nothing is left",
            where=path,
            remedy=f"set components to at most {limit}" if limit > 0 else "choose a larger space",
        )
    mean, variances, axes = _principal_axes(source.vectors)
    top = axes[:, :n_components]
    vectors = np.empty_like(source.vectors)
    for rows in _blocks(len(source)):
        centred = source.vectors[rows].astype(np.float64) - mean
        vectors[rows] = centred - (centred @ top) @ top.T
    return vectors, {
        "components_removed": n_components,
        "variance_removed": _share(variances, n_components),
    }


def _reduce(
    source: EmbeddingSpace, settings: PCAConfig, path: Path
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    _refuse_fewer(source, 2, path)
    limit = min(len(source) - 1, source.dim)
    if settings.dim > limit:
        raise LexiscopeError(
            f"{settings.of!r} has {len(source)} words and {source.dim} dimensions, and so "
            f"{limit} principal components, not {settings.dim}",
            where=path,
            remedy=f"set dim to at most {limit}",
        )
    mean, variances, axes = _principal_axes(source.vectors)
    kept = axes[:, : settings.dim]
    vectors = np.empty((len(source), settings.dim), dtype=np.float32)
    for rows in _blocks(len(source)):
        vectors[rows] = (source.vectors[rows].astype(np.float64) - mean) @ kept
    return vectors, {"variance_kept": _share(variances, settings.dim)}


def _principal_axes(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean (dim,), variances (dim,) in descending order, and axes (dim, dim), one a column.

    The sign of an axis is free; here its entry of largest absolute value is positive.
    """
    mean = _mean(vectors, np.full(len(vectors), 1 / len(vectors)))
    covariance = np.zeros((vectors.shape[1], vectors.shape[1]))
    for rows in _blocks(len(vectors)):
        centred = vectors[rows].astype(np.float64) - mean
        covariance += centred.T @ centred
    variances, axes = eigh(covariance / (len(vectors) - 1))
    variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]
    largest = np.abs(axes).argmax(axis=0)
    return mean, variances, axes * np.sign(axes[largest, np.arange(len(largest))])


def _mean(vectors: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = np.zeros(vectors.shape[1])
    for rows in _blocks(len(vectors)):
        mean += weights[rows] @ vectors[rows].astype(np.float64)
    return mean


def _share(variances: NDArray[np.float64], n_first: int) -> float | None:
    """Share of the variance on the first axes; None where there is no variance at all."""
    total = float(variances.sum())
    return float(variances[:n_first].sum()) / total if total > 0 else None


def _blocks(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, BLOCK_ROWS):
        yield slice(start, start + BLOCK_ROWS)


def _refuse_fewer(source: EmbeddingSpace, n_words: int, path: Path) -> None:
    if len(source) < n_words:
        raise LexiscopeError(f"the space has {len(source)} words; it needs at least {n_words}", where=path)
