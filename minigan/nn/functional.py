"""Layers as functions, with PyTorch's names and defaults.

Activations and normalisation are defined here; the rest comes from where its layers are.
``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops
from ..ops import conv1d, conv2d, conv_transpose2d, linear, pad, sigmoid, tanh, where
from ..tensor import Tensor
from .cross_entropy import cross_entropy, nll_loss
from .dropout import dropout, dropout2d, dropout3d
from .embedding import embedding, one_hot
from .loss import binary_cross_entropy, binary_cross_entropy_with_logits, l1_loss, mse_loss
from .more_norms import group_norm, instance_norm, layer_norm, normalize, sync_batch_norm
from .norm import batch_norm, channelwise
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
        weight = channelwise(weight, x)
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
