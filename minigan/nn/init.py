"""Initial values of parameters, filled in place; names and defaults are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..array import asarray, np
from ..tensor import Tensor
from .gain import calculate_gain


def constant_(tensor: Tensor, val: Any) -> Tensor:
    """Every element ``val``; an array of the same shape gives every element its own value."""
    tensor.array[...] = asarray(val, tensor.dtype, tensor.device)
    tensor.mark_changed()
    return tensor


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs feed one output, and how many outputs one input feeds."""
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need at least two axes, got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    rows, columns = tensor.shape
    return constant_(tensor, np.eye(rows, columns))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Draws from the uniform distribution on [a, b)."""
    return constant_(tensor, a + (b - a) * random.uniform(tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Draws from N(mean, std²)."""
    return constant_(tensor, mean + std * random.standard_normal(tensor.shape))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """U(-a, a) with a = gain · sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    a = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -a, a)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, s²) with s = gain · sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """U(-b, b) with b = gain · sqrt(3 / fan) (He et al. 2015, eq. 10 to 14)."""
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """N(0, s²) with s = gain / sqrt(fan) (He et al. 2015, eq. 10 to 14)."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Orthonormal rows or columns, whichever are fewer, times gain (Saxe et al. 2014)."""
    rows, cols = tensor.shape[0], math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(random.standard_normal((max(rows, cols), min(rows, cols)), "float64"))
    q *= np.sign(np.diag(r))  # without it the distribution over orthogonal matrices is not uniform
    return constant_(tensor, gain * (q.T if rows < cols else q).reshape(tensor.shape))


def torch_default_(weight: Tensor, bias: Tensor | None) -> None:
    """What PyTorch's Linear and convolutions start from: U(-b, b) with b = 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fans(weight)[0]) if weight.numel() else 0.0
    uniform_(weight, -bound, bound)
    if bias is not None:
        uniform_(bias, -bound, bound)
