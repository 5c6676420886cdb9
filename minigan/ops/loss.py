"""Binary cross-entropy, element by element: on probabilities, and on logits."""

from __future__ import annotations

from ..array import Array, module_of, quiet
from ..graph import op
from .elementwise import clamp, log, log1p, sigmoid, softplus


@op(
    lambda g, y, p, t: g * ((p - t) / clamp(p * (1 - p), min=1e-12)),
    lambda g, y, p, t: g * (clamp(log1p(-p), min=-100.0) - clamp(log(p), min=-100.0)),
    latex=r"\bar p = \bar y\, \frac{p - t}{p(1 - p)}, \quad"
    r" \bar t = \bar y\, \bigl(\ln(1 - p) - \ln p\bigr)",
)
def bce(p: Array, t: Array) -> Array:
    """-t log p - (1 - t) log(1 - p) for probabilities p; logarithms end at -100, as in PyTorch."""
    xp = module_of(p)
    with quiet():
        log_p, log_q = xp.log(p), xp.log1p(-p)
    return (t - 1) * xp.maximum(log_q, -100.0) - t * xp.maximum(log_p, -100.0)


@op(
    lambda g, y, x, t: g * (sigmoid(x) - t),
    lambda g, y, x, t: -g * x,
    latex=r"\bar x = \bar y\, \bigl(\sigma(x) - t\bigr), \quad \bar t = -\bar y\, x",
)
def bce_with_logits(x: Array, t: Array) -> Array:
    """-t log σ(x) - (1 - t) log(1 - σ(x)) = softplus(x) - t x, exact for any logit x."""
    return softplus(x) - t * x
