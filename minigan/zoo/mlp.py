"""The first GAN of every course: two multilayer perceptrons.

With the default sizes on 28×28 pictures: 100-128-784 against 784-128-1. Layers of a given width
are added by ``hidden``: ``hidden=(256, 512)`` makes 100-256-512-784 against 784-512-256-1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import nn
from .norms import normed


def generator(
    shape: Sequence[int] = (1, 28, 28),
    latent_dim: int = 100,
    hidden: Sequence[int] = (128,),
    batch_norm: bool = False,
) -> nn.Sequential:
    """z (N, latent_dim) → samples (N, *shape): pictures in [-1, 1], points unbounded."""
    layers: list[nn.Module] = []
    width = latent_dim
    for units in hidden:
        layers.append(nn.Linear(width, units))
        if batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers.append(nn.LeakyReLU(0.2))
        width = units
    layers.append(nn.Linear(width, math.prod(shape)))
    if len(shape) > 1:  # a picture
        layers += [nn.Tanh(), nn.Unflatten(1, tuple(shape))]
    return nn.Sequential(*layers)


def discriminator(
    shape: Sequence[int] = (1, 28, 28),
    hidden: Sequence[int] = (128,),
    dropout: float = 0.0,
    norm: str = "none",
) -> nn.Sequential:
    """x (N, *shape) → logits (N, 1); ``hidden`` is read backwards, so that it mirrors G's.

    ``norm`` is ``"none"``, ``"spectral"`` or ``"batch"``.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(shape)
    for units in reversed(hidden):
        layers += normed(nn.Linear(width, units), norm, nn.BatchNorm1d(units))
        layers.append(nn.LeakyReLU(0.2))
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = units
    layers += normed(nn.Linear(width, 1), norm)
    return nn.Sequential(*layers)
