"""Updates in place: large parameters in blocks that stay in the cache, small ones end to end.

A pass over an array costs a microsecond before its first element. So the small parameters of a
group are gathered, with their gradients, into one array, updated together and laid back; their
averages live end to end, as views. Neither parameters nor gradients ever change their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any
from weakref import WeakKeyDictionary

from ...array import Array, is_array, np
from ...optim import SGD, Adam, AdamW, Optimizer, RMSprop
from ...optim.optimizer import rates_of, update
from ...seam import twin
from ...tensor import Tensor

BLOCK = 1 << 17  # elements updated at a time: all that an update touches stays in the CPU's cache
SMALL = 1 << 12  # elements of a parameter that is gathered with others


class _Together:
    """Small parameters of one dtype and one step count, end to end."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = params
        self.bounds = list(accumulate((p.array.size for p in params), initial=0))
        self.averages: dict[str, tuple[Array, list[Array]]] = {}

    def average(self, name: str, states: list[dict[str, Any]]) -> Array:
        """The averages of that name end to end, of which every state has its view."""
        if name not in self.averages:
            flat = np.zeros(self.bounds[-1], self.params[0].dtype)
            parts = zip(self.params, pairwise(self.bounds), strict=True)
            self.averages[name] = flat, [flat[a:b].reshape(p.shape) for p, (a, b) in parts]
        flat, views = self.averages[name]
        for state, view in zip(states, views, strict=True):
            if state[name] is not view:  # loaded, or of a step that was not taken together
                view[...] = state[name]
                state[name] = view
        return flat


_together: WeakKeyDictionary[Optimizer, dict[tuple[int, ...], _Together]] = WeakKeyDictionary()


@twin(update)
def update_(optimizer: Optimizer, group: dict[str, Any], params: list[Tensor]) -> Any:
    """Large parameters one by one, small ones together; for the library's own rules alone."""
    formula = _IN_PLACE.get(optimizer.rule)
    if formula is None or not all(
        type(p.array) is np.ndarray and p.array.flags.c_contiguous for p in params
    ):
        return NotImplemented
    small: dict[Any, list[Tensor]] = {}
    names = optimizer._averages(group)
    for p in params:
        state = optimizer.state_of(p, group)
        if p.array.size <= SMALL and names == tuple(n for n in names if n in state):
            small.setdefault((p.dtype, state.get("step")), []).append(p)
        else:
            begun = names == tuple(n for n in names if n in state)
            if not begun:
                _first(optimizer, group, p, state)
                continue
            averages = [state[name].reshape(-1) for name in names]
            arrays = p.array.reshape(-1), p.grad.array.reshape(-1)  # type: ignore[union-attr]
            _blocks(formula, rates_of(group, state), *arrays, averages)
    for alike in small.values():
        _gathered(optimizer, group, formula, alike, names)
    return None


def _first(optimizer: Optimizer, group: Any, p: Tensor, state: dict[str, Any]) -> None:
    """The first step of a rule whose averages do not start at zero: by its definition."""
    new = dict(state)
    rates = rates_of(group, state)
    p.array[...] = optimizer.rule(p.array, p.grad.array, new, rates)  # type: ignore[union-attr]
    state.update({k: np.array(v) if is_array(v) else v for k, v in new.items() if k != "step"})


def _gathered(
    optimizer: Optimizer, group: Any, formula: Any, params: list[Tensor], names: Sequence[str]
) -> None:
    known = _together.setdefault(optimizer, {})
    key = tuple(map(id, params))
    if key not in known:
        known[key] = _Together(params)
    together, states = known[key], [optimizer.state[p] for p in params]
    averages = [together.average(name, states) for name in names]
    flat = np.concatenate([p.array.reshape(-1) for p in params])
    grads = np.concatenate([p.grad.array.reshape(-1) for p in params])  # type: ignore[union-attr]
    rates = rates_of(group, states[0])
    for state in states[1:]:
        if "step" in state:
            state["step"] = rates.t
    _blocks(formula, rates, flat, grads, averages)
    for p, (a, b) in zip(params, pairwise(together.bounds), strict=True):
        p.array[...] = flat[a:b].reshape(p.shape)


def _blocks(formula: Any, rates: Any, p: Array, g: Array, averages: Sequence[Array]) -> None:
    a, b = np.empty((2, min(p.size, BLOCK)), p.dtype)
    for start in range(0, p.size, BLOCK):
        block = slice(start, start + BLOCK)
        n = len(p[block])
        formula(rates, p[block], g[block], [x[block] for x in averages], a[:n], b[:n])


# ------------------------------------------------- the rules in place; a and b are scratch space


def _adam(
    rates: Any, p: Array, g: Array, averages: Sequence[Array], a: Array, b: Array, decoupled: bool
) -> None:
    (beta1, beta2), decay, (m, v, *v_max) = rates.betas, rates.weight_decay, averages
    if decoupled and decay:
        p *= 1 - rates.lr * decay
        decay = 0
    g = _direction(p, g, rates.maximize, decay, a, b)
    m *= beta1
    m += np.multiply(g, 1 - beta1, out=b)
    v *= beta2
    np.multiply(g, 1 - beta2, out=b)
    b *= g
    v += b
    if v_max:
        v = np.maximum(v_max[0], v, out=v_max[0])
    root = np.sqrt(v, out=b)
    root /= math.sqrt(1 - beta2**rates.t)
    root += rates.eps
    np.multiply(m, -rates.lr / (1 - beta1**rates.t), out=a)
    p += np.divide(a, root, out=a)
    if rates.t % 128 == 0 and rates.eps > 1e-12:
        # Where gradients stay 0, m and v fade below the smallest normal number (1e-38), and
        # with such many CPUs compute slowly. Beside an eps of ordinary size they are nothing.
        for average in averages:
            average *= np.abs(average) >= np.finfo(average.dtype).tiny


def _rmsprop(rates: Any, p: Array, g: Array, averages: Sequence[Array], a: Array, b: Array) -> None:
    v, *others = averages
    g = _direction(p, g, rates.maximize, rates.weight_decay, a, b)
    v *= rates.alpha
    np.multiply(g, 1 - rates.alpha, out=b)
    b *= g
    v += b
    if rates.centered:
        m = others[-1]
        m *= rates.alpha
        m += np.multiply(g, 1 - rates.alpha, out=b)
        np.subtract(v, np.multiply(m, m, out=b), out=b)
        root = np.sqrt(b, out=b)
    else:
        root = np.sqrt(v, out=b)
    root += rates.eps
    change = np.divide(g, root, out=a)
    if rates.momentum:
        momentum = others[0]
        momentum *= rates.momentum
        momentum += change
        change = momentum
    p -= np.multiply(change, rates.lr, out=b)


def _sgd(rates: Any, p: Array, g: Array, averages: Sequence[Array], a: Array, b: Array) -> None:
    g = _direction(p, g, rates.maximize, rates.weight_decay, a, b)
    if rates.momentum:
        (momentum,) = averages
        momentum *= rates.momentum
        momentum += np.multiply(g, 1 - rates.dampening, out=b)
        g = (
            np.add(g, np.multiply(momentum, rates.momentum, out=b), out=a)
            if (rates.nesterov)
            else momentum
        )
    p -= np.multiply(g, rates.lr, out=b)


def _direction(p: Array, g: Array, maximize: bool, decay: float, a: Array, b: Array) -> Array:
    """The gradient to descend, in ``a`` if it is not ``g`` itself."""
    if maximize:
        g = np.negative(g, out=a)
    if decay:
        g = np.add(g, np.multiply(p, decay, out=b), out=a)
    return g


_IN_PLACE: dict[Any, Callable[..., None]] = {
    Adam.rule: lambda *args: _adam(*args, decoupled=False),
    AdamW.rule: lambda *args: _adam(*args, decoupled=True),
    RMSprop.rule: _rmsprop,
    SGD.rule: _sgd,
}
