"""A dense layer whose bias is added in place."""

from __future__ import annotations

from ...array import Array
from ...ops import linalg
from ...seam import twin


@twin(linalg.affine, "cpu")
def affine_(x: Array, w: Array, b: Array | None = None) -> Array:
    """Without a second array for the sum."""
    y = x @ w.T
    if b is not None:
        if y.dtype != b.dtype:
            return y + b
        y += b
    return y
