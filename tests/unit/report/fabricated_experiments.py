"""Language-modelling experiments and domains that never happened, for the tests of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fabricated_run import score

from lexiscope.evaluation.scores import Score
from lexiscope.files import write_json
from lexiscope.report.paper_values import find_paper_value

EXPERIMENT_SPACES: dict[str, dict[str, Any]] = {
    "word2vec": {"kind": "word2vec", "corpus": "news"},
    "glove": {"kind": "glove", "corpus": "news"},
    "input": {"kind": "lm_input", "model": "jlm"},
    "output": {"kind": "lm_output", "model": "jlm"},
    "am": {"kind": "activation_maximisation", "of": "output", "objective": "paper", "l2": 1e-5},
    "word2vec_ptb": {"kind": "word2vec", "corpus": "ptb"},
    "domains": {"kind": "domain_classifier", "level": "paragraphs", "domains": "topics"},
    "domains_sentences": {"kind": "domain_classifier", "level": "sentences", "domains": "topics"},
    "bilm": {"kind": "bilm", "corpus": "ptb"},
    "random": {"kind": "random", "vector_size": 64},
}

STUDY = {"reverse_transfer": {"corpus": "ptb"}, "nnlm": {"corpus": "ptb"}}
"""What a study says of these experiments, as far as the report asks."""

NNLM = ("nnlm_in", "nnlm_out", "nnlm_tied")
SPLITS = ("train", "valid", "test", "test_best")
VOCABULARY = 7302

_BASE = {"nnlm_in": 60.0, "nnlm_out": 66.0, "nnlm_tied": 70.0, "nnlm_baseline": 80.0}
_TOKENS = {"train": 929_589, "valid": 73_760, "test": 82_430, "test_best": 82_430}


def perplexity(space: str, dataset: str, value: float | None, split: str, seed: int = 1) -> Score:
    """One score of an experiment; ``test`` ones have intervals."""
    missing = value is None
    with_ends = not missing and split.startswith("test")
    return score(
        space=space, task="language_modelling", dataset=dataset, metric="perplexity", split=split,
        value=value, ci_low=value * 0.985 if with_ends and value else None,
        ci_high=value * 1.015 if with_ends and value else None, baseline=float(VOCABULARY), seed=seed,
        n_used=int(0.93 * _TOKENS[split]), n_total=_TOKENS[split], higher_is_better=False,
        status="skipped" if missing else "ok", note="best epoch 11 of 12",
        error="an n-gram model has counted this very text" if missing else "",
        protocol="lm=lstm epochs=12 bootstrap=1000",
    )  # fmt: skip


def perplexities(
    spaces: Mapping[str, Mapping[str, Any]] = EXPERIMENT_SPACES, seeds: Sequence[int] = (1, 2, 3)
) -> list[Score]:
    """Scores of both experiments."""
    found = []
    for number, (space, section) in enumerate(spaces.items()):
        for dataset in NNLM:
            for split in SPLITS:
                paper = find_paper_value(
                    kind=section["kind"], dataset=dataset, metric="perplexity", split=split.split("_")[0]
                )
                value = 1.6 * paper.value if paper else _BASE[dataset] * (2.1 + 0.1 * number)
                found.append(perplexity(space, dataset, value, split))
        for place, seed in enumerate(seeds):
            for split in SPLITS:
                value = 160.0 + 9 * number + 2.5 * place
                found.append(perplexity(space, "lstm_lm", value, split, seed))
                found.append(perplexity(space, "lstm_lm_compressed", 1.04 * value, split, seed))
    for place, seed in enumerate(seeds):
        found += [perplexity("(none)", "lstm_lm", 189.0 + place, split, seed) for split in SPLITS]
    for space, value in (("(untied)", 84.0), ("(tied)", 79.0), ("(kneser-ney 5)", 141.0)):
        for split in SPLITS:
            is_text = space.startswith("(kneser") and split == "train"
            found.append(perplexity(space, "nnlm_baseline", None if is_text else value, split))
    return found


def make_histories(scores: Sequence[Score], epochs: int = 12) -> list[dict[str, Any]]:
    """A history for each model that has a test score."""
    return [
        {
            "model": f"{one.dataset} {one.space} {one.seed}", "dataset": one.dataset, "space": one.space,
            "seed": one.seed, "missing_words": 3, "vocabulary_size": VOCABULARY, "settings": None,
            "tokens": {}, "unknown": {}, "epochs": _epochs(one, epochs),
            "final": {
                "best_epoch": max(1, epochs - 1), "test_perplexity": one.value,
                "test_perplexity_of_best_epoch": one.value,
            },
        }
        for one in scores
        if one.split == "test"
    ]  # fmt: skip


def _epochs(one: Score, epochs: int) -> list[dict[str, Any]]:
    assert one.value is not None
    if one.space.startswith("(kneser"):
        return [{"epoch": 1, "order": 5, "valid_perplexity": one.value, "test_perplexity": one.value}]
    return [
        {
            "epoch": epoch, "learning_rate": 1.0, "seconds": 7.0, "together": 4,
            "tokens_per_second": 17_000.0 + epoch,
            "train_perplexity": one.value * (0.8 + 6 / epoch**1.4),
            "valid_perplexity": one.value * (1 + 3 / epoch**1.5),
            "test_perplexity": one.value * (1 + 3 / epoch**1.5),
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


PASSAGE = (
    "the storm reached the coast before dawn and the harbour was closed",
    "fishermen pulled their boats onto the beach while sirens sounded over the town",
    "by noon the rain had flooded the market and the wind had torn roofs from the warehouses",
)
FUNCTION_WORDS = "the before and was their onto while over by had from".split()  # noqa: SIM905


def make_rank_probe(spaces: Sequence[str], seed: int = 4) -> dict[str, Any]:
    """What the rank probe writes; the first space is that without pre-trained vectors."""
    generator = np.random.default_rng(seed)
    sentences = [sentence.split() for sentence in PASSAGE]
    places = [
        {"sentence": row, "position": column, "token": token, "word": token}
        for row, sentence in enumerate(sentences, 1)
        for column, token in enumerate(sentence, 1)
        if token not in (*FUNCTION_WORDS, "sirens")
    ]
    hardness = generator.uniform(3, 8, len(places))
    rows: list[dict[str, Any]] = []
    for number, space in enumerate(["(none)", *spaces]):
        logs = np.clip(hardness + generator.normal(0.1 - 0.08 * number, 0.5, len(places)), 0, None)
        mean = float(logs.mean())
        change = mean - rows[0]["mean_log_rank"] if rows else 0.0
        rows.append({
            "dataset": "lstm_lm_compressed" if number == 2 else "lstm_lm", "space": space,
            "seeds": [1, 2, 3], "mean_log_ranks": logs.tolist(), "geometric_mean_rank": math.exp(mean),
            "mean_log_rank": mean, "ci_low": mean - 0.4, "ci_high": mean + 0.4,
            "against_none": {"difference": change, "ci_low": change - 0.2, "ci_high": change + 0.2}
            if rows else None,
        })  # fmt: skip
    return {
        "vocabulary_size": VOCABULARY, "source": "own", "sentences": sentences, "places": places,
        "unknown": [{"sentence": 2, "position": 11, "token": "sirens"}], "models": [], "spaces": rows,
    }  # fmt: skip


def make_multi_task(weights: Sequence[float] = (0.0, 0.1, 0.3, 1.0)) -> dict[str, Any]:
    """What the multi-task experiment writes."""

    def around(value: float, width: float) -> dict[str, float]:
        return {"value": value, "ci_low": value - width, "ci_high": value + width}

    runs, rows = [], []
    for number, weight in enumerate(weights):
        figures = 180 - 4 * number + number**2, 0.42 + 0.1 * number, 5.2 - 0.12 * number
        runs += [
            {
                "weight": weight, "seed": seed, "best_epoch": 3, "epochs": [],
                "perplexity": around(figures[0] + seed, 3.0),
                "domain_accuracy": around(figures[1] + 0.01 * seed, 0.02),
                "mean_log_rank": around(figures[2] + 0.02 * seed, 0.2),
            }
            for seed in (1, 2)
        ]  # fmt: skip
        test = {"ci_low": -6.0, "ci_high": 0.5, "p_value": 0.08, "p_holm": 0.16}
        rows.append({
            "weight": weight, "seeds": [1, 2], "perplexity": figures[0] + 1.5,
            "domain_accuracy": figures[1] + 0.015, "geometric_mean_rank": math.exp(figures[2] + 0.03),
            "against": None if number == 0 else {
                "weight": weights[0],
                "perplexity": {"difference": figures[0] - 180, **test},
                "geometric_mean_rank": {"difference": -3.0 * number, **test},
            },
        })  # fmt: skip
    return {
        "domains": [0, 1, 2], "vocabulary_size": 4002,
        "tokens": {"train": 90_000, "valid": 8_000, "test": 9_000}, "majority": 0.41,
        "topical": {
            "words": {"0": ["goal", "team"], "1": ["disk"], "2": []}, "places": 512, "sentences": 300,
        },
        "runs": runs, "weights": rows,
    }  # fmt: skip


TERMS = (("game", "team", "season"), ("disk", "drive", "windows"), ("god", "faith", "bible"))


def write_domains(folder: Path, rounds: int = 4, topics: bool = True, n_documents: int = 240) -> Path:
    """The folder of a labelled set, with the files that the report reads."""
    generator = np.random.default_rng(6)
    n = len(TERMS)
    labels = np.sort(generator.integers(0, n, n_documents))
    sizes = np.bincount(labels, minlength=n).tolist()
    described = [
        {
            "id": number,
            "size": sizes[number],
            "confident_size": sizes[number] - 20,
            "top_terms": list(terms),
        }
        for number, terms in enumerate(TERMS)
    ]  # fmt: skip
    history = [
        {
            "iteration": number, "stability": None if number == 0 else 1 - 0.4 / number**2, "rank": 100,
            "documents": n_documents, "confident_documents": n_documents - 60,
            "silhouette": 0.03 + 0.002 * number, "nmi": 0.3 + 0.02 * number if topics else None,
            "confident_nmi": 0.35 + 0.02 * number if topics else None, "domains": described,
        }
        for number in range(rounds)
    ]  # fmt: skip
    parts = {split: {"tokens": 1000 * place} for place, split in enumerate(("train", "valid", "test"), 1)}
    write_json(folder / "iterations.json", history)
    write_json(folder / "domains.json", {
        "source": {"dataset": "20newsgroups" if topics else None, "files": ["mine.jsonl"]},
        "documents": {"used_documents": n_documents}, "stable": True, "rounds": rounds - 1,
        "domains": [
            {
                **row, "name": " ".join(row["top_terms"]), "parts": parts,
                "topics": {"rec.sport": 40, "comp.sys": 7} if topics else {},
            }
            for row in described
        ],
    })  # fmt: skip
    centres = np.array([(20 * math.cos(2 * t), 15 * math.sin(2 * t)) for t in range(n)])
    xy = centres[labels] + generator.normal(0, 5, (n_documents, 2))
    write_json(folder / "map.json", {
        "method": "t-SNE", "seed": 1, "perplexity": 30.0, "kl_divergence": 1.7,
        "domains": [{"id": number, "xy": centre} for number, centre in enumerate(centres.tolist())],
        "documents": {
            "xy": xy.tolist(), "domain": labels.tolist(),
            "confident": (generator.random(n_documents) < 0.8).tolist(),
            "topic": ["rec.sport" if topics else None] * n_documents,
        },
    })  # fmt: skip
    return folder


def with_experiments(
    run: Mapping[str, Any],
    root: Path,
    *,
    scores: Sequence[Score],
    epochs: int = 12,
    rank_probe: Mapping[str, Any] | None = None,
    multi_task: Mapping[str, Any] | None = None,
    topics: bool = True,
) -> dict[str, Any]:
    """The arguments of `build_report` with those of the experiments, whose files are written."""
    by_job: dict[str, list[dict[str, Any]]] = {}
    for history in make_histories(scores, epochs):
        by_job.setdefault(f"{history['dataset']}-0", []).append(history)
    experiments = {job: root / "experiments" / f"{job}.json" for job in by_job}
    for job, content in by_job.items():
        write_json(experiments[job], content)
    found = {**run, "study": {**run["study"], **STUDY}, "experiments": experiments}
    for name, content in (("rank_probe", rank_probe), ("multi_task", multi_task)):
        if content is not None:
            write_json(root / f"{name}.json", content)
            found[name] = [root / f"{name}.json"]
    found["domains"] = {"topics": write_domains(root / "domains" / "topics", topics=topics)}
    return found
