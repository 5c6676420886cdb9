"""More functions of each element, which a plain GAN does without."""

from __future__ import annotations

import math

from ..array import Array, asarray, device_of, module_of, np, to_host
from ..graph import op
from .elementwise import exp


@op(lambda g, y, x: g * (y + 1), latex=r"\bar x = \bar y\,(y + 1)")
def expm1(x: Array) -> Array:
    """exp(x) - 1, exact for small x."""
    return module_of(x).expm1(x)


@op(lambda g, y, x: g * cos(x), latex=r"\bar x = \bar y \cos x")
def sin(x: Array) -> Array:
    """The sine of x radians."""
    return module_of(x).sin(x)


@op(lambda g, y, x: -g * sin(x), latex=r"\bar x = -\bar y \sin x")
def cos(x: Array) -> Array:
    """The cosine of x radians."""
    return module_of(x).cos(x)


@op(
    lambda g, y, x: g * (1.1283791670955126 * exp(-x * x)),  # 2 / √π
    latex=r"\bar x = \bar y\, \tfrac{2}{\sqrt\pi} e^{-x^2}",
)
def erf(x: Array) -> Array:
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""
    y = _erf(to_host(x)).astype(x.dtype)  # neither library has it: one number after the other
    return asarray(y, device=device_of(x))


_erf = np.vectorize(math.erf, otypes=["float64"])
