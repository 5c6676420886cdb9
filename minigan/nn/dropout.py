"""Dropout: random zeros in training, nothing in evaluation (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Callable

from .. import random
from ..tensor import Tensor
from .module import Module


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), in training only."""
    return _drop(x, p, training, x.shape)


def dropout2d(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability p, in training only."""
    return _drop(x, p, training, (*x.shape[:2], *[1] * (x.ndim - 2)))


def dropout3d(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) with probability p, in training only."""
    return dropout2d(x, p, training)


def _drop(x: Tensor, p: float, training: bool, shape: tuple[int, ...]) -> Tensor:
    _check(p)
    if not training or p == 0:
        return x
    keep = random.uniform(shape, device=x.device) >= p
    return x * (keep / max(1 - p, 1e-30)).astype(x.dtype)


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"a dropout probability lies in [0, 1], got {p}")


class Dropout(Module):
    """Zero each element with probability p and scale the rest by 1 / (1 - p)."""

    function: Callable[..., Tensor] = staticmethod(dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        _check(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.p, self.training)


class Dropout2d(Dropout):
    """Zero whole channels of (N, C, H, W) with probability p (Tompson et al. 2015)."""

    function = staticmethod(dropout2d)


class Dropout3d(Dropout):
    """Zero whole channels of (N, C, D, H, W) with probability p."""

    function = staticmethod(dropout3d)
