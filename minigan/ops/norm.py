"""Standardisation: what batch, layer, instance and group normalisation share."""

from __future__ import annotations

import math
from typing import Any

from ..array import Array, module_of
from ..autograd import op
from ..fast.cuda import kernels
from ..tensor import Tensor
from .elementwise import pow
from .reduce import mean, sum, var
from .shape import reshape_


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


def _batch_norm_rules(g, y, x, w, b, *, eps, stats, wanted):
    dim, channelwise = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    n = math.prod(x.shape[i] for i in dim)
    if kernels.serve(g, x, w):
        stats = stats or batch_stats(x, dim)
        return kernels.batch_norm_backward(g, x, stats, w, eps, wanted[0])
    if stats is None or isinstance(x, Tensor):  # see _standardize_rule
        stats = mean(x, dim, keepdim=True), var(x, dim, correction=0, keepdim=True)
    centred, scale = x - stats[0], pow(stats[1] + eps, -0.5)
    g_bias = sum(g, dim, keepdim=True)
    g_weight = sum(g * centred, dim, keepdim=True) * scale
    gx = None
    if wanted[0]:
        gain = scale * reshape_(w, shape=channelwise)
        gx = g * gain - centred * (gain * scale * g_weight / n) - gain * g_bias / n
    return gx, reshape_(g_weight, shape=(-1,)), reshape_(g_bias, shape=(-1,))


@op(
    joint=_batch_norm_rules,
    latex=r"\bar x = \frac{w}{\sqrt{\sigma^2 + \varepsilon}} \bigl(\bar y - \mathrm{mean}(\bar y)"
    r" - \hat x\,\mathrm{mean}(\bar y\, \hat x)\bigr), \quad"
    r" \bar w = \textstyle\sum \bar y\, \hat x, \quad \bar b = \textstyle\sum \bar y",
)
def _batch_norm(x: Array, w: Array, b: Array, *, eps: float, stats: Any) -> Array:
    """Standardised over all axes but the channels, times w, plus b."""
    channelwise = (-1, *[1] * (x.ndim - 2))
    centre, variance = stats or batch_stats(x, (0, *range(2, x.ndim)))
    if kernels.serve(x, w, b, centre):
        return kernels.batch_norm(x, (centre, variance), w, b, eps)
    y = x - centre
    y *= (variance + eps) ** -0.5 * w.reshape(channelwise)
    y += b.reshape(channelwise)
    return y


def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    eps: float = 1e-5,
    stats: tuple[Array, Array] | None = None,
) -> Array:
    """:func:`standardize` over all axes but 1, then times ``weight``, plus ``bias``, both (C,).

    One function, because its three gradients share their sums, and because the graph then keeps one
    array where standardising, multiplying and adding keep three.
    """
    return _batch_norm(x, weight, bias, eps=eps, stats=stats)


def batch_stats(x: Array, dim: tuple[int, ...]) -> tuple[Array, Array]:
    """The mean and the variance (without correction) of an array over ``dim``, axes kept."""
    if dim == (0, *range(2, x.ndim)) and kernels.serve(x):
        return kernels.batch_stats(x)
    centre = mean(x, dim, keepdim=True)
    d = x - centre
    return centre, mean(module_of(x).square(d, out=d), dim, keepdim=True)
