"""Sums over all axes but one, by BLAS."""

from __future__ import annotations

from typing import Any

from ...array import Array, np
from ...ops import reduce
from ...seam import twin


@twin(reduce.sum, "cpu")
def sum_(x: Array, *, dim: tuple[int, ...], keepdim: bool) -> Any:
    """A product with ones: BLAS sums the columns of a matrix five times as fast as NumPy."""
    if x.size <= 1 << 15 or x.ndim - len(dim) != 1 or x.dtype.kind != "f":
        return NotImplemented
    kept = next(i for i in range(x.ndim) if i not in dim)
    rows = x.transpose(*dim, kept)
    n = x.shape[kept]
    if n == 1 or not rows.flags.c_contiguous:
        return NotImplemented
    y = np.ones(x.size // n, x.dtype) @ rows.reshape(-1, n)
    return y.reshape([-1 if i == kept else 1 for i in range(x.ndim)]) if keepdim else y
