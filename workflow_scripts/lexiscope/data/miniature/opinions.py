"""Opinions: MR, CR, MPQA and both SSTs (polarity), SUBJ (subjectivity), in SentEval's official layout.

A word's polarity is the projection of its latent vector on a hidden direction; there is one for films (MR
and SST), one for goods (CR) and one for the phrases of MPQA. A word is subjective if it values or thinks. A
text's value is the mean over its content words, an annotator sees it with an error, and texts in the middle
are left out where there are two classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lexiscope.data.miniature.corpus import Files
from lexiscope.data.miniature.grammar import Tree, leaves
from lexiscope.data.miniature.inventory import ADJECTIVE_FIELDS, VERB_FIELDS
from lexiscope.data.miniature.language import Matrix, MiniatureTruth, stream
from lexiscope.data.miniature.sentences import Materials, SentenceStock, mean_of_words, quotas, text_of

CANDIDATES = 1.6  # texts looked at for one kept
CR_POSITIVE, MPQA_POSITIVE = 0.64, 0.31  # as in the real sets; the others are even
SST5_SHARES = (0.13, 0.26, 0.19, 0.27, 0.15)  # of the classes 0 to 4, as in the real set
SST_PHRASE_SHARE = 0.5  # of the training part of SST2
PHRASE_LABELS = ("NP", "VP", "ADJP", "PP")
LONGEST_PHRASE = 5
SUBJECTIVE_SUPERFIELDS = ("evaluative", "mind")

Scored = tuple[list[str], Matrix]
"""Texts, lower-cased, and what an annotator thinks of each."""


def make_opinions(materials: Materials) -> Files:
    """All six sets."""
    size = materials.config.opinion_sentences
    films, goods, phrases = (_direction(materials, topic) for topic in ("films", "goods", "phrases"))
    subjective = _subjective_words(materials.language.truth)
    folder = "senteval/downstream"
    files: Files = {}
    for purpose, positive, negative, values, share in (
        ("mr", "MR/rt-polarity.pos", "MR/rt-polarity.neg", films, 0.5),
        ("cr", "CR/custrev.pos", "CR/custrev.neg", goods, CR_POSITIVE),
        ("subj", "SUBJ/subj.subjective", "SUBJ/subj.objective", subjective, 0.5),
        ("mpqa", "MPQA/mpqa.pos", "MPQA/mpqa.neg", phrases, MPQA_POSITIVE),
    ):
        stock = materials.stock(purpose)
        trees = _phrases(stock) if purpose == "mpqa" else _sentences(stock)
        scored = _scored(materials, stock, trees, values, round(CANDIDATES * size))
        high, low = _extremes(scored, size, share)
        files[f"{folder}/{positive}"] = "".join(f"{text} \n" for text in high)
        files[f"{folder}/{negative}"] = "".join(f"{text} \n" for text in low)
    return files | _make_sst2(materials, films) | _make_sst5(materials, films)


def _direction(materials: Materials, name: str) -> Matrix:
    """Each lemma's projection on a random direction of meaning."""
    latents = materials.language.truth.latents
    direction = stream(materials.seed, "polarity " + name).standard_normal(latents.shape[1])
    projection: Matrix = np.einsum("nd,d->n", latents, direction)
    return projection


def _subjective_words(truth: MiniatureTruth) -> Matrix:
    fields = {
        (kind, field.name)
        for kind, group in (("adjective", ADJECTIVE_FIELDS), ("verb", VERB_FIELDS))
        for field in group
        if field.superfield in SUBJECTIVE_SUPERFIELDS
    }
    return np.array([float((lemma.part_of_speech, lemma.field) in fields) for lemma in truth.lemmas])


def _sentences(stock: SentenceStock) -> Iterator[Tree]:
    while True:
        yield stock.sentence().tree


def _phrases(stock: SentenceStock) -> Iterator[Tree]:
    """One short constituent of each of ever new sentences, with a content word in it, none twice."""
    lemma_of = stock.truth.lemma_of
    while True:
        found = [
            node
            for node in _constituents(stock.sentence().tree)
            if len(words := [word for _, word in leaves(node)]) <= LONGEST_PHRASE
            and any(word in lemma_of for word in words)
        ]
        if found:
            phrase = found[int(stock.rng.integers(len(found)))]
            if stock.claim(text_of(phrase)):
                yield phrase


def _constituents(tree: Tree) -> Iterator[Tree]:
    """The phrases inside a tree."""
    label, content = tree
    if isinstance(content, str):
        return
    if label in PHRASE_LABELS:
        yield tree
    for child in content:
        yield from _constituents(child)


def _scored(
    materials: Materials, stock: SentenceStock, trees: Iterator[Tree], values: Matrix, n: int
) -> Scored:
    drawn = [next(trees) for _ in range(n)]
    score = mean_of_words(materials.language.truth, values, drawn)
    error = materials.config.label_noise * score.std() * stock.rng.standard_normal(n)
    return [text_of(tree).lower() for tree in drawn], score + error


def _extremes(scored: Scored, size: int, share: float) -> tuple[list[str], list[str]]:
    """The ``share`` of ``size`` texts with the highest scores, and the rest of ``size`` with the lowest."""
    texts, scores = scored
    order = np.argsort(-scores, kind="stable")
    n_high = round(share * size)
    high, low = np.sort(order[:n_high]), np.sort(order[len(order) - (size - n_high) :])
    return [texts[i] for i in high], [texts[i] for i in low]


def _make_sst2(materials: Materials, values: Matrix) -> Files:
    config = materials.config
    stock = materials.stock("sst2")
    files = {}
    for part, size, phrase_share in (
        ("train", config.sst_train, SST_PHRASE_SHARE),
        ("dev", config.sst_valid, 0.0),
        ("test", config.sst_test, 0.0),
    ):
        n_phrases = round(phrase_share * size)
        labelled: list[tuple[str, int]] = []
        for trees, n in ((_phrases(stock), n_phrases), (_sentences(stock), size - n_phrases)):
            if n:
                scored = _scored(materials, stock, trees, values, round(CANDIDATES * n))
                high, low = _extremes(scored, n, 0.5)
                labelled += [(text, 1) for text in high] + [(text, 0) for text in low]
        shuffled = _shuffled(stock, [f"{text} \t{label}\n" for text, label in labelled])
        files[f"senteval/downstream/SST/binary/sentiment-{part}"] = "".join(shuffled)
    return files


def _make_sst5(materials: Materials, values: Matrix) -> Files:
    config = materials.config
    stock = materials.stock("sst5")
    files = {}
    for part, size in (("train", config.sst_train), ("dev", config.sst_valid), ("test", config.sst_test)):
        texts, scores = _scored(materials, stock, _sentences(stock), values, size)
        order = np.argsort(scores, kind="stable")
        labels = np.repeat(np.arange(len(SST5_SHARES)), quotas(size, SST5_SHARES))
        lines = [f"{label} {texts[i]}\n" for i, label in zip(order, labels, strict=True)]
        files[f"senteval/downstream/SST/fine/sentiment-{part}"] = "".join(_shuffled(stock, lines))
    return files


def _shuffled(stock: SentenceStock, lines: Sequence[str]) -> list[str]:
    return [lines[i] for i in stock.rng.permutation(len(lines))]
