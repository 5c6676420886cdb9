"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer, check_at_least_0, direction

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent with momentum (Sutskever et al. 2013), as PyTorch defines it.

    .. math::
        b_t &= \mu\, b_{t-1} + (1 - \tau)\, g_t, \qquad b_1 = g_1 \\
        \theta_t &= \theta_{t-1} - \gamma\, b_t
            \qquad\text{(Nesterov: } - \gamma\,(g_t + \mu\, b_t)\text{)}

    The paper's (1) and (2) multiply :math:`g_t` by :math:`\gamma` before averaging, which differs
    only when :math:`\gamma` changes.

    Parameters
    ----------
    params : iterable of Tensors, or of dicts
    lr : float
        The learning rate :math:`\gamma`.
    momentum, dampening : float
        :math:`\mu` and :math:`\tau`.
    weight_decay : float
        This times the parameter is added to its gradient.
    nesterov : bool
        Look ahead along the momentum; needs a momentum and no dampening.
    maximize : bool
        Climb instead of descend.
    """

    averages = ("momentum_buffer",)
    counts_steps = False
    starts_at_zero = False  # but at the first gradient

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_at_least_0(group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and not (group["momentum"] > 0 and group["dampening"] == 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening, got "
                f"momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        return self.averages if group["momentum"] else ()

    @staticmethod
    def rule(p: Any, g: Any, state: dict[str, Any], rates: Any) -> Any:
        """One step of a parameter: the formulas above."""
        g = direction(p, g, rates)
        if rates.momentum:
            b = state.get("momentum_buffer")
            b = g if b is None else rates.momentum * b + (1 - rates.dampening) * g
            state["momentum_buffer"] = b
            g = g + rates.momentum * b if rates.nesterov else b
        return p - rates.lr * g
