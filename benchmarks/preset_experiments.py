"""What the language-modelling experiments add to a study: their wall time, run alone from an empty folder.

    python benchmarks/preset_experiments.py --data ../shared/data [--cores 2] [--study presets/small.yaml]

Spaces that only the experiments need (of domain classifiers and bi-LMs, and word2vec of other corpora than
the study's own) are made as the study makes them; random vectors of the same words and dimension stand in
for all others, since how long a model trains does not depend on the values of its vectors. The time
includes the corpora, domain labels, n-gram counts and the report. The report of such vectors means nothing
and is not kept.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import yaml
from workflow_overhead import REPOSITORY, calls, run, tell_rules

ONLY_FOR_EXPERIMENTS = {"bilm", "domain_classifier"}
NOT_NEEDED = ("language_models", "l2_paths", "analysis", "probes")


def dimension_of(name: str, study: dict[str, Any]) -> int:
    """Numbers of a vector of a space, as its configuration tells."""
    space = study["spaces"][name]
    if "model" in space:
        return int(study["language_models"][space["model"]]["embedding_dim"])
    if "of" in space:
        return int(space["dim"]) if "dim" in space else dimension_of(space["of"], study)
    if "like" in space:
        return dimension_of(space["like"], study)
    return int(space["vector_size"])


def stand_in(study: dict[str, Any], data: Path) -> dict[str, Any]:
    """The study with its experiments and nothing else."""
    experiments = {key: study[key] for key in ("nnlm", "reverse_transfer") if key in study}
    used = {space for experiment in experiments.values() for space in experiment["spaces"]}
    corpus = next(model["corpus"] for model in study["language_models"].values())
    spaces = {}
    for name in (name for name in study["spaces"] if name in used):
        space = study["spaces"][name]
        if space["kind"] in ONLY_FOR_EXPERIMENTS or space.get("corpus", corpus) != corpus:
            spaces[name] = space
        else:
            spaces[name] = {"kind": "random", "vector_size": dimension_of(name, study)}
    kept = {key: value for key, value in study.items() if key not in NOT_NEEDED}
    return kept | {
        "study": "experiments",
        "data": {"source": "mirror", "root": str(data.resolve())},
        "lexicon": study["lexicon"] | {"corpus": corpus},
        "spaces": spaces,
        "tasks": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of data sets")
    parser.add_argument("--cores", default="2")
    parser.add_argument("--study", type=Path, default=REPOSITORY / "presets" / "small.yaml")
    given = parser.parse_args()
    study = stand_in(yaml.safe_load(given.study.read_text(encoding="utf-8")), given.data)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "experiments.yaml"
        config.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
        wall = run(config, Path(folder), given.cores)
        found = calls(Path(folder) / "logs")
        words = {
            path.name.partition(".")[0]: len(path.read_text(encoding="utf-8").splitlines())
            for path in sorted(Path(folder).glob("results/*/language_modelling/*.vocabulary.txt"))
        }
    tell_rules(found)
    print("words: " + ", ".join(f"{count} ({name})" for name, count in words.items()))
    print(f"wall time {wall / 60:.1f} min on {given.cores} cores")


if __name__ == "__main__":
    main()
