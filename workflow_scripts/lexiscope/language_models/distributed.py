"""Several processes that train one model: their roles, and what they tell each other.

Each process keeps the whole model and reads its own share of the parallel streams. The gradients of all
are added before a step, so that weights and optimisers stay equal to the bit without being sent.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from lexiscope.devices import choose_device
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.launch import RENDEZVOUS, end_with_parent
from lexiscope.language_models.optimizers import gradient_values

logger = logging.getLogger("lexiscope")


@dataclass(frozen=True)
class World:
    """The processes of a training; by default this one alone, which tells nobody anything.

    Every method is called by all processes at the same point of their work.

    Attributes
    ----------
    rank, size
        Number of this process, from 0, and of all.
    device
        What this process computes on.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    def share(self, n: int) -> slice:
        """Which of ``n`` things are for this process; the shares of all follow each other."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, of one shape and type, in the order of ranks."""
        if self.size == 1:
            return [tensor]
        mine = tensor.to(self.device).contiguous()
        found = [torch.empty_like(mine) for _ in range(self.size)]
        torch.distributed.all_gather(found, mine)
        return [one.to(tensor.device) for one in found]

    def sum(self, *values: float) -> list[float]:
        """Each value summed over all processes, correctly rounded: the same number in every process."""
        if self.size == 1:
            return list(values)
        everyone = self.gather(torch.tensor(values, dtype=torch.float64))
        return [math.fsum(terms) for terms in zip(*(one.tolist() for one in everyone), strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        return self.sum(float(flag)) != [0.0]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes, all of them in one exchange.

        Sparse gradients must have the same rows in every process, as those of the sampled softmax do.
        """
        if self.size == 1:
            return
        values = gradient_values(parameters)
        flat = torch.cat([value.flatten() for value in values])
        torch.distributed.all_reduce(flat)
        parts = torch.split(flat, [value.numel() for value in values])
        for value, part in zip(values, parts, strict=True):
            value.copy_(part.view_as(value))

    def seed(self) -> int:
        """A seed for this process alone, made from that of torch's global generator."""
        return int(np.random.SeedSequence([torch.initial_seed(), self.rank]).generate_state(1)[0])


def is_worker() -> bool:
    """Whether this process was started as one of several, by `launch.run_in_processes` or ``torchrun``."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


@contextlib.contextmanager
def join(processes: int, device: str) -> Iterator[World]:
    """Meet the other processes, if there are to be any.

    Tensors are exchanged by NCCL between GPUs, of which each process takes the one with its local rank,
    and by Gloo between CPUs. Only rank 0 logs more than warnings.

    Parameters
    ----------
    processes
        How many there must be.
    device
        As for `lexiscope.devices.choose_device`.

    Raises
    ------
    LexiscopeError
        If another number of processes was started, or there are fewer GPUs.
    """
    where = choose_device(device)
    size = int(os.environ["WORLD_SIZE"]) if is_worker() else 1
    if size != processes:
        raise LexiscopeError(
            f"{size} processes were started for a model with processes: {processes}",
            remedy=f"set processes: {size}, or start as many as it says",
        )
    if size == 1:
        yield World(device=where)
        return
    rank = int(os.environ["RANK"])
    if where.type == "cuda":
        where = _own_gpu(int(os.environ.get("LOCAL_RANK", rank)))
        torch.cuda.set_device(where)
    if torch.distributed.is_torchelastic_launched():
        end_with_parent(os.getppid())
    met_before = torch.distributed.is_initialized()
    if not met_before:
        torch.distributed.init_process_group(
            "nccl" if where.type == "cuda" else "gloo",
            init_method=os.environ.get(RENDEZVOUS, "env://"),
            rank=rank,
            world_size=size,
            device_id=where if where.type == "cuda" else None,
        )
    with _quiet() if rank > 0 else contextlib.nullcontext():
        yield World(rank, size, where)
    # Not after an error: the farewell would wait for processes that wait for this one.
    if not met_before:
        torch.distributed.destroy_process_group()


def _own_gpu(local_rank: int) -> torch.device:
    n_gpus = torch.cuda.device_count()
    if local_rank >= n_gpus:
        raise LexiscopeError(
            f"process {local_rank} of this machine has no GPU of its own: there are {n_gpus}",
            remedy="set processes to the number of GPUs, or device: cpu",
        )
    return torch.device("cuda", local_rank)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    level, handler = logger.level, logging.NullHandler()
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)  # a logger without handlers would draw a progress bar
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
