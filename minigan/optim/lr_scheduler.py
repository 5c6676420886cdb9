"""Learning-rate schedules: change ``group["lr"]`` of an optimiser's groups, once per ``step()``.

Call ``scheduler.step()`` after ``optimizer.step()``, usually once per epoch::

    scheduler = mg.optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(100):
        train(...)
        scheduler.step()
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from .optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "LambdaLR", "StepLR"]


class LRScheduler:
    """What the schedules share; a subclass computes the learning rates in ``get_lr``.

    Parameters
    ----------
    optimizer : Optimizer
        Each group's ``"lr"`` when the first scheduler is made is kept as its ``"initial_lr"``.
    last_epoch : int
        The number of steps taken: -1 to start, else as saved (``"initial_lr"`` must exist then).
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"expected an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"'initial_lr' is missing in param_groups[{k}], which last_epoch={last_epoch} "
                    "needs: load the optimizer's state first, or leave last_epoch at -1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()  # to epoch 0, or to the epoch after last_epoch

    def get_lr(self) -> list[float]:
        """The learning rate of each group at ``self.last_epoch``, perhaps from the current one."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last ``step()`` set, one per group."""
        return self._last_lr

    def step(self) -> None:
        """Go to the next epoch and set the learning rates."""
        if self._step_count == 1 and not self.optimizer._has_stepped:
            warnings.warn(
                "scheduler.step() was called before optimizer.step(): the first learning rate of "
                "the schedule is never used; call them in the other order",
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer, as plain numbers and lists (save the optimizer's state too)."""
        state = {key: value for key, value in vars(self).items() if key != "optimizer"}
        return {key: list(v) if isinstance(v, list) else v for key, v in state.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        count = len(self.optimizer.param_groups)
        if len(state_dict["base_lrs"]) != count:
            raise ValueError(
                f"expected learning rates of {count} parameter groups, "
                f"got a state dict with {len(state_dict['base_lrs'])}"
            )
        copied = {key: list(v) if isinstance(v, list) else v for key, v in state_dict.items()}
        vars(self).update(copied)


class StepLR(LRScheduler):
    """Multiply the learning rate by ``gamma`` every ``step_size`` epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class LambdaLR(LRScheduler):
    """The initial learning rate times ``lr_lambda(epoch)``: one function, or one per group.

    Functions are not part of the state dict; objects with ``__call__`` are, by their attributes.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != count:
            raise ValueError(f"expected {count} lr_lambdas, got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        return [lr * factor for lr, factor in zip(self.base_lrs, factors, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(f, FunctionType) else vars(f).copy() for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if attributes is not None:
                vars(function).update(attributes)


class CosineAnnealingLR(LRScheduler):
    r"""From the initial rate to ``eta_min`` in ``T_max`` epochs along half a cosine, and back up.

    .. math::
        \eta_t = \eta_{\min} + \tfrac12 (\eta_0 - \eta_{\min}) (1 + \cos(\pi t / T_{\max}))

    This is equation 5 of Loshchilov and Hutter 2017 (SGDR), without restarts. As in PyTorch, each
    rate follows from the one before, so that changes from elsewhere are kept:
    :math:`(\eta_{t} - \eta_{\min}) / (\eta_{t-1} - \eta_{\min})` is the ratio of the formula's.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t, low = self.last_epoch, self.eta_min

        def height(t: int) -> float:
            return 1 + math.cos(math.pi * t / self.T_max)

        if self._step_count == 1:  # made just now: keep the rate it was made with
            return self._current()
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # up from the bottom: no ratio to 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            pairs = zip(self._current(), self.base_lrs, strict=True)
            return [lr + (base - low) * rise for lr, base in pairs]
        return [height(t) / height(t - 1) * (lr - low) + low for lr in self._current()]
