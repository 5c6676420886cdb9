"""Losses, as functions and as layers.

All reduce by mean unless told otherwise. They take ``**old``, too: :func:`.reduction.reduction_of`.
"""

from __future__ import annotations

from .. import ops
from ..hooks import scalars
from ..tensor import Tensor
from .module import Buffer, Module
from .reduction import reduction_of


def reduce(loss: Tensor, reduction: str, **old: bool | None) -> Tensor:
    """All elements as one: their mean or sum; or ``loss`` itself for ``"none"``."""
    if old:
        reduction = reduction_of(reduction, **old)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', got {reduction!r}")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def same_shape(x: Tensor, target: Tensor, what: str) -> None:
    """Refuse to broadcast: (N,) against (N, 1) would compare everything with everything."""
    if x.shape != target.shape:
        raise ValueError(f"{what}: input has shape {x.shape}, but the target has {target.shape}")


def buffer(weight: Tensor | None) -> Buffer | None:
    """The weights of a loss move with it and belong to its state, as in PyTorch."""
    return None if weight is None else Buffer(weight)


def binary_cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    **old: bool | None,
) -> Tensor:
    """-t log x - (1 - t) log(1 - x) for probabilities x and targets t of the same shape.

    The logarithms end at -100, as in PyTorch, so that a certain and wrong answer stays finite. On
    logits, :func:`binary_cross_entropy_with_logits` is exact where this is not.
    """
    same_shape(x, target, "binary cross-entropy")
    low, high = scalars(x.array.min(), x.array.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"binary cross-entropy needs probabilities in [0, 1], got [{low:.4g}, {high:.4g}]: "
            "put a sigmoid before it, or use BCEWithLogitsLoss"
        )
    loss = ops.bce(x, target)
    return reduce(loss if weight is None else loss * weight, reduction, **old)


def binary_cross_entropy_with_logits(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
    **old: bool | None,
) -> Tensor:
    """Binary cross-entropy of σ(x) for logits x: softplus(x) - t x, exact at any x.

    ``pos_weight`` multiplies the loss of the positive targets.
    """
    same_shape(x, target, "binary cross-entropy")
    if pos_weight is None:
        loss = ops.bce_with_logits(x, target)
    else:
        loss = (1 - target) * x + (1 + (pos_weight - 1) * target) * ops.softplus(-x)
    return reduce(loss if weight is None else loss * weight, reduction, **old)


class Loss(Module):
    """The base of the losses: it knows how the elements are reduced."""

    def __init__(self, reduction: str = "mean", **old: bool | None) -> None:
        self.reduction = reduction_of(reduction, **old)


class BCELoss(Loss):
    """Binary cross-entropy on probabilities; see :func:`binary_cross_entropy`."""

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean", **old: bool | None
    ) -> None:
        super().__init__(reduction, **old)
        self.weight = buffer(weight)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy(x, target, self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy on logits; see :func:`binary_cross_entropy_with_logits`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
        **old: bool | None,
    ) -> None:
        super().__init__(reduction, **old)
        self.weight, self.pos_weight = buffer(weight), buffer(pos_weight)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(
            x, target, self.weight, self.reduction, self.pos_weight
        )
