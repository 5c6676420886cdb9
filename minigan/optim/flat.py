"""Parameters end to end in one array, gradients and averages likewise::

    data   [ 0.weight ........ | 0.bias | 2.weight .............. | 2.bias ]
    grad   [ ................. | ...... | ....................... | ...... ]
    m, v   [ ................. | ...... | ....................... | ...... ]

Every ``parameter.array`` is a view of its stretch, and so is the place (``grad_home``) where the
engine leaves the gradient, so that an update is a few passes over whole arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from ..array import Array, asarray, device_of, module_of
from ..tensor import Tensor


class Flat:
    """Parameters of one group, dtype and device, end to end in one array; gradients likewise."""

    def __init__(
        self,
        params: list[Tensor],
        steps: list[int] | None = None,
        state: dict[str, Array] | None = None,
    ) -> None:
        self.params = params
        self.bounds = [0, *accumulate(p.array.size for p in params)]
        self.xp = module_of(params[0].array)
        self.array = self.xp.concatenate([p.array.reshape(-1) for p in params])
        self.grad = self.xp.zeros_like(self.array)
        self.views, self.homes = self.split(self.array), self.split(self.grad)
        self.steps = steps or [0] * len(params)
        self.state = state or {}  # the averages, by name
        self.spare: Array | None = None
        for p, view, home in zip(params, self.views, self.homes, strict=True):
            p.array, p.grad_home = view, home

    def __reduce__(self) -> Any:
        """Copies are built anew: views copied one by one would no longer be views."""
        return Flat, (self.params, self.steps, self.state)

    def split(self, array: Array) -> list[Array]:
        """A view in each parameter's shape."""
        parts = zip(self.params, pairwise(self.bounds), strict=True)
        return [array[start:stop].reshape(p.array.shape) for p, (start, stop) in parts]

    def average(self, name: str) -> Array:
        """The flat array of that name, zero until it is first changed."""
        if name not in self.state:
            self.state[name] = self.xp.zeros_like(self.array)
        return self.state[name]

    def scratch(self, size: int) -> tuple[Array, Array]:
        """Two arrays to compute in, made once."""
        if self.spare is None or self.spare.shape[1] < size:
            self.spare = self.xp.empty((2, size), self.array.dtype)
        return self.spare[0, :size], self.spare[1, :size]

    def adopt(self) -> bool:
        """Take back parameters whose ``.array`` was rebound; False if one does not fit here now."""
        moved = []
        for p, view, home in zip(self.params, self.views, self.homes, strict=True):
            if p.array is not view or p.grad_home is not home:
                if p.array.shape != view.shape:
                    raise ValueError(
                        f"a parameter of shape {view.shape} now has shape {p.array.shape}: "
                        "make a new optimizer"
                    )
                if kind(p.array) != kind(view):
                    return False
                moved.append((p, view, home, p.array.copy()))  # it may be another one's view
        for p, view, home, values in moved:
            view[...] = values
            p.array, p.grad_home = view, home
        return True

    def collect(self) -> None:
        """Copy gradients that were not left in their place by the engine; check that they fit."""
        strays = []
        for p, home in zip(self.params, self.homes, strict=True):
            if p.grad is not None and p.grad.array is not home:
                g = p.grad.array
                if g.shape != home.shape or kind(g) != kind(home):
                    raise ValueError(
                        f"expected a gradient like its parameter, {home.dtype} of shape "
                        f"{home.shape} on {device_of(home)}, got {g.dtype} of shape {g.shape} on "
                        f"{device_of(g)}: zero_grad() before backward(), or set grad to one that "
                        "fits"
                    )
                strays.append((home, g.copy()))  # it may be another one's home
        for home, g in strays:
            home[...] = g

    def runs(self) -> list[tuple[int, int]]:
        """(first, end): neighbouring parameters with a gradient and equal step counts, as one.

        Usually there is one run: everything.
        """
        found: list[tuple[int, int]] = []
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            first = i
            if found and found[-1][1] == i and self.steps[i - 1] == self.steps[i]:
                first = found.pop()[0]
            found.append((first, i + 1))
        return found

    def count(self, first: int, end: int) -> int:
        """Count a step of a run's parameters; gives its number."""
        t = self.steps[first] + 1
        self.steps[first:end] = [t] * (end - first)
        return t


def kind(array: Array) -> tuple[Any, str]:
    return array.dtype, device_of(array)


def flatten(params: list[Tensor]) -> list[Flat]:
    """One flat buffer for each dtype and device."""
    kinds: dict[Any, list[Tensor]] = {}
    for p in params:
        kinds.setdefault(kind(p.array), []).append(p)
    return [Flat(alike) for alike in kinds.values()]


def states_of(flats: Iterable[Flat]) -> dict[int, dict[str, Any]]:
    """By ``id(parameter)``, for those that were stepped: the step count and views of averages."""
    states = {}
    for flat in flats:
        views = {name: flat.split(array) for name, array in flat.state.items()}
        for i, (p, step) in enumerate(zip(flat.params, flat.steps, strict=True)):
            if step:
                states[id(p)] = {"step": step, **{name: v[i] for name, v in views.items()}}
    return states


def restore(flats: Iterable[Flat], states: dict[int, dict[str, Any]]) -> None:
    """Replace the buffers' state by that of :func:`states_of`, with arrays' dtype and device."""
    for flat in flats:
        for array in flat.state.values():  # kept, since a recorded step knows where it is
            array[...] = 0
        for i, p in enumerate(flat.params):
            state = states.get(id(p), {"step": 0})
            flat.steps[i] = state["step"]
            for name in state.keys() - {"step"}:
                values = asarray(state[name], p.dtype, p.device)
                flat.average(name)[flat.bounds[i] : flat.bounds[i + 1]] = values.reshape(-1)
