"""Two-dimensional distributions whose truth is known: where GANs can be watched failing."""

from __future__ import annotations

import math

from .. import random
from ..array import np
from .dataset import Dataset


def ring(
    n: int = 100_000, modes: int = 8, radius: float = 1.0, std: float = 0.01, seed: int = 0
) -> Dataset:
    """``n`` points from ``modes`` equal Gaussians, evenly spaced on a circle.

    float32 of shape (n, 2); labels are the mode each point comes from, ``centers`` (modes, 2) the
    Gaussians' means, ``std`` their standard deviation along each axis.

    Source: Z. Lin, A. Khetan, G. Fanti, S. Oh, "PacGAN", 2018, section 4.1: the defaults.
    """
    _check(n=n, modes=modes, std=std)
    # Without endpoint=False the last centre would repeat the first.
    angle = np.linspace(0, 2 * math.pi, modes, endpoint=False)
    centers = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _mixture("ring", centers, n, std, seed)


def grid(
    n: int = 100_000, side: int = 5, spacing: float = 2.0, std: float = 0.05, seed: int = 0
) -> Dataset:
    """``n`` points from ``side`` x ``side`` equal Gaussians on a square grid around the origin.

    As :func:`ring`; the defaults put 25 modes at {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4}.
    """
    _check(n=n, side=side, std=std)
    places = spacing * (np.arange(side) - (side - 1) / 2)
    centers = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    return _mixture("grid", centers, n, std, seed)


def swiss_roll(n: int = 100_000, noise: float = 0.02, seed: int = 0) -> Dataset:
    """``n`` points along a spiral of one and a half turns, from radius 1/3 to 1.

    float32 of shape (n, 2), no labels. A point is ``(r cos t, r sin t)`` with ``r = t / 4.5 pi``
    and t uniform on [1.5 pi, 4.5 pi], plus Gaussian noise of standard deviation ``noise``.
    """
    _check(n=n, noise=noise)
    rng = random.default_rng(seed)
    t = rng.uniform(1.5 * math.pi, 4.5 * math.pi, size=(n, 1))
    spiral = t / (4.5 * math.pi) * np.concatenate([np.cos(t), np.sin(t)], axis=1)
    return _points("swiss_roll", spiral + noise * rng.standard_normal((n, 2)))


def two_moons(n: int = 100_000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """``n`` points from two interlocking half circles of radius 1, centred on the origin.

    float32 of shape (n, 2); label 0 is the upper moon, 1 the lower. The upper is
    ``(cos t - 1/2, sin t - 1/4)`` with t uniform on [0, pi], the lower its mirror image through
    the origin; both plus Gaussian noise of standard deviation ``noise``.
    """
    _check(n=n, noise=noise)
    rng = random.default_rng(seed)
    t = rng.uniform(0, math.pi, size=(n, 1))
    labels = rng.integers(2, size=n)
    upper = np.concatenate([np.cos(t) - 0.5, np.sin(t) - 0.25], axis=1)
    moons = np.where(labels[:, None] == 0, upper, -upper)
    return _points("two_moons", moons + noise * rng.standard_normal((n, 2)), labels)


def _mixture(name: str, centers: np.ndarray, n: int, std: float, seed: int) -> Dataset:
    rng = random.default_rng(seed)
    labels = rng.integers(len(centers), size=n)
    points = centers[labels] + std * rng.standard_normal((n, 2))
    return _points(name, points, labels, centers.astype(np.float32))


def _points(
    name: str,
    points: np.ndarray,
    labels: np.ndarray | None = None,
    centers: np.ndarray | None = None,
) -> Dataset:
    return Dataset(
        points.astype(np.float32), labels, name, range=None, stored_range=None, centers=centers
    )


def _check(**arguments: float) -> None:
    """Counts must be at least 1, spreads at least 0."""
    for name, value in arguments.items():
        least = 0 if name in ("std", "noise") else 1
        if not value >= least:
            raise ValueError(f"expected {name} >= {least}, got {value}")
