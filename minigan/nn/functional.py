"""Layers as functions, with PyTorch's names and defaults.

Activations and normalisation are defined here; the rest comes from where its layers are.
``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops
from ..array import np
from ..ops import conv1d, conv2d, conv_transpose2d, linear, pad, sigmoid, tanh, where
from ..ops.collective import all_reduce
from ..ops.norm import blend
from ..tensor import Tensor
from .cross_entropy import cross_entropy, nll_loss
from .dropout import dropout, dropout2d, dropout3d
from .embedding import embedding, one_hot
from .loss import binary_cross_entropy, binary_cross_entropy_with_logits, l1_loss, mse_loss
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .resize import interpolate, pixel_shuffle

# ------------------------------------------------------------------------------------- activations


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), with slope 0 at 0."""
    return ops.relu(x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope · x elsewhere (Maas et al. 2013)."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """x where positive, weight · x elsewhere, one weight or one per channel (He et al. 2015)."""
    if weight.numel() > 1:
        if x.ndim < 2 or x.shape[1] != weight.numel():
            raise ValueError(f"expected input (N, {weight.numel()}, ...), got {x.shape}")
        weight = _channelwise(weight, x)
    return where(x > 0, x, weight * x)


def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha (exp(x) - 1) elsewhere (Clevert et al. 2016)."""
    return where(x > 0, x, alpha * ops.expm1(ops.clamp(x, max=0.0)))


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x), with Φ the normal distribution function (Hendrycks and Gimpel 2016).

    ``approximate="tanh"`` replaces Φ by its usual approximation.
    """
    if approximate == "none":
        return x * (0.5 * (1 + ops.erf(x * math.sqrt(0.5))))
    if approximate != "tanh":
        raise ValueError(f"approximate is 'none' or 'tanh', got {approximate!r}")
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x), also called swish."""
    return x * sigmoid(x)


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds ``threshold``."""
    return where(x * beta > threshold, x, ops.softplus(x * beta) / beta)


def logsigmoid(x: Tensor) -> Tensor:
    """log σ(x), exact in both tails."""
    return -ops.softplus(-x)


def softmax(x: Tensor, dim: int | None = None) -> Tensor:
    """exp(x) / Σ exp(x) along ``dim``; without it, along the axis that PyTorch chooses."""
    return ops.softmax(x, _implicit(x, "softmax") if dim is None else dim)


def log_softmax(x: Tensor, dim: int | None = None) -> Tensor:
    """The logarithm of :func:`softmax`, exact in both tails."""
    return ops.log_softmax(x, _implicit(x, "log_softmax") if dim is None else dim)


def _implicit(x: Tensor, name: str) -> int:
    """The axis that an old rule of PyTorch chooses, with a warning."""
    dim = 0 if x.ndim in (0, 1, 3) else 1
    message = f"{name} without dim chooses axis {dim} for a shape {x.shape}: better say dim={dim}"
    warnings.warn(message, stacklevel=3)
    return dim


# ----------------------------------------------------------------------------------- normalisation


def _channelwise(values: Tensor, x: Tensor) -> Tensor:
    """(C,) shaped to multiply (N, C, …)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y · weight + bias per channel, either absent."""
    if weight is not None:
        y = y * _channelwise(weight, y)
    return y if bias is None else y + _channelwise(bias, y)


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
        y = (x - _channelwise(running_mean, x)) * _channelwise(scale, x)
        return _affine(y, weight, bias)
    n = x.numel() // max(x.shape[1], 1)
    if n <= 1:
        raise ValueError(
            f"batch norm needs more than one value per channel to train on, got shape {x.shape}"
        )
    mean, variance = stats = ops.batch_stats(x.array, axes)
    _track(running_mean, mean.reshape(-1), momentum)
    _track(running_var, variance.reshape(-1) * (n / (n - 1)), momentum)
    if weight is not None and bias is not None:
        return ops.batch_norm(x, weight, bias, eps, stats)
    return _affine(ops.standardize(x, axes, eps, stats), weight, bias)


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
    n = all_reduce(Tensor(np.asarray(x.numel() // max(x.shape[1], 1), x.dtype))).item()
    mean = all_reduce(x.sum(axes, keepdim=True)) / n
    centred = x - mean
    variance = all_reduce((centred * centred).sum(axes, keepdim=True)) / n
    _track(running_mean, mean.array.reshape(-1), momentum)
    _track(running_var, variance.array.reshape(-1) * (n / (n - 1)), momentum)
    return _affine(centred * (variance + eps) ** -0.5, weight, bias)


def _track(running: Tensor | None, value: Any, momentum: float) -> None:
    """Move a running statistic towards the batch's, in place."""
    if running is not None:
        blend(running.array, value, (1 - momentum, momentum))


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
    return _affine(ops.standardize(grouped, (2,), eps).reshape(x.shape), weight, bias)


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
    _track(running_mean, mean.mean(axis=0).reshape(-1), momentum)
    _track(running_var, variance.mean(axis=0).reshape(-1) * (n / (n - 1)), momentum)
    return _affine(ops.standardize(x, axes, eps, stats), weight, bias)


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps) along ``dim``."""
    return x / ops.clamp(ops.norm(x, p, dim, keepdim=True), min=eps)
