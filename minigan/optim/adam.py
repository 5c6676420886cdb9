"""Adam, and AdamW, which decays the weights apart from the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ..ops import maximum
from .optimizer import Optimizer, check_at_least_0, direction, root

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam (Kingma and Ba 2015, Algorithm 1).

    .. math::
        m_t &= \beta_1\, m_{t-1} + (1 - \beta_1)\, g_t \\
        v_t &= \beta_2\, v_{t-1} + (1 - \beta_2)\, g_t^2 \\
        \hat m_t &= m_t / (1 - \beta_1^t), \qquad \hat v_t = v_t / (1 - \beta_2^t) \\
        \theta_t &= \theta_{t-1} - \gamma\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)

    Each parameter's :math:`t` counts the steps in which it had a gradient.

    Parameters
    ----------
    params : iterable of Tensors, or of dicts
    lr : float
        The learning rate :math:`\gamma` (the paper's :math:`\alpha`).
    betas : (float, float)
        :math:`\beta_1, \beta_2`, at least 0 and below 1. GANs are often trained with
        :math:`\beta_1 = 0.5` (Radford et al. 2016) or 0 (Gulrajani et al. 2017).
    eps : float
        :math:`\epsilon`.
    weight_decay : float
        This times the parameter is added to its gradient.
    amsgrad : bool
        Use the largest :math:`v` so far (Reddi et al. 2018, Algorithm 2).
    maximize : bool
        Climb instead of descend.
    """

    averages = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_at_least_0(group, "lr", "eps", "weight_decay")
        if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(f"Invalid betas: expected two numbers in [0, 1), got {group['betas']}")

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        return self.averages if group["amsgrad"] else self.averages[:2]

    @staticmethod
    def rule(p: Any, g: Any, state: dict[str, Any], rates: Any) -> Any:
        """One step of a parameter: the formulas above."""
        (beta1, beta2), g = rates.betas, direction(p, g, rates)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        if rates.amsgrad:
            v = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        m_hat, v_hat = m / (1 - beta1**rates.t), v / (1 - beta2**rates.t)
        return p - rates.lr * m_hat / (root(v_hat) + rates.eps)


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter 2019, Algorithm 2).

    Before Adam's step, :math:`\theta \leftarrow (1 - \gamma \lambda)\, \theta` with
    :math:`\lambda` the ``weight_decay``: every weight shrinks at the same rate, whereas in
    :class:`Adam` those with large gradients shrink less. All else is as in :class:`Adam`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    @staticmethod
    def rule(p: Any, g: Any, state: dict[str, Any], rates: Any) -> Any:
        """One step of a parameter: first the weights shrink, then Adam's step."""
        p = (1 - rates.lr * rates.weight_decay) * p
        return Adam.rule(p, g, state, SimpleNamespace(**{**vars(rates), "weight_decay": 0}))
