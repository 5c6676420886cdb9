"""A multilayer perceptron generates, a small convolutional network judges; pictures of 28×28."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .mlp import generator
from .norms import normed

__all__ = ["discriminator", "generator"]


def discriminator(
    shape: Sequence[int] = (1, 28, 28), channels: int = 32, norm: str = "none"
) -> nn.Sequential:
    """x (N, C, H, W) → logits (N, 1); H and W at least 4.

    ``norm`` is ``"none"``, ``"spectral"`` or ``"batch"``.
    """
    c, h, w = shape
    if min(h, w) < 4:
        raise ValueError(f"mlp-cnn needs pictures of at least 4x4, got {h}x{w}")
    width = 2 * channels
    return nn.Sequential(
        *normed(nn.Conv2d(c, channels, 4, stride=2, padding=1), norm),
        nn.LeakyReLU(0.2),
        *normed(nn.Conv2d(channels, width, 4, 2, padding=1), norm, nn.BatchNorm2d(width)),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        *normed(nn.Linear(width * (h // 4) * (w // 4), 1), norm),
    )
