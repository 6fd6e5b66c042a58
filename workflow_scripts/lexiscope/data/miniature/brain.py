"""Brain-like matrices: what eighteen simulated people's sensors have in common over sixty nouns.

A sensor responds to a random direction of meaning; each person has sensors of their own and noise of their
own. As in the real data, fMRI follows the categories closely and MEG also follows how long a word is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.inventory import CONCRETE_FIELDS
from lexiscope.data.miniature.language import Matrix, MiniatureTruth, stream

FMRI_SUBJECTS = tuple(f"b{number}" for number in range(1, 10))
MEG_SUBJECTS = tuple("abcdefgij")
CATEGORIES, WORDS_PER_CATEGORY = 12, 5  # as in the experiments behind BrainBench: sixty words
SENSORS = 120
# Weights of the field's, the subfield's and the word's own part of the meaning.
FMRI_WEIGHTS = np.array([1.2, 1.2, 0.8])
MEG_WEIGHTS = np.array([0.9, 1.0, 1.1])
MEG_LENGTH_WEIGHT = 0.25
DECIMALS = 10  # so that the last bits of a float do not decide about a file's hash


def brain_words(truth: MiniatureTruth, counts: Mapping[str, int]) -> list[str]:
    """Sixty concrete nouns, sorted: the five commonest of each of the twelve best-attested subfields."""
    members: dict[str, list[str]] = {}
    for lemma in truth.lemmas:
        if lemma.field in CONCRETE_FIELDS and not lemma.proper and lemma.base is None:
            members.setdefault(lemma.subfield, []).append(lemma.stem)
    best = [
        sorted(words, key=lambda word: (-counts.get(word, 0), word))[:WORDS_PER_CATEGORY]
        for words in members.values()
    ]
    best.sort(key=lambda words: (-counts.get(words[-1], 0), words))
    return sorted(word for words in best[:CATEGORIES] for word in words)


def make_brain_matrices(
    truth: MiniatureTruth, config: MiniatureConfig, seed: int, words: list[str]
) -> dict[str, Matrix]:
    """One correlation matrix a person: ``{path: float64 matrix, n_words × n_words}``."""
    rng = stream(seed, "brain")
    parts = truth.parts[[truth.lemma_of[word] for word in words]]
    lengths = np.array([float(len(word)) for word in words])
    length = MEG_LENGTH_WEIGHT * (lengths - lengths.mean())[:, None] / max(float(lengths.std()), 1e-9)
    fmri = np.einsum("npd,p->nd", parts, FMRI_WEIGHTS)
    meg = np.hstack([np.einsum("npd,p->nd", parts, MEG_WEIGHTS), length])
    matrices = {}
    for folder, subjects, features in (("fMRI", FMRI_SUBJECTS, fmri), ("MEG", MEG_SUBJECTS, meg)):
        for subject in subjects:
            noise = config.brain_noise * float(rng.uniform(0.8, 1.2))
            matrices[f"brainbench/corr_mats/{folder}/{subject}.npy"] = _subject_matrix(rng, features, noise)
    return matrices


def _subject_matrix(rng: np.random.Generator, features: Matrix, noise: float) -> Matrix:
    """Pearson correlations between the words' noisy sensor patterns."""
    tuning = rng.standard_normal((features.shape[1], SENSORS))
    signal = np.einsum("nf,fs->ns", features, tuning)
    patterns = signal + noise * signal.std() * rng.standard_normal(signal.shape)
    centred = patterns - patterns.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    matrix: Matrix = np.round(np.einsum("is,js->ij", centred, centred), DECIMALS)
    np.fill_diagonal(matrix, 1.0)
    return matrix
