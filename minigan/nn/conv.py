"""Convolutional layers; the arithmetic is in ``minigan.ops.conv``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..tensor import Parameter, Tensor
from . import init
from .module import Module
from .padding import Size, border, to_tuple


class _Conv(Module):
    """What all convolutions share: settings, parameters and their initial values."""

    axes = 2
    convolve: Callable[..., Any]
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size")
        self.stride = to_tuple(stride, self.axes, "stride")
        self.dilation = to_tuple(dilation, self.axes, "dilation")
        named = isinstance(padding, str)
        self.padding: Any = padding if named else to_tuple(padding, self.axes, "padding")
        self.padding_mode = padding_mode
        self._pad = border(self.padding, self.kernel_size, self.stride, self.dilation, padding_mode)
        channels = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(ops.zeros(channels[0], channels[1] // groups, *self.kernel_size))
        self.bias = Parameter(ops.zeros(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, from U(-b, b) with b = 1/√fan_in."""
        init.torch_default_(self.weight, self.bias)

    def _check(self, x: Tensor) -> None:
        if x.ndim != self.axes + 2 or x.shape[1] != self.in_channels:
            axes = "L" if self.axes == 1 else "H, W"
            raise ValueError(f"expected input (N, {self.in_channels}, {axes}), got {x.shape}")

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        padding = self.padding
        if self._pad is not None:  # no zeros, or one more at the end: not what a convolution adds
            x, padding = self._pad(x), 0
        settings = self.stride, padding, self.dilation, self.groups
        return self.convolve(x, self.weight, self.bias, *settings)

    def extra_repr(self) -> str:
        usual = {"padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        for name, value in {**usual, "padding_mode": "zeros"}.items():
            if getattr(self, name, value) not in (value, (value,) * self.axes):
                text += f", {name}={getattr(self, name)}"
        return text if self.bias is not None else f"{text}, bias=False"


class Conv2d(_Conv):
    """The correlation of pictures (N, C, H, W) with trained kernels.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding, dilation : int or pair of int
        ``padding`` may also be ``"valid"`` or ``"same"``.
    groups : int
        Channels are split into groups that do not see each other.
    padding_mode : "zeros", "reflect", "replicate" or "circular"

    Attributes
    ----------
    weight : Parameter, (out_channels, in_channels / groups, kh, kw)
    bias : Parameter, (out_channels,), or None
    """

    convolve = staticmethod(ops.conv2d)


class Conv1d(_Conv):
    """The correlation of sequences (N, C, L) with trained kernels; see :class:`Conv2d`."""

    axes = 1
    convolve = staticmethod(ops.conv1d)


class ConvTranspose2d(_Conv):
    """The adjoint of :class:`Conv2d`: pictures grow by ``stride``.

    Parameters
    ----------
    output_padding : int or pair of int
        Rows and columns added at the end: with a stride, several sizes shrink to the same one,
        and this says which of them to grow to.

    Attributes
    ----------
    weight : Parameter, (in_channels, out_channels / groups, kh, kw)
    bias : Parameter, (out_channels,), or None
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
    ) -> None:
        self.output_padding = to_tuple(output_padding, self.axes, "output_padding")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        settings: Any = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return ops.conv_transpose2d(x, self.weight, self.bias, *settings)
