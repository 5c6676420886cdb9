"""Layers as functions, with PyTorch's names and defaults.

The usual activations are defined here; the rest comes from where its layers are.
``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

from .. import ops
from ..ops import conv1d, conv2d, conv_transpose2d, linear, pad, sigmoid, tanh
from ..tensor import Tensor
from .cross_entropy import cross_entropy, nll_loss
from .distance import l1_loss, mse_loss
from .dropout import dropout, dropout2d, dropout3d
from .embedding import embedding, one_hot
from .loss import binary_cross_entropy, binary_cross_entropy_with_logits
from .more_activations import elu, gelu, log_softmax, prelu, silu, softmax, softplus
from .more_norms import group_norm, instance_norm, layer_norm, normalize, sync_batch_norm
from .norm import batch_norm
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .resize import interpolate, pixel_shuffle

# ------------------------------------------------------------------------------------- activations


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), with slope 0 at 0."""
    return ops.relu(x)


def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope · x elsewhere (Maas et al. 2013)."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def logsigmoid(x: Tensor) -> Tensor:
    """log σ(x), exact in both tails."""
    return -ops.softplus(-x)
