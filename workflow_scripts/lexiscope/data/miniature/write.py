"""Write the whole miniature under one data root, in the layout that all sources share."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lexiscope.data.miniature.brain import brain_words, make_brain_matrices
from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.corpus import (
    Files,
    Writer,
    make_enwiki,
    make_lm1b,
    make_ptb,
    make_wikitext,
)
from lexiscope.data.miniature.language import Language, Matrix, build_language
from lexiscope.data.miniature.opinions import make_opinions
from lexiscope.data.miniature.pairs import make_pairs
from lexiscope.data.miniature.preferences import Preferences, build_preferences
from lexiscope.data.miniature.probing import make_probing, make_xprobe
from lexiscope.data.miniature.questions import make_trec
from lexiscope.data.miniature.sentences import Materials
from lexiscope.data.miniature.similarity import make_word_similarity
from lexiscope.data.miniature.treebanks import make_treebanks
from lexiscope.files import sha256_file, write_bytes, write_json, write_text
from lexiscope.progress import Progress
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

CORPORA = (
    ("lm1b", make_lm1b),
    ("ptb", make_ptb),
    ("wikitext-2", make_wikitext),
    ("enwiki-extracts", make_enwiki),
)
TRUTH_FILE = "truth.json"

Contents = Mapping[str, str | bytes]
"""Text or bytes by path under the data root."""


@stage_entry
def generate_miniature(*, root: Path, seed: int, config: dict[str, Any], marker: Path) -> None:
    """Make the miniature: four corpora, every benchmark made from the same language, and its truth.

    Parameters
    ----------
    root
        The data root to write under.
    seed
        The same seed and config give the same bytes.
    config
        A dumped `MiniatureConfig`.
    marker
        JSON written last: every file with its SHA-256 and size, and the truth's digest.
    """
    settings = MiniatureConfig.model_validate(config)
    root, marker = Path(root), Path(marker)
    marker.unlink(missing_ok=True)
    language = build_language(settings, seed)
    preferences = build_preferences(language, settings, seed)
    corpora = make_corpora(language, settings, seed, preferences)
    counts = count_words(corpora)
    materials = Materials(language, preferences, settings, seed, counts)
    files: dict[str, str | bytes] = {**corpora, **make_benchmarks(materials)}

    _remove_other_shards(root, corpora)
    for path, content in files.items():
        if isinstance(content, str):
            write_text(root / path, content)
        else:
            write_bytes(root / path, content)
    write_json(root / TRUTH_FILE, {"seed": seed, "lemmas": language.truth.as_json()})
    listed = sorted([*files, TRUTH_FILE])
    write_json(
        marker,
        {
            "seed": seed,
            "config": settings.model_dump(mode="json"),
            "truth_sha256": language.truth.sha256,
            "files": [
                {"path": path, "sha256": sha256_file(root / path), "bytes": (root / path).stat().st_size}
                for path in listed
            ],
        },
    )
    logger.info("miniature: %d files, %d word forms in lm1b", len(listed), len(counts))


def make_corpora(
    language: Language, config: MiniatureConfig, seed: int, preferences: Preferences | None = None
) -> Files:
    """The text of all corpora, by path; the language's preferences are computed if not given."""
    preferences = preferences or build_preferences(language, config, seed)
    files: Files = {}
    with Progress("miniature corpora", total=len(CORPORA), unit="corpus") as progress:
        for name, make in CORPORA:
            files |= make(Writer(language, preferences, config, seed, name))
            progress.advance(note=name)
    return files


def make_benchmarks(materials: Materials) -> dict[str, str | bytes]:
    """The files of all benchmarks, by path."""
    files: dict[str, str | bytes] = {}
    with Progress("miniature benchmarks", total=len(BENCHMARKS), unit="benchmark") as progress:
        for name, make in BENCHMARKS:
            files |= make(materials)
            progress.advance(note=name)
    return files


def _word_similarity(materials: Materials) -> Contents:
    return make_word_similarity(
        materials.language.truth, materials.config, materials.seed, materials.counts
    )


def _brain(materials: Materials) -> Contents:
    truth = materials.language.truth
    words = brain_words(truth, materials.counts)
    matrices = make_brain_matrices(truth, materials.config, materials.seed, words)
    dictionary = "".join(f"{word}\n" for word in words)
    return {
        "brainbench/corr_mats/dictionary.txt": dictionary,
        **{path: _npy(matrix) for path, matrix in matrices.items()},
    }


BENCHMARKS: tuple[tuple[str, Callable[[Materials], Contents]], ...] = (
    ("word similarity", _word_similarity),
    ("brain", _brain),
    ("opinions", make_opinions),
    ("questions", make_trec),
    ("sentence pairs", make_pairs),
    ("probing", make_probing),
    ("xprobe", make_xprobe),
    ("treebanks", make_treebanks),
)


def count_words(files: Files) -> Counter[str]:
    """Occurrences of each word form in the training part of the One Billion Word miniature."""
    counts: Counter[str] = Counter()
    for path, text in files.items():
        if path.startswith("lm1b/training"):
            counts.update(text.split())
    return counts


def _remove_other_shards(root: Path, files: Files) -> None:
    """Remove the shards of an earlier run with another number of shards, or they would be read as well."""
    for folder in sorted({Path(path).parent for path in files if path.startswith("lm1b/")}):
        for old in sorted((root / folder).glob("news.en*-of-*")):
            if (folder / old.name).as_posix() not in files:
                old.unlink()


def _npy(matrix: Matrix) -> bytes:
    stream = io.BytesIO()
    np.save(stream, matrix, allow_pickle=False)
    return stream.getvalue()
