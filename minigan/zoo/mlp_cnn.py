"""A multilayer perceptron generates, a small convolutional network judges; pictures of 28×28."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .mlp import generator

__all__ = ["discriminator", "generator"]


def discriminator(shape: Sequence[int] = (1, 28, 28), channels: int = 32) -> nn.Sequential:
    """x (N, C, H, W) → logits (N, 1); H and W at least 4."""
    c, h, w = shape
    if min(h, w) < 4:
        raise ValueError(f"mlp-cnn needs pictures of at least 4x4, got {h}x{w}")
    return nn.Sequential(
        nn.Conv2d(c, channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * channels * (h // 4) * (w // 4), 1),
    )
