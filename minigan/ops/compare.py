"""Comparisons and logic: no gradient, dtype bool."""

from __future__ import annotations

from ..array import Array, module_of
from ..graph import op


@op(latex="")
def eq(a: Array, b: Array) -> Array:
    """a == b."""
    return a == b


@op(latex="")
def ne(a: Array, b: Array) -> Array:
    """a != b."""
    return a != b


@op(latex="")
def lt(a: Array, b: Array) -> Array:
    """a < b."""
    return a < b


@op(latex="")
def le(a: Array, b: Array) -> Array:
    """a <= b."""
    return a <= b


@op(latex="")
def gt(a: Array, b: Array) -> Array:
    """a > b."""
    return a > b


@op(latex="")
def ge(a: Array, b: Array) -> Array:
    """a >= b."""
    return a >= b


@op(latex="")
def logical_and(a: Array, b: Array) -> Array:
    """Whether both hold."""
    return a & b


@op(latex="")
def logical_or(a: Array, b: Array) -> Array:
    """Whether either holds."""
    return a | b


@op(latex="")
def logical_not(x: Array) -> Array:
    """Whether x does not hold."""
    return ~x


@op(latex="")
def isfinite(x: Array) -> Array:
    """Whether x is neither infinite nor NaN."""
    return module_of(x).isfinite(x)
