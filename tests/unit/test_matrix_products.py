"""Matrix products: the same numbers from either library, and which of them is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lexiscope import matrix_products
from lexiscope.matrix_products import baddbmm, bmm, openblas_is_faster


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the question which library is faster be asked anew."""
    monkeypatch.setattr(matrix_products, "openblas_is_faster", openblas_is_faster.__wrapped__)
    return monkeypatch


@pytest.mark.parametrize("by_numpy", [False, True])
def test_products_are_those_of_torch(by_numpy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_products, "openblas_is_faster", lambda: by_numpy)
    drawn = torch.Generator().manual_seed(1)
    left, right = torch.randn(3, 50, 40, generator=drawn), torch.randn(3, 40, 60, generator=drawn)
    expected = torch.bmm(left, right)
    contiguous = left.transpose(1, 2).contiguous().transpose(1, 2), right.requires_grad_()
    for first, second in ((left, right), contiguous, (left[:, :20], right), (left[1:2], right[1:2])):
        found = bmm(first, second)
        wanted = expected[1:2] if len(first) == 1 else expected[:, : first.shape[1]]
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert not by_numpy or not found.requires_grad


@pytest.mark.parametrize("by_numpy", [False, True])
def test_an_addend_is_added(by_numpy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_products, "openblas_is_faster", lambda: by_numpy)
    drawn = torch.Generator().manual_seed(1)
    left, right = torch.randn(3, 5, 4, generator=drawn), torch.randn(3, 4, 6, generator=drawn)
    addend, steps = torch.randn(3, 1, 6, generator=drawn), torch.zeros(3, 2, 5, 6)
    expected = torch.baddbmm(addend, left, right)
    torch.testing.assert_close(baddbmm(addend, left, right), expected)
    baddbmm(addend, left, right, out=steps[:, 1])
    torch.testing.assert_close(steps[:, 1], expected)
    assert not steps[:, 0].any()


def test_other_types_are_multiplied_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_products, "openblas_is_faster", lambda: True)
    left = torch.ones(1, 2, 3, dtype=torch.bfloat16)
    assert bmm(left, left.transpose(1, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("vendor", "mkl", "blas", "faster"),
    [
        ("AuthenticAMD", True, "openblas", True),
        ("GenuineIntel", True, "openblas", False),
        ("AuthenticAMD", False, "openblas", False),
        ("AuthenticAMD", True, "mkl", False),
    ],
)
def test_numpy_multiplies_on_amd_alone(
    vendor: str, mkl: bool, blas: str, faster: bool, tmp_path: Path, fresh: pytest.MonkeyPatch
) -> None:
    processors = tmp_path / "cpuinfo"
    processors.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: AuthenticAMD\n")
    fresh.setattr(matrix_products, "PROCESSORS", processors)
    fresh.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    fresh.setattr(matrix_products, "threadpool_info", lambda: [{"internal_api": blas}])
    assert matrix_products.openblas_is_faster() is faster


def test_a_system_that_does_not_tell_its_processor_keeps_torch(
    tmp_path: Path, fresh: pytest.MonkeyPatch
) -> None:
    fresh.setattr(matrix_products, "PROCESSORS", tmp_path / "none")
    assert matrix_products.openblas_is_faster() is False
