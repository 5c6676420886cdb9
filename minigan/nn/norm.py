"""Batch normalisation: zero mean and unit variance for every channel."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..array import asarray
from ..ops import ones, zeros
from ..ops.norm import blend
from ..tensor import Parameter, Tensor
from .module import Buffer, Module


def channelwise(values: Tensor, x: Tensor) -> Tensor:
    """(C,) shaped to multiply (N, C, …)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y · weight + bias per channel, either absent."""
    if weight is not None:
        y = y * channelwise(weight, y)
    return y if bias is None else y + channelwise(bias, y)


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise every channel of (N, C, …) over the batch (Ioffe and Szegedy 2015).

    In training the batch's own statistics are used, and the running ones, (C,), are moved towards
    them by ``momentum`` (the running variance towards the unbiased one). Otherwise the running
    statistics are constants.
    """
    axes = (0, *range(2, x.ndim))
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm in evaluation needs running_mean and running_var")
        scale = (running_var + eps) ** -0.5
        y = (x - channelwise(running_mean, x)) * channelwise(scale, x)
        return affine(y, weight, bias)
    n = x.numel() // max(x.shape[1], 1)
    if n <= 1:
        raise ValueError(
            f"batch norm needs more than one value per channel to train on, got shape {x.shape}"
        )
    mean, variance = stats = ops.batch_stats(x.array, axes)
    track(running_mean, mean.reshape(-1), momentum)
    track(running_var, variance.reshape(-1) * (n / (n - 1)), momentum)
    if weight is not None and bias is not None:
        return ops.batch_norm(x, weight, bias, eps, stats)
    return affine(ops.standardize(x, axes, eps, stats), weight, bias)


def track(running: Tensor | None, value: Any, momentum: float) -> None:
    """Move a running statistic towards the batch's, in place."""
    if running is not None:
        blend(running.array, value, (1 - momentum, momentum))


class _BatchNorm(Module):
    """Standardise every channel over the batch (Ioffe and Szegedy 2015).

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        Added to the variance. (The *second* argument; a momentum given here by mistake flattens
        the output, and nothing warns but the pictures.)
    momentum : float or None
        How far the running statistics move towards each batch's; None: their plain average.
    affine : bool
        Whether to learn a weight and a bias per channel.
    track_running_stats : bool
        Whether to keep running statistics; without, evaluation uses the batch's too.

    Attributes
    ----------
    weight, bias : Parameter (C,), or None
    running_mean, running_var : Buffer (C,), or None
    num_batches_tracked : Buffer, int64
    """

    axes: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(ones(num_features)) if affine else None
        self.bias = Parameter(zeros(num_features)) if affine else None
        self.running_mean = Buffer(zeros(num_features)) if track_running_stats else None
        self.running_var = Buffer(ones(num_features)) if track_running_stats else None
        self.num_batches_tracked = Buffer(asarray(0)) if track_running_stats else None

    def _check(self, x: Tensor) -> None:
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            shapes = {2: "(N, {})", 3: "(N, {}, L)", 4: "(N, {}, H, W)"}
            expected = " or ".join(shapes[n].format(self.num_features) for n in self.axes)
            raise ValueError(f"expected input {expected}, got {x.shape}")

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.array += 1
            if momentum is None:
                momentum = 1 / self.num_batches_tracked.item()
        return batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum or 0.0,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    __doc__ = f"For input (N, C) or (N, C, L). {_BatchNorm.__doc__}"
    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    __doc__ = f"For input (N, C, H, W). {_BatchNorm.__doc__}"
    axes = (4,)
