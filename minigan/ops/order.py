"""The largest and the smallest elements, where they stand, and lengths of vectors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..array import Array, module_of
from ..graph import op
from .elementwise import abs, pow, where
from .index import gather
from .reduce import Dim, keep, over, sum
from .shape import cast, reshape


def _along(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    return (x,), {"dim": dim, "keepdim": keepdim}


def _extreme_rule(g, y, x, dim, keepdim):
    hit = cast(x == keep(y, x, dim), dtype=x.dtype)
    return keep(g, x, dim) * (hit / sum(hit, dim, keepdim=True))


_EXTREME = r"\bar x_i = \bar y\,[x_i = y] \,/\, \#\{j : x_j = y\}"


@op(_extreme_rule, prepare=over, latex=_EXTREME)
def amax(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """The largest element over ``dim``; ties share the gradient equally."""
    return x.max(axis=dim, keepdims=keepdim)


@op(_extreme_rule, prepare=over, latex=_EXTREME)
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


def _norm2_rule(g, y, x, dim, keepdim):
    y = keep(y, x, dim)
    return keep(g, x, dim) * (x / where(y == 0, 1.0, y))  # the subgradient 0 at x = 0


@op(_norm2_rule, prepare=over, latex=r"\bar x = \bar y\, x / y")
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
