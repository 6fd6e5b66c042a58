"""Print a study's scores as the Markdown table of the README.

python benchmarks/readme_table.py reports/small
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from lexiscope.evaluation.tasks import MEASURES


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="folder with scores.parquet")
    given = parser.parse_args()
    rows = [
        row
        for row in pq.read_table(given.report / "scores.parquet").to_pylist()
        # Solutions along a λ path stand in the report's figure.
        if row["split"] == "test" and "@" not in row["space"]
    ]
    by_cell = {(row["space"], row["dataset"]): row for row in rows}
    spaces = list(dict.fromkeys(row["space"] for row in rows))
    measures = [measure for (dataset, _), measure in MEASURES.items() if (spaces[0], dataset) in by_cell]
    print("| space | " + " | ".join(measure.label for measure in measures) + " |")
    print("|---|" + "---|" * len(measures))
    for space in spaces:
        cells = []
        for measure in measures:
            row = by_cell[space, measure.dataset]
            if row["status"] != "ok":
                cells.append(f"{row['status']}: {row['error']}")
                continue
            column = [by_cell[other, measure.dataset]["value"] or 0.0 for other in spaces]
            value = f"**{row['value']:.3f}**" if row["value"] == max(column) else f"{row['value']:.3f}"
            cells.append(f"{value}<br><sub>[{row['ci_low']:.2f}, {row['ci_high']:.2f}]</sub>")
        print(f"| {space} | " + " | ".join(cells) + " |")
    used = [
        sorted({(r["n_used"], r["n_total"]) for r in rows if r["dataset"] == m.dataset}) for m in measures
    ]
    print("| *covered* | " + " | ".join(", ".join(f"{n}/{of}" for n, of in pairs) for pairs in used) + " |")


if __name__ == "__main__":
    main()
