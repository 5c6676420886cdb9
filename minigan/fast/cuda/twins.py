"""Twins for CuPy: kernels in the place of many launches. Imported once a GPU is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from ... import random
from ...array import Array, float32, module_of, np, on
from ...hooks import numbers
from ...ops import conv, elementwise, index, linalg, loss, special
from ...ops.conv import Pair, channels_last, kernels_of, output_size, pictures, rows
from ...ops.norm import batch_norm, batch_stats, blend
from ...optim import Adam, AdamW, Optimizer
from ...optim.optimizer import update
from ...seam import twin
from ...tensor import Tensor
from . import kernels
from .capture import recording
from .device import special_functions
from .kernels import accepts


def _product(a: Array, b: Array) -> Array:
    """a @ b, also in a captured step, where CuPy refuses to call cuBLAS."""
    return kernels.product(a, b) if recording() else a @ b


@twin(linalg._matmul, "cuda")
def product_(a: Array, b: Array) -> Any:
    """In a captured step."""
    return kernels.product(a, b) if recording() else NotImplemented


@twin(linalg._linear, "cuda")
def affine_(x: Array, w: Array, b: Array | None = None) -> Array:
    """The bias in one pass."""
    y = _product(x, w.T)
    if b is None:
        return y
    return kernels.activation(y, kernels.NONE, bias=b) if accepts(y, b) else y + b


@twin(index.cat, "cuda")
def cat_(*inputs: Array, dim: int) -> Any:
    """In a captured step eight at a time: of more, CuPy would upload a table."""
    if not recording() or len(inputs) <= 8:
        return NotImplemented
    xp = module_of(inputs[0])
    while len(inputs) > 8:
        inputs = tuple(
            xp.concatenate(inputs[i : i + 8], axis=dim) for i in range(0, len(inputs), 8)
        )
    return xp.concatenate(inputs, axis=dim)


# ------------------------------------------------------------------------------------ elementwise


@twin(special.erf, "cuda")
def erf_(x: Array) -> Array:
    """CuPy's."""
    return special_functions().erf(x)


@twin(elementwise.sigmoid, "cuda")
def sigmoid_(x: Array) -> Any:
    """One launch."""
    return kernels.activation(x, kernels.SIGMOID) if accepts(x) else NotImplemented


@twin(elementwise.leaky_relu, "cuda")
def leaky_relu_(x: Array, *, negative_slope: float) -> Any:
    """One launch."""
    if not accepts(x):
        return NotImplemented
    return kernels.activation(x, kernels.LEAKY_RELU, negative_slope)


@twin(elementwise.leaky_relu, "cuda", rule=0)
def leaky_relu_rule_(g: Array, y: Array, x: Array, *, negative_slope: float) -> Any:
    """One launch."""
    if not accepts(g, x) or g.shape != x.shape:
        return NotImplemented
    return kernels.activation_backward(g, x, kernels.LEAKY_RELU, negative_slope)


@twin(loss.bce_with_logits, "cuda")
def bce_with_logits_(x: Array, t: Array) -> Any:
    """One launch."""
    fits = accepts(x, t) and x.shape == t.shape
    return kernels.bce_with_logits(x, t) if fits else NotImplemented


@twin(loss.bce_with_logits, "cuda", rule=0)
def bce_with_logits_rule_(g: Array, y: Array, x: Array, t: Array) -> Any:
    """One launch."""
    if not accepts(g, x, t) or not g.shape == x.shape == t.shape:
        return NotImplemented
    return kernels.bce_with_logits_backward(g, x, t)


# ------------------------------------------------------------------------------------- batch norm


@twin(batch_stats, "cuda")
def batch_stats_(x: Array, dim: tuple[int, ...]) -> Any:
    """One launch."""
    per_channel = dim == (0, *range(2, x.ndim)) and accepts(x)
    return kernels.batch_stats(x) if per_channel else NotImplemented


@twin(batch_norm, "cuda")
def batch_norm_(x: Array, w: Array, b: Array, *, eps: float, stats: Any) -> Any:
    """One launch, and two for all three gradients."""
    stats = stats or batch_stats(x, (0, *range(2, x.ndim)))
    if not accepts(x, w, b, stats[0]):
        return NotImplemented

    def pullback(g: Array, wanted: Sequence[bool]) -> tuple[Any, ...]:
        return kernels.batch_norm_backward(g, x, stats, w, eps, wanted[0])

    return kernels.batch_norm(x, stats, w, b, eps), pullback


# ------------------------------------------------------------------------------------ convolution


@twin(conv.conv2d, "cuda")
def conv2d_(
    x: Array, w: Array, b: Any = None, *, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """Windows by a kernel."""
    if not accepts(x, w):
        return NotImplemented
    kernel: Any = w.shape[2:]
    size = output_size(x.shape[2:], kernel, stride, padding, dilation)
    columns = kernels.unfold(x, size, kernel, stride, padding, dilation, groups)
    y = _product(columns, kernels_of(w, groups))
    if b is not None:
        y += b.reshape(groups, 1, -1)
    return pictures(y, len(x), size)


@twin(conv._conv_transpose2d, "cuda")
def conv_transpose2d_(
    x: Array,
    w: Array,
    b: Any = None,
    *,
    size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Any:
    """Overlaps are added up by a kernel, and the bias with them."""
    if not accepts(x, w):
        return NotImplemented
    (n, _, h, wd), (o, c, kh, kw) = x.shape, w.shape
    spread = _product(rows(channels_last(x), groups), w.reshape(groups, o // groups, c * kh * kw))
    place = (kh, kw), stride, padding, dilation, groups
    return kernels.fold(spread, b, (n, groups * c, *size), (h, wd), *place)


@twin(conv.conv2d_weight, "cuda")
def conv2d_weight_(
    x: Array, e: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Any:
    """Windows by a kernel."""
    if not accepts(x, e):
        return NotImplemented
    columns = kernels.unfold(x, e.shape[2:], kernel, stride, padding, dilation, groups)
    w = _product(rows(channels_last(e), groups).transpose(0, 2, 1), columns)
    return w.reshape(e.shape[1], *kernel, -1).transpose(0, 3, 1, 2)


@twin(conv.fold, "cuda")
def fold_(
    x: Array, *, size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Any:
    """One launch."""
    if not accepts(x):
        return NotImplemented
    n, c, oh, ow, _ = x.shape
    place = kernel, stride, padding, dilation, 1
    return kernels.fold(x.transpose(0, 2, 3, 1, 4), None, (n, c, *size), (oh, ow), *place)


# ---------------------------------------------------------------------- updates, random numbers


@twin(update)
def update_(optimizer: Optimizer, group: dict[str, Any], params: list[Tensor]) -> Any:
    """Adam and AdamW in one launch a parameter."""
    if optimizer.rule not in (Adam.rule, AdamW.rule) or not all(accepts(p.array) for p in params):
        return NotImplemented
    (beta1, beta2), decay = group["betas"], group["weight_decay"]

    def rates(states: list[dict[str, Any]]) -> tuple[float, float, float]:
        for state in states:
            state["step"] += 1
        lr, t = group["lr"], states[0]["step"]
        return -lr / (1 - beta1**t), math.sqrt(1 - beta2**t), 1 - lr * decay

    alike: dict[int, list[Tensor]] = {}
    for p in params:
        alike.setdefault(optimizer.state_of(p, group)["step"], []).append(p)
    for some in alike.values():
        states = [optimizer.state[p] for p in some]
        now = numbers(partial(rates, states), 3)
        for p, state in zip(some, states, strict=True):
            averages = [state[name] for name in optimizer._averages(group)]
            signs = optimizer.rule is AdamW.rule, group["maximize"]
            g = kernels.contiguous(p.grad.array)  # type: ignore[union-attr]
            home = kernels.contiguous(p.array)
            kernels.adam(home, g, averages, group["betas"], group["eps"], decay, *signs, now)
            if home is not p.array:
                p.array[...] = home
    return None


@twin(blend, "cuda")
def blend_(average: Array, now: Array, rates: Any) -> Any:
    """One launch."""
    if not accepts(average, now):
        return NotImplemented
    return kernels.blend(average, now, rates)


@twin(random.uniform)
def uniform_(shape: tuple[int, ...], dtype: Any = float32, device: str | None = None) -> Any:
    """On a GPU."""
    return _drawn("uniform", shape, dtype, device)


@twin(random.standard_normal)
def standard_normal_(
    shape: tuple[int, ...], dtype: Any = float32, device: str | None = None
) -> Any:
    """On a GPU."""
    return _drawn("normal", shape, dtype, device)


def _drawn(kind: str, shape: tuple[int, ...], dtype: Any, device: str | None) -> Any:
    """The same numbers, drawn where they are wanted."""
    if device is None or device == "cpu":
        return NotImplemented
    words = random.words_for(math.prod(shape), dtype)

    def place() -> tuple[int, int, int]:
        return random.take(words)

    with on(device) as xp:
        return kernels.random(kind, xp, shape, dtype, numbers(place, 3, np.uint64))
