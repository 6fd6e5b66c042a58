"""Maps of words in two spaces at once, with an arrow for each word (Derby et al. 2020, appendix)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from lexiscope.analysis.config import MIN_WORDS, MapConfig
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import write_json
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

YEAR = re.compile(r"(19|[2-9][0-9])[0-9][0-9]")
"""Four-digit numbers from 1900, which mostly stand for years."""

EXACT_BELOW_POINTS = 1000


@stage_entry
def map_displacement(
    *, start: Path, end: Path, config: Mapping[str, Any], output: Path, seed: int, threads: int
) -> None:
    """Write coordinates, as JSON, of words in two spaces on one t-SNE map.

    The words' vectors of both spaces, each scaled to unit length, are mapped together: squared distances of
    unit vectors are twice the cosine distance, by which words are compared elsewhere in a study. With fewer
    than 5 words, ``status`` is ``skipped`` and ``reason`` says why.

    Parameters
    ----------
    start, end
        Spaces whose dimensions have the same meaning.
    config
        A `MapConfig`, as a mapping; its own seed is not read.
    output
        The file to write.
    seed
        Of t-SNE.
    threads
        CPU threads of the Barnes-Hut approximation, used from 1000 points on. Smaller maps are computed
        exactly, on one thread, and do not depend on it.

    Raises
    ------
    LexiscopeError
        If the spaces differ in their number of dimensions.
    """
    settings = MapConfig.model_validate(config)
    first, second = load_space(start), load_space(end)
    if first.dim != second.dim:
        raise LexiscopeError(
            f"{settings.start!r} has {first.dim} dimensions and {settings.end!r} has {second.dim}: "
            "an arrow needs both ends in one space",
            remedy="choose spaces of one layer, such as an lm_output space and the "
            "activation_maximisation of it",
        )
    words, n_asked = choose_words(settings, first, second)
    report: dict[str, Any] = {
        "name": Path(output).stem,
        "start": settings.start,
        "end": settings.end,
        "words": list(words),
        "start_xy": [],
        "end_xy": [],
        "perplexity": None,
        "kl_divergence": None,
        "seed": seed,
        "n_asked": n_asked,
        "n_used": len(words),
        "status": "ok",
        "reason": None,
    }
    if len(words) < MIN_WORDS:
        reason = f"{len(words)} of {n_asked} words are in both spaces; a map needs {MIN_WORDS}"
        report |= {"status": "skipped", "reason": reason}
        logger.warning("the map is skipped: %s", reason)
    else:
        vectors = np.vstack([first.restricted_to(words).vectors, second.restricted_to(words).vectors])
        points, facts = embed_in_plane(vectors, perplexity=settings.perplexity, seed=seed, threads=threads)
        report |= facts
        report["start_xy"], report["end_xy"] = (part.tolist() for part in np.split(points, 2))
    write_json(output, report)


def choose_words(
    settings: MapConfig, start: EmbeddingSpace, end: EmbeddingSpace
) -> tuple[tuple[str, ...], int]:
    """The words of a map, and how many were asked for.

    Words of a list are looked up as they are written and keep its order. The years asked for are those that
    either space has; they come in ascending order.
    """
    asked: Sequence[str]
    if settings.words == "years":
        asked = [word for word in dict.fromkeys((*start.words, *end.words)) if YEAR.fullmatch(word)]
    else:
        asked = settings.words
    found = [word for word in asked if word in start and word in end]
    used = found[: settings.max_words]
    if len(used) < len(found):
        logger.info("%d of %d words are mapped (max_words)", len(used), len(found))
    return tuple(sorted(used) if settings.words == "years" else used), len(asked)


def embed_in_plane(
    vectors: NDArray[np.float32], *, perplexity: float, seed: int, threads: int
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """t-SNE of the directions of vectors (van der Maaten & Hinton 2008).

    Parameters
    ----------
    vectors
        Shape (n_points, dim).
    perplexity
        Effective number of neighbours; a third of the other points at most.
    seed, threads
        As in `map_displacement`.

    Returns
    -------
    Points, shape (n_points, 2), rounded to 4 decimals; the ``perplexity`` used and the ``kl_divergence``
    reached.
    """
    directions = vectors.astype(np.float64)
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    directions /= np.where(norms > 0, norms, 1)
    used = min(perplexity, (len(vectors) - 1) / 3)
    exact = len(vectors) < EXACT_BELOW_POINTS
    with threadpool_limits(limits=1 if exact else threads):
        tsne = TSNE(
            perplexity=used,
            init="pca",
            method="exact" if exact else "barnes_hut",
            random_state=seed,
            n_jobs=1 if exact else threads,
        )
        points = np.asarray(tsne.fit_transform(directions), dtype=np.float64)
    # Adding 0 turns -0 into 0, of which JSON would show the sign.
    rounded = np.round(points, 4) + 0.0
    return rounded, {"perplexity": used, "kl_divergence": round(float(tsne.kl_divergence_), 6)}
