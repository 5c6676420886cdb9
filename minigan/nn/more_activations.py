"""Activation functions that a DCGAN does without, as functions and as layers.

``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

import math
import warnings

from .. import ops
from ..ops import full, sigmoid, tanh, where
from ..tensor import Parameter, Tensor
from .module import Module
from .norm import channelwise


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


# --------------------------------------------------------------------------------------- as layers


class PReLU(Module):
    """A leaky ReLU whose slope is trained, one in all or one per channel of (N, C, …)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), float(init)))

    def forward(self, x: Tensor) -> Tensor:
        return prelu(x, self.weight)


class SiLU(Module):
    """x σ(x)."""

    forward = staticmethod(silu)

    def __init__(self, inplace: bool = False) -> None:
        pass


class ELU(Module):
    """x where positive, alpha (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return elu(x, self.alpha)


class GELU(Module):
    """x Φ(x); ``approximate="tanh"`` for the usual approximation of Φ."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return gelu(x, self.approximate)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds ``threshold``."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        return softplus(x, self.beta, self.threshold)


class Softmax(Module):
    """exp(x) / Σ exp(x) along ``dim``; without it, along the axis that PyTorch chooses."""

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return softmax(x, self.dim)


class LogSoftmax(Softmax):
    """The logarithm of softmax along ``dim``."""

    def forward(self, x: Tensor) -> Tensor:
        return log_softmax(x, self.dim)
