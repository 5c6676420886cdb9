"""Normalisation layers: zero mean and unit variance, over different axes."""

from __future__ import annotations

from collections.abc import Sequence

from ..array import asarray
from ..ops import ones, zeros
from ..tensor import Parameter, Tensor
from . import functional as F
from .module import Buffer, Module


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
        return F.batch_norm(
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


class SyncBatchNorm(_BatchNorm):
    __doc__ = f"""For input (N, C), (N, C, L) or (N, C, H, W): over the batches of all ranks.

    Processes that train together (:mod:`minigan.fast.mpi`) then normalise as one process with
    all their samples would. {_BatchNorm.__doc__}"""
    axes = (2, 3, 4)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        self._check(x)
        if self.momentum is None:
            raise ValueError("SyncBatchNorm needs a momentum: a plain average is not kept here")
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.array += 1
        return F.sync_batch_norm(
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
        return F.instance_norm(
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
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


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
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
