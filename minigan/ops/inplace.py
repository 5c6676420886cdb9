"""Changes in place: ``x.fill_(0)``, ``p.data.clamp_(-c, c)``, ``x[0] = v``. Underscore: in place.

What changes depends on whether gradients are recorded:

- Nothing recorded (data, ``no_grad``): the memory is written, and all who share it see the change.
- ``x`` or the value is recorded: x becomes the result of the same function out of place, so that
  gradients flow through it. If x is a view by indexing, reshape or permute, so does the tensor that
  it views. Its old memory stays as it was, for data and other views that were taken before.
- A leaf that requires grad: refused, as in PyTorch. Refused changes leave x as it was.

A graph that read x before the change refuses to be walked: there is no wrong gradient.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import random
from ..array import Array, asarray, device_of, is_array, module_of
from ..graph import op
from ..mode import is_grad_enabled
from ..tensor import Tensor, next_order
from .algebra import places
from .elementwise import add, mul, sub, where
from .index import _beside, getitem
from .shape import cast, permute, reshape

# ------------------------------------------------------------------------------- out of place first


def _put_value_rule(g, y, x, value, index):
    part = getitem(g, index)
    if not _gathers(index):
        return part
    xp = module_of(getattr(y, "array", y))
    turn, last = xp.arange(math.prod(part.shape)).reshape(part.shape), xp.zeros(y.shape, int)
    last[index] = turn  # of several values for one element the last stays
    return part * (last[index] == turn).astype(y.dtype)


@op(
    lambda g, y, x, value, index: put_(g, 0.0, index=index),
    _put_value_rule,
    latex=r"\bar x = \bar y \text{ with 0 at the index}, \quad \bar v = \bar y_{\mathrm{index}}",
)
def put_(x: Array, value: Array, *, index: Any) -> Array:
    """A copy of ``x`` with ``value`` at ``index``."""
    y = module_of(x).array(x)
    y[index] = value
    return y


def _gathers(index: Any) -> bool:
    return any(is_array(i) for i in (index if isinstance(index, tuple) else (index,)))


def masked_fill(x: Array, mask: Any, value: Any) -> Array:
    """``x`` with ``value`` where ``mask`` (broadcast to x) is true."""
    return where(mask, value, x)


def scatter(x: Array, dim: int, index: Any, src: Any) -> Array:
    """``x`` with ``y[index[i][j]][j] = src[i][j]`` for ``dim = 0``, likewise along other axes.

    ``src`` is a number or has at least the shape of ``index``.
    """
    index = _beside(x, index)
    if not isinstance(src, (int, float)):
        src = getitem(src, tuple(slice(n) for n in index.shape))
    return put_(x, src, index=places(x, dim, index))


# ------------------------------------------------------------------------------------ then in place


def _before(x: Tensor) -> Tensor:
    """x as it is, with its history, as a tensor of its own; an error if x may not change."""
    if x.is_leaf and x.requires_grad and is_grad_enabled():
        raise RuntimeError(
            "a leaf that requires grad is changed in place only inside `with no_grad():`, "
            "because that change could not be differentiated"
        )
    if not x.is_leaf and not is_grad_enabled():
        raise RuntimeError(
            "a tensor that was computed and recorded is not changed under no_grad(), because its "
            "own gradient may read it: change x.detach().clone(), or change x outside of no_grad()"
        )
    if 0 in [s for s, n in zip(x.array.strides, x.shape, strict=True) if n > 1]:
        raise RuntimeError(
            "an expanded tensor keeps several elements in one place, which can not be changed one "
            "by one: use x.clone() first"
        )
    before = Tensor(x.array)
    for name in ("op", "inputs", "settings", "pullback", "requires_grad", "order", "memory"):
        setattr(before, name, getattr(x, name))
    if _is_view(x):
        before.inputs = (_before(x.inputs[0]),)
    return before


_VIEWS: dict[Any, Callable[..., Any]] = {  # how a view is made again
    vars(getitem)["op"]: lambda x, index, once: getitem(x, index, once),
    vars(reshape)["op"]: lambda x, shape: reshape(x, shape),
    vars(permute)["op"]: lambda x, dims: permute(x, dims),
}


def _is_view(x: Tensor) -> bool:
    """Whether x was recorded as a view of a tensor: what changes x changes that."""
    return x.op in _VIEWS and _shares(x, x.inputs[0])


def _shares(x: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and module_of(x.array).may_share_memory(x.array, other.array)


_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}  # a change in place may not climb


def _become(x: Tensor, before: Tensor, result: Tensor) -> Tensor:
    """x with the result's values, and its history if it has one."""
    if result.shape != x.shape:
        raise ValueError(
            f"a change in place keeps the shape {x.shape}, but the result has {result.shape}"
        )
    if result.dtype != x.dtype:
        if _RANK[result.dtype.kind] > _RANK[x.dtype.kind]:
            what = "fractions" if result.dtype.kind == "f" else str(result.dtype)
            raise TypeError(f"{x.dtype} can not hold {what}: convert the tensor first")
        result = cast(result, dtype=x.dtype)
    if x.is_leaf and not result.requires_grad:
        x.array[...] = result.array
        x.mark_changed()
        return x
    if _is_view(x):
        base, old = x.inputs[0], before.inputs[0]
        if x.op is vars(getitem)["op"]:
            whole = put_(old, result, index=x.settings["index"])
        else:  # the rules of reshape and permute are their inverses
            whole = x.op.rules[0](result, before, old, **x.settings)  # type: ignore[union-attr, misc]
        result = _VIEWS[x.op](_become(base, old, whole), **x.settings)
    elif x.array.base is not None if x.is_leaf else any(_shares(x, t) for t in x.inputs):
        raise RuntimeError(
            "this tensor is a view of other memory, which a recorded change would not reach: "
            "assign there (x[index] = value), or change x.clone()"
        )
    x.array, x.memory = result.array, None
    for name in ("op", "inputs", "settings", "pullback", "requires_grad"):
        setattr(x, name, getattr(result, name))
    x.order = next_order()  # younger than those who read it before: their graphs are refused
    return x


def in_place(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """The method ``x.f_(…)`` of a function ``f(x, …)``."""

    @functools.wraps(function)
    def change(self: Tensor, *args: Any, **settings: Any) -> Tensor:
        before = _before(self)
        args = tuple(before if a is self else a for a in args)
        return _become(self, before, function(before, *args, **settings))

    if not function.__name__.endswith("_"):
        change.__name__ = f"{function.__name__}_"
        change.__doc__ = f"x becomes ``{function.__name__}(x, …)``; returns x."
    return change


def augmented(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """``p -= lr * p.grad`` under ``no_grad`` changes leaf p itself; ``total += loss`` records."""
    change = in_place(function)

    def update(self: Tensor, other: Any) -> Tensor:
        recorded = is_grad_enabled() and not self.requires_grad
        if not self.is_leaf or (recorded and getattr(other, "requires_grad", False)):
            return function(self, other)
        return change(self, other)

    return update


def setitem(x: Tensor, index: Any, value: Any) -> Tensor:
    """``x[index] = value``: the value, cast to x's dtype, broadcasts to x[index].

    Where an index names an element twice, the last value stays (on a GPU: any of them).
    """
    before = _before(x)
    index = tuple(_beside(x, i) for i in index) if isinstance(index, tuple) else _beside(x, index)
    if not isinstance(value, (Tensor, bool, int, float)):
        value = asarray(value, device=device_of(x.array))
    recorded = isinstance(value, Tensor) and value.requires_grad
    if is_grad_enabled() and (x.requires_grad or recorded):
        if isinstance(value, Tensor):
            value = cast(before if value is x else value, dtype=x.dtype)
            ones = [i for i, n in enumerate(value.shape) if n != 1]
            value = reshape(value, value.shape[ones[0] if ones else value.ndim :])
        return _become(x, before, put_(before, value, index=index))
    if isinstance(value, Tensor):
        value = asarray(value.array, device=device_of(x.array))
    x.array[index] = value
    x.mark_changed()
    return x


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes ``value``, a number or a tensor of one."""
    return setitem(self, ..., value)


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0."""
    return setitem(self, ..., 0)


def copy_(self: Tensor, src: Any) -> Tensor:
    """The values become those of ``src``, in any dtype and on any device, broadcast."""
    return setitem(self, ..., src)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Independent draws from the normal distribution N(mean, std²)."""
    draws = random.standard_normal(self.shape, self.dtype, self.device)
    return setitem(self, ..., Tensor(draws * std + mean))


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Independent draws from the uniform distribution on [a, b)."""
    return setitem(
        self, ..., Tensor(random.uniform(self.shape, self.dtype, self.device) * (b - a) + a)
    )


def random_(self: Tensor, low: int = 0, high: int | None = None) -> Tensor:
    """Independent draws from the integers low to high - 1; ``random_(n)``: from 0 to n - 1."""
    if high is None:
        low, high = (0, low) if low else (0, 1 << (24 if self.dtype.kind == "f" else 31))
    return setitem(self, ..., random.integers(low, high, self.shape))


@in_place
def add_(x: Any, other: Any, alpha: float = 1) -> Any:
    """x becomes x + alpha · other; returns x."""
    return add(x, other if alpha == 1 else mul(other, alpha))


@in_place
def sub_(x: Any, other: Any, alpha: float = 1) -> Any:
    """x becomes x - alpha · other; returns x."""
    return sub(x, other if alpha == 1 else mul(other, alpha))


METHODS = (add_, copy_, fill_, normal_, random_, sub_, uniform_, zero_)
