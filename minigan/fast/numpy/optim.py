"""Updates in place: large parameters in blocks that stay in the cache, small ones end to end.

A pass over an array costs a microsecond before its first element. So the small parameters of a
group are gathered, with their gradients, into one array, updated together and laid back. The
averages of a whole group live end to end, as views of one array each: large enough for the system
to give it large pages. Neither parameters nor gradients ever change their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any
from weakref import WeakKeyDictionary

from ...array import Array, np
from ...optim import SGD, Adam, AdamW, Optimizer, RMSprop
from ...optim.optimizer import rates_of, update
from ...seam import twin
from ...tensor import Tensor

BLOCK = 1 << 17  # elements updated at a time: all that an update touches stays in the CPU's cache
SMALL = 1 << 12  # elements of a parameter that is gathered with others


class _Home:
    """Where a group's parameters of one dtype have their averages: end to end, small ones first."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = sorted(params, key=lambda p: p.array.size > SMALL)
        self.small = [p for p in self.params if p.array.size <= SMALL]
        self.bounds = list(accumulate((p.array.size for p in self.params), initial=0))
        self.averages: dict[str, tuple[Array, dict[Tensor, Array]]] = {}

    def adopt(self, p: Tensor, name: str, state: dict[str, Any]) -> None:
        """Let the state hold its view, if it was loaded, or is of a step taken elsewhere."""
        if name not in self.averages:
            flat = np.zeros(self.bounds[-1], p.dtype)
            parts = zip(self.params, pairwise(self.bounds), strict=True)
            views = {q: flat[a:b].reshape(q.array.shape) for q, (a, b) in parts}
            self.averages[name] = flat, views
        view = self.averages[name][1][p]
        if state[name] is not view:
            view[...] = state[name]
            state[name] = view


_homes: WeakKeyDictionary[Optimizer, dict[Any, _Home]] = WeakKeyDictionary()


@twin(update)
def update_(optimizer: Optimizer, group: dict[str, Any], params: list[Tensor]) -> Any:
    """Large parameters one by one, small ones together; for the library's own rules alone."""
    formula = _IN_PLACE.get(optimizer.rule)
    on_host = all(type(p.array) is np.ndarray for p in params)
    if formula is None or not on_host or len(set(params)) < len(params):
        return NotImplemented
    names = optimizer._averages(group)
    homes, known = {}, _homes.setdefault(optimizer, {})
    for dtype in {p.array.dtype for p in params}:
        alike = [p for p in group["params"] if p.array.dtype == dtype]
        key = (dtype, *map(id, alike))
        homes[dtype] = known[key] = known.get(key) or _Home(alike)
    left = []
    for p in params:
        state = optimizer.state_of(p, group)
        if all(name in state for name in names):
            left.append(p)
            for name in names:
                homes[p.array.dtype].adopt(p, name, state)
        else:
            _first_step(optimizer, group, p, state)
    for home in homes.values():
        here = set(home.small)
        if len(here) > 1 and here <= set(left) and _same_step(optimizer, home.small):
            _gathered(optimizer, group, formula, home, names)
            left = [p for p in left if p not in here]
    for p in left:
        state = optimizer.state[p]
        arrays = [p.array, p.grad.array, *(state[name] for name in names)]  # type: ignore[union-attr]
        _in_place(formula, rates_of(group, state, p.dtype), arrays)
    return None


def _same_step(optimizer: Optimizer, params: Sequence[Tensor]) -> bool:
    return len({optimizer.state[p].get("step") for p in params}) == 1


def _first_step(optimizer: Optimizer, group: Any, p: Tensor, state: dict[str, Any]) -> None:
    """Of a rule whose averages begin with the first gradient: by its definition."""
    new = dict(state)
    g = p.grad.array  # type: ignore[union-attr]
    p.array[...] = optimizer.rule(p.array, g, new, rates_of(group, state, p.dtype))
    for name in optimizer._averages(group):
        state[name] = np.array(new[name], p.dtype)


def _gathered(
    optimizer: Optimizer, group: Any, formula: Any, home: _Home, names: Sequence[str]
) -> None:
    """The small parameters of a group, all of which have a gradient, in one piece."""
    params, states = home.small, [optimizer.state[p] for p in home.small]
    flat = np.concatenate([p.array.reshape(-1) for p in params])
    grads = np.concatenate([p.grad.array.reshape(-1) for p in params])  # type: ignore[union-attr]
    rates = rates_of(group, states[0], flat.dtype)
    for state in states[1:]:
        if "step" in state:
            state["step"] = rates.t
    averages = [home.averages[name][0][: flat.size] for name in names]
    _in_place(formula, rates, [flat, grads, *averages])
    for p, (a, b) in zip(params, pairwise(home.bounds), strict=False):
        p.array[...] = flat[a:b].reshape(p.array.shape)


def _in_place(formula: Any, rates: Any, arrays: Sequence[Array]) -> None:
    """The formula on a parameter, its gradient and averages: in blocks, if they lie in a row."""
    if all(a.flags.c_contiguous for a in arrays):
        arrays = [a.reshape(-1) for a in arrays]
        blocks = [slice(i, i + BLOCK) for i in range(0, arrays[0].size, BLOCK)]
    else:
        blocks = [slice(None)]
    for block in blocks:
        p, g, *averages = [a[block] for a in arrays]
        formula(rates, p, g, averages, *_scratch(p))


_spare: dict[Any, Array] = {}


def _scratch(p: Array) -> Any:
    """Two arrays like p to compute in; one memory for all, which so stays in the cache."""
    spare = _spare.get(p.dtype)
    if spare is None or spare.shape[1] < p.size:
        spare = _spare[p.dtype] = np.empty((2, max(p.size, SMALL)), p.dtype)
    a, b = spare[:, : p.size]
    return a.reshape(p.shape), b.reshape(p.shape)


# ------------------------------------------------- the rules in place; a and b are scratch space


def _adam(
    decoupled: bool,
    rates: Any,
    p: Array,
    g: Array,
    averages: Sequence[Array],
    a: Array,
    b: Array,
) -> None:
    (beta1, beta2), decay, (m, v, *v_max) = rates.betas, rates.weight_decay, averages
    if decoupled and decay:
        p *= 1 - rates.lr * decay
        decay = 0
    g = _direction(p, g, rates.maximize, decay, a, b)
    _lerp(m, g, 1 - beta1, b)
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
        _lerp(m, g, 1 - rates.alpha, b)
        np.subtract(v, np.multiply(m, m, out=b), out=b)
        root = np.sqrt(b, out=b)
    else:
        root = np.sqrt(v, out=b)
    root += rates.eps
    if rates.momentum:
        momentum = others[0]
        momentum *= rates.momentum
        momentum += np.divide(g, root, out=b)
        p += np.multiply(momentum, -rates.lr, out=b)
    else:
        np.multiply(g, -rates.lr, out=a)
        p += np.divide(a, root, out=a)


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
    p += np.multiply(g, -rates.lr, out=b)


def _lerp(average: Array, g: Array, weight: float, a: Array) -> None:
    """average + weight · (g - average) in place, from the nearer end, as PyTorch's ``lerp_``."""
    np.subtract(g, average, out=a)
    if weight < 0.5:
        a *= weight
        average += a
    else:
        a *= 1 - weight
        np.subtract(g, a, out=average)


def _direction(p: Array, g: Array, maximize: bool, decay: float, a: Array, b: Array) -> Array:
    """The gradient to descend, in ``a`` if it is not ``g`` itself."""
    if maximize:
        g = np.negative(g, out=a)
    if decay:
        g = np.add(g, np.multiply(p, decay, out=b), out=a)
    return g


_IN_PLACE: dict[Any, Callable[..., None]] = {
    Adam.rule: partial(_adam, False),
    AdamW.rule: partial(_adam, True),
    RMSprop.rule: _rmsprop,
    SGD.rule: _sgd,
}
