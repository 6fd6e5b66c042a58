"""The softmax layer and the word spaces of any causal language model of Hugging Face's transformers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports.config import HuggingFaceConfig
from lexiscope.language_models.imports.heads import Matrices, read_matrices
from lexiscope.language_models.imports.pretrained import Pretrained, open_pretrained
from lexiscope.language_models.imports.tokens import TokenPolicy, WordTokens
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def import_huggingface(*, config: Mapping[str, Any], output: Path) -> None:
    r"""Write the softmax layer of a causal language model over its tokens, as a layer file.

    Parameters
    ----------
    config
        A dumped `HuggingFaceConfig`.
    output
        The layer file: one row a token, in the order of the ids, and the column ``bias`` (float32) if the
        softmax has one. The words are the tokenizer's tokens as it writes them (``Ġdog``), line breaks
        written ``\n``.

    Raises
    ------
    LexiscopeError
        As `open_pretrained` and `read_matrices`.
    """
    settings = HuggingFaceConfig.model_validate(config)
    opened, matrices = _open(settings)
    n_tokens = len(matrices.output)
    space = EmbeddingSpace(
        words=_token_names(opened.tokenizer.backend_tokenizer, n_tokens),
        vectors=matrices.output,
        provenance={
            **_provenance(settings, opened, matrices, settings.kind),
            "dim": matrices.output.shape[1],
        },
        columns={} if matrices.bias is None else {"bias": matrices.bias},
    )
    save_space(space, output)
    logger.info("%s: %d tokens, %d dimensions", opened.name, len(space), space.dim)


@stage_entry
def extract_huggingface_space(
    *,
    config: Mapping[str, Any],
    lexicon: Path | None,
    which: Literal["lm_input", "lm_output"],
    output: Path,
) -> None:
    """Write one of the two embedding spaces of a causal language model over words.

    A word gets the vector of the token that stands for it, by the policy in ``config``; a word of several
    tokens is dropped or gets the mean of theirs (of those after a space, unless ``tokens: bare``).

    Parameters
    ----------
    config
        A dumped `HuggingFaceConfig`.
    lexicon
        The words; None takes all words that are one token by the policy, in the order of the tokens.
    which
        ``lm_input``: the rows of the look-up table. ``lm_output``: those of the softmax layer.
    output
        The space to write. With a lexicon it has the column ``count`` (int64). ``lm_output`` has also
        ``row`` (int64, the row in the layer file, which is the token's id; -1 for a mean of several) and,
        if the softmax has one, ``bias`` (float32).

    Raises
    ------
    LexiscopeError
        As `open_pretrained` and `read_matrices`, or if no word has a vector.
    """
    settings = HuggingFaceConfig.model_validate(config)
    opened, matrices = _open(settings)
    policy = TokenPolicy(
        opened.tokenizer.backend_tokenizer,
        specials=opened.tokenizer.all_special_ids,
        tokens=settings.tokens,
        pieces=settings.pieces,
    )
    counts: NDArray[np.int64] | None = None
    n_words: int | None = None
    if lexicon is None:
        tokens_of = policy.list_words(len(matrices.output))
    else:
        shared = read_lexicon(lexicon)
        found = policy.find(shared.words)
        tokens_of = {word: tokens for word, tokens in zip(shared.words, found, strict=True) if tokens}
        counts = shared.counts[[row for row, tokens in enumerate(found) if tokens]].astype(np.int64)
        n_words = len(shared)
    if not tokens_of:
        raise LexiscopeError(
            "no word is one token of the model",
            where=opened.name if lexicon is None else lexicon,
            remedy="set pieces: mean to build words of several tokens",
        )
    coverage, n_sharing = _coverage(list(tokens_of.values()), n_words), _count_sharing(tokens_of)
    _log_coverage(opened.name, coverage, n_sharing)
    ids = [tokens.ids for tokens in tokens_of.values()]
    columns: dict[str, NDArray[Any]] = {} if counts is None else {"count": counts}
    if which == "lm_output":
        columns["row"] = np.array([i[0] if len(i) == 1 else -1 for i in ids], dtype=np.int64)
        if matrices.bias is not None:
            columns["bias"] = _mean_rows(matrices.bias[:, None], ids)[:, 0]
    vectors = _mean_rows(matrices.input if which == "lm_input" else matrices.output, ids)
    provenance = {
        **_provenance(settings, opened, matrices, which),
        "dim": vectors.shape[1],
        "n_lexicon_words": n_words,
        "coverage": coverage,
        "n_words_sharing_a_token": n_sharing,
    }
    save_space(EmbeddingSpace(tuple(tokens_of), vectors, provenance, columns), output)
    logger.info("%s: %d words, %d dimensions", which, len(vectors), vectors.shape[1])


def _open(settings: HuggingFaceConfig) -> tuple[Pretrained, Matrices]:
    opened = open_pretrained(settings)
    n_tokens = 1 + max(
        opened.tokenizer.backend_tokenizer.get_vocab(with_added_tokens=True).values(), default=-1
    )
    if not n_tokens:
        raise LexiscopeError("the tokenizer has no tokens", where=opened.name)
    # Models of several parts keep the language model's settings in one of their own.
    says_tied = bool(getattr(opened.model.config.get_text_config(), "tie_word_embeddings", False))
    matrices = read_matrices(opened.model, n_tokens, tie_word_embeddings=says_tied, where=opened.name)
    logger.info(
        "%s: input and output are %s, the softmax has %s",
        opened.name,
        "one matrix" if matrices.tied else "two matrices",
        "no bias" if matrices.bias is None else "a bias",
    )
    return opened, matrices


def _provenance(
    settings: HuggingFaceConfig, opened: Pretrained, matrices: Matrices, kind: str
) -> dict[str, Any]:
    # No path: the same model in another folder gives the same space.
    return {
        "kind": kind,
        "corpus": None,
        "seed": None,
        "casing": "as_is",
        "config": settings.model_dump(mode="json", exclude={"path"}),
        "n_words_before_lexicon": len(matrices.output),
        **opened.provenance,
        "tied": matrices.tied,
        "n_rows": matrices.n_rows,
        "n_padding_rows": matrices.n_rows - len(matrices.output),
        "logit_scale": matrices.logit_scale,
        "logits_are_linear": matrices.logits_are_linear,
    }


def _mean_rows(matrix: NDArray[np.float32], ids: Sequence[tuple[int, ...]]) -> NDArray[np.float32]:
    """The mean of the rows of each tuple of ``ids``; shape (len(ids), d)."""
    vectors = matrix[[first for first, *_ in ids]]
    for place, several in enumerate(ids):
        if len(several) > 1:
            vectors[place] = matrix[list(several)].mean(axis=0)
    return np.ascontiguousarray(vectors)


def _coverage(found: Sequence[WordTokens], n_words: int | None) -> dict[str, int]:
    cases = Counter(tokens.case for tokens in found)
    return {
        "leading_space": cases["leading_space"],
        "bare": cases["bare"],
        "pieces": cases["pieces"],
        "dropped": 0 if n_words is None else n_words - len(found),
    }


def _count_sharing(tokens_of: Mapping[str, WordTokens]) -> int:
    """How many words have the same token, or the same pieces, as another word."""
    users = Counter(tokens.ids for tokens in tokens_of.values())
    return sum(count for count in users.values() if count > 1)


def _log_coverage(name: str, coverage: Mapping[str, int], n_sharing: int) -> None:
    logger.info(
        "%s: words by their tokens: %s",
        name,
        ", ".join(f"{case.replace('_', ' ')} {count}" for case, count in coverage.items()),
    )
    if n_sharing:
        logger.warning("%s: %d words have the same tokens as another word", name, n_sharing)


def _token_names(tokenizer: Tokenizer, n_tokens: int) -> tuple[str, ...]:
    """The tokens as the tokenizer writes them, made unique and free of line breaks."""
    names: dict[str, None] = {}
    for number in range(n_tokens):
        token = tokenizer.id_to_token(number)
        name = "" if token is None else token.replace("\n", "\\n")
        names[name if name and name not in names else f"{name}<id {number}>"] = None
    return tuple(names)
