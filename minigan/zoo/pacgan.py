"""The networks of the mixture benchmarks, for points (Lin et al. 2018, section 4.1, and its code).

The generator is dense with batch norm, the discriminator has maxout units (Goodfellow et al. 2013).
Weights start from N(0, 0.02²), biases from 0. In the paper: Adam with lr 1e-4 and beta1 0.8,
batches of 100, z ~ N(0, I₂).
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .norms import normed


def _initial(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        for name, p in module.named_parameters(recurse=False):
            if name == "bias":
                nn.init.zeros_(p)
            else:
                nn.init.normal_(p, 0.0, 0.02)


def _features(shape: Sequence[int]) -> int:
    if len(shape) != 1:
        raise ValueError(f"pacgan makes points, the data are {tuple(shape)}: use model 'mlp'")
    return shape[0]


def generator(
    shape: Sequence[int] = (2,), latent_dim: int = 2, width: int = 400, depth: int = 4
) -> nn.Sequential:
    """z (N, latent_dim) → points (N, D), unbounded."""
    layers: list[nn.Module] = []
    before = latent_dim
    for _ in range(depth):
        layers += [
            nn.Linear(before, width, bias=False),
            nn.BatchNorm1d(width, momentum=0.05),
            nn.ReLU(),
        ]
        before = width
    network = nn.Sequential(*layers, nn.Linear(before, _features(shape)))
    network.apply(_initial)
    return network


def discriminator(
    shape: Sequence[int] = (2,),
    width: int = 200,
    pieces: int = 5,
    depth: int = 3,
    norm: str = "none",
) -> nn.Sequential:
    """x (N, pack · D) → logits (N, 1); ``norm`` is ``"none"``, ``"spectral"`` or ``"batch"``."""
    layers: list[nn.Module] = []
    before = _features(shape)
    for _ in range(depth):
        layers += normed(nn.Linear(before, width * pieces), norm, nn.BatchNorm1d(width * pieces))
        layers.append(nn.Maxout(pieces))
        before = width
    network = nn.Sequential(*layers, *normed(nn.Linear(before, 1), norm))
    network.apply(_initial)
    return network
