"""The LSTM over a whole sequence, as one function.

Recorded step by step, a sequence of 28 rows is 500 functions, and the gradient of its weights 28
products that are added up. Here the weights' gradient is one product, and a training step takes
two thirds of the time.
"""

from __future__ import annotations

from typing import Any

from ..array import Array, module_of, quiet
from ..autograd import op
from ..fast.cuda.kernels import product
from .elementwise import tanh
from .linalg import matmul_
from .shape import cat, reshape_, stack, transpose, unbind


def _lstm_rules(g, y, x, w, h, c, *, wanted):
    """Backpropagation through time, in full (Graves and Schmidhuber 2005, appendix A)."""
    hs, cs, write, keep, new, show = unbind(y)
    past, bright = cat([reshape_(c, shape=(1, *c.shape)), cs[:-1]]), tanh(cs)
    rates = write * (1 - write), keep * (1 - keep), 1 - new * new, show * (1 - show)
    fade = show * (1 - bright * bright)
    gh, gc, arriving = g[0, -1], g[1, -1], []
    for t in reversed(range(len(x))):
        gc = gc + gh * fade[t]
        at_gates = gc * new[t], gc * past[t], gc * write[t], gh * bright[t]
        parts = [(a + g[2 + i, t]) * rates[i][t] for i, a in enumerate(at_gates)]
        arriving.append(cat(parts, 1))
        gh, gc = matmul_(arriving[-1], w), gc * keep[t]
        if t:
            gh, gc = gh + g[0, t - 1], gc + g[1, t - 1]
    gx = stack(arriving[::-1])
    if not wanted[1]:
        return gx, None, gh, gc
    before = cat([reshape_(h, shape=(1, *h.shape)), hs[:-1]])
    rows = transpose(reshape_(gx, shape=(-1, gx.shape[2])), 0, 1)
    return gx, matmul_(rows, reshape_(before, shape=(-1, h.shape[1]))), gh, gc


@op(
    joint=_lstm_rules,
    latex=r"\bar x_t = \bar a_t, \quad \bar w = \textstyle\sum_t \bar a_t^\top h_{t-1}, \quad"
    r" \bar h = \bar a_1 w, \quad \bar c = \bar c_1\, \sigma(f_1)",
)
def _lstm(x: Array, w: Array, h: Array, c: Array) -> Array:
    """h, c and the four gates of every step, (6, L, N, H): all that the gradient needs."""
    xp, (steps, n, _), size = module_of(x), x.shape, h.shape[1]
    y = xp.empty((6, steps, n, size), dtype=xp.result_type(x, w))
    for t in range(steps):
        sums = x[t] + product(h, w.T)
        gates = y[2:, t]
        gates[...] = sums.reshape(n, 4, size).transpose(1, 0, 2)
        _logistic(gates[:2])
        xp.tanh(gates[2], out=gates[2])
        _logistic(gates[3])
        write, keep, new, show = gates
        y[1, t] = c = keep * c + write * new
        y[0, t] = h = show * xp.tanh(c)
    return y


def _logistic(x: Array) -> None:
    """σ(x) in place; below -88 in float32 it is 0, which for a gate is shut."""
    xp = module_of(x)
    with quiet():
        xp.exp(xp.negative(x, out=x), out=x)
    x += 1
    xp.reciprocal(x, out=x)


def lstm(x: Any, weight: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """The states h_t, c_t of an LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    For t = 1 … L, with a_t = x_t + h_{t-1} Wᵀ split into i, f, g, o:
    c_t = σ(f) c_{t-1} + σ(i) tanh(g) and h_t = σ(o) tanh(c_t).

    Shapes: x (L, N, 4H), the inputs times their weights plus the biases; weight (4H, H); h and c
    (N, H), the start → two of (L, N, H).
    """
    y = _lstm(x, weight, h, c)
    return y[0], y[1]


__all__ = ["lstm"]
