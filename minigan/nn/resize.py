"""Pictures (N, C, H, W) made larger or smaller: interpolation, pixel shuffle."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..array import asarray, np
from ..tensor import Tensor
from .module import Module
from .padding import Size, to_tuple


def resample(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """R x Cᵀ for every channel: (N, C, H, W) → (N, C, oh, ow), with R (oh, H) and C (ow, W).

    Every way of resizing is linear and acts on height and width apart, so two matrices describe it.
    """
    for matrix in (columns, rows):  # along the last axis, then the axes change places
        x = ops.matmul(x, asarray(matrix.T, x.dtype, x.device)).transpose(2, 3)
    return x


def interpolate(
    x: Tensor,
    size: Size | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Pictures resized to ``size``, or by ``scale_factor``: (N, C, H, W) → (N, C, oh, ow).

    Parameters
    ----------
    mode : "nearest" or "bilinear"
        Repeat the nearest pixel, or weigh the four around with their distances.
    align_corners : bool
        For "bilinear": whether the centres of the corner pixels stay in the corners; otherwise the
        outer edges of the picture do.

    Raises
    ------
    ValueError
        If not exactly one of ``size`` and ``scale_factor`` is given, or the mode is unknown.
    """
    if x.ndim != 4:
        raise ValueError(f"expected pictures (N, C, H, W), got shape {x.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("give either size or scale_factor")
    if mode not in ("nearest", "bilinear") or (mode == "nearest" and align_corners is not None):
        raise ValueError(
            f"mode is 'nearest' or, with or without align_corners, 'bilinear'; got {mode!r} and "
            f"align_corners={align_corners}"
        )
    old = x.shape[2:]
    if scale_factor is None:
        new = to_tuple(size, 2, "size")
        steps = [n / max(m, 1) for n, m in zip(old, new, strict=True)]
    else:
        pair = isinstance(scale_factor, (tuple, list))
        factors: Any = scale_factor if pair else (scale_factor, scale_factor)
        new = tuple(math.floor(n * f) for n, f in zip(old, factors, strict=True))
        steps = [1 / f for f in factors]  # as given: the rounded size would give another step
    if min(new) < 1:
        raise ValueError(f"expected a size of at least 1 x 1, got {new}")
    if mode == "nearest":
        times = tuple(m // n for n, m in zip(old, new, strict=True))
        if all(n * t == m for n, t, m in zip(old, times, new, strict=True)):
            return _repeat(x, *times)
        matrices = [_nearest(*args) for args in zip(old, new, steps, strict=True)]
    else:
        if align_corners:
            steps = [(n - 1) / max(m - 1, 1) for n, m in zip(old, new, strict=True)]
        shift = 0.0 if align_corners else 0.5
        matrices = [_linear(*args, shift) for args in zip(old, new, steps, strict=True)]
    return resample(x, *matrices)


def _repeat(x: Tensor, th: int, tw: int) -> Tensor:
    """Every pixel th times down and tw times across; memory stays channels-last."""
    n, c, h, w = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(n, h, 1, w, 1, c).expand(n, h, th, w, tw, c)
    return pixels.reshape(n, h * th, w * tw, c).permute(0, 3, 1, 2)


def _nearest(n: int, out: int, step: float) -> np.ndarray:
    """The (out, n) matrix that picks pixel ⌊i · step⌋."""
    source = np.minimum(np.floor(np.arange(out) * step), n - 1)
    return (source[:, None] == np.arange(n)).astype("float64")


def _linear(n: int, out: int, step: float, shift: float) -> np.ndarray:
    """The (out, n) matrix that interpolates between the pixels on both sides of each position."""
    position = np.clip((np.arange(out) + shift) * step - shift, 0, n - 1)
    distance = np.abs(position[:, None] - np.arange(n))
    return np.maximum(0, 1 - distance)  # the hat function around each pixel


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels laid out as pixels: (N, C r², H, W) → (N, C, r H, r W) (Shi et al. 2016, eq. 4)."""
    r = upscale_factor
    if x.ndim != 4 or x.shape[1] % (r * r):
        raise ValueError(f"expected input (N, C · {r * r}, H, W), got {x.shape}")
    n, c, h, w = x.shape
    tiles = x.reshape(n, c // (r * r), r, r, h, w).permute(0, 1, 4, 2, 5, 3)
    return tiles.reshape(n, c // (r * r), h * r, w * r)


class Upsample(Module):
    """Pictures resized; see :func:`interpolate`."""

    def __init__(
        self,
        size: Size | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)


class PixelShuffle(Module):
    """Channels laid out as pixels; see :func:`pixel_shuffle`."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return pixel_shuffle(x, self.upscale_factor)
