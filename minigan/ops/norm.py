"""Standardisation: what batch, layer, instance and group normalisation share."""

from __future__ import annotations

from typing import Any

from ..autograd import op
from ..backend import Array, module_of
from ..tensor import Tensor
from .elementwise import pow
from .reduce import mean, var


def _standardize_rule(g, y, x, *, dim, eps, stats):
    # A given variance is a constant, which has no derivative: recorded passes compute it anew.
    if stats is None or isinstance(x, Tensor):
        variance = var(x, dim, correction=0, keepdim=True)
    else:
        variance = stats[1]
    centred = g - mean(g, dim, keepdim=True) - y * mean(g * y, dim, keepdim=True)
    return centred * pow(variance + eps, -0.5)


@op(
    _standardize_rule,
    latex=r"\bar x = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}"
    r" \bigl(\bar y - \mathrm{mean}(\bar y) - y\,\mathrm{mean}(\bar y\, y)\bigr)",
)
def _standardize(x: Array, *, dim: tuple[int, ...], eps: float, stats: Any) -> Array:
    """x less its mean, over its standard deviation."""
    centre, variance = stats or (x.mean(axis=dim, keepdims=True), None)
    y = x - centre
    if variance is None:
        variance = (y * y).mean(axis=dim, keepdims=True)
    y *= (variance + eps) ** -0.5
    return y


def standardize(
    x: Array, dim: tuple[int, ...], eps: float = 1e-5, stats: tuple[Array, Array] | None = None
) -> Array:
    """(x - mean) / sqrt(var + eps) over ``dim``, the variance without bias correction.

    ``stats`` may hold the mean and the variance of x as arrays, reduced axes kept with size 1, to
    save computing them again. The gradient is the one for statistics that depend on x (Ioffe and
    Szegedy 2015, section 3): one term for the mean, one for the variance.
    """
    return _standardize(x, dim=dim, eps=eps, stats=stats)


def batch_stats(x: Array, dim: tuple[int, ...]) -> tuple[Array, Array]:
    """The mean and the variance (without correction) of an array over ``dim``, axes kept."""
    centre = x.mean(axis=dim, keepdims=True)
    d = x - centre
    return centre, module_of(x).asarray((d * d).mean(axis=dim, keepdims=True))
