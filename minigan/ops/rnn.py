"""The LSTM over a whole sequence, as one function.

Recorded step by step, a sequence of 28 rows is 500 functions, and the gradient of its weights 28
products that are added up. Here the weights' gradient is one product, and an LSTM's training step
takes half the time.
"""

from __future__ import annotations

from typing import Any

from ..autograd import op
from ..backend import Array, module_of
from .elementwise import sigmoid, tanh
from .linalg import matmul_
from .shape import cat, reshape_, stack, transpose


def _lstm_rules(g, y, x, w, h, c, *, wanted):
    """Backpropagation through time (Hochreiter and Schmidhuber 1997, appendix A)."""
    steps, _, _, size = y.shape
    hs, cs, write, keep, new, show = (y[:, i] for i in range(6))
    rates = write * (1 - write), keep * (1 - keep), 1 - new * new, show * (1 - show)
    past, bright = cat([reshape_(c, shape=(1, *c.shape)), cs[:-1]]), tanh(cs)
    fade = show * (1 - bright * bright)
    gh, gc, arriving = g[-1, 0], g[-1, 1], []
    for t in reversed(range(steps)):
        gc = gc + gh * fade[t]
        parts = (  # what arrives at the four gates, and then at the sums inside of them
            (gc * new[t] + g[t, 2]) * rates[0][t],
            (gc * past[t] + g[t, 3]) * rates[1][t],
            (gc * write[t] + g[t, 4]) * rates[2][t],
            (gh * bright[t] + g[t, 5]) * rates[3][t],
        )
        arriving.append(cat(parts, 1))
        gh, gc = matmul_(arriving[-1], w), gc * keep[t]
        if t:
            gh, gc = gh + g[t - 1, 0], gc + g[t - 1, 1]
    gx = stack(arriving[::-1])
    before = cat([reshape_(h, shape=(1, *h.shape)), hs[:-1]])
    rows = transpose(reshape_(gx, shape=(-1, gx.shape[2])), 0, 1)
    gw = matmul_(rows, reshape_(before, shape=(-1, size))) if wanted[1] else None
    return gx, gw, gh, gc


@op(
    joint=_lstm_rules,
    latex=r"\bar x_t = \bar a_t, \quad \bar w = \textstyle\sum_t \bar a_t^\top h_{t-1}, \quad"
    r" \bar h = \bar a_1 w, \quad \bar c = \bar c_1\, \sigma(f_1)",
)
def _lstm(x: Array, w: Array, h: Array, c: Array) -> Array:
    """h, c and the four gates of every step, (L, 6, N, H): all that the gradient needs."""
    xp, (steps, n, _), size = module_of(x), x.shape, h.shape[1]
    y = xp.empty((steps, 6, n, size), dtype=xp.result_type(x, w))
    for t in range(steps):
        sums = x[t] + h @ w.T
        gates = sums.reshape(n, 4, size)
        y[t, 2] = sigmoid(gates[:, 0])
        y[t, 3] = sigmoid(gates[:, 1])
        y[t, 4] = xp.tanh(gates[:, 2])
        y[t, 5] = sigmoid(gates[:, 3])
        c = y[t, 3] * c + y[t, 2] * y[t, 4]
        h = y[t, 5] * xp.tanh(c)
        y[t, 0], y[t, 1] = h, c
    return y


def lstm(x: Any, weight: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """The states h_t, c_t of an LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    For t = 1 … L, with a_t = x_t + h_{t-1} Wᵀ split into i, f, g, o:
    c_t = σ(f) c_{t-1} + σ(i) tanh(g) and h_t = σ(o) tanh(c_t).

    Shapes: x (L, N, 4H), the inputs times their weights plus the biases; weight (4H, H); h and c
    (N, H), the start → two of (L, N, H).
    """
    y = _lstm(x, weight, h, c)
    return y[:, 0], y[:, 1]


__all__ = ["lstm"]
