"""Take the input and the output embeddings out of a trained language model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.corpora.vocabulary import Vocabulary
from lexiscope.devices import choose_device
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import sha256_file
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.model_file import load_model
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def extract_space(
    *,
    model: Path,
    corpus: Path,
    lexicon: Path,
    which: Literal["lm_input", "lm_output"],
    output: Path,
    device: str = "auto",
) -> None:
    """Write one of a language model's two embedding spaces over a lexicon (Derby et al. 2020, section 3.1).

    Parameters
    ----------
    model
        The model file.
    corpus
        The encoded corpus that the model was trained on.
    lexicon
        The words.
    which
        ``lm_input``: what the character CNN makes of each word, after the projection; it has a vector for
        any word. ``lm_output``: the word's softmax row; words outside the model's vocabulary have none.
    output
        The space to write. Both have the column ``count`` (int64, occurrences in the training text);
        ``lm_output`` has also ``bias`` (float32), the softmax bias, and ``row`` (int64), the word's id.
    device
        ``auto``, ``cpu`` or ``cuda``.
    """
    data = EncodedCorpus.open(corpus)
    network, metadata = load_model(model, data.vocabulary.words)
    network.to(choose_device(device))
    words = read_lexicon(lexicon).words
    if which == "lm_input":
        space = _input_space(network, data.vocabulary, words)
    else:
        space = _output_space(network, data.vocabulary, words)
    if not space.words:
        raise LexiscopeError("no word of the lexicon is in the model's vocabulary", where=lexicon)
    provenance: dict[str, Any] = {
        "kind": which,
        "corpus": data.sha256,
        "seed": metadata["seed"],
        "config": metadata["config"],
        "casing": metadata["casing"],
        "dim": space.dim,
        "n_words_before_lexicon": len(data.vocabulary),
        "model_sha256": sha256_file(model),
        "test_perplexity": metadata["test_perplexity"],
    }
    save_space(EmbeddingSpace(space.words, space.vectors, provenance, space.columns), output)
    logger.info("%s: %d of %d words, %d dimensions", which, len(space), len(words), space.dim)


@stage_entry
def extract_layer(*, model: Path, corpus: Path, output: Path, device: str = "auto") -> None:
    """Write the whole softmax layer of a language model: a space over its vocabulary, in the order of ids.

    Parameters
    ----------
    model, corpus, device
        As for `extract_space`.
    output
        The layer file to write, with the columns ``bias`` and ``count`` of `extract_space`.
    """
    data = EncodedCorpus.open(corpus)
    network, metadata = load_model(model, data.vocabulary.words)
    network.to(choose_device(device))
    space = _output_space(network, data.vocabulary, data.vocabulary.words)
    provenance = {"kind": "lm_output", "config": metadata["config"], "model_sha256": sha256_file(model)}
    columns = {name: space.columns[name] for name in ("bias", "count")}
    save_space(EmbeddingSpace(space.words, space.vectors, provenance, columns), output)


def _input_space(network: CharCNNLSTM, vocabulary: Vocabulary, words: Sequence[str]) -> EmbeddingSpace:
    vectors = network.input_embeddings(words).cpu().numpy()
    return EmbeddingSpace(tuple(words), vectors, columns={"count": _counts(vocabulary, words)})


def _output_space(network: CharCNNLSTM, vocabulary: Vocabulary, words: Sequence[str]) -> EmbeddingSpace:
    known = [word for word in words if word in vocabulary.index]
    if len(known) < len(words):
        logger.warning("%d words of the lexicon have no softmax row", len(words) - len(known))
    rows = vocabulary.ids(known)
    weight, bias = (tensor.cpu().numpy() for tensor in network.output_layer())
    columns = {"bias": bias[rows], "count": vocabulary.counts[rows], "row": rows}
    return EmbeddingSpace(tuple(known), np.ascontiguousarray(weight[rows]), columns=columns)


def _counts(vocabulary: Vocabulary, words: Sequence[str]) -> NDArray[np.int64]:
    """Counts in the corpus; 0 for words that are not in its vocabulary."""
    index, counts = vocabulary.index, vocabulary.counts
    return np.array([counts[index[word]] if word in index else 0 for word in words], dtype=np.int64)
