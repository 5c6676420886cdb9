"""DCGAN: convolutions all the way (Radford et al. 2016).

Each layer halves or doubles the picture. 8×8 and 28×28 have two such layers (2→4→8, 7→14→28),
32×32 has three (4→8→16→32), 64×64 four. Batch norm in both networks, except at G's output and
D's input; weights start from N(0, 0.02²).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .. import nn
from .norms import normed


def _plan(shape: Sequence[int], channels: int) -> tuple[int, list[int]]:
    """The side of the smallest picture, and the channels of D's layers from large to small."""
    _, height, width = shape
    side, layers = height, 0
    while side % 2 == 0 and (side > 4 or layers < 2):
        side, layers = side // 2, layers + 1
    if height != width or layers < 2 or side > 7:
        raise ValueError(
            f"dcgan needs square pictures whose side can be halved to between 1 and 7, at least "
            f"twice (8, 16, 28, 32, 64, ...), got {height}x{width}"
        )
    return side, [channels * 2**i for i in range(layers)]


def _initial(module: nn.Module) -> None:
    """The paper's initial weights (section 4); batch norm's scale likewise around 1."""
    mean = 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0
    for name, p in module.named_parameters(recurse=False):
        if name == "bias":
            nn.init.zeros_(p)
        else:
            nn.init.normal_(p, mean, 0.02)


def generator(
    shape: Sequence[int] = (1, 28, 28), latent_dim: int = 100, channels: int = 64
) -> nn.Sequential:
    """z (N, latent_dim) → pictures (N, C, H, W) in [-1, 1]."""
    side, widths = _plan(shape, channels)
    widths = widths[::-1]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, widths[0] * side * side),
        nn.Unflatten(1, (widths[0], side, side)),
    ]
    for before, after in zip(widths, [*widths[1:], shape[0]], strict=True):
        layers += [
            nn.BatchNorm2d(before),
            nn.ReLU(),
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1),
        ]
    network = nn.Sequential(*layers, nn.Tanh())
    network.apply(_initial)
    return network


def discriminator(
    shape: Sequence[int] = (1, 28, 28), channels: int = 64, norm: str = "batch"
) -> nn.Sequential:
    """x (N, C, H, W) → logits (N, 1).

    ``norm`` is ``"batch"``; or ``"none"``, for penalties on D's slope at each sample; or
    ``"spectral"``.
    """
    side, widths = _plan(shape, channels)
    layers: list[nn.Module] = [
        *normed(nn.Conv2d(shape[0], widths[0], 4, stride=2, padding=1), norm),
        nn.LeakyReLU(0.2),
    ]
    for before, after in pairwise(widths):
        layers += normed(
            nn.Conv2d(before, after, 4, stride=2, padding=1), norm, nn.BatchNorm2d(after)
        )
        layers.append(nn.LeakyReLU(0.2))
    last = normed(nn.Linear(widths[-1] * side * side, 1), norm)
    network = nn.Sequential(*layers, nn.Flatten(), *last)
    network.apply(_initial)
    return network
