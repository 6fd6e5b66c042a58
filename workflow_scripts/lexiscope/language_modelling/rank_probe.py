"""Where chosen words stand in the ranking that each language model makes of its vocabulary at their place.

Verwimp & Bellegarda (2019, section 1) ask it of one word: a model of theirs put "hurricane" at rank 28,553
of 33,279 in a text about a hurricane. Here each content word of a passage is asked for, and the mean of the
ranks' logarithms sums them up: it is the logarithm of their geometric mean.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.vocabulary import UNK_ID
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.bootstrap import percentile_interval
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.shared_vocabulary import read_vocabulary
from lexiscope.files import write_json
from lexiscope.language_modelling.config import RankProbeConfig
from lexiscope.language_modelling.model_store import Name, read_models
from lexiscope.language_modelling.passages import Passage
from lexiscope.language_modelling.predict import ranks_of
from lexiscope.language_models.model_file import vocabulary_digest
from lexiscope.language_models.numerics import reproducible
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

Floats = NDArray[np.float64]

NO_SPACE = "(none)"
"""The space of models without pre-trained vectors; the others are held against it."""

RESAMPLES = "rank_probe"
"""Names the bootstrap's resamples: the same for all models."""


@stage_entry
def probe_ranks(
    *,
    models: Sequence[Path],
    corpus: Path,
    vocabulary: Path,
    config: Mapping[str, Any],
    protocol: Mapping[str, Any],
    output: Path,
    threads: int = 1,
) -> None:
    """Rank words of a passage at their places, under each of some models.

    The passage is read once, from a fresh state after an end of sentence. Equally likely words count as
    if they stood before the word that is ranked. Words outside the vocabulary, also in lower case, are
    read as ``<unk>``; they have no rank and are listed.

    Parameters
    ----------
    models
        Folders that `ModelStore` wrote.
    corpus
        Folder of the encoded corpus that they were trained on.
    vocabulary
        The vocabulary of all of them, as `choose_vocabulary` wrote it.
    config
        A `RankProbeConfig`, as a mapping.
    protocol
        Fields of `ProtocolConfig`, for the number of resamples, their seed and the confidence.
    output
        The JSON file to write: ``vocabulary_size``; the passage's ``source`` (``own``, ``corpus`` or
        ``file``) and its ``sentences``; ``places`` that are
        ranked (``sentence`` and ``position`` from 1, ``token``, the vocabulary's ``word``); ``unknown``
        tokens at places that are not; ``models``, each with ``dataset``, ``space``, ``seed``, ``ranks`` in
        the order of the places (1 is the most likely word) and ``mean_log_rank`` with ``ci_low`` and
        ``ci_high``; ``spaces``, the same of the means over ``seeds`` (``mean_log_ranks`` of each place,
        ``geometric_mean_rank``), and ``against_none``: the ``difference`` of the mean log-rank from that
        without pre-trained vectors, below 0 where the words stand nearer the top, with its interval; null
        where there is no such model. Intervals are by bootstrap over places, paired for differences.
    threads
        CPU threads.

    Raises
    ------
    LexiscopeError
        If the passage or a model cannot be read, a word to be ranked does not stand in the passage, no
        word is known, or a model has another vocabulary.
    """
    settings = RankProbeConfig.model_validate(config)
    rules = ProtocolConfig.model_validate(dict(protocol))
    words = read_vocabulary(vocabulary)
    source, passage = _passage(settings, corpus, words)
    ids, offset_of = passage.encode({word: number for number, word in enumerate(words)})
    wanted = passage.places(settings.words)
    places = [place for place in wanted if ids[offset_of[place.sentence, place.position]] != UNK_ID]
    if not places:
        raise LexiscopeError(
            f"of the {len(wanted)} words to be ranked none is in the models' vocabulary",
            where=settings.text,
            remedy="name others in rank_probe.words, or another rank_probe.text",
        )
    unknown = [place for place in wanted if place not in places]
    if unknown:
        listed = ", ".join(dict.fromkeys(place.token for place in unknown))
        logger.warning("%d words are not in the vocabulary and have no rank: %s", len(unknown), listed)
    offsets = [offset_of[place.sentence, place.position] for place in places]
    ranks = _ranks(models, words, ids, offsets, threads)
    content = {
        "vocabulary_size": len(words),
        "source": source,
        "sentences": [list(sentence) for sentence in passage.sentences],
        "places": [
            {**asdict(place), "word": words[ids[offset]]}
            for place, offset in zip(places, offsets, strict=True)
        ],
        "unknown": [asdict(place) for place in unknown],
        "models": [
            {**asdict(name), "ranks": found.tolist(), **mean_with_interval(np.log(found), rules)}
            for name, found in ranks
        ],
        "spaces": _by_space(ranks, rules),
    }
    write_json(output, content)


def _passage(settings: RankProbeConfig, corpus: Path, words: Sequence[str]) -> tuple[str, Passage]:
    """The text that ranks are asked for, and where it is from."""
    if settings.text is not None:
        return "file", Passage.read(settings.text)
    own = Passage.read()
    known = {word.lower() for word in words}
    if settings.words or any(place.token.lower() in known for place in own.places()):
        return "own", own
    logger.warning("no content word of the project's own passage is in the vocabulary: the text's is used")
    return "corpus", Passage.beginning_of(EncodedCorpus.open(corpus))


def _ranks(
    folders: Sequence[Path],
    words: tuple[str, ...],
    ids: NDArray[np.int64],
    offsets: Sequence[int],
    threads: int,
) -> list[tuple[Name, NDArray[np.int64]]]:
    digest = vocabulary_digest(words)
    found = []
    for folder in folders:
        for model in read_models(folder):
            if model.vocabulary_sha256 != digest:
                raise LexiscopeError(
                    "its models have another vocabulary",
                    where=folder,
                    remedy="delete the folder and run the workflow again",
                )
            with reproducible(model.group.device, 0, threads):
                ranks = ranks_of(model.group, ids)[0, list(offsets)]
            found.append((model.name, ranks))
    if not found:
        raise LexiscopeError("there are no language models to be asked for ranks")
    return found


def _by_space(
    ranks: Sequence[tuple[Name, NDArray[np.int64]]], protocol: ProtocolConfig
) -> list[dict[str, Any]]:
    runs: dict[tuple[str, str], dict[int, Floats]] = {}
    for name, found in ranks:
        runs.setdefault((name.dataset, name.space), {})[name.seed] = np.log(found)
    means = {key: np.mean(list(own.values()), axis=0) for key, own in runs.items()}
    plain = next((mean for (_, space), mean in means.items() if space == NO_SPACE), None)
    rows = []
    for (dataset, space), mean in means.items():
        row: dict[str, Any] = {
            "dataset": dataset,
            "space": space,
            "seeds": sorted(runs[dataset, space]),
            "mean_log_ranks": mean.tolist(),
            "geometric_mean_rank": float(np.exp(mean.mean())),
            **mean_with_interval(mean, protocol),
            "against_none": None,
        }
        if plain is not None and space != NO_SPACE:
            difference = mean_with_interval(mean - plain, protocol)
            row["against_none"] = {"difference": difference.pop("mean_log_rank"), **difference}
        rows.append(row)
        logger.info(
            "%s, %s: words stand at rank %.0f (geometric mean)", dataset, space, row["geometric_mean_rank"]
        )
    return rows


def mean_with_interval(log_ranks: Floats, protocol: ProtocolConfig) -> dict[str, float | None]:
    """Mean over places, with its bootstrap interval; ``log_ranks`` has shape (n_places,)."""
    low, high = percentile_interval(
        lambda counts: counts @ log_ranks / counts.sum(axis=1),
        len(log_ranks),
        protocol=protocol,
        name=RESAMPLES,
    )
    return {"mean_log_rank": float(log_ranks.mean()), "ci_low": low, "ci_high": high}
