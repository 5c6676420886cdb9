"""The LSTM over a whole sequence in one piece.

Recorded step by step, a sequence of 28 rows is 500 functions, and the gradient of its weights 28
products that are added up. Here the weights' gradient is one product, and a training step takes
two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...array import Array, module_of, quiet
from ...ops import matmul
from ...ops.rnn import lstm
from ...seam import twin


@twin(lstm, "cpu", "cuda")
def lstm_(x: Array, w: Array, h: Array, c: Array) -> Any:
    """h and c, and the pullback, which needs the four gates of every step."""
    xp, (steps, n, _), size = module_of(x), x.shape, h.shape[1]
    dtype = xp.result_type(x, w)
    y, gates = xp.empty((2, steps, n, size), dtype), xp.empty((4, steps, n, size), dtype)
    start = h, c
    for t in range(steps):
        sums = x[t] + matmul(h, w.T)
        here = gates[:, t]
        here[...] = sums.reshape(n, 4, size).transpose(1, 0, 2)
        _logistic(here[:2])
        xp.tanh(here[2], out=here[2])
        _logistic(here[3])
        write, keep, new, show = here
        y[1, t] = c = keep * c + write * new
        y[0, t] = h = show * xp.tanh(c)

    def pullback(g: Array, wanted: Sequence[bool]) -> tuple[Any, ...]:
        return _back(g, y, gates, w, *start, wanted)

    return y, pullback


def _back(
    g: Array, y: Array, gates: Array, w: Array, h: Array, c: Array, wanted: Sequence[bool]
) -> tuple[Any, ...]:
    """Backpropagation through time, in full (Graves and Schmidhuber 2005, appendix A)."""
    xp, (hs, cs), (write, keep, new, show) = module_of(g), y, gates
    past, bright = xp.concatenate([c[None], cs[:-1]]), xp.tanh(cs)
    rates = write * (1 - write), keep * (1 - keep), 1 - new * new, show * (1 - show)
    fade = show * (1 - bright * bright)
    gh, gc, arriving = g[0, -1], g[1, -1], []
    for t in reversed(range(len(hs))):
        gc = gc + gh * fade[t]
        at_gates = gc * new[t], gc * past[t], gc * write[t], gh * bright[t]
        arriving.append(xp.concatenate([a * r[t] for a, r in zip(at_gates, rates, strict=True)], 1))
        gh, gc = matmul(arriving[-1], w), gc * keep[t]
        if t:
            gh, gc = gh + g[0, t - 1], gc + g[1, t - 1]
    gx = xp.stack(arriving[::-1])
    if not wanted[1]:
        return gx, None, gh, gc
    before = xp.concatenate([h[None], hs[:-1]])
    return gx, matmul(gx.reshape(-1, gx.shape[2]).T, before.reshape(-1, h.shape[1])), gh, gc


def _logistic(x: Array) -> None:
    """σ(x) in place; below -88 in float32 it is 0, which for a gate is shut."""
    xp = module_of(x)
    with quiet():
        xp.exp(xp.negative(x, out=x), out=x)
    x += 1
    xp.reciprocal(x, out=x)
