"""What all optimisers share: parameter groups, ``step()``, the state, and pieces of the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .. import hooks as replay
from ..array import Array, asarray, device_of, module_of
from ..autograd import enable_grad
from ..tensor import Tensor
from .flat import Flat, flatten, restore, states_of

BLOCK = 1 << 17  # elements updated at a time: all that an update touches stays in the CPU's cache


class HookHandle(NamedTuple):
    """What registering a hook returns: ``remove()`` takes the hook off its optimiser again."""

    optimizer: Optimizer
    kind: str
    hook: Callable[..., Any]

    def remove(self) -> None:
        hooks = getattr(self.optimizer, self.kind)
        setattr(self.optimizer, self.kind, tuple(h for h in hooks if h is not self.hook))


class Optimizer:
    """Changes parameters so that the loss falls (or, with ``maximize``, rises).

    A subclass names its averages in ``averages``, says in ``_rates`` what changes from step to
    step, and computes one update in ``_update``.

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

    Notes
    -----
    Each ``parameter.array`` becomes a view of the optimiser's buffer when it is made, and gradients
    are kept in one place from step to step: to keep a gradient, copy it.
    """

    averages: tuple[str, ...] = ()  # the arrays kept per parameter, by PyTorch's names
    counts_steps = True  # whether the state has a "step"
    number_of_rates = 1
    _step_pre_hooks: tuple[Callable[..., Any], ...] = ()
    _step_post_hooks: tuple[Callable[..., Any], ...] = ()

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, (Tensor, set, frozenset)):
            raise TypeError(
                "expected parameters in a fixed order, e.g. a list or module.parameters(), "
                f"got a {type(params).__name__}"
            )
        self._check(defaults)
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._flats: list[list[Flat]] = []  # per group: one for each dtype and device
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
            If a setting is out of range, a parameter was computed, or it is listed already.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"expected a dict with 'params', got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError("expected parameters in a fixed order, got a set: use a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        seen = {id(p) for group in self.param_groups for p in group["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"expected Tensors to optimise, but parameter {i} is {_what(p)}")
            if p.dtype.kind != "f":
                raise TypeError(f"expected floats to optimise, but parameter {i} is {p.dtype}")
            if p.op is not None:
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: parameter {i} was computed by "
                    f"{p.op.name}; give the tensor it was computed from, or .detach() it"
                )
            if id(p) in seen:
                raise ValueError(
                    f"some parameters appear more than once: parameter {i}, of shape {p.shape}, "
                    "is in the optimizer already; shared parameters are listed once"
                )
            seen.add(id(p))
        group = {**self.defaults, **param_group, "params": params}
        self._check(group)
        self.param_groups.append(group)
        self._flats.append(flatten(params))

    # ---------------------------------------------------------------------------------- training

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: ``.grad`` becomes None, or zero with ``set_to_none=False``.

        A parameter whose gradient is None is skipped by :meth:`step`; one whose gradient is zero
        still moves by its momentum.
        """
        for flat in self._adopt():
            for p, home in zip(flat.params, flat.homes, strict=True):
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    home[...] = 0
                    p.grad = Tensor(home)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step, with the step's arguments."""
        self._step_pre_hooks = (*self._step_pre_hooks, hook)
        return HookHandle(self, "_step_pre_hooks", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step, with the step's arguments."""
        self._step_post_hooks = (*self._step_post_hooks, hook)
        return HookHandle(self, "_step_post_hooks", hook)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; those with ``grad`` None stay as they are.

        ``closure``, if given, is called first; it computes and returns the loss.
        """
        for hook in self._step_pre_hooks:
            hook(self, (closure,), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for flat in self._adopt():  # every gradient is checked before any parameter changes
            flat.collect()
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            names = self._averages(group)
            for flat in flats:
                for first, end in flat.runs():
                    rates = self._rates_of(group, flat, first, end)
                    start, stop = flat.bounds[first], flat.bounds[end]
                    size = BLOCK if device_of(flat.array) == "cpu" else max(stop - start, 1)
                    for a in range(start, stop, size):
                        block = slice(a, min(a + size, stop))
                        averages = [flat.average(name)[block] for name in names]
                        self._update(
                            group, rates, flat.array[block], flat.grad[block], averages,
                            *flat.scratch(block.stop - a),
                        )  # fmt: skip
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.grad is not None:
                p.mark_changed()
        self._has_stepped = True
        for hook in self._step_post_hooks:
            hook(self, (closure,), {})
        return loss

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError if a setting is out of its range."""
        raise NotImplementedError

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Those of ``self.averages`` that the group's settings need."""
        return self.averages

    def _rates_of(self, group: dict[str, Any], flat: Flat, first: int, end: int) -> Any:
        """Count the step of a run, and what :meth:`_rates` says of it, where the parameters are."""
        counts = self.counts_steps or bool(self._averages(group))

        def rates() -> tuple[float, ...]:
            return self._rates(group, flat.count(first, end) if counts else 1)

        return replay.numbers(rates, self.number_of_rates)

    def _rates(self, group: dict[str, Any], t: int) -> tuple[float, ...]:
        """The numbers in step t (from 1) of the rule that change from step to step."""
        raise NotImplementedError

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
        """A step of parameters ``p`` with gradients ``g``, both 1-D.

        ``rates`` are those of :meth:`_rates`; in a recorded step, their place, a float64 array on
        the device. ``p`` and the ``averages`` (zero at first) are changed in place, ``g`` is not;
        ``a`` and ``b`` are scratch space. Each element's result must depend on that element alone.
        """
        raise NotImplementedError

    def _adopt(self) -> list[Flat]:
        """All flat buffers, with every parameter in place again whatever was done to ``.array``."""
        for k, flats in enumerate(self._flats):
            if not all(flat.adopt() for flat in flats):  # a parameter has changed dtype or device
                states = states_of(flats)
                self._flats[k] = flatten(self.param_groups[k]["params"])
                restore(self._flats[k], states)
        return [flat for flats in self._flats for flat in flats]

    # ------------------------------------------------------------------------------------- state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """Per parameter that was stepped: its averages (views in its shape) and step count."""
        states = states_of(flat for flats in self._flats for flat in flats)
        params = [p for group in self.param_groups for p in group["params"]]
        return {p: self._public(states[id(p)]) for p in params if id(p) in states}

    def _public(self, state: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in state.items() if k != "step" or self.counts_steps}

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that continuing exactly needs, nested as PyTorch nests it.

        ``{"state": {0: {"step": 7, "exp_avg": array, ...}, ...}, "param_groups": [{"lr": 0.001,
        ..., "params": [0, 1, ...]}]}``, where parameters are numbered in their order.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers[id(p)] = len(numbers)
            groups.append({**group, "params": [numbers[id(p)] for p in group["params"]]})
        state = {
            numbers[id(p)]: {k: v if k == "step" else v.copy() for k, v in entry.items()}
            for p, entry in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken; settings and averages are replaced.

        Raises
        ------
        ValueError
            If the groups, or a parameter's averages, differ in number, name or shape. Nothing has
            been changed then.
        """
        self._adopt()
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"expected {len(self.param_groups)} parameter groups, "
                f"got a state dict with {len(saved)}"
            )
        entries = {int(i): entry for i, entry in state_dict["state"].items()}
        new_groups, states = [], {}
        for k, (group, new) in enumerate(zip(self.param_groups, saved, strict=True)):
            if len(new["params"]) != len(group["params"]):
                raise ValueError(
                    f"expected {len(group['params'])} parameters in group {k}, "
                    f"got a state dict with {len(new['params'])}"
                )
            new = {**group, **new, "params": group["params"]}
            self._check(new)
            new_groups.append(new)
            for i, p in zip(saved[k]["params"], group["params"], strict=True):
                if entry := {n: v for n, v in entries.get(int(i), {}).items() if v is not None}:
                    states[id(p)] = self._checked(entry, p, int(i), new)
        for group, new in zip(self.param_groups, new_groups, strict=True):
            group.update(new)
        for flats in self._flats:
            restore(flats, states)

    def _checked(
        self, entry: dict[str, Any], p: Tensor, i: int, group: dict[str, Any]
    ) -> dict[str, Any]:
        """A parameter's saved state as arrays of its dtype and device, if it fits."""
        step = ("step",) if self.counts_steps else ()
        needed, known = {*step, *self._averages(group)}, {*step, *self.averages}
        if not needed <= entry.keys() <= known:
            raise ValueError(
                f"expected {type(self).__name__}'s state {sorted(needed)} of parameter {i}, "
                f"got a state dict with {sorted(entry)}: was it another optimizer's?"
            )
        state: dict[str, Any] = {"step": int(entry.get("step", 1))}
        for name in entry.keys() - {"step"}:
            state[name] = array = asarray(entry[name], p.dtype, p.device)
            if array.shape != p.shape:
                raise ValueError(
                    f"expected {name} of parameter {i} in shape {p.shape}, "
                    f"got a state dict with {array.shape}"
                )
        return state

    def __repr__(self) -> str:
        lines = []
        for k, group in enumerate(self.param_groups):
            settings = ", ".join(f"{n}={v!r}" for n, v in group.items() if n != "params")
            lines.append(f"  group {k}: {len(group['params'])} parameters, {settings}")
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def _what(p: object) -> str:
    text = type(p).__name__
    return f"a {text}: pass module.parameters()" if isinstance(p, tuple) else f"a {text}"


# ----------------------------------------------------------------- pieces that several rules share


def check_at_least_0(group: dict[str, Any], *names: str) -> None:
    """Raise ValueError for a negative setting (or NaN)."""
    for name in names:
        if not group[name] >= 0:
            raise ValueError(f"Invalid {name}: expected at least 0, got {group[name]}")


def in_dtype(rates: Any, p: Array) -> Any:
    """A recorded step's rates in p's dtype, which float64 would widen; numbers as they are."""
    return rates if isinstance(rates, tuple) else rates.astype(p.dtype)


def direction(p: Array, g: Array, maximize: bool, weight_decay: float, a: Array, b: Array) -> Array:
    """The gradient to descend: ``g``, negated for ``maximize``, plus ``weight_decay`` times ``p``.

    The latter is the gradient of an added loss ``weight_decay / 2 * sum(p ** 2)``. ``g`` itself is
    not changed; ``a`` holds the result if it differs.
    """
    xp = module_of(p)
    if maximize:
        g = xp.negative(g, out=a)
    if weight_decay:
        xp.multiply(p, weight_decay, out=b)
        g = xp.add(g, b, out=a)
    return g


def lerp(average: Array, g: Array, weight: float, a: Array) -> None:
    """``average += weight * (g - average)`` in place, exactly ``g`` for weight 1; ``a``: scratch.

    Steps from the nearer end, as PyTorch's ``lerp_``, so that either end is reached exactly.
    """
    xp = module_of(g)
    xp.subtract(g, average, out=a)
    if weight < 0.5:
        a *= weight
        average += a
    else:
        a *= 1 - weight
        xp.subtract(g, a, out=average)
