"""Adam, and AdamW, which decays the weights apart from the gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..array import Array, module_of, np
from ..fast.cuda import kernels
from .optimizer import Optimizer, check_at_least_0, direction, lerp

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
    number_of_rates = 4
    decoupled = False  # AdamW: weight decay apart from the gradient

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

    def _rates(self, group: dict[str, Any], t: int) -> tuple[float, ...]:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        shrink = 1 - lr * group["weight_decay"]
        return -lr / (1 - beta1**t), math.sqrt(1 - beta2**t), shrink, t % 128 == 0

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
        xp = module_of(p)
        (beta1, beta2), eps, decay = group["betas"], group["eps"], group["weight_decay"]
        if kernels.serve(p, g):
            signs = self.decoupled, group["maximize"]
            kernels.adam(p, g, averages, group["betas"], eps, decay, *signs, rates)
            return
        pace, correction, shrink, flush = rates
        m, v, *v_max = averages
        if self.decoupled and decay:
            p *= shrink
            decay = 0
        g = direction(p, g, group["maximize"], decay, a, b)

        lerp(m, g, 1 - beta1, b)  # m = beta1 m + (1 - beta1) g

        v *= beta2  # v = beta2 v + (1 - beta2) g²
        xp.multiply(g, 1 - beta2, out=b)
        b *= g
        v += b

        if v_max:
            v = xp.maximum(v_max[0], v, out=v_max[0])

        root = xp.sqrt(v, out=b)  # root = sqrt(v / (1 - beta2ᵗ)) + eps
        root /= correction
        root += eps

        xp.multiply(m, pace, out=a)  # p = p - lr m / (1 - beta1ᵗ) / root
        p += xp.divide(a, root, out=a)

        if xp is np and flush and eps > 1e-12:
            # Where gradients stay 0, m and v fade below the smallest normal number (1e-38), and
            # with such many CPUs compute slowly. Beside an eps of ordinary size they are nothing.
            for average in averages:
                average *= np.abs(average) >= np.finfo(average.dtype).tiny


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter 2019, Algorithm 2).

    Before Adam's step, :math:`\theta \leftarrow (1 - \gamma \lambda)\, \theta` with
    :math:`\lambda` the ``weight_decay``: every weight shrinks at the same rate, whereas in
    :class:`Adam` those with large gradients shrink less. All else is as in :class:`Adam`.
    """

    decoupled = True

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
