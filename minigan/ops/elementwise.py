"""Functions of each element: arithmetic, powers, exponentials, and the S-shaped and kinked ones.

Every function is its value and, above it, one gradient rule per input. ``g`` is the gradient that
arrives at the output ``y``. Operands broadcast; the walk back sums what was broadcast.

Kinks are where PyTorch has them: ``abs'(0) = 0``, ``relu'(0) = 0``, a leaky slope counts at 0, the
edges of ``clamp`` pass the gradient, ``maximum`` and ``minimum`` share ties equally.
"""

from __future__ import annotations

import math
from typing import Any

from ..array import Array, module_of
from ..graph import op

# ------------------------------------------------------------------------------------- arithmetic


@op(
    lambda g, y, a, b: g,
    lambda g, y, a, b: g,
    latex=r"\bar a = \bar y, \quad \bar b = \bar y",
    infix="+",
)
def add(a: Array, b: Array) -> Array:
    """a + b."""
    return a + b


@op(
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    latex=r"\bar a = \bar y, \quad \bar b = -\bar y",
    infix="-",
)
def sub(a: Array, b: Array) -> Array:
    """a - b."""
    return a - b


@op(
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
    latex=r"\bar a = \bar y\,b, \quad \bar b = \bar y\,a",
    infix="·",
)
def mul(a: Array, b: Array) -> Array:
    """a · b, element by element."""
    return a * b


@op(
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -g * y / b,
    latex=r"\bar a = \bar y / b, \quad \bar b = -\bar y\,y / b",
    infix="/",
)
def div(a: Array, b: Array) -> Array:
    """a / b, element by element."""
    return a / b


@op(lambda g, y, x: -g, latex=r"\bar x = -\bar y", infix="-")
def neg(x: Array) -> Array:
    """-x."""
    return -x


def _pow_base_rule(g, y, a, b):
    if isinstance(b, (int, float)):
        # b a^(b-1) would be 0 · ∞ at a = 0, b = 0, where the derivative of a constant is 0
        return g * 0.0 if b == 0 else g * (b * pow(a, b - 1))
    return g * where(b == 0, 0.0, b * pow(a, where(b == 0, 1.0, b - 1)))


def _pow_exponent_rule(g, y, a, b):  # 0^b is flat in b
    if isinstance(a, (int, float)):
        return g * (y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan))
    return g * y * log(where(a == 0, 1.0, a))


@op(
    _pow_base_rule,
    _pow_exponent_rule,
    latex=r"\bar a = \bar y\, b\, a^{b-1}, \quad \bar b = \bar y\, y \ln a",
    infix="^",
)
def pow(a: Array, b: Array) -> Array:
    """a to the power b."""
    return a**b


# ------------------------------------------------------------------------ exponentials and friends


@op(lambda g, y, x: g * y, latex=r"\bar x = \bar y\, y")
def exp(x: Array) -> Array:
    """e to the power x."""
    return module_of(x).exp(x)


@op(lambda g, y, x: g / x, latex=r"\bar x = \bar y / x")
def log(x: Array) -> Array:
    """The natural logarithm."""
    return module_of(x).log(x)


@op(lambda g, y, x: g / (1 + x), latex=r"\bar x = \bar y / (1 + x)")
def log1p(x: Array) -> Array:
    """log(1 + x), exact for small x."""
    return module_of(x).log1p(x)


@op(lambda g, y, x: g / (2 * y), latex=r"\bar x = \bar y / (2y)")
def sqrt(x: Array) -> Array:
    """The square root."""
    return module_of(x).sqrt(x)


# ----------------------------------------------------------------------------- S-shaped and kinked


@op(lambda g, y, x: g * (1 - y * y), latex=r"\bar x = \bar y\,(1 - y^2)")
def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return module_of(x).tanh(x)


@op(lambda g, y, x: g * (y * (1 - y)), latex=r"\bar x = \bar y\, y(1 - y)")
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow and exact in both tails."""
    xp = module_of(x)
    decay = xp.exp(-1.0 * xp.abs(x))  # -1.0: unsigned integers have no negative
    return xp.maximum(decay, x >= 0) / (1 + decay)  # 1 or decay, without a branch


@op(lambda g, y, x: g * sigmoid(x), latex=r"\bar x = \bar y\, \sigma(x)")
def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    xp = module_of(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-1.0 * xp.abs(x)))


@op(lambda g, y, x: g * (x > 0), latex=r"\bar x = \bar y\,[x > 0]")
def relu(x: Array) -> Array:
    """max(x, 0)."""
    return module_of(x).maximum(x, 0)


@op(
    lambda g, y, x, negative_slope: where(x > 0, g, negative_slope * g),
    latex=r"\bar x = \bar y \cdot \begin{cases} 1 & x > 0 \\ \alpha & x \le 0 \end{cases}",
)
def leaky_relu(x: Array, *, negative_slope: float) -> Array:
    """x where positive, ``negative_slope`` · x elsewhere."""
    return where(x > 0, x, negative_slope * x)


@op(lambda g, y, x: g * sign(x), latex=r"\bar x = \bar y\, \mathrm{sign}(x)")
def abs(x: Array) -> Array:
    """The absolute value."""
    return module_of(x).abs(x)


@op(lambda g, y, x: g * 0.0, latex=r"\bar x = 0")
def sign(x: Array) -> Array:
    """-1, 0 or 1."""
    return module_of(x).sign(x)


def _clamp_rule(g, y, x, min, max):
    if min is not None:
        g = g * (x >= min)
    return g if max is None else g * (x <= max)


def _limits(x: Array, min: float | None = None, max: float | None = None) -> Any:
    """x limited to [min, max]; None leaves that side open."""
    if min is None and max is None:
        raise ValueError("clamp needs min, max or both")
    return (x,), {"min": min, "max": max}


@op(_clamp_rule, prepare=_limits, latex=r"\bar x = \bar y\,[\mathrm{min} \le x \le \mathrm{max}]")
def clamp(x: Array, *, min: float | None, max: float | None) -> Array:
    """x limited to [min, max]; None leaves that side open."""
    return module_of(x).clip(x, min, max)


@op(
    lambda g, y, a, b: g * (a > b) + 0.5 * g * (a == b),
    lambda g, y, a, b: g * (b > a) + 0.5 * g * (a == b),
    latex=r"\bar a = \bar y\,\bigl([a > b] + \tfrac12 [a = b]\bigr)",
)
def maximum(a: Array, b: Array) -> Array:
    """The larger of a and b, element by element."""
    return module_of(a, b).maximum(a, b)


@op(
    lambda g, y, a, b: g * (a < b) + 0.5 * g * (a == b),
    lambda g, y, a, b: g * (b < a) + 0.5 * g * (a == b),
    latex=r"\bar a = \bar y\,\bigl([a < b] + \tfrac12 [a = b]\bigr)",
)
def minimum(a: Array, b: Array) -> Array:
    """The smaller of a and b, element by element."""
    return module_of(a, b).minimum(a, b)


@op(
    None,
    lambda g, y, condition, a, b: where(condition, g, 0.0),
    lambda g, y, condition, a, b: where(condition, 0.0, g),
    latex=r"\bar a = \bar y\,[c], \quad \bar b = \bar y\,[\lnot c]",
)
def where(condition: Array, a: Array, b: Array) -> Array:
    """a where ``condition`` holds, b elsewhere."""
    return module_of(condition, a, b).where(condition, a, b)
