"""Standardisation: what batch, layer, instance and group normalisation share."""

from __future__ import annotations

from typing import Any

from ..array import Array
from ..graph import composite
from ..seam import definition
from .reduce import mean
from .shape import reshape

_LATEX = (
    r"\bar x = \frac{w}{\sqrt{\sigma^2 + \varepsilon}} \bigl(\bar y - \mathrm{mean}(\bar y)"
    r" - \hat x\,\mathrm{mean}(\bar y\, \hat x)\bigr)"
)


def _over(x: Array, dim: tuple[int, ...], eps: float = 1e-5, stats: Any = None) -> Any:
    return (x,), {"dim": tuple([d % x.ndim for d in dim]), "eps": eps, "stats": stats}


def _per_channel(x: Array, weight: Array, bias: Array, eps: float = 1e-5, stats: Any = None) -> Any:
    return (x, weight, bias), {"eps": eps, "stats": stats}


@composite(prepare=_over, latex=_LATEX.replace("{w}", "{1}"))
def standardize(x: Array, *, dim: tuple[int, ...], eps: float, stats: Any) -> Array:
    """(x - mean) / √(var + eps) over ``dim``, the variance without bias correction.

    The statistics depend on x, and so the gradient has a term for each (Ioffe and Szegedy 2015,
    section 3). A layer that has computed the arrays of :func:`batch_stats` hands them on as
    ``stats``, for twins to use.
    """
    centred = x - mean(x, dim, keepdim=True)
    variance = mean(centred * centred, dim, keepdim=True)
    return centred * (variance + eps) ** -0.5


@composite(
    prepare=_per_channel,
    latex=_LATEX + r", \quad \bar w = \textstyle\sum \bar y\, \hat x, \quad"
    r" \bar b = \textstyle\sum \bar y",
)
def batch_norm(x: Array, weight: Array, bias: Array, *, eps: float, stats: Any) -> Array:
    """:func:`standardize` over all axes but 1, then times ``weight``, plus ``bias``, both (C,)."""
    channelwise = (-1, *[1] * (x.ndim - 2))
    y = standardize(x, (0, *range(2, x.ndim)), eps)
    return y * reshape(weight, channelwise) + reshape(bias, channelwise)


@definition
def batch_stats(x: Array, dim: tuple[int, ...]) -> tuple[Array, Array]:
    """The mean and the variance (without correction) of an array over ``dim``, axes kept."""
    centre = mean(x, dim, keepdim=True)
    return centre, mean((x - centre) ** 2, dim, keepdim=True)
