"""Large matrix products by the faster of two libraries: torch's own, or the one that numpy brings.

On AMD's processors MKL, with which torch multiplies float32, reaches 50 to 70 % of the speed of OpenBLAS,
which numpy brings, on the products around a softmax layer, and 55 to 90 % on products of a few rows with
weights of several megabytes. Which of the two it is depends on nothing but the processor and what is
installed, so that results can be repeated on a machine.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import Tensor

PROCESSORS = Path("/proc/cpuinfo")


def bmm(left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Batched product (k, m, d) × (k, d, n) → (k, m, n), as `torch.bmm`.

    It knows nothing of automatic differentiation, and is for use inside of `torch.autograd.Function` or
    without gradients.
    """
    if not _is_for_openblas(left):
        return torch.bmm(left, right, out=out)
    product = left.new_empty(len(left), left.shape[1], right.shape[2]) if out is None else out
    np.matmul(left.detach().numpy(), right.detach().numpy(), out=product.numpy())
    return product


def baddbmm(addend: Tensor, left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Batched product of (k, m, d) × (k, d, n), plus ``addend``, as `torch.baddbmm`; else as `bmm`."""
    if not _is_for_openblas(left):
        return torch.baddbmm(addend, left, right, out=out)
    return bmm(left, right, out=out).add_(addend)


def _is_for_openblas(left: Tensor) -> bool:
    return left.dtype == torch.float32 and left.device.type == "cpu" and openblas_is_faster()


@functools.cache
def openblas_is_faster() -> bool:
    """Whether torch multiplies with MKL, numpy with OpenBLAS, and the processor is one of AMD's."""
    mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    if not mkl or not PROCESSORS.is_file():
        return False
    vendor = re.search(r"^vendor_id\s*:\s*(\w+)", PROCESSORS.read_text(encoding="utf-8"), re.MULTILINE)
    libraries = {library["internal_api"] for library in threadpool_info()}
    return vendor is not None and vendor[1] == "AuthenticAMD" and "openblas" in libraries
