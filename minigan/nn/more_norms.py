"""Normalisation beside batch norm: over ranks, examples, groups and layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import ops
from ..hooks import ranks
from ..ops import ones, zeros
from ..ops.collective import all_reduce
from ..tensor import Parameter, Tensor
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, _BatchNorm, affine, batch_norm, track


def sync_batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """:func:`batch_norm` in training with the statistics of the batches of all ranks.

    The batches are of one size. Written out in sums, so that gradients of any order cross the
    ranks, too.
    """
    axes = (0, *range(2, x.ndim))
    n = x.numel() // max(x.shape[1], 1) * ranks()
    mean = all_reduce(x.sum(axes, keepdim=True)) / n
    centred = x - mean
    variance = all_reduce((centred * centred).sum(axes, keepdim=True)) / n
    track(running_mean, mean.array.reshape(-1), momentum)
    track(running_var, variance.array.reshape(-1) * (n / (n - 1)), momentum)
    return affine(centred * (variance + eps) ** -0.5, weight, bias)


def layer_norm(
    x: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise over the last axes, of sizes ``normalized_shape`` (Ba et al. 2016)."""
    k = len(normalized_shape)
    if x.shape[x.ndim - k :] != tuple(normalized_shape):
        raise ValueError(f"expected input (*, {normalized_shape}), got {x.shape}")
    y = ops.standardize(x, tuple(range(x.ndim - k, x.ndim)), eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise groups of channels of each example of (N, C, …) (Wu and He 2018)."""
    n, c = x.shape[:2]
    if c % num_groups:
        raise ValueError(f"{c} channels do not split into {num_groups} groups")
    grouped = x.reshape(n, num_groups, -1)
    return affine(ops.standardize(grouped, (2,), eps).reshape(x.shape), weight, bias)


def instance_norm(
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Standardise every channel of every example of (N, C, …) (Ulyanov et al. 2016).

    Running statistics, if given, are moved towards the average of the examples' own, and serve in
    their place if ``use_input_stats`` is False.
    """
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    axes = tuple(range(2, x.ndim))
    n = math.prod(x.shape[2:])
    if n <= 1:
        raise ValueError(
            f"instance norm needs more than one value per channel and example, got shape {x.shape}"
        )
    mean, variance = stats = ops.batch_stats(x.array, axes)
    track(running_mean, mean.mean(axis=0).reshape(-1), momentum)
    track(running_var, variance.mean(axis=0).reshape(-1) * (n / (n - 1)), momentum)
    return affine(ops.standardize(x, axes, eps, stats), weight, bias)


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps) along ``dim``."""
    return x / ops.clamp(ops.norm(x, p, dim, keepdim=True), min=eps)


class SyncBatchNorm(_BatchNorm):
    __doc__ = f"""For input (N, C), (N, C, L) or (N, C, H, W): over the batches of all ranks.

    Processes that train together (:mod:`minigan.fast.mpi`) then normalise as one process with
    all their samples would. {_BatchNorm.__doc__}"""
    axes = (2, 3, 4)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or ranks() == 1:
            return super().forward(x)
        self._check(x)
        if self.momentum is None:
            raise ValueError("SyncBatchNorm needs a momentum: a plain average is not kept here")
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.array += 1
        return sync_batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.momentum,
            self.eps,
        )

    @classmethod
    def convert_sync_batchnorm(cls, module: Module) -> Module:
        """Make every batch norm in ``module`` one that is over all ranks; returns ``module``."""
        for part in module.modules():
            if isinstance(part, (BatchNorm1d, BatchNorm2d)):
                part.__class__ = cls  # type: ignore[assignment]
        return module


class InstanceNorm2d(_BatchNorm):
    """Standardise every channel of every example of (N, C, H, W) (Ulyanov et al. 2016).

    Parameters, attributes and their names are those of :class:`BatchNorm2d`, but by default nothing
    is learned and nothing tracked. With ``track_running_stats``, evaluation uses the running
    statistics; ``num_batches_tracked`` is then part of the state but stays 0, as in PyTorch.
    """

    axes = (4,)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        return instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )


class LayerNorm(Module):
    """Standardise each example over the last axes, of sizes ``normalized_shape`` (Ba et al. 2016).

    Attributes
    ----------
    weight, bias : Parameter, (*normalized_shape,), or None
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape, self.eps = tuple(sizes), eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = Parameter(zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(Module):
    """Standardise groups of channels of each example of (N, C, …) (Wu and He 2018).

    Attributes
    ----------
    weight, bias : Parameter, (num_channels,), or None
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        if num_channels % num_groups:
            raise ValueError(f"{num_channels} channels do not split into {num_groups} groups")
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self.weight = Parameter(ones(num_channels)) if affine else None
        self.bias = Parameter(zeros(num_channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(f"expected input (N, {self.num_channels}, ...), got {x.shape}")
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
