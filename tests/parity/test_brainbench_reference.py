"""Our BrainBench against the published procedure, restated word by word with numpy's Pearson."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lexiscope.data.receipt import Receipt, ReceiptFile
from lexiscope.embeddings.space import EmbeddingSpace
from lexiscope.evaluation.brainbench import evaluate
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.tasks import TASKS

PARTICIPANTS = {
    "fMRI": [f"b{i}" for i in range(1, 10)],
    "MEG": list("abcdefgij"),
}


def plain_margins(space_matrix: np.ndarray, brain_matrix: np.ndarray) -> dict[tuple[int, int], float]:
    """Right minus wrong matching of every two words, one pair after the other."""
    n_words = len(space_matrix)
    margins = {}
    for a in range(n_words):
        for b in range(a + 1, n_words):
            others = [column for column in range(n_words) if column not in (a, b)]
            rows = [space_matrix[a], space_matrix[b], brain_matrix[a], brain_matrix[b]]
            r = np.corrcoef([row[others] for row in rows])
            right = r[0, 2] + r[1, 3]
            wrong = r[0, 3] + r[1, 2]
            margins[a, b] = right - wrong
    return margins


@pytest.fixture
def real_receipt(mirror_root: Path) -> Receipt:
    files = [("dictionary.txt", "dictionary")]
    files += [(f"fMRI/{name}.npy", "fmri") for name in PARTICIPANTS["fMRI"]]
    files += [(f"MEG/{name}.npy", "meg") for name in PARTICIPANTS["MEG"]]
    root = mirror_root / "brainbench" / "corr_mats"
    entries = tuple(ReceiptFile(path, role, "0" * 64, 0) for path, role in files)
    return Receipt("brainbench", "mirror", str(root), entries)


@pytest.mark.mirror
@pytest.mark.parametrize("missing", [(), ("airplane", "hand", "watch", "zebra")])
def test_margins_hits_and_scores_equal_the_published_procedure(
    real_receipt: Receipt, missing: tuple[str, ...]
) -> None:
    root = Path(real_receipt.root)
    words = (root / "dictionary.txt").read_text().split()
    # Half signal, half noise, so that hits and misses both occur; the space has an order of its own.
    generator = np.random.default_rng(11)
    left, scale, _ = np.linalg.svd(np.load(root / "MEG" / "a.npy"))
    signal = left[:, :20] * scale[:20]
    vectors = (signal + 0.3 * generator.standard_normal(signal.shape)).astype(np.float32)
    order = [i for i in generator.permutation(60) if words[i] not in missing]
    space = EmbeddingSpace(tuple(words[i] for i in order), vectors[order])

    outcome = evaluate(space, TASKS["brainbench"].datasets[0], real_receipt, ProtocolConfig(n_bootstrap=0))
    values = {(result.dataset, result.split): result.value for result in outcome.results}
    ours = {(answer.dataset, answer.item): answer.prediction for answer in outcome.answers if answer.used}

    kept = [i for i in range(60) if words[i] in space]
    n_kept = 60 - sum(word in words for word in missing)
    assert len(kept) == n_kept
    space_matrix = np.corrcoef(vectors[kept].astype(np.float64))
    # The loop over all 18 participants is slow; two of each kind decide as well.
    for dataset, kind, names in (
        ("brainbench_fmri", "fMRI", ("b1", "b6")),
        ("brainbench_meg", "MEG", ("a", "j")),
    ):
        assert len(ours) == 18 * n_kept * (n_kept - 1) // 2
        for name in names:
            brain_matrix = np.load(root / kind / f"{name}.npy")[np.ix_(kept, kept)]
            plain = plain_margins(space_matrix, brain_matrix)
            for (a, b), margin in plain.items():
                mine = ours[dataset, f"{name}:{words[kept[a]]}|{words[kept[b]]}"]
                assert mine == pytest.approx(margin, abs=1e-6)
                assert (mine > 0) == (margin > 0)
            accuracy = np.mean([margin > 0 for margin in plain.values()])
            assert 0.4 < accuracy < 1
            assert values[dataset, name] == pytest.approx(accuracy, abs=1e-6)
        singles = [values[dataset, name] for name in PARTICIPANTS[kind]]
        assert values[dataset, "test"] == pytest.approx(np.mean(singles), abs=1e-6)
