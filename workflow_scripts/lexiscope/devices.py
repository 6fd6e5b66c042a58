"""Which device tensors live on."""

from __future__ import annotations

import torch

from lexiscope.errors import LexiscopeError


def choose_device(name: str) -> torch.device:
    """``cpu``, ``cuda``, or for ``auto`` the GPU when there is one.

    Raises
    ------
    LexiscopeError
        If a GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise LexiscopeError("no CUDA device is at hand", remedy="set device: auto, or device: cpu")
    return torch.device(
        "cuda" if name == "auto" and torch.cuda.is_available() else name.replace("auto", "cpu")
    )
