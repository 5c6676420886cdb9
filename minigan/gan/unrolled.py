"""What the discriminator would answer: k of its own steps, as functions of what G does now.

G's loss against D as it is rewards G for moving all its samples to where D is mistaken *now*.
Unrolled (Metz et al. 2017, section 2.2), it is taken against the D of k steps later, and its
gradient flows back through these steps, the optimiser's rule included: G sees how D would answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..array import is_array
from ..autograd import grad
from ..hooks import not_in_capture
from ..nn import Module, Parameter
from ..optim import Optimizer
from ..optim.optimizer import rates_of
from ..tensor import Tensor


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
    not_in_capture("unrolling goes on from the optimiser's number of steps")
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


def _rule(optimizer: Optimizer, p: Parameter) -> Callable[[Tensor, Tensor], Tensor]:
    """``rule(weight, gradient)``: the weight after one more step; it remembers its averages."""
    if type(optimizer).rule is Optimizer.rule:
        raise ValueError(
            f"unroll= goes through the optimiser's rule, but {type(optimizer).__name__} defines "
            "none: give it a static method rule(p, g, state, rates), as Adam's"
        )
    (group,) = [g for g in optimizer.param_groups if any(q is p for q in g["params"])]
    state = {
        name: Tensor(value.copy()) if is_array(value) else value
        for name, value in optimizer.begun(p, group, dict(optimizer.state.get(p, {}))).items()
    }

    def rule(weight: Tensor, gradient: Tensor) -> Tensor:
        return optimizer.rule(weight, gradient, state, rates_of(group, state, p.dtype))

    return rule
