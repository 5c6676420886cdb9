"""The exercises of chapter 4, the mathematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import check
from ..nn import functional as F
from ..tensor import Tensor
from .exercise import Exercise

_rng = np.random.default_rng(4)
_LOGITS = [
    (np.array([1.5, -0.5, 0.2, 3.0, -2.0]), np.array([-1.0, 0.7, 0.1])),
    (np.array([0.3, -1.2]), np.array([2.0, -0.4, 0.9, -3.0])),
]
_UPSAMPLED = _rng.standard_normal((2, 3, 8, 8)), _rng.standard_normal((3, 3, 4, 4))
_ROWS = _rng.standard_normal((4, 6)) + 1.0, _rng.standard_normal((4, 6))


def _sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def _d_gradient(r: Any, f: Any) -> Any:
    return np.concatenate([(_sigmoid(r) - 1) / len(r), _sigmoid(f) / len(f)])


def _d_loss(r: Any, f: Any) -> Any:
    return -np.mean(np.log(_sigmoid(r))) - np.mean(np.log(_sigmoid(-f)))


def _g_loss(f: Any) -> Any:
    return -np.mean(np.log(_sigmoid(f)))


def _layer_norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.shape[1],), eps=1e-5)


def _layer_norm_gradient(given: Callable[..., Any]) -> check.ByHand:
    x, ybar = _ROWS
    return check.by_hand(_layer_norm, x, given(x.copy(), ybar.copy()), cotangent=ybar)


def _standardised(
    axis: int, mean_path: bool = True, variance_path: bool = True
) -> Callable[..., Any]:
    """The gradient of a normalisation over ``axis``, or what is left of it without some paths."""

    def gradient(x: Any, ybar: Any) -> Any:
        def mean(a: Any) -> Any:
            return a.mean(axis=axis, keepdims=True)

        r = (mean((x - mean(x)) ** 2) + 1e-5) ** -0.5
        xhat = (x - mean(x)) * r
        g = ybar
        if mean_path:
            g = g - mean(ybar)
        if variance_path:
            g = g - xhat * mean(ybar * xhat)
        return r * g

    return gradient


EXERCISES = {
    "4.1": Exercise(
        lambda p, q, alpha, beta: (alpha * p + beta * q) / (p + q),
        {
            "Right for the labels 1 and 0. Collect again what stands in front of log D, and what "
            "in front of log(1 - D): each has two terms.": lambda p, q, alpha, beta: p / (p + q),
            "The fakes' label is missing: β log D is earned on fakes too.": (
                lambda p, q, alpha, beta: alpha * p / (p + q)
            ),
            "The numerator is right. The denominator is the sum of both factors, that of log D and "
            "that of log(1 - D).": (
                lambda p, q, alpha, beta: (alpha * p + beta * q) / ((alpha + beta) * (p + q))
            ),
            "Half of the score is missing: what stands in front of log(1 - D)?": (
                lambda p, q, alpha, beta: alpha * p / (alpha * p + beta * q)
            ),
        },
        at=[(0.3, 0.1, 0.9, 0.05), (0.02, 0.4, 0.9, 0.1), (1.0, 2.0, 0.8, 0.2)],
    ),
    "4.2": Exercise(
        _d_gradient,
        {
            "Each sign and σ is right, but the loss takes means: each logit has only its share.": (
                lambda r, f: np.concatenate([_sigmoid(r) - 1, _sigmoid(f)])
            ),
            "The two means have different counts: N reals, M fakes, not N + M in both.": (
                lambda r, f: np.concatenate([_sigmoid(r) - 1, _sigmoid(f)]) / (len(r) + len(f))
            ),
            "The reals are right. The fakes' target is 0, not 1.": (
                lambda r, f: np.concatenate(
                    [(_sigmoid(r) - 1) / len(r), (_sigmoid(f) - 1) / len(f)]
                )
            ),
            "Every sign is flipped: descent must raise the reals' logits, so that their gradient "
            "is negative.": lambda r, f: -_d_gradient(r, f),
            "σ's derivative is in it once too often: in prediction less target it has cancelled.": (
                lambda r, f: (
                    _d_gradient(r, f)
                    * np.concatenate([_sigmoid(r) * _sigmoid(-r), _sigmoid(f) * _sigmoid(-f)])
                )
            ),
        },
        at=_LOGITS,
    ),
    "4.3": Exercise(
        lambda ybar, w: F.conv2d(ybar, w, stride=2, padding=1),
        {
            "That makes the picture larger still. The layer is Aᵀ: what is its transpose?": (
                lambda ybar, w: F.conv_transpose2d(ybar, w, stride=2, padding=1)
            ),
            "The right function, but the layer moved by 2 per input pixel: so must its gradient.": (
                lambda ybar, w: F.conv2d(ybar, w, padding=1)
            ),
            "The right function and stride, but the layer cut off a border of 1 pixel; its "
            "transpose has to know.": lambda ybar, w: F.conv2d(ybar, w, stride=2),
            "Do not flip the kernel: A and Aᵀ hold the same numbers, rows and columns exchanged.": (
                lambda ybar, w: F.conv2d(ybar, w[:, :, ::-1, ::-1], stride=2, padding=1)
            ),
        },
        at=[_UPSAMPLED],
    ),
    "4.4": Exercise(
        None,
        {
            "path through the mean": _standardised(1, mean_path=False),
            "path through the variance": _standardised(1, variance_path=False),
            "paths through mean and variance": _standardised(1, False, False),
        },
        at=[_ROWS],
        judge=_layer_norm_gradient,
    ),
    "4.5": Exercise(
        lambda g, lr, beta1, beta2, eps: -lr * g / (np.abs(g) + eps),
        {
            "Neither average is corrected: divide m by 1 - β₁ and v by 1 - β₂ first.": (
                lambda g, lr, beta1, beta2, eps: (
                    -lr * (1 - beta1) * g / (np.sqrt(1 - beta2) * np.abs(g) + eps)
                )
            ),
            "m is corrected; v started at zero too.": (
                lambda g, lr, beta1, beta2, eps: -lr * g / (np.sqrt(1 - beta2) * np.abs(g) + eps)
            ),
            "That is plain gradient descent. What does dividing by the root of v do to g?": (
                lambda g, lr, beta1, beta2, eps: -lr * g
            ),
            "The right size, but it climbs: Adam subtracts.": (
                lambda g, lr, beta1, beta2, eps: lr * g / (np.abs(g) + eps)
            ),
            "ε stands outside of the root.": (
                lambda g, lr, beta1, beta2, eps: -lr * g / np.sqrt(g * g + eps)
            ),
        },
        at=[(0.3, 0.01, 0.9, 0.999, 1e-2), (-2.0, 0.001, 0.5, 0.9, 0.1)],
    ),
    "4.6": Exercise(
        lambda r, f: (_d_loss(r, f), _g_loss(f)),
        {
            "Nothing has changed but the names: what does descent on log D(x) do to D(x), and what "
            "should become of it?": lambda r, f: (-_d_loss(r, f), -_g_loss(f)),
            "L_D is right. Descent on your L_G makes D(G(z)) small: is that what G wants?": (
                lambda r, f: (_d_loss(r, f), -_g_loss(f))
            ),
            "L_G is right. D is to maximise both of its terms, so that both need a minus.": (
                lambda r, f: (-_d_loss(r, f), _g_loss(f))
            ),
            "L_D: the first term has its minus, the second needs one too.": (
                lambda r, f: (
                    -np.mean(np.log(_sigmoid(r))) + np.mean(np.log(_sigmoid(-f))),
                    _g_loss(f),
                )
            ),
            "Your L_G is that of the minimax game, which saturates; asked for was the other.": (
                lambda r, f: (_d_loss(r, f), np.mean(np.log(_sigmoid(-f))))
            ),
        },
        at=_LOGITS,
    ),
}
