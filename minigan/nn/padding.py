"""Borders around pictures, as layers and for convolutions; sizes given as one number or several."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import ops
from ..tensor import Tensor
from .module import Module

Size = int | tuple[int, ...]

_MODES = ("zeros", "reflect", "replicate", "circular")


def to_tuple(value: Any, n: int, what: str) -> tuple[int, ...]:
    """n integers from one, or from n; ``what`` names them in the error."""
    values = (value,) * n if isinstance(value, int) else tuple(value)
    if len(values) != n:
        raise ValueError(f"{what} needs {n} integers or one, got {value}")
    return values


def border(
    padding: Any,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding_mode: str,
) -> partial[Tensor] | None:
    """The function that pads x before a convolution; None if the convolution can do it itself.

    ``padding`` is a number per axis, "same" or "valid"; the rest are settings of the layer.
    A convolution adds zeros, as many on the left as on the right. Other modes need a border, and so
    does "same" with an even kernel: the odd row or column comes last.

    Raises
    ------
    ValueError
        If the name of the padding or of its mode is unknown, or "same" meets a stride above 1.
    """
    if padding_mode not in _MODES:
        raise ValueError(f"padding_mode is one of {_MODES}, got {padding_mode!r}")
    both = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]  # left and right together
    if not isinstance(padding, str):
        both = [2 * p for p in padding]
    elif padding == "valid":
        both = [0] * len(kernel)
    elif padding != "same" or set(stride) != {1}:
        raise ValueError(f"padding is 'valid', or 'same' with stride 1, or numbers: {padding!r}")
    if padding_mode == "zeros" and not any(n % 2 for n in both):
        return None
    pad = [p for n in reversed(both) for p in (n // 2, n - n // 2)]
    return partial(ops.pad, pad=pad, mode="constant" if padding_mode == "zeros" else padding_mode)


class _Pad2d(Module):
    mode: str

    def __init__(self, padding: Size) -> None:
        self.padding = to_tuple(padding, 4, "padding (left, right, top, bottom)")

    def forward(self, x: Tensor) -> Tensor:
        return ops.pad(x, self.padding, self.mode)


class ZeroPad2d(_Pad2d):
    """A border of zeros: one width, or (left, right, top, bottom); negative ones crop."""

    mode = "constant"


class ReflectionPad2d(_Pad2d):
    """A border that mirrors the picture without repeating its edge: one width, or four."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """A border that repeats the edge of the picture: one width, or (left, right, top, bottom)."""

    mode = "replicate"
