"""The softmax family, without overflow."""

from __future__ import annotations

from typing import Any

from ..array import Array, module_of
from ..graph import op
from .elementwise import exp
from .reduce import Dim, keep, over, sum


def _softmax_along(x: Array, dim: int) -> Any:
    return (x,), {"dim": dim}


@op(
    lambda g, y, x, dim, keepdim: keep(g, x, dim) * exp(x - keep(y, x, dim)),
    prepare=over,
    latex=r"\bar x = \bar y\, e^{x - y}",
)
def logsumexp(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """log Σ exp(x) over ``dim``, without overflow."""
    xp = module_of(x)
    top = x.max(axis=dim, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    y = xp.log(xp.exp(x - top).sum(axis=dim, keepdims=True)) + top
    return y if keepdim else y.squeeze(axis=dim)


@op(
    lambda g, y, x, dim: y * (g - sum(g * y, dim, keepdim=True)),
    prepare=_softmax_along,
    latex=r"\bar x = y \odot \bigl(\bar y - \langle \bar y, y \rangle\bigr)",
)
def softmax(x: Array, *, dim: int) -> Array:
    """exp(x) / Σ exp(x) along ``dim``, without overflow."""
    e = module_of(x).exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


@op(
    lambda g, y, x, dim: g - exp(y) * sum(g, dim, keepdim=True),
    prepare=_softmax_along,
    latex=r"\bar x = \bar y - e^{y} \textstyle\sum \bar y",
    logarithm=True,
)
def log_softmax(x: Array, *, dim: int) -> Array:
    """The logarithm of :func:`softmax`, exact where that is tiny."""
    z = x - x.max(axis=dim, keepdims=True)
    return z - module_of(x).log(module_of(x).exp(z).sum(axis=dim, keepdims=True))
