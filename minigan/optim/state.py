"""An optimiser's state as a dictionary, out and in again, and the hooks around its step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..array import asarray, is_array, module_of
from ..tensor import Tensor


class HookHandle(NamedTuple):
    """What registering a hook returns: ``remove()`` takes the hook off again."""

    hooks: list[Any]
    hook: Any

    def remove(self) -> None:
        self.hooks.remove(self.hook)


class Stateful:
    """What an optimiser keeps, how it is kept, and who is told of its steps."""

    averages: tuple[str, ...] = ()  # the arrays kept per parameter, by PyTorch's names
    counts_steps = True  # whether the state has a "step"
    starts_at_zero = True  # the averages; else the rule finds none at first
    param_groups: list[dict[str, Any]]
    state: dict[Tensor, dict[str, Any]]
    _pre_hooks: list[Any]
    _post_hooks: list[Any]

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Those of ``self.averages`` that the group's settings need."""
        return self.averages

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError if a setting is out of its range."""
        raise NotImplementedError

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` at the beginning of every :meth:`step`."""
        self._pre_hooks.append(hook)
        return HookHandle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(optimizer, args, kwargs)`` at the end of every :meth:`step`."""
        self._post_hooks.append(hook)
        return HookHandle(self._post_hooks, hook)

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that continuing exactly needs, nested as PyTorch nests it.

        ``{"state": {0: {"step": 7, "exp_avg": array, ...}, ...}, "param_groups": [{"lr": 0.001,
        ..., "params": [0, 1, ...]}]}``, where parameters are numbered in their order.
        """
        number = {id(p): k for k, p in enumerate(dict.fromkeys(self._parameters()))}
        state = {
            number[id(p)]: {k: v.copy() if is_array(v) else v for k, v in entry.items()}
            for p, entry in self.state.items()
            if entry
        }
        groups = [
            {**group, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken; settings and averages are replaced.

        Raises
        ------
        ValueError
            If the groups, or a parameter's averages, differ in number, name or shape. Nothing has
            been changed then.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"expected {len(self.param_groups)} parameter groups, "
                f"got a state dict with {len(saved)}"
            )
        entries = {int(i): entry for i, entry in state_dict["state"].items()}
        new_groups, states = [], dict[Tensor, dict[str, Any]]()
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
                    states[p] = self._checked(entry, p, int(i), new)
        for group, new in zip(self.param_groups, new_groups, strict=True):
            group.update(new)
        for p in self._parameters():
            self._settle(p, states.get(p, {}))

    def _settle(self, p: Tensor, new: dict[str, Any]) -> None:
        """Give a parameter its loaded state, in place: a captured step knows where it is."""
        if not new and not (p in self.state and self.starts_at_zero):
            self.state.pop(p, None)
            return
        state = self.state.setdefault(p, {})
        for name in state.keys() - new.keys():
            if name == "step":
                state[name] = 0
            else:
                state[name][...] = 0
        for name, value in new.items():
            if is_array(state.get(name)) and state[name].shape == value.shape:
                state[name][...] = value
            else:
                state[name] = value

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
        state: dict[str, Any] = {"step": int(entry["step"])} if self.counts_steps else {}
        for name in entry.keys() - {"step"}:
            array = asarray(entry[name], p.dtype, p.device)
            state[name] = module_of(array).array(array)
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
