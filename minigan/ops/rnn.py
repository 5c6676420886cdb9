"""One step of an LSTM and of a GRU, and the LSTM over a whole sequence."""

from __future__ import annotations

from typing import Any

from ..graph import composite
from .elementwise import sigmoid, tanh
from .index import chunk, stack, unbind
from .linalg import linear


def lstm_step(a: Any, c: Any) -> tuple[Any, Any]:
    """The next h and c, from the sums ``a`` (N, 4H) at the gates and from c, both (N, H).

    Hochreiter and Schmidhuber 1997; with the forget gate of Gers et al. 2000.
    """
    i, f, g, o = chunk(a, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru_step(from_x: Any, from_h: Any, h: Any) -> Any:
    """The next h (N, H), from what input and state send to the gates, both (N, 3H).

    Cho et al. 2014, with the reset after the product, as cuDNN and PyTorch have it.
    """
    (r, z, n), (r_h, z_h, n_h) = chunk(from_x, 3, 1), chunk(from_h, 3, 1)
    z = sigmoid(z + z_h)
    n = tanh(n + sigmoid(r + r_h) * n_h)
    return (1 - z) * n + z * h


@composite(
    latex=r"\bar x_t = \bar a_t, \quad \bar w = \textstyle\sum_t \bar a_t^\top h_{t-1}, \quad"
    r" \bar h = \bar a_1 w, \quad \bar c = \bar c_1\, \sigma(f_1)"
)
def lstm(x: Any, weight: Any, h: Any, c: Any) -> Any:
    """The states h and c of an LSTM after every step, (2, L, N, H).

    Shapes: x (L, N, 4H), the inputs times their weights plus the biases; weight (4H, H); h and c
    (N, H), the start.
    """
    hs, cs = [], []
    for row in unbind(x):
        h, c = lstm_step(row + linear(h, weight), c)
        hs.append(h)
        cs.append(c)
    return stack([stack(hs), stack(cs)])
