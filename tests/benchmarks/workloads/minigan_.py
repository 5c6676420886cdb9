"""The training steps in minigan: ``minigan.gan.Minimax``, and its autograd for the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan import nn
from minigan.nn.functional import binary_cross_entropy_with_logits as bce

from .common import (
    BATCHES,
    BETA1,
    BETA2,
    LR,
    PENALTY,
    SLOPE,
    Layers,
    Workload,
    read_batches,
    sampling_noise,
)

VERSION = f"minigan {mg.__version__} (NumPy {np.__version__})"


class LastHidden(nn.LSTM):
    """An LSTM that gives its last hidden state."""

    def forward(self, x):
        _, (h, _) = super().forward(x)
        return h[0]


LAYERS = {
    "linear": nn.Linear,
    "conv": partial(nn.Conv2d, kernel_size=4, stride=2, padding=1),
    "conv_transpose": partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1),
    "batch_norm1d": nn.BatchNorm1d,
    "batch_norm2d": nn.BatchNorm2d,
    "leaky_relu": partial(nn.LeakyReLU, SLOPE),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "flatten": nn.Flatten,
    "unflatten": lambda *shape: nn.Unflatten(1, shape),
    "last_hidden": partial(LastHidden, batch_first=True),
}


def network(layers: Layers) -> nn.Sequential:
    return nn.Sequential(*(LAYERS[name](*sizes) for name, *sizes in layers))


def _load(layers: Layers, path: Path, device: str) -> nn.Sequential:
    loaded = network(layers).to(device)
    loaded.load_state_dict(mg.load(path))
    return loaded


class FixedNoise(mg.gan.Minimax):
    """The game, with noise that was drawn before."""

    noise: mg.Tensor

    def sample_noise(self, n: int) -> mg.Tensor:
        return self.noise


class Game:
    """A step of D and a step of G."""

    def __init__(
        self, workload: Workload, folder: Path, device: str, capture: bool = False
    ) -> None:
        self.game = FixedNoise(
            _load(workload.generator, folder / "generator.safetensors", device),
            _load(workload.discriminator, folder / "discriminator.safetensors", device),
            lr=LR,
            betas=(BETA1, BETA2),
            capture=capture,
        )
        self.batches = read_batches(folder, mg.tensor)
        self.noise = {n: mg.tensor(z) for n, z in sampling_noise().items()}

    def step(self, t: int) -> tuple[float, ...]:
        game, i = self.game, t % BATCHES
        real = self.batches["real"][i]
        game.noise = self.batches["z_for_d"][i]
        d = game.step_discriminator(real)
        game.noise = self.batches["z_for_g"][i]
        g = game.step_generator(len(real))
        return d["d_loss"], g["g_loss"]

    def sample(self, n: int) -> np.ndarray:
        return self.game.sample(n, self.noise[n]).numpy()


class Critic:
    """A step of the WGAN-GP critic (Gulrajani et al. 2017, algorithm 1, lines 4 to 9)."""

    names = ("real", "fake", "mix")  # what the loss takes

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        self.critic = _load(workload.discriminator, folder / "discriminator.safetensors", device)
        self.optimizer = mg.optim.Adam(self.critic.parameters(), LR, (BETA1, BETA2))
        self.batches = read_batches(folder, mg.tensor)

    def loss(self, real: mg.Tensor, fake: mg.Tensor, mix: mg.Tensor) -> mg.Tensor:
        between = (mix * real + (1 - mix) * fake).requires_grad_()
        (slope,) = mg.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        return self.critic(fake).mean() - self.critic(real).mean() + PENALTY * penalty

    def update(self, *batches: mg.Tensor) -> mg.Tensor:
        loss = self.loss(*batches)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def step(self, t: int) -> tuple[float, ...]:
        batches = (self.batches[name][t % BATCHES] for name in self.names)
        return (self.update(*batches).item(),)


class Classifier(Critic):
    """A step of D alone on given pictures, with binary cross-entropy."""

    names = ("real", "fake")

    def loss(self, real: mg.Tensor, fake: mg.Tensor) -> mg.Tensor:
        for_real, for_fake = self.critic(real), self.critic(fake)
        return bce(for_real, mg.ones_like(for_real)) + bce(for_fake, mg.zeros_like(for_fake))


def start(workload: Workload, folder: Path, device: str) -> Any:
    mg.set_default_device(device)
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder, device)
