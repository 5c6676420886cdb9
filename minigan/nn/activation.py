"""Activation functions as layers; the formulas are in ``nn.functional``.

``inplace`` is accepted where PyTorch has it and changes nothing: no tensor is changed in place.
"""

from __future__ import annotations

from ..tensor import Tensor
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


class LeakyReLU(Module):
    """x where positive, ``negative_slope`` · x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)
