"""Functions that reduce axes: sums, means, variances.

``dim`` is an axis, a tuple of axes, or None for all; ``keepdim`` leaves reduced axes with size 1.
"""

from __future__ import annotations

import math
from typing import Any

from ..array import Array
from ..graph import op
from .elementwise import sqrt
from .shape import expand, reshape

Dim = int | tuple[int, ...] | None


def _axes(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(ndim))
    dims, limit = (dim,) if isinstance(dim, int) else dim, ndim or 1
    for d in dims:
        if not -limit <= d < limit:
            raise IndexError(f"dimension {d} is out of range for a tensor with {ndim} axes")
    return tuple([d % ndim for d in dims]) if ndim else ()


def over(x: Array, dim: Dim = None, keepdim: bool = False) -> Any:
    return (x,), {"dim": _axes(dim, x.ndim), "keepdim": keepdim}


def _count(x: Array, dim: Dim) -> int:
    return math.prod(x.shape[d] for d in _axes(dim, x.ndim))


def keep(g: Array, x: Array, dim: Dim) -> Array:
    """``g`` with the reduced axes of ``x`` back, of size 1."""
    axes = _axes(dim, x.ndim)
    return reshape(g, [1 if i in axes else n for i, n in enumerate(x.shape)])


# ----------------------------------------------------------------------------------- sums and means


@op(
    lambda g, y, x, dim, keepdim: expand(keep(g, x, dim), x.shape),
    prepare=over,
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
