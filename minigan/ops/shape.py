"""Functions that move elements: reshape, permute, index, join, pad. Their rules move them back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..array import Array, module_of
from ..graph import op


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` alike."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    return tuple([int(s) for s in sizes])


def _axis(dim: int, ndim: int) -> int:
    """``dim`` counted from the front, checked."""
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise IndexError(f"dimension {dim} is out of range for a tensor with {ndim} axes")
    return dim % ndim if ndim else 0


# ----------------------------------------------------------------------------------- shape and axes


def _to_shape(x: Array, *shape: Any) -> Any:
    return (x,), {"shape": _sizes(shape)}


@op(
    lambda g, y, x, shape: reshape(g, x.shape),
    prepare=_to_shape,
    latex=r"\bar x = \mathrm{reshape}(\bar y)",
    view=True,
)
def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same elements, read in row-major order, under another shape; one size may be -1."""
    return x.reshape(shape)


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Axes ``start_dim`` to ``end_dim`` joined into one."""
    start, end = _axis(start_dim, x.ndim), _axis(end_dim, x.ndim)
    joined = math.prod(x.shape[start : end + 1])
    return reshape(x, *x.shape[:start], joined, *x.shape[end + 1 :])


def unflatten(x: Array, dim: int, sizes: Sequence[int]) -> Array:
    """Axis ``dim`` split into axes of the given sizes; one of them may be -1."""
    dim = _axis(dim, x.ndim)
    return reshape(x, *x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def squeeze(x: Array, dim: int | None = None) -> Array:
    """Without the axes of size 1, or without axis ``dim`` if its size is 1."""
    drop = range(x.ndim) if dim is None else [_axis(dim, x.ndim)]
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in drop or n != 1])


def unsqueeze(x: Array, dim: int) -> Array:
    """With a new axis of size 1 at position ``dim``."""
    dim = _axis(dim, x.ndim + 1)
    return reshape(x, *x.shape[:dim], 1, *x.shape[dim:])


def _in_order(x: Array, *dims: Any) -> Any:
    order = tuple(_axis(d, x.ndim) for d in _sizes(dims))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute needs each of the {x.ndim} axes once, got {_sizes(dims)}")
    return (x,), {"dims": order}


@op(
    lambda g, y, x, dims: permute(g, sorted(range(len(dims)), key=dims.__getitem__)),
    prepare=_in_order,
    latex=r"\bar x = \mathrm{permute}^{-1}(\bar y)",
    view=True,
)
def permute(x: Array, *, dims: tuple[int, ...]) -> Array:
    """The axes in the order ``dims``, without a copy."""
    return x.transpose(dims)


def transpose(x: Array, dim0: int, dim1: int) -> Array:
    """Axes ``dim0`` and ``dim1`` exchanged, without a copy."""
    dims = list(range(x.ndim))
    i, j = _axis(dim0, x.ndim), _axis(dim1, x.ndim)
    dims[i], dims[j] = dims[j], dims[i]
    return permute(x, dims)


def _to_sizes(x: Array, *sizes: Any) -> Any:
    wanted = _sizes(sizes)
    old = (1,) * (len(wanted) - x.ndim) + x.shape
    return (x,), {"shape": tuple([o if n == -1 else n for o, n in zip(old, wanted, strict=True)])}


@op(
    lambda g, y, x, shape: sum_to(g, shape=x.shape),
    prepare=_to_sizes,
    latex=r"\bar x = \mathrm{sum}(\bar y)",
    view=True,
)
def expand(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Axes of size 1 repeated to ``sizes`` without a copy; -1 keeps a size."""
    return module_of(x).broadcast_to(x, shape)


@op(lambda g, y, x, shape: expand(g, x.shape), latex=r"\bar x = \mathrm{expand}(\bar y)")
def sum_to(x: Array, *, shape: tuple[int, ...]) -> Array:
    """``x`` summed over the axes in which ``shape`` is 1 or absent: undoes broadcasting."""
    extra = x.ndim - len(shape)
    axes = tuple(i for i, n in enumerate(x.shape) if i < extra or shape[i - extra] != n)
    return x.sum(axis=axes, keepdims=True).reshape(shape)


@op(lambda g, y, x, dtype: cast(g, dtype=x.dtype), latex=r"\bar x = \bar y", casts=True)
def cast(x: Array, *, dtype: Any) -> Array:
    """``x`` with another dtype."""
    return x.astype(dtype, copy=False)
