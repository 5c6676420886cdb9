"""The gradient of what was computed: into ``.grad`` of the leaves, or given back.

The graph itself, its recording and the walk back through it, is in :mod:`minigan.graph`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .array import module_of
from .graph import ancestors, composite, op, walk_back
from .mode import enable_grad, is_grad_enabled, no_grad
from .operands import starting_gradient
from .seam import twin
from .tensor import Tensor

__all__ = [
    "Variable",
    "backward",
    "composite",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "op",
    "twin",
]

Variable = Tensor  # PyTorch's old name


# called by backward() with its output and the leaves that received a gradient (check.routes)
listeners: list[Callable[[Tensor, list[Tensor]], None]] = []


def backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradient of ``tensor`` to ``.grad`` of every leaf that requires it.

    Parameters
    ----------
    gradient : Tensor, same shape, optional
        The gradient of the final result with respect to ``tensor``; 1 for a scalar.
    retain_graph : ignored
        The graph lives as long as its result does, so a second call is always right.
    create_graph : bool
        Record the gradients too, so that they can be differentiated again.
    """
    graph = ancestors([tensor])
    leaves = [t for t in graph if t.op is None]
    if not leaves:
        raise RuntimeError("backward() on a tensor that does not depend on any requires_grad")
    start = starting_gradient(tensor, gradient)
    found = walk_back([tensor], [start], leaves, create_graph, graph=graph)
    reached = [k for k, g in enumerate(found) if g is not None]
    alone = [_nobody_elses(found, k) for k in reached]
    for k, own in zip(reached, alone, strict=True):
        leaf, g = leaves[k], found[k]
        if isinstance(g, Tensor):  # create_graph: the sum must stay differentiable
            leaf.grad = g * 1 if leaf.grad is None else leaf.grad + g
        elif leaf.grad is None:
            leaf.grad = Tensor(g if own else module_of(g).array(g, order="C"))
        else:
            leaf.grad = Tensor(leaf.grad.array + g)  # a new one: who kept the old one keeps it
    for hear in listeners:
        hear(tensor, [leaves[k] for k in reached])


def _nobody_elses(found: list[Any], k: int) -> bool:
    """Whether an array is in this list alone, so that a leaf may keep it without a copy."""
    return getattr(found[k], "base", None) is None and sys.getrefcount(found[k]) <= _ALONE


_one = [object()]
_ALONE = sys.getrefcount(_one[0])  # of what a list alone refers to


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, leaving every ``.grad`` alone.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensors
        ``inputs`` may be any tensors of the graph, not only leaves.
    grad_outputs : Tensor or sequence, optional
        One cotangent per output, in its shape; 1 for scalars.
    retain_graph, only_inputs : ignored
        The graph lives as long as its result does, and no other gradients are computed.
    create_graph : bool
        Record the gradients, so that they can be differentiated again.
    allow_unused : bool
        Give None for an input that no output depends on, instead of an error.

    Returns
    -------
    tuple of Tensor
        One gradient per input, in its shape and dtype.
    """
    outs, ins = ([t] if isinstance(t, Tensor) else list(t) for t in (outputs, inputs))
    if not all(x.requires_grad for x in ins):
        raise RuntimeError("grad(): an input does not require grad; make it with requires_grad")
    if isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs]
    given = [None] * len(outs) if grad_outputs is None else list(grad_outputs)
    if len(given) != len(outs):
        raise ValueError(f"expected {len(outs)} grad_outputs, one per output, got {len(given)}")
    found = walk_back(outs, list(map(starting_gradient, outs, given)), ins, create_graph)
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            f"grad(): input {[g is None for g in found].index(True)} was not used to compute the "
            "outputs; pass allow_unused=True to get None for it"
        )
    return tuple(g if g is None or isinstance(g, Tensor) else Tensor(g) for g in found)


Tensor.backward = backward  # type: ignore[attr-defined]
