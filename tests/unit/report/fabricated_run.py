"""A run that never happened, with everything that a report reads: spaces, scores, histories, receipts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lexiscope.data.receipt import Receipt, ReceiptFile, write_receipt
from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.evaluation.scores import Evaluation, Item, Score, write_evaluation
from lexiscope.evaluation.tasks import TASKS, Measure
from lexiscope.files import write_json, write_text
from lexiscope.report.paper_values import find_paper_value

SIX: dict[str, dict[str, Any]] = {
    "word2vec": {"kind": "word2vec", "corpus": "news", "vector_size": 64, "window": 5},
    "glove": {"kind": "glove", "corpus": "news", "vector_size": 64},
    "fasttext": {"kind": "fasttext", "corpus": "news", "vector_size": 64},
    "input": {"kind": "lm_input", "model": "jlm"},
    "output": {"kind": "lm_output", "model": "jlm"},
    "am": {"kind": "activation_maximisation", "of": "output", "objective": "paper", "l2": 1e-5},
    "random": {"kind": "random", "vector_size": 64},
}

CONTROLLED: dict[str, dict[str, Any]] = {
    **SIX,
    "am_as_coded": {"kind": "activation_maximisation", "of": "output", "objective": "as_coded", "l2": 1e-5},
    "am_exact": {"kind": "activation_maximisation", "of": "output", "objective": "exact", "l2": 1e-5},
    "output_centred": {"kind": "centred", "of": "output", "weights": "bias"},
    "output_top": {"kind": "all_but_the_top", "of": "output", "components": 3},
    "output_pca": {"kind": "pca", "of": "output", "dim": 8},
    "random_like": {"kind": "random", "like": "output"},
}
"""The six spaces with what can be held against activation maximisation."""

GRID = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)

PROVENANCE = ("tied", "coverage", "logits_are_linear", "bias_frequency_pearson")
"""Keys that a section of `fabricate` hands on to the provenance of the space."""

N_TOTAL = {
    "ws353_similarity": 203,
    "simlex999": 999,
    "ws353_relatedness": 252,
    "men": 3000,
    "mturk287": 287,
    "ws353": 353,
    "rareword": 2034,
    "brainbench_fmri": 60,
    "brainbench_meg": 60,
}

FREQUENT = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which one you were all her she there would their we him been has when who will no more if out so
"""
NOUNS = """
river stone bird garden window doctor street winter letter music horse island market bridge summer kitchen
forest captain village mountain engine silver paper orange lantern harbour meadow violin carpenter telescope
porcelain hedgehog cinnamon archipelago
"""
WORDS = (*FREQUENT.split(), *NOUNS.split())


MANIFEST = {
    "casing": "as_is",
    "vocabulary": {"words": 2431, "sha256": "a" * 64},
    "splits": {
        "train": {"tokens": 518_689, "sentences": 44_309, "unknown": 6},
        "valid": {"tokens": 13_339, "sentences": 1166, "unknown": 0},
        "test": {"tokens": 13_770, "sentences": 1166, "unknown": 0},
    },
    "sources": [
        {"name": "lm1b", "reader": "sentences", "read": {"train": {"lines": 44_309, "bad_bytes": 3}}}
    ],
}


def score(**changes: Any) -> Score:
    """A score of no importance, with the fields that a test cares about."""
    fields: dict[str, Any] = {
        "study": "fabricated", "space": "am", "model": "jlm", "seed": 1, "task": "word_similarity",
        "dataset": "men", "split": "test", "metric": "spearman", "value": 0.5, "ci_low": 0.45,
        "ci_high": 0.55, "baseline": 0.0, "n_used": 2871, "n_total": 3000, "status": "ok", "error": "",
        "higher_is_better": True, "protocol": "oov=skip casing=lower bootstrap=1000",
        "constant": False, "note": "",
        "dataset_sha256": "0" * 64, "config_sha256": "1" * 64, "code_version": "0.1.0",
    }  # fmt: skip
    return Score(**{**fields, **changes})


def failed(reason: str, status: str = "skipped", **changes: Any) -> Score:
    """A score that could not be computed."""
    blank = {"value": None, "ci_low": None, "ci_high": None, "n_used": 0, "status": status, "error": reason}
    return score(**{**blank, **changes})


INTRINSIC = ("word_similarity", "brainbench")

MAJORITY = {"mr": 0.5, "cr": 0.638, "mpqa": 0.688, "trec": 0.188, "mrpc": 0.6649, "sick_entailment": 0.567}
"""Share of the largest class; 0.5 where it is not given."""


def plausible_scores(
    spaces: Mapping[str, Mapping[str, Any]], seed: int = 0, groups: Sequence[str] = INTRINSIC
) -> list[Score]:
    """Scores near those of the paper, with intervals; a random space scores chance."""
    generator = np.random.default_rng(seed)
    return [
        _plausible(space, section["kind"], group, measure, generator)
        for space, section in spaces.items()
        for group in groups
        for dataset in TASKS[group].datasets
        for measure in dataset.measures
    ]


def _plausible(
    space: str, kind: str, group: str, measure: Measure, generator: np.random.Generator
) -> Score:
    n_total = N_TOTAL.get(measure.dataset, 1000)
    baseline = MAJORITY.get(measure.dataset, 0.5) if measure.baseline is None else measure.baseline
    if measure.metric == "f1":
        baseline = 0.7987
    paper = find_paper_value(kind=kind, dataset=measure.dataset, metric=measure.metric, split=measure.split)
    centre = baseline if kind == "random" else paper.value if paper else 0.6
    value = float(min(centre + generator.normal(0, 0.03), 0.99))
    half = float(1.9 * (1 - value**2) / np.sqrt(n_total))
    return score(
        space=space, task=group, dataset=measure.dataset, metric=measure.metric, split=measure.split,
        baseline=baseline, n_total=n_total, n_used=int(0.94 * n_total),
        value=value, ci_low=value - half, ci_high=value + half,
    )  # fmt: skip


SENTENCES = ("transfer", "relatedness", "sts", "probing", "xprobe")

SUBSETS = {
    12: ("MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"),
    13: ("FNWN", "headlines", "OnWN"),
    14: ("deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"),
    15: ("answers-forums", "answers-students", "belief", "headlines", "images"),
    16: ("answer-answer", "headlines", "plagiarism", "postediting", "question-question"),
}
"""Subsets of each year of STS."""


def everything(
    spaces: Mapping[str, Mapping[str, Any]], seed: int = 0, seeds: Sequence[int] = (1,)
) -> list[Score]:
    """Scores on every task there is, with all that comes along with them."""
    found: list[Score] = []
    for number, run in enumerate(seeds):
        whole = plausible_scores(spaces, seed + number, (*INTRINSIC, *SENTENCES))
        found += [replace(one, seed=run) for one in _with_oddities(whole)]
        probes = [one for one in whole if one.task == "probing" and one.dataset in BUILT]
        found += [
            replace(one, seed=run, task="treebank_probing", dataset=f"{probe}/{one.dataset}")
            for probe in ("ewt", "gum")
            for one in probes
        ]
        found += [
            replace(one, seed=run, split="valid") for one in whole if one.task in ("transfer", "probing")
        ]
        for one in whole:
            if one.task == "sts" and one.value is not None:
                parts = ("wmean", "all", *SUBSETS[int(one.dataset[-2:])])
                found += [
                    replace(one, seed=run, split=part, value=one.value - 0.01 * place)
                    for place, part in enumerate(parts)
                ]
    return found


BUILT = ("sentence_length", "word_content", "tree_depth", "tense", "subj_number", "obj_number")


def _with_oddities(scores: Sequence[Score]) -> list[Score]:
    """A classifier that says the same of everything, notes, and a score that could not be computed."""
    found = []
    for one in scores:
        if one.dataset == "mrpc" and one.space in ("random", "word2vec"):
            one = replace(one, value=one.baseline, ci_low=0.64, ci_high=0.69, constant=True)
        elif one.dataset == "xprobe_tree_depth":
            one = failed(
                "the test part is the training part", space=one.space, task=one.task, dataset=one.dataset,
                metric=one.metric, baseline=None,
            )  # fmt: skip
        elif one.dataset == "xprobe_tense":
            one = replace(one, note="112 of 1,000 test sentences also stand in the training part")
        found.append(one)
    return found


def restricted(scores: Sequence[Score]) -> list[Score]:
    """The same on the words that all spaces have."""
    return [
        replace(
            one, value=None if one.value is None else one.value - 0.02, n_used=one.n_used // 2,
            protocol=f"{one.protocol} vocabulary=shared",
        )
        for one in scores
    ]  # fmt: skip


def make_comparisons(scores: Sequence[Score], sharp: float = 0.04) -> list[dict[str, Any]]:
    """Paired tests that tell two spaces apart from some difference on."""
    rows = []
    for number, one in enumerate(scores):
        for other in scores[number + 1 :]:
            same = (one.dataset, one.split, one.metric) == (other.dataset, other.split, other.metric)
            if not same or one.space == other.space or one.value is None or other.value is None:
                continue
            difference = one.value - other.value
            p = 0.001 if abs(difference) > sharp else 0.4
            rows.append({
                "study": "fabricated", "task": one.task, "dataset": one.dataset, "split": one.split,
                "metric": one.metric, "space_a": one.space, "seed_a": one.seed, "space_b": other.space,
                "seed_b": other.seed, "difference": difference, "ci_low": difference - 0.03,
                "ci_high": difference + 0.03, "p_value": p, "p_holm": min(1.0, 2 * p),
                "n_common": 900, "n_total": 1000, "method": "paired bootstrap", "reason": "",
            })  # fmt: skip
    return rows


def make_claims() -> list[dict[str, Any]]:
    """What became of the claims: some of each verdict."""
    rows = []
    for number in range(1, 23):
        decided = number <= 10 or number in (15, 22)
        verdict = "not decided" if number in (11, 12) else "not tested"
        if decided:
            verdict = "contradicted" if number % 4 == 0 else "supported"
        effect = (-0.03 if verdict == "contradicted" else 0.024 * number) if decided else None
        rows.append({
            "claim": number,
            "source": "derby2020" if number <= 16 else "verwimp2019" if number < 22 else "lexiscope",
            "statement": f"The space numbered {number} is better than the others on what it was made for",
            "spaces": "am against output" if decided else "",
            "verdict": verdict,
            "effect": effect, "ci_low": None if effect is None else effect - 0.02,
            "ci_high": None if effect is None else effect + 0.02,
            "p_value": 0.0001 if decided else None, "p_holm": 0.002 if decided else None,
            "n_datasets": 8 if decided else 0, "n_used": 6612 if decided else 0,
            "n_total": 7128 if decided else 0,
            "method": "paired bootstrap over items" if decided else "",
            "reason": "" if decided else "this study trains no language model on frozen embeddings",
        })  # fmt: skip
    return rows


def path_scores(path: str, scores: Sequence[Score], l2: Sequence[float] = GRID) -> list[Score]:
    """Scores along a λ path that lead from those of the exact space to those of the centred control."""
    near = {score.dataset: score for score in scores if score.space == "am_exact"}
    far = {score.dataset: score for score in scores if score.space == "output_centred"}
    found = []
    for number, value in enumerate(l2):
        share = number / max(1, len(l2) - 1)
        bump = 0.05 * share * (1 - share)
        for dataset, start in near.items():
            end = far[dataset]
            mix = [
                (1 - share) * getattr(start, name) + share * getattr(end, name) + bump
                for name in ("value", "ci_low", "ci_high")
            ]
            changes = dict(zip(("value", "ci_low", "ci_high"), mix, strict=True))
            found.append(replace(start, space=f"{path}@{value:g}", **changes))
    return found


def make_path(of: str, n_words: int, l2: Sequence[float] = GRID) -> dict[str, Any]:
    """What the file ``path.json`` of a λ path holds."""
    return {
        "of": of,
        "l2": list(l2),
        "files": [f"{number:02}.safetensors" for number in range(len(l2))],
        "objective": [0.0004 * 4**number for number in range(len(l2))],
        "gap": [0.0099 / (1 + number) for number in range(len(l2))],
        "passes": [5.1 - 0.4 * number for number in range(len(l2))],
        "n_words": n_words,
    }


def make_bias_prediction(space: str, of: str = "output") -> dict[str, Any]:
    """How vectors predict the bias."""
    errors = {"mean": (1.0, 0), "output": (0.31, 16), "am": (0.2, 16), "output + am": (0.19, 32)}
    rows = [
        {
            "predictors": name, "mse": mse, "mse_low": mse - 0.02, "mse_high": mse + 0.02, "r2": 1 - mse,
            "r2_low": 0.97 - mse, "r2_high": 1.03 - mse, "n_dimensions": n_dimensions,
        }
        for name, (mse, n_dimensions) in errors.items()
    ]  # fmt: skip
    differences = [
        {"a": "am", "b": "output", "mse_difference": -0.11, "low": -0.15, "high": -0.07},
        {"a": "output + am", "b": "am", "mse_difference": -0.01, "low": -0.03, "high": 0.01},
    ]
    return {
        "space": space, "of": of, "target": "bias", "n_words": 812, "n_splits": 100, "test_share": 0.1,
        "confidence": 0.95, "status": "ok", "reason": None, "rows": rows, "differences": differences,
    }  # fmt: skip


def make_map(words: Sequence[str], start: str = "output", end: str = "am", seed: int = 3) -> dict[str, Any]:
    """A map on which words lie along a curve and move a little."""
    generator = np.random.default_rng(seed)
    at = np.linspace(0, 5, len(words))
    end_xy = np.stack([12 * np.cos(at), 9 * np.sin(1.3 * at)], axis=1)
    end_xy += generator.normal(0, 0.6, end_xy.shape)
    start_xy = end_xy + generator.normal(0, 2.0, end_xy.shape)
    return {
        "start": start, "end": end, "words": list(words), "start_xy": start_xy.tolist(),
        "end_xy": end_xy.tolist(), "perplexity": 20.0, "kl_divergence": 0.412, "seed": 1,
        "n_asked": len(words) + 2, "n_used": len(words), "status": "ok", "reason": None,
    }  # fmt: skip


def make_space(
    words: Sequence[str], section: Mapping[str, Any], seed: int, dim: int = 16
) -> EmbeddingSpace:
    """Random vectors; an output space has the columns that one of a language model has."""
    generator = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    if section["kind"] in ("lm_input", "lm_output"):
        columns["count"] = (1e6 / np.arange(1, len(words) + 1)).astype(np.int64)
    if section["kind"] == "lm_output" and section.get("bias", True):
        noise = generator.normal(0, 0.8, len(words))
        columns["bias"] = (np.log(columns["count"]) - 7 + noise).astype(np.float32)
    if section["kind"] == "activation_maximisation":
        columns["objective"] = generator.uniform(0.001, 0.004, len(words)).astype(np.float32)
        tightness = {"exact": 0.005, "paper": 0.8, "as_coded": 40.0}[section["objective"]]
        share = generator.uniform(0, tightness, len(words)).astype(np.float32)
        columns["certificate"] = columns["objective"] * share
    provenance = {
        "kind": section["kind"],
        "seed": seed,
        "dim": dim,
        "config": dict(section),
        "casing": "as_is",
        "device": "cpu",
        **{key: section[key] for key in PROVENANCE if key in section},
    }
    vectors = generator.normal(size=(len(words), dim)).astype(np.float32)
    return EmbeddingSpace(tuple(words), vectors, provenance, columns)


def make_history(epochs: int) -> list[dict[str, Any]]:
    """A language model that learns and then overfits a little."""
    return [
        {
            "epoch": epoch,
            "event": "validation",
            "step": 700 * epoch,
            "tokens": 448_000 * epoch,
            "train_perplexity": 60 + 900 / epoch**1.3,
            "valid_perplexity": 95 + 800 / epoch**1.2 + max(0, epoch - 9) * 1.5,
            "tokens_per_second": 41_200 + 37 * epoch,
            "seconds": 11.3 * epoch,
        }
        for epoch in range(1, epochs + 1)
    ] + [{"event": "final", "valid_perplexity": 140.2, "test_perplexity": 143.9}]


def fabricate(
    root: Path,
    *,
    spaces: Mapping[str, Mapping[str, Any]] = SIX,
    scores: Sequence[Score] | None = None,
    models: Sequence[str] = ("jlm",),
    words: Sequence[str] = WORDS,
    source: str = "mirror",
    report: Mapping[str, Any] | None = None,
    epochs: int = 12,
    l2_paths: Mapping[str, Mapping[str, Any]] | None = None,
    bias_predictions: Mapping[str, Mapping[str, Any]] | None = None,
    maps: Mapping[str, Mapping[str, Any]] | None = None,
    language_models: Mapping[str, Mapping[str, Any]] | None = None,
    claims: Sequence[Mapping[str, Any]] | None = None,
    comparisons: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write a run under ``root``; what comes back are the arguments of `build_report`."""
    rows = plausible_scores(spaces) if scores is None else list(scores)
    items = [
        Item(
            "fabricated",
            "am",
            1,
            "word_similarity",
            "men",
            "test",
            number,
            f"{first}|{second}",
            3.0,
            0.2,
            True,
        )
        for number, (first, second) in enumerate(itertools.pairwise(NOUNS.split()))
    ]
    write_evaluation(
        Evaluation(rows, items if rows else []), root / "scores.parquet", root / "items.parquet"
    )
    paths = {}
    for number, (name, section) in enumerate(spaces.items()):
        paths[name] = root / "spaces" / f"{name}.safetensors"
        save_space(make_space(words, section, number), paths[name])
    histories = {model: root / f"{model}.json" for model in models}
    for path in histories.values():
        write_json(path, make_history(epochs))
    corpora, receipts = {}, {}
    if models:
        corpora["news"] = root / "corpora" / "news"
        write_json(corpora["news"] / "manifest.json", MANIFEST)
    if rows:
        for key, role in (("men", "pairs"), ("simlex999", "pairs"), ("brainbench", "dictionary")):
            receipts[key] = root / "receipts" / f"{key}.json"
            file = ReceiptFile(f"somewhere/{key}.txt", role, key[0].encode().hex() * 32, 87_654)
            write_receipt(Receipt(key, source, "/secret/place", (file,)), receipts[key])
    products: dict[str, dict[str, Path]] = {"paths": {}, "bias_predictions": {}, "maps": {}}
    for name, content in (l2_paths or {}).items():
        products["paths"][name] = root / "l2_paths" / name
        write_json(products["paths"][name] / "path.json", content)
    for kind, contents in (("bias_predictions", bias_predictions), ("maps", maps)):
        for name, content in (contents or {}).items():
            products[kind][name] = root / kind / f"{name}.json"
            write_json(products[kind][name], content)
    tables: dict[str, Path] = {}
    for name, content in (("claims", claims), ("comparisons", comparisons)):
        if content is not None:
            tables[name] = root / f"{name}.parquet"
            pq.write_table(pa.Table.from_pylist(list(content)), tables[name])
    rules = ["encode_corpus.news", *(f"train_language_model.{model}" for model in models), "build_report"]
    for number, rule in enumerate(rules, 1):
        write_text(
            root / "timings" / f"{rule}.tsv",
            "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
            f"{12.3 * number:.4f}\t0:00:12\t512.25\t900.1\t480.0\t490.0\t0.00\t1.20\t98.4\t12.1\n",
        )
    study = {
        "study": "fabricated",
        "seed": 1,
        "data": {"source": source},
        "language_models": {
            **{model: {"kind": "char_cnn_lstm", "corpus": "news"} for model in models},
            **(language_models or {}),
        },
        "spaces": {name: dict(section) for name, section in spaces.items()},
        "l2_paths": {
            name: {"of": content["of"], "l2": content["l2"]} for name, content in (l2_paths or {}).items()
        },
        "tasks": ["word_similarity", "brainbench"] if rows else [],
        "protocol": {
            "oov": "skip",
            "casing": "lower",
            "n_bootstrap": 1000,
            "confidence": 0.95,
            "seed": 1111,
        },
        "report": dict(report or {}),
    }
    return {
        "study": study,
        "scores": root / "scores.parquet",
        "items": root / "items.parquet",
        "spaces": paths,
        "histories": histories,
        "corpora": corpora,
        "receipts": receipts,
        "timings": root / "timings",
        "output": root / "report" / "report.html",
        "figures": root / "report" / "figures",
        **products,
        **tables,
    }
