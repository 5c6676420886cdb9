"""What the discriminator would answer: k of its own steps, as functions of what G does now.

G's loss against D as it is rewards G for moving all its samples to where D is mistaken *now*.
Unrolled (Metz et al. 2017, section 2.2), it is taken against the D of k steps later, and its
gradient flows back through these steps, the optimiser's rule included: G sees how D would answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .. import hooks as replay
from ..autograd import grad
from ..nn import Module, Parameter
from ..ops import maximum, sqrt
from ..optim import SGD, Adam, Optimizer, RMSprop
from ..tensor import Tensor
from .penalties import TINY


@contextmanager
def unrolled(
    network: Module,
    optimizer: Optimizer,
    loss: Callable[[], Tensor],
    steps: int,
    project: Callable[[Tensor], Tensor],
) -> Iterator[None]:
    """Inside, the network's weights are those after ``steps`` steps down ``loss()``.

    They are tensors with a graph through all steps. Afterwards weights, buffers and the optimiser
    are as they were. ``project`` is applied to every weight after every step.
    """
    replay.not_in_graph("unrolling goes on from the optimiser's number of steps")
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    places = [
        (module, name, value)
        for module in network.modules()
        for name, value in vars(module).items()
        if isinstance(value, Parameter) and value.requires_grad and id(value) in moved
    ]
    parameters = list({id(p): p for _, _, p in places}.values())
    buffers = [(buffer, buffer.array.copy()) for buffer in network.buffers()]
    rules = [_rule(optimizer, p) for p in parameters]
    # leaves of their own: what flows back to the start of the steps ends there, not in D's .grad
    weights = [p.detach().requires_grad_() for p in parameters]
    try:
        _install(places, parameters, weights)
        for _ in range(steps):
            slopes = grad(loss(), weights, create_graph=True, allow_unused=True)
            weights = [
                p if g is None else project(rule(p, g))
                for p, g, rule in zip(weights, slopes, rules, strict=True)
            ]
            _install(places, parameters, weights)
        yield
    finally:
        _install(places, parameters, parameters)
        for buffer, values in buffers:
            buffer.array[...] = values


def _install(places: list[Any], parameters: list[Parameter], weights: list[Any]) -> None:
    new = {id(p): w for p, w in zip(parameters, weights, strict=True)}
    for module, name, p in places:
        setattr(module, name, new[id(p)])


# --------------------------------------------------------- the optimisers' rules, differentiable


def _rule(optimizer: Optimizer, p: Parameter) -> Callable[[Tensor, Tensor], Tensor]:
    """``rule(weight, gradient)``: the weight after one more step; it remembers its averages."""
    (group,) = [g for g in optimizer.param_groups if any(q is p for q in g["params"])]
    state = {k: v if k == "step" else Tensor(v) for k, v in optimizer.state.get(p, {}).items()}
    for kind, update in _UPDATES.items():
        if isinstance(optimizer, kind):
            return partial(update, group, state, getattr(optimizer, "decoupled", False))
    raise ValueError(
        "unroll= goes through the steps of Adam, AdamW, RMSprop and SGD, "
        f"not of {type(optimizer).__name__}"
    )


def _adam(group: dict[str, Any], state: Any, decoupled: bool, p: Tensor, g: Tensor) -> Tensor:
    """The formulas of ``optim.Adam``."""
    lr, (beta1, beta2) = group["lr"], group["betas"]
    if decoupled:
        p = p - lr * group["weight_decay"] * p
        group = {**group, "weight_decay": 0}
    g = _descended(group, p, g)
    t = state["step"] = state.get("step", 0) + 1
    m = state["exp_avg"] = beta1 * state.get("exp_avg", 0) + (1 - beta1) * g
    v = state["exp_avg_sq"] = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * (g * g)
    if group["amsgrad"]:
        v = state["max_exp_avg_sq"] = maximum(state.get("max_exp_avg_sq", v), v)
    root = sqrt(v + TINY) / math.sqrt(1 - beta2**t) + group["eps"]
    return p - lr / (1 - beta1**t) * m / root


def _rmsprop(group: dict[str, Any], state: Any, _: bool, p: Tensor, g: Tensor) -> Tensor:
    """The formulas of ``optim.RMSprop``."""
    lr, alpha, mu = group["lr"], group["alpha"], group["momentum"]
    g = _descended(group, p, g)
    v = state["square_avg"] = alpha * state.get("square_avg", 0) + (1 - alpha) * (g * g)
    if group["centered"]:
        m = state["grad_avg"] = alpha * state.get("grad_avg", 0) + (1 - alpha) * g
        v = v - m * m
    change = g / (sqrt(v + TINY) + group["eps"])
    if mu:
        change = state["momentum_buffer"] = mu * state.get("momentum_buffer", 0) + change
    return p - lr * change


def _sgd(group: dict[str, Any], state: Any, _: bool, p: Tensor, g: Tensor) -> Tensor:
    """The formulas of ``optim.SGD``."""
    mu = group["momentum"]
    g = _descended(group, p, g)
    if mu:
        before = state.get("momentum_buffer")
        b = g if before is None else mu * before + (1 - group["dampening"]) * g
        state["momentum_buffer"] = b
        g = g + mu * b if group["nesterov"] else b
    return p - group["lr"] * g


def _descended(group: dict[str, Any], p: Tensor, g: Tensor) -> Tensor:
    g = -g if group["maximize"] else g
    return g + group["weight_decay"] * p if group["weight_decay"] else g


_UPDATES: dict[type[Optimizer], Callable[..., Tensor]] = {
    Adam: _adam,
    RMSprop: _rmsprop,
    SGD: _sgd,
}
