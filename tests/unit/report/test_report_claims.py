"""The claims as the page tells them."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fabricated_run import make_claims

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.claims import CLAIM_SCHEMA
from lexiscope.files import write_text
from lexiscope.report import claims as claims_module
from lexiscope.report.claims import COLUMNS, Claim, count_verdicts, read_claims


def written(root: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), root / "claims.parquet")
    return root / "claims.parquet"


def one(**changes: Any) -> Claim:
    row = {**make_claims()[0], **changes}
    return Claim(**{**row, "claim": str(row["claim"])})


def test_the_columns_are_those_that_the_claims_are_written_with() -> None:
    assert list(COLUMNS) == CLAIM_SCHEMA.names


def test_claims_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = read_claims(written(tmp_path, make_claims()))
    assert [claim.claim for claim in found] == [str(number) for number in range(1, 23)]
    assert count_verdicts(found) == "10 supported, 2 contradicted, 2 not decided, 8 not tested"


def test_a_number_that_is_none_is_a_gap(tmp_path: Path) -> None:
    (found,) = read_claims(written(tmp_path, [{**make_claims()[0], "effect": float("nan")}]))
    assert found.effect is None
    assert found.effect_text == "–"
    assert found.drawing is None


def test_the_drawing_keeps_order_and_stays_inside() -> None:
    at = one(effect=0.3, ci_low=-0.1, ci_high=0.6).drawing
    assert at is not None
    assert at["zero"] == 50
    assert 0 < at["low"] < at["zero"] < at["effect"] < at["high"] <= 100
    against = one(effect=-0.3, ci_low=None, ci_high=None).drawing
    assert against is not None
    assert against["low"] == against["high"] == against["effect"] < 50
    nothing = one(effect=0.0, ci_low=0.0, ci_high=0.0).drawing
    assert nothing is not None
    assert set(nothing.values()) == {50}


def test_what_a_verdict_rests_on() -> None:
    assert one().evidence[:3] == ["p = 0.002 (Holm-corrected)", "8 datasets", "6,612 of 7,128 items"]
    bare = one(p_holm=None, p_value=0.2, n_datasets=1, n_total=0, method="")
    assert bare.evidence == ["p = 0.200", "one dataset"]
    assert one(source="lexiscope").source_label == "Lexiscope"
    assert one().source_label == "Derby, Miller & Devereux (2020)"


def test_an_unknown_verdict_is_told_as_it_is() -> None:
    assert count_verdicts([one(verdict="odd")]) == "1 odd"


def test_what_is_no_table_of_claims(tmp_path: Path) -> None:
    rows = [{key: value for key, value in make_claims()[0].items() if key != "reason"}]
    with pytest.raises(LexiscopeError, match="no column 'reason'"):
        read_claims(written(tmp_path, rows))
    write_text(tmp_path / "claims.parquet", "not one")
    with pytest.raises(LexiscopeError, match="not a readable Parquet file"):
        read_claims(tmp_path / "claims.parquet")


def test_the_examples() -> None:
    assert doctest.testmod(claims_module).failed == 0
