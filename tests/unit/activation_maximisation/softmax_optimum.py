"""The optimum of activation maximisation by Newton in float64, and layers that are hard for a solver."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp, softmax

from lexiscope.activation_maximisation.softmax import SoftmaxLayer

Array = NDArray[np.float64]


def as_arrays(layer: SoftmaxLayer) -> tuple[Array, Array]:
    """W and b in float64."""
    return layer.weight.double().numpy(), layer.bias.double().numpy()


def value_and_gradient(
    layer: SoftmaxLayer, words: NDArray[np.int64], inputs: Array, l2: float
) -> tuple[Array, Array]:
    """−log p + λ‖x‖² and its gradient, in float64, for each of the words."""
    weight, bias = as_arrays(layer)
    logits = inputs @ weight.T + bias
    rows = np.arange(len(words))
    own = logits[rows, words]
    logits[rows, words] = -np.inf
    odds = logsumexp(logits, axis=1) - own
    away = softmax(logits, axis=1) @ weight - weight[words]
    value = np.logaddexp(0, odds) + l2 * (inputs**2).sum(axis=1)
    return value, expit(odds)[:, None] * away + 2 * l2 * inputs


def optimum(layer: SoftmaxLayer, words: NDArray[np.int64], l2: float) -> tuple[Array, Array]:
    """Inputs (n, d) and objective (n,) at the optimum: damped Newton with the whole Hessian."""
    weight, bias = as_arrays(layer)
    found = np.zeros((len(words), weight.shape[1]))
    values = np.zeros(len(words))
    for number, word in enumerate(words):
        x, one = found[number : number + 1], np.array([word])
        for _ in range(300):
            value, gradient = value_and_gradient(layer, one, x, l2)
            if (gradient**2).sum() / (4 * l2) < 1e-7 * value[0]:
                break
            p = np.exp(log_softmax((weight @ x[0]) + bias))
            centred = weight - p @ weight
            hessian = (centred * p[:, None]).T @ centred + 2 * l2 * np.eye(weight.shape[1])
            step = -np.linalg.solve(hessian, gradient[0])
            length = 1.0
            while (
                value_and_gradient(layer, one, x + length * step, l2)[0]
                > value + 1e-4 * length * gradient[0] @ step
            ):
                length /= 2
            x = x + length * step
        else:
            raise AssertionError("the reference itself did not converge")
        found[number], values[number] = x[0], value[0]
    return found, values


def make_layer(weight: Array, bias: Array, dtype: torch.dtype = torch.float32) -> SoftmaxLayer:
    """A layer of these arrays."""
    return SoftmaxLayer(torch.from_numpy(weight).to(dtype), torch.from_numpy(bias).to(dtype))


def hard_layers() -> dict[str, SoftmaxLayer]:
    """Layers by what is hard about them."""
    rng = np.random.default_rng(0)
    V, d = 240, 12
    normal = rng.normal(size=(V, d))
    zipf = -1.3 * np.log(np.arange(1, V + 1))
    centres = np.repeat(2 * rng.normal(size=(12, d)), 20, axis=0)
    one_high, one_low = zipf.copy(), zipf.copy()
    one_high[3] += 40
    one_low[7] -= 150
    arrays = {
        "plain": (normal, rng.normal(size=V)),
        "zipf": (normal, 2 * zipf),
        "clusters": (centres + 0.05 * normal, rng.permutation(zipf)),
        "large norms": (20 * normal, zipf),
        "norms of all sizes": (normal * np.exp(1.5 * rng.normal(size=(V, 1))), zipf),
        "far from the origin": (normal + 50, zipf),
        "one bias high": (normal, one_high),
        "one bias low": (normal, one_low),
        "every row twice": (np.concatenate([normal[:120], normal[:120]]), zipf),
        "one dimension": (normal[:, :1], zipf),
        "orthogonal": (3 * np.linalg.qr(rng.normal(size=(48, 48)))[0], np.zeros(48)),
        "all rows the same": (np.repeat(normal[:1], 40, axis=0), zipf[:40]),
    }
    return {name: make_layer(weight, bias) for name, (weight, bias) in arrays.items()}
