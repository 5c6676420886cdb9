"""The differentiable functions, one family a file; here they become the tensor's methods.

Each function works on arrays, where it only computes, and on tensors, where it is recorded.
"""

from __future__ import annotations

from typing import Any

from ..array import asarray, device_of, is_array, np
from ..tensor import Tensor
from . import algebra, inplace
from .compare import eq, ge, gt, isfinite, le, logical_and, logical_not, logical_or, lt, ne
from .conv import conv2d, conv_transpose2d
from .create import (
    Variable,
    arange,
    empty,
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
    type_of,
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
from .inplace import augmented, in_place, masked_fill, scatter, setitem
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


dot = mv = mm = bmm = matmul  # PyTorch's names for operands of 1, 2 and 1, 2, and 3 axes

# ---------------------------------------------------------------------- the tensor's methods

# fmt: off
_METHODS = (
    abs, add, amax, amin, argmax, argmin, chunk, clamp, cos, div, eq, erf, exp, expand, expm1,
    flatten, flip, gather, ge, gt, isfinite, le, log, log1p, log_softmax, logical_and, logical_not,
    logical_or, logsumexp, lt, masked_fill, matmul, max, maximum, mean, min, minimum, mul, ne, neg,
    norm, outer, permute, pow, relu, reshape, scatter, sigmoid, sign, sin, softmax, softplus,
    split, sqrt, squeeze, std, sub, sum, tanh, transpose, unbind, unflatten, unsqueeze, var,
    *algebra.METHODS, *inplace.METHODS,
)
_IN_PLACE = (  # x.exp_() and the like
    abs, algebra.tril, algebra.triu, clamp, cos, div, erf, exp, expm1, log, log1p, masked_fill,
    mul, neg, pow, relu, scatter, sigmoid, sign, sin, sqrt, tanh,
)
# fmt: on
for _function in _METHODS:
    setattr(Tensor, _function.__name__, _function)
for _function in _IN_PLACE:
    setattr(Tensor, f"{_function.__name__}_", in_place(_function))


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _comparable(function: Any) -> Any:
    """``tensor == None`` and the like are for Python to answer."""

    def compare(self: Tensor, other: Any) -> Any:
        numbers = (bool, int, float, np.generic)
        known = isinstance(other, (Tensor, *numbers)) or is_array(other)
        return function(self, other) if known else NotImplemented

    return compare


_OPERATORS: dict[str, Any] = {
    "__iadd__": augmented(add),
    "__isub__": augmented(sub),
    "__imul__": augmented(mul),
    "__itruediv__": augmented(div),
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
    "__setitem__": setitem,
    **dict.fromkeys(("bmm", "dot", "mm", "mv"), matmul),
    "view": reshape,
    "view_as": lambda self, other: reshape(self, other.shape),
    "expand_as": lambda self, other: expand(self, other.shape),
    "repeat": lambda self, *sizes: mul(repeat(self, *sizes), True),  # a copy, as "clone"
    "to": to,
    "cpu": lambda self: to(self, device="cpu"),
    "cuda": lambda self: to(self, device="cuda"),
    "float": _to_dtype("float32"),
    "double": _to_dtype("float64"),
    "long": _to_dtype("int64"),
    "int": _to_dtype("int32"),
    "byte": _to_dtype("uint8"),
    "bool": _to_dtype("bool"),
    "type": type_of,
    "type_as": lambda self, other: to(self, other),
    "is_cuda": property(lambda self: self.device != "cpu"),
    "clone": lambda self: mul(self, True),  # True keeps every dtype, bool too
    "contiguous": lambda self: self,  # every layout is computed with
    "t": lambda self: self if self.ndim < 2 else permute(self, 1, 0),
    "T": property(lambda self: permute(self, *reversed(range(self.ndim)))),
    "mT": property(lambda self: transpose(self, -1, -2)),
}
for _name, _function in _OPERATORS.items():
    setattr(Tensor, _name, _function)
