"""Print what the rank probe and the multi-task experiment of a study found, as the README tells it.

python benchmarks/readme_ranks.py results/small
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from lexiscope.report.formats import number, signed
from lexiscope.report.multi_task import Change, MultiTask, read_multi_task
from lexiscope.report.ranks import RankProbe, read_rank_probe


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of a study's results")
    folder = parser.parse_args().results / "language_modelling"
    found = False
    for name, tell in (("rank_probe.json", tell_ranks), ("multi_task.json", tell_weights)):
        if (folder / name).is_file():
            tell(folder / name)
            found = True
    if not found:
        sys.exit(f"{folder}: neither a rank probe nor a multi-task experiment")


def tell_ranks(path: Path) -> None:
    probe: RankProbe = read_rank_probe(path, {})
    print(f"Ranks of {len(probe.words)} places among {probe.vocabulary_size:,} words, geometric means:")
    for space in sorted(probe.spaces, key=lambda space: space.mean):
        ratio = ""
        if space.ratio is not None:
            ratio = f"  × {space.ratio:.3f}{interval(space.ratio_low, space.ratio_high, 3)} of that without"
        print(f"  {space.label:24}{space.mean:9,.1f}{interval(space.ci_low, space.ci_high, 1)}{ratio}")


def tell_weights(path: Path) -> None:
    found: MultiTask = read_multi_task(path)
    print(f"Next word and domain ({found.n_domains}) together, {found.n_places:,} places of topical words:")
    for weight in found.weights:
        perplexity = number(weight.perplexity, 1) + change(weight.perplexity_change)
        rank = number(weight.rank, 1) + change(weight.rank_change)
        print(f"  weight {weight.label:6} perplexity {perplexity}; rank of topical words {rank}")


def change(found: Change | None) -> str:
    if found is None:
        return ""
    return f" ({signed(found.difference, 1)}{interval(found.ci_low, found.ci_high, 1)})"


def interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f" [{number(low, digits)}, {number(high, digits)}]"


if __name__ == "__main__":
    main()
