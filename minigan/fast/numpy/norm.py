"""Batch and other normalisations in one piece: what is kept, and what is shared by gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...array import Array, np
from ...ops import mean
from ...ops import sum as total
from ...ops.norm import batch_norm, batch_stats, standardize
from ...seam import twin


@twin(batch_stats, "cpu")
def batch_stats_(x: Array, dim: tuple[int, ...]) -> tuple[Array, Array]:
    """The squares are taken in place."""
    centre = mean(x, dim, keepdim=True)
    d = x - centre
    return centre, mean(np.square(d, out=d), dim, keepdim=True)


@twin(standardize, "cpu", "cuda")
def standardize_(x: Array, *, dim: tuple[int, ...], eps: float, stats: Any) -> Any:
    """One array is kept, and its statistics are those of the layer, if it has them."""
    if stats is None:
        centre = x.mean(axis=dim, keepdims=True)
        stats = centre, ((x - centre) ** 2).mean(axis=dim, keepdims=True)
    centre, variance = stats
    y = x - centre
    scale = (variance + eps) ** -0.5
    y *= scale

    def pullback(g: Array, wanted: Sequence[bool]) -> tuple[Any, ...]:
        centred = g - mean(g, dim, keepdim=True) - y * mean(g * y, dim, keepdim=True)
        return (centred * scale,)

    return y, pullback


@twin(batch_norm, "cpu")
def batch_norm_(x: Array, w: Array, b: Array, *, eps: float, stats: Any) -> Any:
    """Its three gradients share their sums, and the graph keeps one array instead of three."""
    dim, channelwise = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    n = math.prod(x.shape[i] for i in dim)
    centre, variance = stats or batch_stats(x, dim)
    scale = (variance + eps) ** -0.5
    y = x - centre
    y *= scale * w.reshape(channelwise)
    y += b.reshape(channelwise)

    def pullback(g: Array, wanted: Sequence[bool]) -> tuple[Any, ...]:
        centred = x - centre
        g_bias = total(g, dim, keepdim=True)
        g_weight = total(g * centred, dim, keepdim=True) * scale
        gx = None
        if wanted[0]:
            gain = scale * w.reshape(channelwise)
            gx = g * gain - centred * (gain * scale * g_weight / n) - gain * g_bias / n
        return gx, g_weight.reshape(-1), g_bias.reshape(-1)

    return y, pullback
