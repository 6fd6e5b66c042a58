"""The official addresses still give the files that the catalogue describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexiscope.data.prepare import prepare_dataset
from lexiscope.data.receipt import read_receipt

pytestmark = pytest.mark.network


@pytest.mark.parametrize("dataset", ["men", "simlex999", "rareword", "brainbench", "ptb"])
def test_a_dataset_can_be_downloaded(dataset: str, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    prepare_dataset(dataset=dataset, source="download", root=tmp_path / "data", receipt=receipt)
    assert read_receipt(receipt).files
