"""RMSprop: steps divided by a running root mean square of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer, check_at_least_0, direction, root

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

    @staticmethod
    def rule(p: Any, g: Any, state: dict[str, Any], rates: Any) -> Any:
        """One step of a parameter: the formulas above."""
        alpha, g = rates.alpha, direction(p, g, rates)
        v = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * g * g
        if rates.centered:
            m = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            v = v - m * m
        change = g / (root(v) + rates.eps)
        if rates.momentum:
            change = rates.momentum * state["momentum_buffer"] + change
            state["momentum_buffer"] = change
        return p - rates.lr * change
