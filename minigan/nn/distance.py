"""Losses that are distances, element by element: squared, and absolute."""

from __future__ import annotations

from .. import ops
from ..tensor import Tensor
from .loss import Loss, reduce, same_shape


def mse_loss(x: Tensor, target: Tensor, reduction: str = "mean", **old: bool | None) -> Tensor:
    """(x - target)²."""
    same_shape(x, target, "mse_loss")
    return reduce((x - target) ** 2, reduction, **old)


def l1_loss(x: Tensor, target: Tensor, reduction: str = "mean", **old: bool | None) -> Tensor:
    """|x - target|."""
    same_shape(x, target, "l1_loss")
    return reduce(ops.abs(x - target), reduction, **old)


class MSELoss(Loss):
    """The mean of (x - target)²."""

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return mse_loss(x, target, self.reduction)


class L1Loss(Loss):
    """The mean of |x - target|."""

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return l1_loss(x, target, self.reduction)
