"""The training steps in HIPS autograd: NumPy functions of the weights, traced anew in every step.

It has no convolution for training (``autograd.scipy.signal.convolve`` is a loop over the kernel in
Python that is far slower), so only the workloads without one are here.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import autograd.numpy as np
from autograd import value_and_grad
from safetensors.numpy import load_file

from .common import (
    BATCHES,
    BETA1,
    BETA2,
    EPS,
    LR,
    SLOPE,
    Layers,
    Unsupported,
    Workload,
    read_batches,
)

VERSION = f"HIPS autograd {version('autograd')} (NumPy {np.__version__})"
Params = dict[str, Any]


def apply(layers: Layers, p: Params, x: Any) -> Any:
    """The network's output, in training mode."""
    for i, (name, *sizes) in enumerate(layers):
        if name == "linear":
            x = np.dot(x, p[f"{i}.weight"].T) + p[f"{i}.bias"]
        elif name == "batch_norm1d":
            centred = x - np.mean(x, axis=0)
            std = np.sqrt(np.mean(centred**2, axis=0) + 1e-5)
            x = centred / std * p[f"{i}.weight"] + p[f"{i}.bias"]
        elif name == "leaky_relu":
            x = np.where(x > 0, x, SLOPE * x)
        elif name == "tanh":
            x = np.tanh(x)
        elif name == "flatten":
            x = np.reshape(x, (len(x), -1))
        elif name == "unflatten":
            x = np.reshape(x, (len(x), *sizes))
        elif name == "last_hidden":
            x = last_hidden(f"{i}.", p, x)
    return x


def sigmoid(x: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * x) + 1)


def last_hidden(at: str, p: Params, x: Any) -> Any:
    w_ih, w_hh = p[at + "weight_ih_l0"].T, p[at + "weight_hh_l0"].T
    bias = p[at + "bias_ih_l0"] + p[at + "bias_hh_l0"]
    h = c = np.zeros((len(x), len(w_hh)), dtype=x.dtype)
    for row in range(x.shape[1]):
        gates = np.dot(x[:, row], w_ih) + np.dot(h, w_hh) + bias
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def bce(logits: Any, real: bool) -> Any:
    """-log σ(logit) for real, -log(1 - σ(logit)) for fake."""
    return np.mean(np.logaddexp(0.0, -logits if real else logits))


class Network:
    """Weights and Adam's state."""

    def __init__(self, layers: Layers, path: Path) -> None:
        arrays = load_file(path)
        self.layers = layers
        self.p = {k: a for k, a in arrays.items() if "running_" not in k and "num_" not in k}
        self.m = {k: np.zeros_like(a) for k, a in self.p.items()}
        self.v = {k: np.zeros_like(a) for k, a in self.p.items()}

    def update(self, g: Params, t: int) -> None:
        """Adam."""
        for k, p in self.p.items():
            self.m[k] = BETA1 * self.m[k] + (1 - BETA1) * g[k]
            self.v[k] = BETA2 * self.v[k] + (1 - BETA2) * g[k] ** 2
            root = np.sqrt(self.v[k] / (1 - BETA2**t)) + EPS
            self.p[k] = p - LR / (1 - BETA1**t) * self.m[k] / root


class Game:
    """A step of D and a step of G."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.G = Network(workload.generator, folder / "generator.safetensors")
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, np.array)

        def d_loss(p: Params, real: Any, fake: Any) -> Any:
            return bce(apply(self.D.layers, p, real), True) + bce(
                apply(self.D.layers, p, fake), False
            )

        def g_loss(p: Params, z: Any) -> Any:
            fake = apply(self.G.layers, p, z)
            return bce(apply(self.D.layers, self.D.p, fake), True)

        self.d_loss, self.g_loss = value_and_grad(d_loss), value_and_grad(g_loss)

    def step(self, t: int) -> tuple[float, ...]:
        real, z_for_d, z_for_g = (
            self.batches[name][t % BATCHES] for name in ("real", "z_for_d", "z_for_g")
        )
        fake = apply(self.G.layers, self.G.p, z_for_d)
        d_loss, g = self.d_loss(self.D.p, real, fake)
        self.D.update(g, t + 1)
        g_loss, g = self.g_loss(self.G.p, z_for_g)
        self.G.update(g, t + 1)
        return float(d_loss), float(g_loss)


class Classifier:
    """A step of D alone on given pictures."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, np.array)

        def loss(p: Params, real: Any, fake: Any) -> Any:
            return bce(apply(self.D.layers, p, real), True) + bce(
                apply(self.D.layers, p, fake), False
            )

        self.loss = value_and_grad(loss)

    def step(self, t: int) -> tuple[float, ...]:
        real, fake = (self.batches[name][t % BATCHES] for name in ("real", "fake"))
        loss, g = self.loss(self.D.p, real, fake)
        self.D.update(g, t + 1)
        return (float(loss),)


def start(workload: Workload, folder: Path, device: str) -> Any:
    if any(name.startswith("conv") for name, *_ in workload.discriminator):
        raise Unsupported("no convolution that is fit for training")
    kinds = {"game": Game, "classifier": Classifier}
    return kinds[workload.kind](workload, folder)
