"""Losses of classes: minus the log-probability of the right one."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..array import module_of
from ..hooks import scalars
from ..tensor import Tensor
from .loss import Loss, buffer, reduce, same_shape
from .reduction import reduction_of


def nll_loss(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    **old: bool | None,
) -> Tensor:
    """-w[t] x[t]: minus the log-probability of the right class, times the weight of that class.

    Parameters
    ----------
    x : Tensor, (C,), (N, C) or (N, C, d1, …)
        Log-probabilities; :func:`cross_entropy` takes raw scores.
    target : Tensor of integers, (), (N,) or (N, d1, …)
        The right classes, 0 to C - 1, or ``ignore_index`` for places that do not count.
    weight : Tensor, (C,), optional
        The mean is weighted with it: Σ w[t] loss / Σ w[t].

    Raises
    ------
    ValueError
        If the shapes do not fit, or a class is out of range.
    """
    axis, reduction = _class_axis(x, target), reduction_of(reduction, **old)
    t = target.array
    xp, keep = module_of(t), t != ignore_index
    t = xp.where(keep, t, 0)
    low, high = scalars(t.min(), t.max()) if t.size else (0, 0)
    if low < 0 or high >= x.shape[axis]:
        raise ValueError(f"expected classes 0 to {x.shape[axis] - 1}, got {low} to {high}")
    w = _class_weights(x, weight)[t] * keep
    right = ops.squeeze(ops.gather(x, axis, xp.expand_dims(t, axis)), axis)
    loss = ops.where(keep, -right * w, 0.0)
    if reduction == "mean":
        return loss.sum() / (w.sum().item() or math.nan)
    return reduce(loss, reduction)


def cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    **old: bool | None,
) -> Tensor:
    """-Σ_c w_c q_c log softmax(x)_c for scores x and wanted probabilities q.

    The mean is over all places; for classes with weights it is weighted as in :func:`nll_loss`.

    Parameters
    ----------
    x : Tensor, (C,), (N, C) or (N, C, d1, …)
        Raw scores.
    target : Tensor
        Classes, as in :func:`nll_loss`, or probabilities q in the shape of x.
    label_smoothing : float
        Mix q with the uniform distribution: (1 - s) q + s / C (Szegedy et al. 2016, section 7).
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing lies in [0, 1], got {label_smoothing}")
    reduction = reduction_of(reduction, **old)
    axis = 0 if x.ndim == 1 else 1
    log_p, share = ops.log_softmax(x, axis), label_smoothing / x.shape[axis]
    w = _class_weights(x, weight).reshape(-1, *[1] * (x.ndim - axis - 1))
    if target.dtype.kind == "f":
        same_shape(x, target, "cross_entropy with probabilities")
        loss = -(log_p * (target * (1 - label_smoothing) + share) * w).sum(axis)
        if reduction == "mean":
            return loss.sum() / (loss.numel() or math.nan)
        return reduce(loss, reduction)
    loss = nll_loss(log_p, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    keep = target.array != ignore_index
    uniform = ops.where(keep, -(log_p * w).sum(axis), 0.0)
    if reduction == "mean":
        classes = module_of(keep).where(keep, target.array, 0)
        counted = (_class_weights(x, weight)[classes] * keep).sum()
        uniform = uniform.sum() / (counted.item() or math.nan)
    else:
        uniform = reduce(uniform, reduction)
    return loss * (1 - label_smoothing) + uniform * share


def _class_axis(x: Tensor, target: Tensor) -> int:
    """The axis of x that counts the classes; without it, x and the target have one shape."""
    axis = 0 if x.ndim == 1 else 1
    if x.ndim < 1 or target.dtype.kind not in "iu":
        raise ValueError(f"expected scores (N, C, ...) and integer classes, got {target.dtype}")
    if target.shape != x.shape[:axis] + x.shape[axis + 1 :]:
        raise ValueError(
            f"expected classes of shape {x.shape[:axis] + x.shape[axis + 1 :]} for scores of shape "
            f"{x.shape}, got {target.shape}"
        )
    return axis


def _class_weights(x: Tensor, weight: Tensor | None) -> Any:
    """One constant weight per class, as an array."""
    classes = x.shape[0 if x.ndim == 1 else 1]
    if weight is None:
        return module_of(x.array).ones_like(x.array, shape=(classes,))
    if weight.shape != (classes,):
        raise ValueError(f"expected one weight for each of {classes} classes, got {weight.shape}")
    return weight.array


class NLLLoss(Loss):
    """Minus the log-probability of the right class; see :func:`nll_loss`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        **old: bool | None,
    ) -> None:
        super().__init__(reduction, **old)
        self.weight, self.ignore_index = buffer(weight), ignore_index

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(NLLLoss):
    """Softmax and negative log-likelihood in one; see :func:`cross_entropy`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        **old: bool | None,
    ) -> None:
        super().__init__(weight, ignore_index, reduction, **old)
        self.label_smoothing = label_smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )
