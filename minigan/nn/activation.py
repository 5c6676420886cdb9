"""Activation functions as layers; the formulas are in ``nn.functional``.

``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

from ..ops import full
from ..tensor import Parameter, Tensor
from . import functional as F
from .module import Module


class Tanh(Module):
    """The hyperbolic tangent: output in (-1, 1)."""

    forward = staticmethod(F.tanh)


class Sigmoid(Module):
    """1 / (1 + exp(-x)): output in (0, 1)."""

    forward = staticmethod(F.sigmoid)


class ReLU(Module):
    """max(x, 0), with slope 0 at 0."""

    forward = staticmethod(F.relu)

    def __init__(self, inplace: bool = False) -> None:
        pass


class SiLU(Module):
    """x σ(x)."""

    forward = staticmethod(F.silu)

    def __init__(self, inplace: bool = False) -> None:
        pass


class LeakyReLU(Module):
    """x where positive, ``negative_slope`` · x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)


class PReLU(Module):
    """A leaky ReLU whose slope is trained, one in all or one per channel of (N, C, …)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), float(init)))

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.weight)


class ELU(Module):
    """x where positive, alpha (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)


class GELU(Module):
    """x Φ(x); ``approximate="tanh"`` for the usual approximation of Φ."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, self.approximate)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds ``threshold``."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


class Softmax(Module):
    """exp(x) / Σ exp(x) along ``dim``; without it, along the axis that PyTorch chooses."""

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, self.dim)


class LogSoftmax(Softmax):
    """The logarithm of softmax along ``dim``."""

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, self.dim)
