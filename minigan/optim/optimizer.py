"""What all optimisers share: parameter groups, ``step()``, hooks around it, and the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from ..array import alike, asarray, is_array, module_of
from ..autograd import enable_grad
from ..hooks import numbers
from ..ops import sqrt
from ..seam import definition
from ..tensor import Tensor
from .groups import checked
from .state import Stateful

TINY = 1e-38  # √ has a finite slope here, which it lacks at 0


class Optimizer(Stateful):
    """Changes parameters so that the loss falls (or, with ``maximize``, rises).

    A subclass gives its formula as a static method ``rule(p, g, state, rates)``: the new value of
    one parameter from its gradient, with ``state`` the averages by name, which it replaces, and
    ``rates`` the settings and ``t``, the number of this step. It works on arrays and on tensors.

    Parameters
    ----------
    params : iterable of Tensors, or of dicts
        What to optimise, e.g. ``model.parameters()``. Each dict is a group with settings of its
        own: ``{"params": model.head.parameters(), "lr": 1e-4}``.
    defaults : dict
        The settings of a group that does not give its own.

    Attributes
    ----------
    param_groups : list of dicts
        The groups' settings, which may be changed between steps, and under ``"params"`` their
        parameters; :meth:`add_param_group` adds a group.
    state : dict
        Per parameter that was stepped: its averages, arrays in its shape, and its step count.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, (Tensor, set, frozenset)):
            raise TypeError(
                "expected parameters in a fixed order, e.g. a list or module.parameters(), "
                f"got a {type(params).__name__}"
            )
        self._check(defaults)
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._pre_hooks, self._post_hooks = [], []
        self._has_stepped = False  # the schedulers warn if they are stepped first
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise more parameters: ``{"params": ..., "lr": ...}``; settings left out are default.

        Raises
        ------
        TypeError
            If a parameter is not a tensor of floats.
        ValueError
            If a setting is out of range, a parameter was computed, or it is in another group.
        """
        params = checked(param_group, {id(p) for p in self._parameters()})
        group = {**self.defaults, **param_group, "params": params}
        self._check(group)
        self.param_groups.append(group)

    # ---------------------------------------------------------------------------------- training

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: ``.grad`` becomes None, or zero with ``set_to_none=False``.

        A parameter whose gradient is None is skipped by :meth:`step`; one whose gradient is zero
        still moves by its momentum.
        """
        for p in self._parameters():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad = Tensor(module_of(p.array).zeros_like(p.array))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; those with ``grad`` None stay as they are.

        ``closure``, if given, is called first; it computes and returns the loss.
        """
        loss = None
        for hook in self._pre_hooks:
            hook(self, (closure,), {})
        if closure is not None:
            with enable_grad():
                loss = closure()
        for p in self._parameters():  # every gradient is checked before any parameter changes
            if p.grad is not None:
                _check_gradient(p)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            update(self, group, params)
            for p in params:
                p.mark_changed()
        self._has_stepped = True
        for hook in self._post_hooks:
            hook(self, (closure,), {})
        return loss

    @staticmethod
    def rule(p: Any, g: Any, state: dict[str, Any], rates: Any) -> Any:
        """The new value of a parameter; a subclass defines it."""
        raise NotImplementedError("an optimiser needs a static method rule(p, g, state, rates)")

    # ------------------------------------------------------------------------------------- state

    def state_of(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter, which is begun if there is none."""
        return self.begun(p, group, self.state.setdefault(p, {}))

    def begun(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        """``state`` with all that the rule reads, in the dtype and on the device of p."""
        if self.counts_steps:
            state.setdefault("step", 0)
        for name in self._averages(group):
            if name not in state:
                if self.starts_at_zero:
                    state[name] = module_of(p.array).zeros_like(p.array)
            elif state[name].shape != p.shape:
                raise ValueError(
                    f"a parameter of shape {state[name].shape} now has shape {p.shape}: "
                    "make a new optimizer"
                )
            elif not alike(state[name], p.array):
                state[name] = asarray(state[name], p.dtype, p.device)  # as the parameter is now
        return state


def _check_gradient(p: Tensor) -> None:
    """Raise ValueError for a gradient that is not like its parameter."""
    g, have = p.grad, p.array
    assert g is not None
    if g.array.shape != have.shape or not alike(g.array, have):
        raise ValueError(
            f"expected a gradient like its parameter, {have.dtype} of shape {have.shape} on "
            f"{p.device}, got {g.dtype} of shape {g.shape} on {g.device}: zero_grad() before "
            "backward(), or set grad to one that fits"
        )


# ------------------------------------------------------------------------------------ one update


@definition
def update(optimizer: Optimizer, group: dict[str, Any], params: list[Tensor]) -> None:
    """A step of these parameters of a group: the rule, for one after the other."""
    for p in params:
        state = optimizer.state_of(p, group)
        rates = rates_of(group, state, p.dtype)
        new = dict(state)
        p.array[...] = optimizer.rule(p.array, p.grad.array, new, rates)  # type: ignore[union-attr]
        for name in optimizer._averages(group):
            if name not in state:
                state[name] = module_of(p.array).empty_like(p.array)
            state[name][...] = new[name]  # in place: a captured step knows where they are


def rates_of(group: dict[str, Any], state: dict[str, Any], dtype: Any) -> SimpleNamespace:
    """What a rule goes by: the group's settings, and the number of this step, which is counted."""

    def counted() -> tuple[float, int]:
        if "step" in state:
            state["step"] += 1
        return group["lr"], state.get("step", 0)

    lr, t = numbers(counted, 2)
    lr = lr.astype(dtype) if is_array(lr) else lr  # in a captured step, where it will be
    return SimpleNamespace(**{**group, "lr": lr, "t": t})


# ----------------------------------------------------------------- pieces that several rules share


def check_at_least_0(group: dict[str, Any], *names: str) -> None:
    """Raise ValueError for a negative setting (or NaN)."""
    for name in names:
        if not group[name] >= 0:
            raise ValueError(f"Invalid {name}: expected at least 0, got {group[name]}")


def direction(p: Any, g: Any, rates: Any) -> Any:
    """The gradient to descend: ``g``, negated for ``maximize``, plus ``weight_decay`` times ``p``.

    The latter is the gradient of an added loss ``weight_decay / 2 * sum(p ** 2)``.
    """
    g = -g if rates.maximize else g
    return g + rates.weight_decay * p if rates.weight_decay else g


def root(v: Any) -> Any:
    """√v; at v = 0 with a finite slope, for those who differentiate through a step."""
    return sqrt(v + TINY)
