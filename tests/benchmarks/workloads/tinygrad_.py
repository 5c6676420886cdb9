"""The training steps in tinygrad, each whole step compiled by TinyJit.

Its CPU device compiles with clang, which must be installed.
"""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("DEV", "CPU")  # read while importing

import numpy as np  # noqa: E402
from tinygrad import Context, Tensor, TinyJit, nn  # noqa: E402
from tinygrad.nn.optim import Adam  # noqa: E402
from tinygrad.nn.state import get_parameters, load_state_dict, safe_load  # noqa: E402

from .common import (  # noqa: E402
    BATCHES,
    BETA1,
    BETA2,
    EPS,
    LR,
    PENALTY,
    SLOPE,
    Layers,
    Unsupported,
    Workload,
    read_batches,
    sampling_noise,
)

VERSION = f"tinygrad {version('tinygrad')} TinyJit"


class LastHidden:
    """An LSTM over the rows of (N, L, input) that gives its last hidden state."""

    def __init__(self, inputs: int, hidden: int) -> None:
        self.weight_ih_l0, self.weight_hh_l0 = (
            Tensor.zeros(4 * hidden, inputs),
            Tensor.zeros(4 * hidden, hidden),
        )
        self.bias_ih_l0, self.bias_hh_l0 = Tensor.zeros(4 * hidden), Tensor.zeros(4 * hidden)

    def __call__(self, x: Tensor) -> Tensor:
        h = c = Tensor.zeros(x.shape[0], self.weight_hh_l0.shape[1])
        for row in range(x.shape[1]):
            gates = x[:, row].linear(self.weight_ih_l0.T, self.bias_ih_l0)
            gates = gates + h.linear(self.weight_hh_l0.T, self.bias_hh_l0)
            i, f, g, o = gates.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h


LAYERS: dict[str, Any] = {
    "linear": nn.Linear,
    "conv": lambda i, o: nn.Conv2d(i, o, 4, stride=2, padding=1),
    "conv_transpose": lambda i, o: nn.ConvTranspose2d(i, o, 4, stride=2, padding=1),
    "batch_norm1d": nn.BatchNorm,
    "batch_norm2d": nn.BatchNorm,
    "leaky_relu": lambda: lambda x: x.leaky_relu(SLOPE),
    "relu": lambda: Tensor.relu,
    "tanh": lambda: Tensor.tanh,
    "flatten": lambda: lambda x: x.flatten(1),
    "unflatten": lambda *shape: lambda x: x.reshape(x.shape[0], *shape),
    "last_hidden": LastHidden,
}


class Network:
    """A list of layers, called one after the other, and its Adam."""

    def __init__(self, layers: Layers, path: Path) -> None:
        self.layers = [LAYERS[name](*sizes) for name, *sizes in layers]
        load_state_dict(self.layers, safe_load(path), verbose=False)
        self.adam = Adam(get_parameters(self.layers), lr=LR, b1=BETA1, b2=BETA2, eps=EPS)

    def __call__(self, x: Tensor) -> Tensor:
        return x.sequential(self.layers)

    def update(self, loss: Tensor, *others: Network) -> Tensor:
        """Adam's step on the gradients of these parameters alone; all running statistics' too."""
        for p, g in zip(self.adam.params, loss.gradient(*self.adam.params), strict=True):
            p.grad = g
        statistics = [b for other in others for b in other.adam.buffers]
        return loss.realize(*self.adam.schedule_step(), *statistics)


def bce(logits: Tensor, real: bool) -> Tensor:
    """-log σ(logit) for real, -log(1 - σ(logit)) for fake."""
    return (-logits if real else logits).softplus().mean()


class Game:
    """A step of D and a step of G."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.G = Network(workload.generator, folder / "generator.safetensors")
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, lambda a: Tensor(a.copy()).realize())
        self.noise = {n: Tensor(z).realize() for n, z in sampling_noise().items()}
        self.step_discriminator = TinyJit(self._step_discriminator)
        self.step_generator = TinyJit(self._step_generator)
        self.generate = {n: TinyJit(lambda z: self.G(z).realize()) for n in self.noise}

    @Context(TRAINING=1)
    def _step_discriminator(self, real: Tensor, z: Tensor) -> Tensor:
        fake = self.G(z).detach()
        return self.D.update(bce(self.D(real), True) + bce(self.D(fake), False), self.G)

    @Context(TRAINING=1)
    def _step_generator(self, z: Tensor) -> Tensor:
        return self.G.update(bce(self.D(self.G(z)), True), self.D)

    def step(self, t: int) -> tuple[float, ...]:
        batches, i = self.batches, t % BATCHES
        d_loss = self.step_discriminator(batches["real"][i], batches["z_for_d"][i]).item()
        return d_loss, self.step_generator(batches["z_for_g"][i]).item()

    def sample(self, n: int) -> np.ndarray:
        return self.generate[n](self.noise[n]).numpy()


class Alone:
    """A step of D alone on given pictures."""

    names: tuple[str, ...]

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, lambda a: Tensor(a.copy()).realize())
        self.update = TinyJit(self._update)

    @Context(TRAINING=1)
    def _update(self, *batch: Tensor) -> Tensor:
        return self.D.update(self.loss(*batch))

    def loss(self, *batch: Tensor) -> Tensor:
        raise NotImplementedError

    def step(self, t: int) -> tuple[float, ...]:
        return (self.update(*(self.batches[name][t % BATCHES] for name in self.names)).item(),)


class Critic(Alone):
    """WGAN-GP (Gulrajani et al. 2017, algorithm 1, lines 4 to 9)."""

    names = ("real", "fake", "mix")

    def loss(self, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
        between = mix * real + (1 - mix) * fake
        (slope,) = self.D(between).sum().gradient(between)
        penalty = ((slope.flatten(1).square().sum(1).sqrt() - 1) ** 2).mean()
        return self.D(fake).mean() - self.D(real).mean() + PENALTY * penalty


class Classifier(Alone):
    names = ("real", "fake")

    def loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return bce(self.D(real), True) + bce(self.D(fake), False)


def start(workload: Workload, folder: Path, device: str) -> Any:
    if os.environ["DEV"] == "CPU" and not shutil.which("clang"):
        raise Unsupported("its CPU device needs clang, which is not installed")
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder)
