"""The training steps in PyTorch, eager, with default settings (NCHW memory, float32)."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

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

VERSION = f"PyTorch {torch.__version__} eager"


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


def _load(layers: Layers, path: Path, device: str) -> nn.Sequential:
    loaded = nn.Sequential(*(LAYERS[name](*sizes) for name, *sizes in layers))
    loaded.load_state_dict(load_file(path))
    return loaded.to(device)


def _adam(network: nn.Module, capturable: bool) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), LR, (BETA1, BETA2), capturable=capturable)


class Game:
    """A step of D and a step of G."""

    def __init__(
        self, workload: Workload, folder: Path, device: str, capturable: bool = False
    ) -> None:
        self.G = _load(workload.generator, folder / "generator.safetensors", device)
        self.D = _load(workload.discriminator, folder / "discriminator.safetensors", device)
        self.g_optimizer, self.d_optimizer = _adam(self.G, capturable), _adam(self.D, capturable)
        self.batches = read_batches(folder, lambda a: torch.from_numpy(a.copy()).to(device))
        self.noise = {n: torch.from_numpy(z).to(device) for n, z in sampling_noise().items()}

    def update_discriminator(self, real: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fake = self.G(z)
        for_real, for_fake = self.D(real), self.D(fake)
        loss = bce(for_real, torch.ones_like(for_real)) + bce(for_fake, torch.zeros_like(for_fake))
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        return loss

    def update_generator(self, z: torch.Tensor) -> torch.Tensor:
        self.D.requires_grad_(False)  # D judges but does not learn: no gradients of its weights
        logits = self.D(self.G(z))
        loss = bce(logits, torch.ones_like(logits))
        self.g_optimizer.zero_grad()
        loss.backward()
        self.g_optimizer.step()
        self.D.requires_grad_(True)
        return loss

    def step_discriminator(self, real: torch.Tensor, z: torch.Tensor) -> float:
        return self.update_discriminator(real, z).item()

    def step_generator(self, z: torch.Tensor) -> float:
        return self.update_generator(z).item()

    def step(self, t: int) -> tuple[float, ...]:
        batches, i = self.batches, t % BATCHES
        return (
            self.step_discriminator(batches["real"][i], batches["z_for_d"][i]),
            self.step_generator(batches["z_for_g"][i]),
        )

    def sample(self, n: int) -> np.ndarray:
        self.G.eval()
        with torch.no_grad():
            pictures = self.G(self.noise[n])
        self.G.train()
        return pictures.cpu().numpy()


class Critic:
    """A step of the WGAN-GP critic (Gulrajani et al. 2017, algorithm 1, lines 4 to 9)."""

    names = ("real", "fake", "mix")  # what the loss takes

    def __init__(
        self, workload: Workload, folder: Path, device: str, capturable: bool = False
    ) -> None:
        self.critic = _load(workload.discriminator, folder / "discriminator.safetensors", device)
        self.optimizer = _adam(self.critic, capturable)
        self.batches = read_batches(folder, lambda a: torch.from_numpy(a.copy()).to(device))

    def loss(self, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
        between = (mix * real + (1 - mix) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        return self.critic(fake).mean() - self.critic(real).mean() + PENALTY * penalty

    def update(self, *batches: torch.Tensor) -> Any:
        loss = self.loss(*batches)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def step(self, t: int) -> tuple[float, ...]:
        batches = (self.batches[name][t % BATCHES] for name in self.names)
        return (float(self.update(*batches)),)


class Classifier(Critic):
    """A step of D alone on given pictures, with binary cross-entropy."""

    names = ("real", "fake")

    def loss(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        for_real, for_fake = self.critic(real), self.critic(fake)
        return bce(for_real, torch.ones_like(for_real)) + bce(for_fake, torch.zeros_like(for_fake))


def settings() -> None:
    """As many threads as the others have, and products of matrices as exact as CuPy's."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.set_num_interop_threads(1)
    tf32 = os.environ.get("CUPY_TF32") == "1"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32


def start(workload: Workload, folder: Path, device: str) -> Any:
    settings()
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder, device)
