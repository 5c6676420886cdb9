"""Functions that reduce axes: sums and means, extremes, norms, and the softmax family.

``dim`` is an axis, a tuple of axes, or None for all; ``keepdim`` leaves reduced axes with size 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..array import Array, module_of
from ..graph import op
from .elementwise import abs, exp, pow, sqrt, where
from .shape import cast, expand, gather, reshape

Dim = int | tuple[int, ...] | None


def _axes(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(ndim))
    dims, limit = (dim,) if isinstance(dim, int) else dim, ndim or 1
    for d in dims:
        if not -limit <= d < limit:
            raise IndexError(f"dimension {d} is out of range for a tensor with {ndim} axes")
    return tuple([d % ndim for d in dims]) if ndim else ()


def _over(x: Array, dim: Dim = None, keepdim: bool = False) -> Any:
    return (x,), {"dim": _axes(dim, x.ndim), "keepdim": keepdim}


def _along(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    return (x,), {"dim": dim, "keepdim": keepdim}


def _softmax_along(x: Array, dim: int) -> Any:
    return (x,), {"dim": dim}


def _count(x: Array, dim: Dim) -> int:
    return math.prod(x.shape[d] for d in _axes(dim, x.ndim))


def _keep(g: Array, x: Array, dim: Dim) -> Array:
    """``g`` with the reduced axes of ``x`` back, of size 1."""
    axes = _axes(dim, x.ndim)
    return reshape(g, [1 if i in axes else n for i, n in enumerate(x.shape)])


# ----------------------------------------------------------------------------------- sums and means


@op(
    lambda g, y, x, dim, keepdim: expand(_keep(g, x, dim), x.shape),
    prepare=_over,
    latex=r"\bar x_i = \bar y",
)
def sum(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The sum over ``dim``."""
    return x.sum(axis=dim, keepdims=keepdim)


def mean(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The arithmetic mean over ``dim``; NaN of nothing."""
    n = _count(x, dim)
    return sum(x, dim, keepdim) / (n or math.nan)


def var(x: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """The variance over ``dim``.

    ``correction=1`` divides by N - 1 (Bessel, unbiased), ``correction=0`` by N, as batch
    normalisation does.
    """
    d = x - mean(x, dim, keepdim=True)
    free = _count(x, dim) - correction
    return sum(d * d, dim, keepdim) / (free if free > 0 else math.nan)


def std(x: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """The standard deviation over ``dim``; see :func:`var`."""
    return sqrt(var(x, dim, correction, keepdim))


# ----------------------------------------------------------------------------------------- extremes


def _extreme_rule(g, y, x, dim, keepdim):
    hit = cast(x == _keep(y, x, dim), dtype=x.dtype)
    return _keep(g, x, dim) * (hit / sum(hit, dim, keepdim=True))


_EXTREME = r"\bar x_i = \bar y\,[x_i = y] \,/\, \#\{j : x_j = y\}"


@op(_extreme_rule, prepare=_over, latex=_EXTREME)
def amax(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The largest element over ``dim``; ties share the gradient equally."""
    return x.max(axis=dim, keepdims=keepdim)


@op(_extreme_rule, prepare=_over, latex=_EXTREME)
def amin(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The smallest element over ``dim``; ties share the gradient equally."""
    return x.min(axis=dim, keepdims=keepdim)


class Extreme(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` give: the elements, and where they stood."""

    values: Any
    indices: Any


@op(latex="", prepare=_along)
def argmax(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    """The index of the first largest element, over all elements or along ``dim``; int64."""
    return x.argmax(axis=dim, keepdims=keepdim)


@op(latex="", prepare=_along)
def argmin(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    """The index of the first smallest element, over all elements or along ``dim``; int64."""
    return x.argmin(axis=dim, keepdims=keepdim)


def _at(x: Array, dim: int, keepdim: bool, indices: Array) -> Extreme:
    if not x.ndim:
        return Extreme(x, indices)
    values = gather(x, dim, indices)
    if keepdim:
        return Extreme(values, indices)
    shape = tuple(n for i, n in enumerate(x.shape) if i != dim % x.ndim)
    return Extreme(reshape(values, shape), reshape(indices, shape))


def max(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element of all (ties share the gradient), or along ``dim``.

    With ``dim``: a pair ``.values``, ``.indices``; the gradient goes to the index returned.
    """
    return amax(x) if dim is None else _at(x, dim, keepdim, argmax(x, dim, keepdim=True))


def min(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element of all, or along ``dim``; see :func:`max`."""
    return amin(x) if dim is None else _at(x, dim, keepdim, argmin(x, dim, keepdim=True))


# -------------------------------------------------------------------------------------------- norms


def _norm2_rule(g, y, x, dim, keepdim):
    y = _keep(y, x, dim)
    return _keep(g, x, dim) * (x / where(y == 0, 1.0, y))  # the subgradient 0 at x = 0


@op(_norm2_rule, prepare=_over, latex=r"\bar x = \bar y\, x / y")
def norm2(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The Euclidean length over ``dim``."""
    return module_of(x).sqrt((x * x).sum(axis=dim, keepdims=keepdim))


def norm(x: Array, p: float = 2, dim: Dim = None, keepdim: bool = False) -> Array:
    """The vector p-norm (Σ|x|ᵖ)^(1/p) over ``dim``; ``p`` may be ``inf``."""
    if p == 2:
        return norm2(x, dim, keepdim)
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p == math.inf:
        return amax(abs(x), dim, keepdim)
    if p <= 0:
        raise ValueError(f"norm needs p > 0, got {p}")
    total = sum(pow(abs(x), p), dim, keepdim)
    root = pow(where(total == 0, 1.0, total), 1 / p)
    return where(total == 0, 0.0, root)  # the gradient at x = 0 is 0


# ---------------------------------------------------------------------------------- softmax family


@op(
    lambda g, y, x, dim, keepdim: _keep(g, x, dim) * exp(x - _keep(y, x, dim)),
    prepare=_over,
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
