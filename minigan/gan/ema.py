"""A moving average of a network's weights, which samples better than any moment of them."""

from __future__ import annotations

import copy
from typing import Any

from ..array import Array
from ..hooks import numbers
from ..nn import Module
from ..seam import definition


@definition
def blend(average: Array, now: Array, rates: Any) -> None:
    """average ← keep · average + follow · now, in place."""
    keep, follow = rates
    average *= keep
    average += follow * now


class EMA:
    """Keep ``module``, a copy of the network whose weights follow it slowly.

    After step t, average ← d · average + (1 - d) · weight with d = min(decay, (1 + t) / (10 + t)),
    so that the first, untrained weights are soon forgotten. Parameters and floating-point buffers
    (batch norm's statistics) are averaged, counters copied. With decay 0 the copy equals the
    network. For GANs: Yazıcı et al. 2019.
    """

    def __init__(self, network: Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"an EMA's decay lies in [0, 1), got {decay}")
        self.network, self.decay, self.updates = network, decay, 0
        self.module = copy.deepcopy(network).requires_grad_(False).eval()

    def update(self) -> None:
        """Move the average one step towards the network as it is now."""
        averages, now = self.module.state_dict(), self.network.state_dict()
        rates = numbers(self._next_rates, 2)
        for name, average in averages.items():
            if average.dtype.kind == "f":
                blend(average.array, now[name].array, rates)
            else:
                average.array[...] = now[name].array

    def _next_rates(self) -> tuple[float, float]:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        return decay, 1 - decay

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how often they were updated."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.module.load_state_dict(state["module"])
        self.updates = state["updates"]
