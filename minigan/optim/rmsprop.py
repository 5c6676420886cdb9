"""RMSprop: steps divided by a running root mean square of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..array import Array, module_of
from .optimizer import Optimizer, check_at_least_0, direction, in_dtype, lerp

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSprop (Hinton's lecture 6e, 2012; centered: Graves 2013, equations 38 to 45).

    .. math::
        v_t &= \alpha\, v_{t-1} + (1 - \alpha)\, g_t^2 \\
        \theta_t &= \theta_{t-1} - \gamma\, g_t / (\sqrt{v_t} + \epsilon)

    Centered, :math:`v_t - m_t^2` takes the place of :math:`v_t`, with
    :math:`m_t = \alpha\, m_{t-1} + (1 - \alpha)\, g_t`: the gradient's variance, not its mean
    square. With momentum, :math:`b_t = \mu\, b_{t-1} + g_t / (\sqrt{v_t} + \epsilon)` is
    accumulated and :math:`\theta_t = \theta_{t-1} - \gamma\, b_t`.

    Parameters
    ----------
    params : iterable of Tensors, or of dicts
    lr : float
        The learning rate :math:`\gamma`.
    alpha : float
        How much of the running average stays, per step.
    eps : float
        :math:`\epsilon`, added to the root as PyTorch does (Graves adds it inside).
    weight_decay : float
        This times the parameter is added to its gradient.
    momentum : float
        :math:`\mu`.
    centered : bool
        Divide by the standard deviation.
    maximize : bool
        Climb instead of descend.
    """

    averages = ("square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_at_least_0(group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        needed = ["square_avg"]
        needed += ["momentum_buffer"] if group["momentum"] else []
        needed += ["grad_avg"] if group["centered"] else []
        return tuple(needed)

    def _rates(self, group: dict[str, Any], t: int) -> tuple[float, ...]:
        return (-group["lr"],)

    def _update(
        self,
        group: dict[str, Any],
        rates: Sequence[Any],
        p: Array,
        g: Array,
        averages: Sequence[Array],
        a: Array,
        b: Array,
    ) -> None:
        xp, rates = module_of(p), in_dtype(rates, p)
        (pace,), alpha, mu = rates, group["alpha"], group["momentum"]
        v, *others = averages
        g = direction(p, g, group["maximize"], group["weight_decay"], a, b)

        v *= alpha  # v = alpha v + (1 - alpha) g²
        xp.multiply(g, 1 - alpha, out=b)
        b *= g
        v += b

        if group["centered"]:  # root = sqrt(v - m²) + eps
            m = others[-1]
            lerp(m, g, 1 - alpha, b)
            xp.multiply(m, m, out=b)
            xp.subtract(v, b, out=b)
            root = xp.sqrt(b, out=b)
        else:
            root = xp.sqrt(v, out=b)
        root += group["eps"]

        if mu:  # p = p - lr b, b = mu b + g / root
            momentum = others[0]
            momentum *= mu
            momentum += xp.divide(g, root, out=b)
            p += xp.multiply(momentum, pace, out=b)
        else:
            xp.multiply(g, pace, out=a)
            p += xp.divide(a, root, out=a)
