"""A study of one vector file through the workflow, against scipy and a plain BrainBench, on real sets."""

from __future__ import annotations

import itertools
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.stats import spearmanr

pytestmark = pytest.mark.mirror

SETS = {
    "ws353_similarity": "EN-WS-353-SIM.txt",
    "simlex999": "EN-SIMLEX-999.txt",
    "ws353_relatedness": "EN-WS-353-REL.txt",
    "men": "EN-MEN-TR-3k.txt",
    "mturk287": "EN-MTurk-287.txt",
    "ws353": "EN-WS-353-ALL.txt",
    "rareword": "EN-RW-STANFORD.txt",
}


def pairs(path: Path) -> list[tuple[str, str, float]]:
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(first.lower(), second.lower(), float(score)) for first, second, score in rows]


def vector(word: str) -> np.ndarray:
    """A sum of random vectors of the word's letter triples: words of like spelling are alike."""
    triples = [f"<{word}>"[i : i + 3] for i in range(len(word))]
    return sum(np.random.default_rng(zlib.crc32(t.encode())).normal(size=20) for t in triples)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def study(repository: Path, mirror_root: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("own")
    words = {
        w for name in SETS.values() for a, b, _ in pairs(mirror_root / "word-sim" / name) for w in (a, b)
    }
    words |= set((mirror_root / "brainbench/corr_mats/dictionary.txt").read_text().split())
    kept = sorted(word for word in words if zlib.crc32(word.encode()) % 20)  # one in twenty is missing
    vectors = {word: vector(word) for word in kept}
    lines = [f"{word} {' '.join(map(repr, map(float, values)))}" for word, values in vectors.items()]
    (folder / "mine.vec").write_text(f"{len(lines)} 20\n" + "\n".join(lines) + "\n")
    settings = {
        "study": "mine",
        "data": {"source": "mirror", "root": str(mirror_root)},
        "spaces": {"mine": {"kind": "file", "path": "mine.vec"}},
        "random_control": False,
        "tasks": ["word_similarity", "brainbench"],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    command += ["--workflow-profile", "none", "--cores", "2", "--configfile", "study.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pq.read_table(folder / "reports/mine/scores.parquet").to_pylist()
    return vectors, {(row["dataset"], row["split"]): row for row in rows}


@pytest.mark.parametrize("dataset", SETS)
def test_word_similarity_is_scipys_spearman(study, mirror_root: Path, dataset: str) -> None:  # type: ignore[no-untyped-def]
    vectors, scores = study
    every = pairs(mirror_root / "word-sim" / SETS[dataset])
    known = [(a, b, gold) for a, b, gold in every if a in vectors and b in vectors]
    cosines = [
        vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])
        for a, b, _ in known
    ]
    # Equal words have cosine 1 up to rounding, which must not break their tie.
    expected = spearmanr(np.round(cosines, 10), [gold for *_, gold in known]).statistic
    row = scores[dataset, "test"]
    assert row["value"] == pytest.approx(expected, abs=1e-6)
    assert (row["n_used"], row["n_total"]) == (len(known), len(every))
    assert row["n_used"] < row["n_total"]


@pytest.mark.parametrize(("dataset", "folder"), [("brainbench_fmri", "fMRI"), ("brainbench_meg", "MEG")])
def test_brainbench_is_the_published_procedure(  # type: ignore[no-untyped-def]
    study, mirror_root: Path, dataset: str, folder: str
) -> None:
    vectors, scores = study
    root = mirror_root / "brainbench/corr_mats"
    words = (root / "dictionary.txt").read_text().split()
    rows = [number for number, word in enumerate(words) if word in vectors]
    ours = np.corrcoef(np.stack([vectors[words[row]] for row in rows]))
    accuracies = []
    for path in sorted((root / folder).glob("*.npy")):
        theirs = np.load(path)[np.ix_(rows, rows)]
        hits = []
        for a, b in itertools.combinations(range(len(rows)), 2):
            rest = [column for column in range(len(rows)) if column not in (a, b)]

            def r(x: int, y: int, rest: list[int] = rest, theirs: np.ndarray = theirs) -> float:
                return float(np.corrcoef(ours[x, rest], theirs[y, rest])[0, 1])

            hits.append(r(a, a) + r(b, b) > r(a, b) + r(b, a))
        accuracies.append(np.mean(hits))
    row = scores[dataset, "test"]
    assert row["value"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert (row["n_used"], row["n_total"]) == (len(rows), 60)
