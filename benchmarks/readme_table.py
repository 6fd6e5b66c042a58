"""Print a study's scores as a Markdown table of the README.

python benchmarks/readme_table.py reports/small [--task word_similarity brainbench] [--spaces word2vec ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lexiscope.evaluation.tasks import GROUPS, Measure, measure_of

INTRINSIC = ("word_similarity", "brainbench")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="folder with scores.parquet")
    parser.add_argument("--task", nargs="+", default=list(INTRINSIC), choices=[g.name for g in GROUPS])
    parser.add_argument("--spaces", nargs="+", help="by default all of the study")
    given = parser.parse_args()
    rows = [
        row
        for row in pq.read_table(given.report / "scores.parquet").to_pylist()
        # Solutions along a λ path stand in the report's figure.
        if row["task"] in given.task and "@" not in row["space"]
    ]
    intrinsic = set(given.task) <= set(INTRINSIC)  # else what the papers' Tables 2 and 3 and Figure 1 print
    columns: dict[tuple[str, str], Measure] = {}
    cells: dict[tuple[str, tuple[str, str]], dict[str, Any]] = {}
    for row in rows:
        key = row["dataset"], row["metric"]
        measure = measure_of(*key)
        if measure is None or row["split"] != measure.split:
            continue
        if intrinsic or (measure.paper and measure.metric != "spearman"):
            columns[key] = measure
            cells[row["space"], key] = row
    spaces = given.spaces or list(dict.fromkeys(row["space"] for row in rows))
    intrinsic = set(given.task) <= set(INTRINSIC)
    names = [
        f"{m.label}{' ρ' if m.metric == 'spearman' and not intrinsic else ''}" for m in columns.values()
    ]
    print("| space | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(columns))
    for space in spaces:
        texts = []
        for key, measure in columns.items():
            row = cells[space, key]
            if row["status"] != "ok":
                texts.append(row["status"])
                continue
            column = [
                cells[other, key]["value"] for other in spaces if cells[other, key]["value"] is not None
            ]
            best = max(column) if measure.higher_is_better else min(column)
            texts.append(cell_text(row, best=row["value"] == best, intrinsic=intrinsic))
        print(f"| {space} | " + " | ".join(texts) + " |")
    used = [
        sorted({(cells[s, key]["n_used"], cells[s, key]["n_total"]) for s in spaces}) for key in columns
    ]
    print("| *covered* | " + " | ".join(", ".join(f"{n}/{of}" for n, of in pairs) for pairs in used) + " |")


def cell_text(row: dict[str, Any], *, best: bool, intrinsic: bool) -> str:
    """A score with its interval; ×100, as the papers print them, unless the task is intrinsic."""
    factor, digits = (1, 3) if intrinsic else (100, 1)
    value = f"{factor * row['value']:.{digits}f}" + ("†" if row["constant"] else "")
    low, high = (f"{factor * row[end]:.{max(digits - 1, 0)}f}" for end in ("ci_low", "ci_high"))
    return f"{f'**{value}**' if best else value}<br><sub>[{low}, {high}]</sub>"


if __name__ == "__main__":
    main()
