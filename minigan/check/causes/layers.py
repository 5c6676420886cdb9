"""Mistakes with matrices and pictures, as wrong rules of the library's operations."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...array import module_of, np
from ...ops.conv import _conv_transpose2d, conv2d, conv2d_weight
from ...ops.linalg import product
from .names import ACTIVATION, FLIP, PADDING, STRIDE, TRANSPOSED, TWICE
from .point import Array, Wrong


def _flipped(w: Array) -> Array:
    return w[:, :, ::-1, ::-1]


def _inside(g: Array, x: Array, w: Array, s: dict[str, Any]) -> Array:
    """g at the windows of x that do not touch the border."""
    inside = []
    for axis in (0, 1):
        first = s["stride"][axis] * np.arange(g.shape[2 + axis]) - s["padding"][axis]
        last = first + s["dilation"][axis] * (w.shape[2 + axis] - 1)
        inside.append((first >= 0) & (last < x.shape[2 + axis]))
    return g * np.outer(*inside)


def _shifted(x: Array, s: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """x with the whole border behind it, instead of half of it before."""
    width = [(0, 0), (0, 0), *((0, 2 * p) for p in s["padding"])]
    return module_of(x).pad(x, width), s | {"padding": (0, 0)}


def _spread(g: Array, w: Array, size: Any, s: dict[str, Any]) -> Array:
    """``_conv_transpose2d`` as if there were no border: the result is not moved by the padding."""
    (h, v), (ph, pv) = size, s["padding"]
    whole = _conv_transpose2d(g, w, size=(h + 2 * ph, v + 2 * pv), **s | {"padding": (0, 0)})
    return whole[:, :, :h, :v]


def _dense(x: Array, kernel: Any, size: Any, s: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """As much of the padded x as windows moving by 1 need to fill ``size`` positions."""
    x = module_of(x).pad(x, [(0, 0), (0, 0), *((p, p) for p in s["padding"])])
    h, v = ((n - 1) + d * (k - 1) + 1 for n, d, k in zip(size, s["dilation"], kernel, strict=True))
    return x[:, :, :h, :v], s | {"stride": (1, 1), "padding": (0, 0)}


def _weight(x: Array, e: Array, w: Array, s: dict[str, Any]) -> Array:
    return conv2d_weight(x, e, kernel=w.shape[2:], **s)


def _moved(x: Array, e: Array, w: Array, s: dict[str, Any]) -> Array:
    x, s = _shifted(x, s)
    return _weight(x, e, w, s)


def _unstrided(x: Array, e: Array, w: Array, s: dict[str, Any]) -> Array:
    x, s = _dense(x, w.shape[2:], e.shape[2:], s)
    return _weight(x, e, w, s)


def _gather(g: Array, w: Array, size: Any, s: dict[str, Any], change: Any) -> Array:
    g, s = change(g, w.shape[2:], size, s)
    return conv2d(g, w, **s)


_FLIPPED = "The kernel is flipped (or should have been): correlation against convolution."
_NO_STRIDE = "The stride is ignored: neighbouring outputs see windows that lie a stride apart."
_NO_BORDER = "The padding is ignored: the windows start outside of the picture."
_ONE = (1, 1)

# (operation, number of the input) -> the wrong rules; s are the settings stride, padding, dilation
LAYERS: dict[tuple[str, int], list[Wrong]] = {
    ("conv2d", 0): [
        (FLIP, _FLIPPED, lambda g, y, x, w, *b, **s:
            _conv_transpose2d(g, _flipped(w), size=x.shape[2:], **s)),
        (STRIDE, _NO_STRIDE, lambda g, y, x, w, *b, **s:
            _conv_transpose2d(g, w, size=x.shape[2:], **s | {"stride": _ONE})),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, **s:
            _spread(g, w, x.shape[2:], s)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, **s:
            _conv_transpose2d(_inside(g, x, w, s), w, size=x.shape[2:], **s)),
    ],
    ("conv2d", 1): [
        (FLIP, _FLIPPED, lambda g, y, x, w, *b, **s: _flipped(_weight(x, g, w, s))),
        (STRIDE, _NO_STRIDE, lambda g, y, x, w, *b, **s: _unstrided(x, g, w, s)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, **s: _moved(x, g, w, s)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, **s: _weight(x, _inside(g, x, w, s), w, s)),
    ],
    ("conv_transpose2d", 0): [
        (FLIP, _FLIPPED, lambda g, y, x, w, *b, size, **s: conv2d(g, _flipped(w), **s)),
        (STRIDE, _NO_STRIDE, lambda g, y, x, w, *b, size, **s:
            _gather(g, w, x.shape[2:], s, _dense)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, size, **s:
            _gather(g, w, size, s, lambda g, k, n, s: _shifted(g, s))),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, size, **s:
            _inside(conv2d(g, w, **s), g, w, s)),
    ],
    ("conv_transpose2d", 1): [
        (FLIP, _FLIPPED, lambda g, y, x, w, *b, size, **s: _flipped(_weight(g, x, w, s))),
        (STRIDE, _NO_STRIDE, lambda g, y, x, w, *b, size, **s: _unstrided(g, x, w, s)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, size, **s: _moved(g, x, w, s)),
        (PADDING, _NO_BORDER, lambda g, y, x, w, *b, size, **s:
            _weight(g, _inside(x, g, w, s), w, s)),
    ],
    ("linear", 0): [
        (TRANSPOSED, "W is transposed where it should not be: the gradient of x is g W.",
            lambda g, y, x, w, *b: product(g, w.T)),
    ],
    ("matmul", 0): [
        (TRANSPOSED, "b is not transposed: the gradient of a in a b is g bᵀ.",
            lambda g, y, a, b: product(g, b)),
    ],
    ("matmul", 1): [
        (TRANSPOSED, "a is not transposed: the gradient of b in a b is aᵀ g.",
            lambda g, y, a, b: product(a, g)),
    ],
    ("bce_with_logits", 0): [
        (TWICE, "The derivative of σ is multiplied in once too often: on logits, σ(x) - t already"
            " contains it.",
            lambda g, y, x, t: g * (ops.sigmoid(x) - t) * ops.sigmoid(x) * (1 - ops.sigmoid(x))),
        (ACTIVATION, "The derivative of σ is missing: (p - t) / (p (1 - p)) is the one in p.",
            lambda g, y, x, t: g * (ops.sigmoid(x) - t)
            / (ops.sigmoid(x) * (1 - ops.sigmoid(x)))),
    ],
}  # fmt: skip
