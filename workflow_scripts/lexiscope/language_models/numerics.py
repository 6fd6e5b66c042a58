"""How the numbers of a training are computed: seed, threads, determinism, precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def reproducible(device: torch.device, seed: int, threads: int) -> Iterator[None]:
    """Fix seed and threads, and on a CPU demand deterministic algorithms; undone afterwards."""
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(device.type == "cpu")
    # It would also fill every new tensor with NaN, a check that costs 5 % of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with (
            threadpool_limits(threads, user_api="blas"),
            torch.random.fork_rng(devices=[] if device.type == "cpu" else [torch.cuda.current_device()]),
        ):
            torch.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the processor multiplies it natively, else float32."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        native = torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Context in which matrix products are done in ``precision``."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
