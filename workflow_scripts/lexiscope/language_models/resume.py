"""A training run as named arrays, so that a checkpoint holds it without pickling anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer


def pack(
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
) -> dict[str, NDArray[Any]]:
    """Weights, optimisers, further ``tensors`` and JSON values as arrays."""
    everything = {f"tensor.{name}": tensor for name, tensor in tensors.items()}
    everything |= {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    scalars: dict[str, float] = {}
    for number, optimizer in enumerate(optimizers):
        for parameter, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                name = f"optimizer.{number}.{parameter}.{key}"
                # A number must come back as a number: as a tensor it would be rounded otherwise.
                target = everything if isinstance(value, Tensor) else scalars
                target[name] = value
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in everything.items()}
    text = json.dumps({"scalars": scalars, "state": state}, sort_keys=True)
    arrays["json"] = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
    return arrays


def unpack(
    arrays: Mapping[str, NDArray[Any]], model: nn.Module, optimizers: Sequence[Optimizer]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Undo `pack`: set weights and optimisers; return the tensors and JSON values."""
    text = json.loads(arrays["json"].tobytes())
    everything: dict[str, Any] = {
        name: torch.from_numpy(array) for name, array in arrays.items() if name != "json"
    }
    model.load_state_dict(below("model.", everything))
    for number, optimizer in enumerate(optimizers):
        values = below(f"optimizer.{number}.", everything | text["scalars"])
        state: dict[int, dict[str, Any]] = {}
        for name, value in values.items():
            parameter, key = name.split(".")
            state.setdefault(int(parameter), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return below("tensor.", everything), text["state"]


def random_states(device: torch.device, generator: torch.Generator | None) -> dict[str, Tensor]:
    """States of torch's global generators, and of a further one."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    if generator is not None:
        states["random.own"] = generator.get_state()
    return states


def set_random_states(
    states: Mapping[str, Tensor], device: torch.device, generator: torch.Generator | None
) -> None:
    """Undo `random_states`; a GPU's is left alone where there was none."""
    torch.set_rng_state(states["random.cpu"])
    if device.type == "cuda" and "random.cuda" in states:
        torch.cuda.set_rng_state(states["random.cuda"], device)
    if generator is not None:
        generator.set_state(states["random.own"])


def below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values whose name begins with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
