"""The claims of the papers, as this run bears them out or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiscope.report import formats
from lexiscope.report.paper_values import PAPERS
from lexiscope.report.parquet import read_columns

VERDICTS = ("supported", "contradicted", "not decided", "not tested")
"""What may become of a claim, in the order in which they are counted."""

COLUMNS = (
    "claim", "source", "statement", "spaces", "verdict", "effect", "ci_low", "ci_high", "p_value", "p_holm",
    "n_datasets", "n_used", "n_total", "method", "reason",
)  # fmt: skip

_MARGIN = 4.0
"""Per cent of the width of a drawing kept free on either side."""


@dataclass(frozen=True)
class Claim:
    """One claim and what became of it; the fields are the columns of ``claims.parquet``."""

    claim: str
    source: str
    statement: str
    spaces: str
    verdict: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_holm: float | None
    n_datasets: int | None
    n_used: int | None
    n_total: int | None
    method: str
    reason: str

    @property
    def badge(self) -> str:
        """The verdict as the name of a style."""
        return formats.anchor(self.verdict)

    @property
    def source_label(self) -> str:
        """Who made the claim: a paper, or we."""
        return PAPERS.get(self.source, self.source.capitalize())

    @property
    def effect_text(self) -> str:
        """The effect with a sign."""
        return _signed(self.effect)

    @property
    def interval_text(self) -> str:
        """The interval in brackets, empty where there is none."""
        if self.ci_low is None or self.ci_high is None:
            return ""
        return f"[{_signed(self.ci_low)}, {_signed(self.ci_high)}]"

    @property
    def evidence(self) -> list[str]:
        """What the verdict rests on, in short phrases."""
        found = []
        if self.p_holm is not None:
            found.append(f"p {_small(self.p_holm)} (Holm-corrected)")
        elif self.p_value is not None:
            found.append(f"p {_small(self.p_value)}")
        if self.n_datasets:
            found.append("one dataset" if self.n_datasets == 1 else f"{self.n_datasets} datasets")
        if self.n_total:
            found.append(f"{self.n_used or 0:,} of {self.n_total:,} items")
        if self.method:
            found.append(self.method)
        return found

    @property
    def drawing(self) -> dict[str, float] | None:
        """Where zero, the effect and its interval lie in a drawing, in per cent of its width."""
        if self.effect is None:
            return None
        low = self.effect if self.ci_low is None else self.ci_low
        high = self.effect if self.ci_high is None else self.ci_high
        reach = max(abs(low), abs(high), abs(self.effect)) or 1.0
        places = {"zero": 0.0, "effect": self.effect, "low": low, "high": high}
        return {name: round(50 + (50 - _MARGIN) * value / reach, 2) for name, value in places.items()}


def _signed(value: float | None) -> str:
    """A difference with its sign.

    >>> _signed(0.0312), _signed(-0.2), _signed(12.34), _signed(None)
    ('+0.031', '−0.200', '+12.3', '–')
    """
    return formats.signed(value, 1 if value is not None and abs(value) >= 10 else 3)


def _small(value: float) -> str:
    """A p-value.

    >>> _small(0.03), _small(0.0002)
    ('= 0.030', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def read_claims(path: Path) -> tuple[Claim, ...]:
    """All claims in the order of the file.

    Raises
    ------
    LexiscopeError
        If the file cannot be read or lacks a column.
    """
    return tuple(_claim(row) for row in read_columns(path, COLUMNS))


def _claim(row: dict[str, Any]) -> Claim:
    texts = ("claim", "source", "statement", "spaces", "verdict", "method", "reason")
    return Claim(**{**row, **{name: _text(row[name]) for name in texts}})


def _text(value: object) -> str:
    """A name as text; several of them in one phrase."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def count_verdicts(claims: Sequence[Claim]) -> str:
    """How many claims there are of each verdict, as a phrase."""
    counts = Counter(claim.verdict for claim in claims)
    order = [*VERDICTS, *sorted(set(counts) - set(VERDICTS))]
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict])
