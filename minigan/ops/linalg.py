"""Products of matrices."""

from __future__ import annotations

import math

from ..array import Array
from ..graph import op
from ..seam import around
from .reduce import sum
from .shape import reshape, squeeze, transpose, unsqueeze


@op(
    lambda g, y, a, b: _matmul(g, transpose(b, -1, -2)),
    lambda g, y, a, b: _matmul(transpose(a, -1, -2), g),
    latex=r"\bar a = \bar y\, b^\top, \quad \bar b = a^\top \bar y",
    infix="@",
)
def _matmul(a: Array, b: Array) -> Array:
    """The product of matrices in the last two axes."""
    return a @ b


@around(_matmul)
def matmul(a: Array, b: Array) -> Array:
    """The matrix product, as ``torch.matmul``.

    Vectors count as one row on the left, one column on the right. Axes before the last two are a
    batch and broadcast.
    """
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul needs at least one axis each, got {a.shape} and {b.shape}")
    if a.ndim == 1:
        return squeeze(matmul(unsqueeze(a, 0), b), -1 if b.ndim == 1 else -2)
    if b.ndim == 1:
        return squeeze(matmul(a, unsqueeze(b, 1)), -1)
    if a.ndim > 2 and b.ndim == 2:  # one product instead of many that share b
        rows = reshape(a, math.prod(a.shape[:-1]), a.shape[-1])
        return reshape(_matmul(rows, b), *a.shape[:-1], b.shape[-1])
    return _matmul(a, b)


@op(
    lambda g, y, x, w, b=None: _matmul(g, w),
    lambda g, y, x, w, b=None: _matmul(transpose(g, 0, 1), x),
    lambda g, y, x, w, b: sum(g, 0),
    latex=r"\bar x = \bar y\, W, \quad \bar W = \bar y^\top x, \quad"
    r" \bar b = \textstyle\sum_n \bar y_n",
)
def _linear(x: Array, w: Array, b: Array | None = None) -> Array:
    """x Wᵀ + b for x of shape (N, in), W (out, in), b (out,)."""
    return x @ w.T if b is None else x @ w.T + b


@around(_linear)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b along the last axis: (*, in) → (*, out), with W (out, in) and b (out,)."""
    rows = x if x.ndim == 2 else reshape(x, math.prod(x.shape[:-1]), x.shape[-1])
    y = _linear(rows, weight) if bias is None else _linear(rows, weight, bias)
    return y if x.ndim == 2 else reshape(y, *x.shape[:-1], weight.shape[0])


def outer(a: Array, b: Array) -> Array:
    """The product of every element of a with every element of b: (n,), (m,) → (n, m)."""
    return matmul(unsqueeze(a, 1), unsqueeze(b, 0))
