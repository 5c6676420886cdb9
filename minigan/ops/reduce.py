"""Functions that reduce axes: sums and means, extremes, norms, and the softmax family.

``dim`` is an axis, a tuple of axes, or None for all; ``keepdim`` leaves reduced axes with size 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..array import Array, module_of, np
from ..autograd import cast, expand, op
from .elementwise import abs, exp, pow, sqrt, where
from .shape import gather, reshape_

Dim = int | tuple[int, ...] | None


def _axes(dim: Dim, ndim: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(ndim))
    dims, limit = (dim,) if isinstance(dim, int) else dim, ndim or 1
    for d in dims:
        if not -limit <= d < limit:
            raise IndexError(f"dimension {d} is out of range for a tensor with {ndim} axes")
    return tuple([d % ndim for d in dims]) if ndim else ()


def _count(x: Array, dim: Dim) -> int:
    return math.prod(x.shape[d] for d in _axes(dim, x.ndim))


def _keep(g: Array, x: Array, dim: Dim) -> Array:
    """``g`` with the reduced axes of ``x`` back, of size 1."""
    axes = _axes(dim, x.ndim)
    return reshape_(g, shape=tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


# ----------------------------------------------------------------------------------- sums and means


@op(
    lambda g, y, x, dim, keepdim: expand(_keep(g, x, dim), shape=x.shape),
    latex=r"\bar x_i = \bar y",
)
def sum_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The sum over ``dim``."""
    axes = _axes(dim, x.ndim)
    large = type(x) is np.ndarray and x.size > 1 << 15 and x.dtype.kind == "f"
    if large and x.ndim - len(axes) == 1:
        kept = next(i for i in range(x.ndim) if i not in axes)
        rows = x.transpose(*axes, kept)
        if rows.flags.c_contiguous and (n := x.shape[kept]) > 1:
            # a product with ones: BLAS sums the columns of a matrix five times as fast as NumPy
            y = np.ones(x.size // n, x.dtype) @ rows.reshape(-1, n)
            return y.reshape([-1 if i == kept else 1 for i in range(x.ndim)]) if keepdim else y
    return x.sum(axis=axes, keepdims=keepdim)


def sum(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The sum over ``dim``."""
    return sum_(x, dim=dim, keepdim=keepdim)


def mean(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The arithmetic mean over ``dim``; NaN of nothing."""
    n = _count(x, dim)
    return sum_(x, dim=dim, keepdim=keepdim) / (n or math.nan)


def var(x: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """The variance over ``dim``.

    ``correction=1`` divides by N - 1 (Bessel, unbiased), ``correction=0`` by N, as batch
    normalisation does.
    """
    d = x - mean(x, dim, keepdim=True)
    free = _count(x, dim) - correction
    return sum_(d * d, dim=dim, keepdim=keepdim) / (free if free > 0 else math.nan)


def std(x: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """The standard deviation over ``dim``; see :func:`var`."""
    return sqrt(var(x, dim, correction, keepdim))


# ----------------------------------------------------------------------------------------- extremes


def _extreme_rule(g, y, x, dim, keepdim):
    hit = cast(x == _keep(y, x, dim), dtype=x.dtype)
    return _keep(g, x, dim) * (hit / sum(hit, dim, keepdim=True))


_EXTREME = r"\bar x_i = \bar y\,[x_i = y] \,/\, \#\{j : x_j = y\}"


@op(_extreme_rule, latex=_EXTREME)
def amax_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The largest element over ``dim``."""
    return x.max(axis=_axes(dim, x.ndim), keepdims=keepdim)


@op(_extreme_rule, latex=_EXTREME)
def amin_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The smallest element over ``dim``."""
    return x.min(axis=_axes(dim, x.ndim), keepdims=keepdim)


def amax(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The largest element over ``dim``; ties share the gradient equally."""
    return amax_(x, dim=dim, keepdim=keepdim)


def amin(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """The smallest element over ``dim``; ties share the gradient equally."""
    return amin_(x, dim=dim, keepdim=keepdim)


class Extreme(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` give: the elements, and where they stood."""

    values: Any
    indices: Any


@op(latex="")
def argmax_(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    """The index of the first largest element."""
    return x.argmax(axis=dim, keepdims=keepdim)


@op(latex="")
def argmin_(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    """The index of the first smallest element."""
    return x.argmin(axis=dim, keepdims=keepdim)


def argmax(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """The index of the first largest element, over all elements or along ``dim``; int64."""
    return argmax_(x, dim=dim, keepdim=keepdim)


def argmin(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """The index of the first smallest element, over all elements or along ``dim``; int64."""
    return argmin_(x, dim=dim, keepdim=keepdim)


def _at(x: Array, dim: int, keepdim: bool, indices: Array) -> Extreme:
    if not x.ndim:
        return Extreme(x, indices)
    values = gather(x, dim, indices)
    if keepdim:
        return Extreme(values, indices)
    shape = tuple(n for i, n in enumerate(x.shape) if i != dim % x.ndim)
    return Extreme(reshape_(values, shape=shape), reshape_(indices, shape=shape))


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


@op(_norm2_rule, latex=r"\bar x = \bar y\, x / y")
def norm2_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The Euclidean length over ``dim``."""
    return module_of(x).sqrt((x * x).sum(axis=_axes(dim, x.ndim), keepdims=keepdim))


def norm(x: Array, p: float = 2, dim: Dim = None, keepdim: bool = False) -> Array:
    """The vector p-norm (Σ|x|ᵖ)^(1/p) over ``dim``; ``p`` may be ``inf``."""
    if p == 2:
        return norm2_(x, dim=dim, keepdim=keepdim)
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
    latex=r"\bar x = \bar y\, e^{x - y}",
)
def logsumexp_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """log Σ exp(x) over ``dim``."""
    xp, axes = module_of(x), _axes(dim, x.ndim)
    top = x.max(axis=axes, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    y = xp.log(xp.exp(x - top).sum(axis=axes, keepdims=True)) + top
    return y if keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])


def logsumexp(x: Array, dim: Dim, keepdim: bool = False) -> Array:
    """log Σ exp(x) over ``dim``, without overflow."""
    return logsumexp_(x, dim=dim, keepdim=keepdim)


@op(
    lambda g, y, x, dim: y * (g - sum(g * y, dim, keepdim=True)),
    latex=r"\bar x = y \odot \bigl(\bar y - \langle \bar y, y \rangle\bigr)",
)
def softmax_(x: Array, *, dim: int) -> Array:
    """exp(x) / Σ exp(x)."""
    e = module_of(x).exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def softmax(x: Array, dim: int) -> Array:
    """exp(x) / Σ exp(x) along ``dim``, without overflow."""
    return softmax_(x, dim=dim)


@op(
    lambda g, y, x, dim: g - exp(y) * sum(g, dim, keepdim=True),
    latex=r"\bar x = \bar y - e^{y} \textstyle\sum \bar y",
)
def log_softmax_(x: Array, *, dim: int) -> Array:
    """x - log Σ exp(x)."""
    z = x - x.max(axis=dim, keepdims=True)
    return z - module_of(x).log(module_of(x).exp(z).sum(axis=dim, keepdims=True))


def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of :func:`softmax`, exact where that is tiny."""
    return log_softmax_(x, dim=dim)


__all__ = [
    "Extreme",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "softmax",
    "std",
    "sum",
    "var",
]
