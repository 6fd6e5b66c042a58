"""Our word-similarity score against scipy's Spearman, written out the plain way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import spearmanr

from lexiscope.data.receipt import Receipt, ReceiptFile
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.tasks import TASKS
from lexiscope.evaluation.word_similarity import evaluate

FILES = {
    "ws353_similarity": "EN-WS-353-SIM.txt",
    "simlex999": "EN-SIMLEX-999.txt",
    "ws353_relatedness": "EN-WS-353-REL.txt",
    "men": "EN-MEN-TR-3k.txt",
    "mturk287": "EN-MTurk-287.txt",
    "ws353": "EN-WS-353-ALL.txt",
    "rareword": "EN-RW-STANFORD.txt",
}


@pytest.mark.mirror
@pytest.mark.parametrize("vectors", ["generic", "with equal cosines"])
@pytest.mark.parametrize("key", FILES)
def test_spearman_equals_scipy_on_the_real_sets(mirror_root: Path, key: str, vectors: str) -> None:
    path = mirror_root / "word-sim" / FILES[key]
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]

    generator = np.random.default_rng(7)
    words = sorted({word.lower() for row in rows for word in row[:2]})
    words = [word for word in words if generator.random() < 0.9]
    # Three dimensions of small integers give many equal cosines.
    matrix = (
        generator.normal(size=(len(words), 50))
        if vectors == "generic"
        else generator.integers(1, 4, (len(words), 3))
    ).astype(np.float32)
    vector = dict(zip(words, matrix.astype(np.float64), strict=True))

    similarity, gold = [], []
    for first, second, score in rows:
        if first.lower() in vector and second.lower() in vector:
            similarity.append(1 - cosine(vector[first.lower()], vector[second.lower()]))
            gold.append(float(score))
    if vectors == "with equal cosines":
        similarity = np.round(similarity, 10).tolist()
    expected = spearmanr(similarity, gold).statistic

    receipt = Receipt(key, "mirror", str(path.parent), (ReceiptFile(path.name, "pairs", "0" * 64, 0),))
    (result,) = evaluate(
        EmbeddingSpace(tuple(words), matrix),
        TASKS["word_similarity"].dataset(key),
        receipt,
        ProtocolConfig(n_bootstrap=0),
    ).results
    assert len(rows) == result.n_total
    assert len(gold) == result.n_used < result.n_total
    assert result.value == pytest.approx(expected, abs=1e-9)
