"""A catalogue of classic mistakes, each as the wrong gradient rule that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ...array import module_of
from ...tensor import Tensor
from .known import known
from .layers import LAYERS
from .names import ACTIVATION, CHAIN, PATH, SIGN
from .point import Link, Plant, Point, shortcut, wrong_rule


class Mistake(NamedTuple):
    """A wrong rule at one place of the graph. Mistakes of one ``kind`` tend to be made together."""

    cause: str
    kind: str
    says: str
    plant: Plant


def mistakes(point: Point) -> Iterator[Mistake]:
    """Every mistake of the catalogue at every place where it can be made."""
    for z, s in point.segments:
        for name, (cause, says, rule) in known(z.array, s.array):
            yield Mistake(cause, name + says, says, shortcut(z, s, rule))
    for link in point.links:
        for cause, says, rule in LAYERS.get((link.name, link.i), ()):
            yield Mistake(cause, says, says, wrong_rule(link.t, link.i, rule))
        if link.name in ("neg", "sub"):
            says = f"The minus sign of {_where(point, link)} got lost."
            yield Mistake(SIGN, says, says, wrong_rule(link.t, link.i, lambda g, *_, **__: g))


def links_missing(point: Point) -> Iterator[Mistake]:
    """One factor of the chain rule taken as 1, at any operation or run of operations."""
    for link in point.links:
        if not _is_activation(link.x, link.t):  # which has a mistake of its own
            says = f"The derivative of {_where(point, link)} is missing from the chain."
            plant = wrong_rule(link.t, link.i, lambda g, *_, **__: g)
            yield Mistake(CHAIN, link.name, says, plant)
    for link in point.links:
        says = f"What comes after {_where(point, link)} is missing: multiply by its gradient."
        yield Mistake(CHAIN, says, says, wrong_rule(link.t, link.i, _alone(link)))
    activations = {id(s) for z, s in point.segments if _is_activation(z, s)}
    for z, s in point.segments:
        if id(s) in activations or any(x is z for x in s.inputs):
            continue  # nobody forgets half of a sigmoid; and single operations had their turn
        says = (
            f"The derivative of what lies between {point.describe(z)} and {point.describe(s)} is "
            "missing from the chain."
        )
        yield Mistake(CHAIN, says, says, shortcut(z, s, lambda g, y, x: g))


def lost(point: Point) -> Iterator[Mistake]:
    """A minus sign lost at one operation, or one of several paths left out."""
    for link in point.links:
        where = _where(point, link)
        says = f"The sign of one term is flipped, at {where}."
        yield Mistake(SIGN, says, says, wrong_rule(link.t, link.i, _negated(link)))
        says = f"The path through {where} is left out: the gradients of all paths add up."
        yield Mistake(PATH, says, says, wrong_rule(link.t, link.i, _nothing(link)))


def _is_activation(z: Tensor, s: Tensor) -> bool:
    return z.shape == s.shape and any(w[0] == ACTIVATION for _, w in known(z.array, s.array))


def _where(point: Point, link: Link) -> str:
    name = link.name
    others = [x for i, x in enumerate(link.t.inputs) if i != link.i and isinstance(x, (int, float))]
    return f"{name} by {others[0]:g}" if others else f"{name} of {point.describe(link.x)}"


def _alone(link: Link) -> Callable[..., Any]:
    rule = link.rule
    return lambda g, *args, **settings: rule(module_of(g).ones_like(g), *args, **settings)


def _negated(link: Link) -> Callable[..., Any]:
    rule = link.rule
    return lambda g, *args, **settings: rule(-g, *args, **settings)


def _nothing(link: Link) -> Callable[..., Any]:
    rule = link.rule
    return lambda g, *args, **settings: rule(0.0 * g, *args, **settings)
