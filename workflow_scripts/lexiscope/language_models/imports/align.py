"""The words of the lexicon out of an imported softmax layer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.lexicon import Lexicon, read_lexicon
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def align_space(*, layer: Path, lexicon: Path | None, config: Mapping[str, Any], output: Path) -> None:
    """Write the output embeddings of the lexicon's words, in its order, from a model's whole softmax layer.

    Words are compared as they are, letter case included; those that the layer lacks have no vector.

    Parameters
    ----------
    layer
        A layer file: a space over the model's whole vocabulary, in the order of its ids.
    lexicon
        The words; None takes the whole vocabulary.
    config
        The dumped settings of the language model, for the provenance (without their ``path``).
    output
        The ``lm_output`` space to write. It has the layer's columns, ``row`` (int64, the word's row in the
        layer file) and, where the layer or else the lexicon tells it, ``count`` (int64).

    Raises
    ------
    LexiscopeError
        If the layer cannot be read, or has none of the lexicon's words.
    """
    whole = load_space(layer)
    shared = None if lexicon is None else read_lexicon(lexicon)
    words = whole.words if shared is None else shared.words
    space = whole.restricted_to(words)
    if not space.words:
        raise LexiscopeError(
            "no word of the lexicon is in the softmax layer",
            where=lexicon,
            remedy="compare how the two spell their words (letter case, marks of word starts)",
        )
    if len(space) < len(words):
        logger.warning("%d words of the lexicon have no softmax row", len(words) - len(space))
    columns = dict(space.columns)
    columns["row"] = np.array([whole.index[word] for word in space.words], dtype=np.int64)
    if "count" not in columns and shared is not None:
        columns["count"] = _counts(shared, space)
    provenance = {
        **whole.provenance,
        "kind": "lm_output",
        "config": {key: value for key, value in config.items() if key != "path"},
        "dim": space.dim,
        "n_words_before_lexicon": len(whole),
        "n_lexicon_words": None if shared is None else len(shared),
        "layer_sha256": sha256_file(layer),
    }
    save_space(EmbeddingSpace(space.words, space.vectors, provenance, columns), output)
    logger.info("lm_output: %d of %d words, %d dimensions", len(space), len(words), space.dim)


def _counts(lexicon: Lexicon, space: EmbeddingSpace) -> NDArray[np.int64]:
    known = [row for row, word in enumerate(lexicon.words) if word in space]
    return lexicon.counts[known].astype(np.int64)
