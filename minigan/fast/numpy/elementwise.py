"""Activations on the CPU: arithmetic where a choice would branch, on signs none can foresee."""

from __future__ import annotations

from typing import Any

from ...array import Array, np
from ...ops import elementwise
from ...seam import twin


@twin(elementwise.leaky_relu, "cpu")
def leaky_relu_(x: Array, *, negative_slope: float) -> Array:
    """One of the two is always the right one, and faster than a choice."""
    return (np.maximum if negative_slope <= 1 else np.minimum)(x, x * negative_slope)


@twin(elementwise.leaky_relu, "cpu", rule=0)
def leaky_relu_rule_(g: Array, y: Array, x: Array, *, negative_slope: float) -> Any:
    """Five times as fast as a choice."""
    if not 0 <= negative_slope <= 1:
        return NotImplemented
    return g * np.maximum((x > 0).astype(x.dtype), negative_slope)
