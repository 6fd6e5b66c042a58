"""Share of the default study's wall time in which no useful work runs: Snakemake, start-ups and imports.

    python benchmarks/workflow_overhead.py [--cores 2] [--study config.yaml]

Runs the study in an empty folder. Every job's log ends with the time that its library call took, so the
moments in which at least one call was running are known; the rest of the wall time is overhead.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FINISHED = re.compile(r"^(\S+ \S+) INFO finished in ([\d.]+) s$", re.M)


def run(study: Path, folder: Path, cores: str) -> float:
    """Run a study in an empty folder; returns the wall time in seconds."""
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
        *("--workflow-profile", str(REPOSITORY / "profiles" / "default")),
        *("--cores", cores, "--configfile", str(study.resolve()), "--quiet", "all"),
    ]
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - begin


def calls(logs: Path) -> list[tuple[float, float, str]]:
    """Begin, end (seconds since the epoch) and rule of each library call."""
    found = []
    for log in logs.rglob("*.log"):
        _, rule, *_ = log.relative_to(logs).with_suffix("").parts  # study, rule, wildcards
        for stamp, seconds in FINISHED.findall(log.read_text(encoding="utf-8")):
            end = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp()
            found.append((end - float(seconds), end, rule))
    return sorted(found)


def covered(intervals: list[tuple[float, float, str]]) -> float:
    """Seconds in which at least one of the intervals runs."""
    total, reached = 0.0, float("-inf")
    for begin, end, _ in intervals:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def tell_rules(found: list[tuple[float, float, str]]) -> None:
    """Print the calls of each rule, and the seconds they took."""
    for name in sorted({name for *_, name in found}):
        own = [end - begin for begin, end, other in found if other == name]
        print(f"{name:24} {len(own):3} calls {sum(own):8.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cores", default="2")
    parser.add_argument("--study", type=Path, default=REPOSITORY / "config.yaml")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wall = run(given.study, Path(folder), given.cores)
        found = calls(Path(folder) / "logs")
    work = covered(found)
    tell_rules(found)
    print(
        f"wall time {wall:.1f} s, some call running {work:.1f} s, overhead {100 * (1 - work / wall):.1f} %"
    )


if __name__ == "__main__":
    main()
