"""Mistakes with known functions: activations, softmax, normalisation.

They are recognised by their *values*: a tensor s that equals σ(z) for an earlier tensor z is a
sigmoid, whether the library computed it or a student wrote 1 / (1 + exp(-x)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ... import ops
from ...array import np, quiet
from ...autograd import enable_grad, grad
from ...tensor import Tensor
from .names import ACTIVATION, BATCH_NORM, PLACE, SOFTMAX, TWICE
from .point import Array, Wrong

_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "σ": ops.sigmoid,
    "tanh": ops.tanh,
    "ReLU": ops.relu,
    "softplus": ops.softplus,
    "SiLU": lambda x: x * ops.sigmoid(x),
    "ELU": lambda x: ops.where(x > 0, x, ops.expm1(ops.clamp(x, max=0.0))),
    "GELU": lambda x: x * (0.5 * (1 + ops.erf(x * 0.5**0.5))),
    "exp": ops.exp,
    "log": ops.log,
    "sqrt": ops.sqrt,
    "sin": ops.sin,
    "cos": ops.cos,
    "square": lambda x: x * x,
}
_SHAPED = ("σ", "tanh", "ReLU", "softplus", "SiLU", "ELU", "GELU", "leaky ReLU")


def known(z: Array, s: Array) -> Iterator[tuple[str, Wrong]]:
    """The mistakes that can be made between z and s, if s is a known function of z."""
    if np.array_equal(z, s):
        return
    with quiet():
        for name, f in (*_ACTIVATIONS.items(), *_leaky(z, s)):
            if _equal(s, f(z)):
                for wrong in _activation(name, f):
                    yield name, wrong
        for axis in range(z.ndim):
            if _equal(s, ops.softmax(z, axis)):
                for wrong in _softmax(axis):
                    yield "softmax", wrong
            elif _equal(s, ops.log_softmax(z, axis)):
                yield (
                    "log-softmax",
                    (
                        SOFTMAX,
                        "Only the diagonal of log-softmax's Jacobian: the other outputs depend on"
                        " each input too, through the sum.",
                        lambda g, y, x: g * (1 - np.exp(y)),
                    ),
                )
        for axes in _normalised_axes(z.ndim):
            scale = _standardised(z, s, axes)
            if scale is not None:
                for wrong in _standardize(axes, scale):
                    yield "batch norm", wrong


def _equal(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-14))


def _leaky(z: Array, s: Array) -> Iterator[tuple[str, Callable[..., Any]]]:
    """A leaky ReLU of the slope that s / z has below 0, if that can be one."""
    below = z < 0
    if below.any() and not below.all() and 0 < (slope := float((s[below] / z[below]).flat[0])) < 1:
        yield "leaky ReLU", lambda x: ops.leaky_relu(x, negative_slope=slope)


def _activation(name: str, f: Callable[..., Any]) -> Iterator[Wrong]:
    def slope(x: Array) -> Array:
        x = Tensor(x, requires_grad=True)
        with enable_grad():  # rules run unrecorded
            y = f(x)
        return grad(y, x, Tensor(np.ones(x.shape)))[0].array  # type: ignore[union-attr]

    missing = f"The derivative of {name} is missing: multiply the incoming gradient by it."
    if name in _SHAPED:
        yield ACTIVATION, missing, lambda g, y, x: g
    if name == "leaky ReLU":
        says = "The leaky slope is missing: where x < 0 the derivative is the slope, not 0."
        yield ACTIVATION, says, lambda g, y, x: g * (x > 0)
    if name in ("ReLU", "leaky ReLU"):
        says = f"The mask of {name} is flipped: gradient passes where x > 0."
        yield ACTIVATION, says, lambda g, y, x: g * slope(-x)
    if name == "square":
        return
    yield (
        PLACE,
        f"The derivative of {name} is evaluated at its output instead of its input.",
        lambda g, y, x: g * slope(y),
    )
    if hasattr(f, "op"):
        yield (
            PLACE,
            f"The derivative of {name} is a formula in its output here, but the input is put in.",
            lambda g, y, x: f.op.rules[0](g, x, x),
        )
    yield (
        TWICE,
        f"The derivative of {name} is multiplied in once too often.",
        lambda g, y, x: g * slope(x) ** 2,
    )


def _softmax(axis: int) -> Iterator[Wrong]:
    says = (
        "Only the diagonal of softmax's Jacobian diag(s) - s sᵀ: every output depends on"
        " every input, so subtract s times the sum of g · s too."
    )
    yield SOFTMAX, says, lambda g, y, x: g * y * (1 - y)
    yield (
        SOFTMAX,
        "Softmax's Jacobian is diag(s) - s sᵀ; the part - s sᵀ is missing.",
        (lambda g, y, x: g * y),
    )


def _normalised_axes(ndim: int) -> Iterator[tuple[int, ...]]:
    """The axes that batch, instance, layer and group normalisation reduce."""
    found = {(0, *range(2, ndim)), *(tuple(range(i, ndim)) for i in range(ndim))}
    return iter(sorted(axes for axes in found if axes and ndim))


def _standardised(z: Array, s: Array, axes: tuple[int, ...]) -> Array | None:
    """1 / sqrt(var + eps) if s is (z - mean) / sqrt(var + eps) over ``axes``, any small eps."""
    centred = z - z.mean(axis=axes, keepdims=True)
    var = (centred * centred).mean(axis=axes, keepdims=True)
    scale = (s * centred).mean(axis=axes, keepdims=True) / var
    near_one = var * scale * scale
    if not (np.all(near_one > 0.5) and np.all(near_one < 1 + 1e-6)):
        return None
    return scale if _equal(s, centred * scale) else None


def _standardize(axes: tuple[int, ...], scale: Array) -> Iterator[Wrong]:
    def mean(a: Array) -> Array:
        return a.mean(axis=axes, keepdims=True)

    def terms(missing: str) -> str:
        return (
            f"The {missing} of the normalisation {'are' if 'and' in missing else 'is'} missing:"
            f" the statistics over axis {' and '.join(map(str, axes))} depend on x."
        )

    yield BATCH_NORM, terms("path through the mean"), lambda g, y, x: scale * (g - y * mean(g * y))
    yield BATCH_NORM, terms("path through the variance"), lambda g, y, x: scale * (g - mean(g))
    yield BATCH_NORM, terms("paths through mean and variance"), lambda g, y, x: scale * g
