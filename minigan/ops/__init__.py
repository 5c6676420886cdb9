"""The differentiable functions, one family a file; here they become the tensor's methods.

Each function works on arrays, where it only computes, and on tensors, where it is recorded.
"""

from __future__ import annotations

from typing import Any

from ..array import asarray, device_of, is_array, np
from ..autograd import is_grad_enabled
from ..tensor import Tensor
from .compare import eq, ge, gt, isfinite, le, logical_and, logical_not, logical_or, lt, ne
from .conv import conv2d, conv_transpose2d
from .create import (
    arange,
    eye,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    zeros,
    zeros_like,
)
from .elementwise import (
    abs,
    add,
    clamp,
    div,
    exp,
    leaky_relu,
    log,
    log1p,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    relu,
    sigmoid,
    sign,
    softplus,
    sqrt,
    sub,
    tanh,
    where,
)
from .index import (
    cat,
    chunk,
    flip,
    gather,
    getitem,
    pad,
    repeat,
    split,
    stack,
    unbind,
)
from .linalg import linear, matmul, outer
from .loss import bce, bce_with_logits
from .norm import batch_norm, batch_stats, standardize
from .order import amax, amin, argmax, argmin, max, min, norm
from .reduce import mean, std, sum, var
from .rnn import gru_step, lstm, lstm_step
from .shape import (
    cast,
    expand,
    flatten,
    permute,
    reshape,
    squeeze,
    transpose,
    unflatten,
    unsqueeze,
)
from .softmax import log_softmax, logsumexp, softmax
from .special import cos, erf, expm1, sin
from .windows import conv1d, windows

# --------------------------------------------------------------------- dtype and device of a tensor


def to(x: Tensor, *targets: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """The tensor on another device, or with another dtype, or both: ``x.to("cuda")``.

    Changing the dtype is differentiable; moving to another device gives a new leaf.
    """
    for target in targets:
        if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
            device = target
        elif isinstance(target, Tensor):
            dtype, device = target.dtype, target.device
        else:
            dtype = target
    if dtype is not None and x.dtype != dtype:
        x = cast(x, dtype=np.dtype(dtype))
    if device is None or device_of(x.array).startswith(device):
        return x
    return Tensor(asarray(x.array, device=device), x.requires_grad and x.is_leaf)


def _to_dtype(name: str) -> Any:
    def convert(self: Tensor) -> Tensor:
        return to(self, dtype=name)

    convert.__doc__ = f"The tensor as {name}."
    return convert


# ---------------------------------------------------------------------- the tensor's methods

# fmt: off
_METHODS = (
    abs, add, amax, amin, argmax, argmin, chunk, clamp, cos, div, eq, erf, exp, expand, expm1,
    flatten, flip, gather, ge, gt, isfinite, le, log, log1p, log_softmax, logical_and, logical_not,
    logical_or, logsumexp, lt, matmul, max, maximum, mean, min, minimum, mul, ne, neg, norm,
    permute, pow, relu, repeat, reshape, sigmoid, sign, sin, softmax, softplus, split, sqrt,
    squeeze, std, sub, sum, tanh, transpose, unbind, unflatten, unsqueeze, var,
)
# fmt: on
for _function in _METHODS:
    setattr(Tensor, _function.__name__, _function)


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _comparable(function: Any) -> Any:
    """``tensor == None`` and the like are for Python to answer."""

    def compare(self: Tensor, other: Any) -> Any:
        numbers = (bool, int, float, np.generic)
        known = isinstance(other, (Tensor, *numbers)) or is_array(other)
        return function(self, other) if known else NotImplemented

    return compare


def _in_place(function: Any) -> Any:
    """``p -= lr * p.grad`` under ``no_grad`` changes leaf p itself; ``total += loss`` records."""

    def update(self: Tensor, other: Any) -> Tensor:
        if not self.is_leaf:
            return function(self, other)
        if self.requires_grad and is_grad_enabled():
            raise RuntimeError(
                "a leaf that requires grad is changed in place only inside `with no_grad():`, "
                "because that change could not be differentiated"
            )
        result = function(self, other)
        if result.requires_grad:
            return result
        if result.dtype.kind == "f" and self.dtype.kind != "f":
            raise TypeError(f"{self.dtype} can not hold fractions: make it a float tensor first")
        self.array[...] = result.array
        self.mark_changed()
        return self

    return update


_OPERATORS: dict[str, Any] = {
    "__iadd__": _in_place(add),
    "__isub__": _in_place(sub),
    "__imul__": _in_place(mul),
    "__itruediv__": _in_place(div),
    "__add__": add,
    "__radd__": _reflected(add),
    "__sub__": sub,
    "__rsub__": _reflected(sub),
    "__mul__": mul,
    "__rmul__": _reflected(mul),
    "__truediv__": div,
    "__rtruediv__": _reflected(div),
    "__pow__": pow,
    "__rpow__": _reflected(pow),
    "__matmul__": matmul,
    "__rmatmul__": _reflected(matmul),
    "__neg__": neg,
    "__abs__": abs,
    "__getitem__": getitem,
    "__eq__": _comparable(eq),
    "__ne__": _comparable(ne),
    "__lt__": lt,
    "__le__": le,
    "__gt__": gt,
    "__ge__": ge,
    "__and__": logical_and,
    "__or__": logical_or,
    "__invert__": logical_not,
    "view": reshape,
    "to": to,
    "cpu": lambda self: to(self, device="cpu"),
    "cuda": lambda self: to(self, device="cuda"),
    "float": _to_dtype("float32"),
    "double": _to_dtype("float64"),
    "long": _to_dtype("int64"),
    "bool": _to_dtype("bool"),
    "clone": lambda self: mul(self, True),  # True keeps every dtype, bool too
    "contiguous": lambda self: self,  # every layout is computed with
    "T": property(lambda self: permute(self, *reversed(range(self.ndim)))),
    "mT": property(lambda self: transpose(self, -1, -2)),
}
for _name, _function in _OPERATORS.items():
    setattr(Tensor, _name, _function)
