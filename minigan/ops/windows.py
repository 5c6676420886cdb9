"""What else moves a window: convolution along one axis, and the windows that pooling looks at."""

from __future__ import annotations

from typing import Any

from ..array import Array
from .conv import Pair, _pair, conv2d, output_size, unfold
from .shape import reshape


def conv1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """:func:`conv2d` along one axis: x (N, C, L), weight (O, C/groups, k) → (N, O, ol)."""

    if x.ndim != 3 or weight.ndim != 3:
        raise ValueError(
            "conv1d: expected input (N, C, L) and weight (O, C/groups, k), "
            f"got {tuple(x.shape)} and {tuple(weight.shape)}"
        )

    def one(v: Any) -> int:
        return v[0] if isinstance(v, (tuple, list)) else v

    flat = conv2d(
        reshape(x, *x.shape[:2], 1, *x.shape[2:]),
        reshape(weight, *weight.shape[:2], 1, *weight.shape[2:]),
        bias,
        (1, one(stride)),
        padding if isinstance(padding, str) else (0, one(padding)),
        (1, one(dilation)),
        groups,
    )
    return reshape(flat, *flat.shape[:2], flat.shape[3])


def windows(
    x: Array,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    value: float = 0.0,
) -> Array:
    """The windows under a moving kernel: (N, C, H, W) → (N, C, oh, ow, kh·kw).

    What lies outside of the picture reads as ``value``.
    """
    kernel, p = _pair(kernel_size, "kernel_size"), _pair(padding, "padding")
    if x.ndim != 4:
        raise ValueError(f"expected pictures (N, C, H, W), got shape {tuple(x.shape)}")
    s, d = _pair(stride, "stride"), _pair(dilation, "dilation")
    output_size(x.shape[2:], kernel, s, p, d)
    return unfold(x, kernel=kernel, stride=s, padding=p, dilation=d, value=value)
