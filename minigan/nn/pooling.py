"""Pooling of pictures (N, C, H, W): the largest or the mean value of each window."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..array import asarray, np
from ..tensor import Tensor
from .module import Module
from .padding import Size, to_tuple
from .resize import resample


def _windows(
    x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, value: float
) -> Tensor:
    """The windows (N, C, oh, ow, kh·kw); outside of the picture lies ``value``.

    With ``ceil_mode`` a last window may reach over the edge, if it starts inside or in the padding
    on the left.
    """
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"padding {padding} is more than half of the kernel {kernel}")
    if ceil_mode:
        over = []
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
            room = n + 2 * p - d * (k - 1) - 1
            last = -(-room // s)
            if last * s >= n + p:
                last -= 1
            over.append(max(0, last * s - room))
        x = ops.pad(x, (0, over[1], 0, over[0]), value=value)
    return ops.windows(x, kernel, stride, padding, dilation, value)


def max_pool2d(
    x: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest value of each window: (N, C, H, W) → (N, C, oh, ow).

    ``stride`` is ``kernel_size`` if left out; padding never wins. Of equal values, the first one in
    row-major order gets the gradient.
    """
    kernel, stride = to_tuple(kernel_size, 2, "kernel_size"), _stride(stride, kernel_size)
    padding, dilation = to_tuple(padding, 2, "padding"), to_tuple(dilation, 2, "dilation")
    view = _windows(x, kernel, stride, padding, dilation, ceil_mode, -math.inf)
    return ops.max(view, -1).values


def avg_pool2d(
    x: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window: (N, C, H, W) → (N, C, oh, ow).

    Parameters
    ----------
    stride : int or pair of int
        ``kernel_size`` if left out.
    ceil_mode : bool
        Whether a last window may reach over the edge; only what lies inside is counted.
    count_include_pad : bool
        Whether the zeros of the padding count as values.
    divisor_override : int
        Divide each sum by this instead of by the number of values.
    """
    kernel, stride = to_tuple(kernel_size, 2, "kernel_size"), _stride(stride, kernel_size)
    padding = to_tuple(padding, 2, "padding")
    sums = _windows(x, kernel, stride, padding, (1, 1), ceil_mode, 0.0).sum(-1)
    if divisor_override is not None:
        return sums / divisor_override
    counts = []  # values in each window, along either axis
    for n, out, k, s, p in zip(x.shape[2:], sums.shape[2:], kernel, stride, padding, strict=True):
        starts = np.arange(out) * s - p
        ends = np.minimum(starts + k, n + p)
        if not count_include_pad:
            starts, ends = np.maximum(starts, 0), np.minimum(ends, n)
        counts.append(ends - starts)
    return sums / asarray(np.outer(*counts), x.dtype, x.device)


def _stride(stride: Size | None, kernel_size: Size) -> tuple[int, ...]:
    return to_tuple(kernel_size if stride is None else stride, 2, "stride")


def adaptive_avg_pool2d(x: Tensor, output_size: int | tuple[int | None, ...]) -> Tensor:
    """The means of ``output_size`` windows that cover the picture evenly, whatever its size.

    Window i of n along an axis of size H holds the rows ⌊iH/n⌋ to ⌈(i + 1)H/n⌉ - 1. None keeps a
    size. Such means are linear, so each axis is multiplied by a matrix.
    """
    sizes = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
    if x.ndim != 4 or len(sizes) != 2:
        raise ValueError(f"expected pictures (N, C, H, W) and two sizes, got {x.shape} and {sizes}")
    rows, columns = (
        _means(n, n if out is None else out) for n, out in zip(x.shape[2:], sizes, strict=True)
    )
    return resample(x, rows, columns)


def _means(n: int, out: int) -> np.ndarray:
    """The (out, n) matrix that takes the mean of each window."""
    i = np.arange(out)[:, None]
    starts, ends = i * n // out, -(-(i + 1) * n // out)
    inside = (starts <= np.arange(n)) & (np.arange(n) < ends)
    return inside / (ends - starts)


class MaxPool2d(Module):
    """The largest value of each window; see :func:`max_pool2d`."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class AvgPool2d(Module):
    """The mean of each window; see :func:`avg_pool2d`."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AdaptiveAvgPool2d(Module):
    """A picture of ``output_size`` from one of any size; see :func:`adaptive_avg_pool2d`."""

    def __init__(self, output_size: int | tuple[int | None, ...]) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_avg_pool2d(x, self.output_size)
