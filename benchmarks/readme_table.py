"""Print a study's scores as a Markdown table of the README.

python benchmarks/readme_table.py reports/small [--task word_similarity brainbench] [--spaces word2vec ...]

Of several seeds the mean is printed, with their standard deviation in place of the interval over items.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lexiscope.evaluation.tasks import GROUPS, LANGUAGE_MODELLING, Measure, measure_of

INTRINSIC = ("word_similarity", "brainbench")

Key = tuple[str, str]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="folder with scores.parquet")
    parser.add_argument("--task", nargs="+", default=list(INTRINSIC), choices=[g.name for g in GROUPS])
    parser.add_argument("--spaces", nargs="+", help="by default all of the study")
    given = parser.parse_args()
    intrinsic = set(given.task) <= set(INTRINSIC)  # else what the papers' other tables and Figure 1 print
    columns: dict[Key, Measure] = {}
    cells: dict[tuple[str, Key], list[Row]] = {}
    for row in pq.read_table(given.report / "scores.parquet").to_pylist():
        key = row["dataset"], row["metric"]
        measure = measure_of(*key)
        # Solutions along a λ path stand in the report's figure.
        if row["task"] not in given.task or "@" in row["space"]:
            continue
        if measure is None or row["split"] != measure.split:
            continue
        if intrinsic or measure.metric == "perplexity" or (measure.paper and measure.metric != "spearman"):
            columns[key] = measure
            cells.setdefault((row["space"], key), []).append(row)
    tell(columns, cells, given.spaces or list(dict.fromkeys(space for space, _ in cells)), intrinsic)


def tell(
    columns: dict[Key, Measure], cells: dict[tuple[str, Key], list[Row]], spaces: list[str], intrinsic: bool
) -> None:
    best: dict[Key, float] = {}
    for key, measure in columns.items():
        column = [value for s in spaces if (value := mean_of(cells.get((s, key), []))) is not None]
        best[key] = (max if measure.higher_is_better else min)(column)
    names = [
        f"{m.label}{' ρ' if m.metric == 'spearman' and not intrinsic else ''}" for m in columns.values()
    ]
    print("| space | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(columns))
    for space in spaces:
        texts = [cell_text(cells.get((space, key), []), best[key], intrinsic) for key in columns]
        print(f"| {space} | " + " | ".join(texts) + " |")
    used = [
        sorted({(row["n_used"], row["n_total"]) for s in spaces for row in cells.get((s, key), [])})
        for key in columns
    ]
    print("| *covered* | " + " | ".join(", ".join(f"{n}/{of}" for n, of in pairs) for pairs in used) + " |")


def mean_of(seeds: Sequence[Row]) -> float | None:
    """Mean over the seeds; None without a score."""
    values = [row["value"] for row in seeds if row["value"] is not None]
    return statistics.mean(values) if values else None


def cell_text(seeds: Sequence[Row], best: float, intrinsic: bool) -> str:
    """A score with its interval; ×100, as the papers print them, unless it is intrinsic or a perplexity."""
    value = mean_of(seeds)
    if value is None:
        return seeds[0]["status"] if seeds else ""
    row = seeds[0]
    is_perplexity = row["task"] == LANGUAGE_MODELLING.name
    factor, digits = (1, 3) if intrinsic else (1, 1) if is_perplexity else (100, 1)
    text = f"{factor * value:.{digits}f}" + ("†" if row["constant"] else "")
    if len(seeds) > 1:
        spread = f"± {factor * statistics.stdev(seed['value'] for seed in seeds):.{digits}f}"
    else:
        low, high = (f"{factor * row[end]:.{max(digits - 1, 0)}f}" for end in ("ci_low", "ci_high"))
        spread = f"[{low}, {high}]"
    return f"{f'**{text}**' if value == best else text}<br><sub>{spread}</sub>"


if __name__ == "__main__":
    main()
