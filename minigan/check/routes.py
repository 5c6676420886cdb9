"""Which parameters received a gradient, and by which way it came.

::

    with check.routes(generator=G, discriminator=D) as routes:
        loss.backward()                  # a step of the discriminator
    routes.assert_touches(D)
    routes.assert_untouched(G)           # fails if a detach() is missing, and shows the path
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from .. import autograd
from ..tensor import Tensor
from .causes.point import made_by


class RouteError(AssertionError):
    """A gradient arrived where none should, or none where one should."""


class routes:  # noqa: N801 - used like a function
    """Record, inside a ``with`` block, where ``backward()`` leaves gradients.

    Parameters
    ----------
    **named : Module or Tensor
        Networks, leaves and intermediate tensors, with the names that messages shall use. Name
        what is computed inside of the block with :meth:`name`.

    Attributes
    ----------
    touched : dict
        The name of each leaf that received a gradient → the path by which it came, from the
        result back to the leaf: operations, or the layers and named tensors they belong to. Kept
        after the block; the graph is not.
    """

    def __init__(self, **named: Any) -> None:
        self.touched: dict[str, str] = {}
        # by id: a leaf that received a gradient, and the named things on its way, and all;
        # a tensor's name
        self._found: dict[int, tuple[weakref.ref[Tensor], list[str], str]] = {}
        self._names: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self._layers: dict[int, str] = {}  # of parameters, by id
        self.name(**named)

    def name(self, **named: Any) -> None:
        """Give networks or tensors names: ``routes.name(fake=fake)``."""
        for name, thing in named.items():
            for path, t in _tensors(thing):
                self._names[id(t)] = weakref.ref(t), f"{name}.{path}" if path else name
                self._layers[id(t)] = _layer_of(self._names[id(t)][1]) if path else ""

    def __enter__(self) -> routes:
        autograd.listeners.append(self._hear)
        return self

    def __exit__(self, *exception: object) -> None:
        autograd.listeners.remove(self._hear)

    # ------------------------------------------------------------------------------- listening

    def _hear(self, output: Tensor, receivers: list[Tensor]) -> None:
        """``receivers`` got their gradients from ``output``; keep the ways, not the graph."""
        came_from = _nearest([output])
        for leaf in receivers:
            way = [leaf]
            while (t := came_from.get(id(way[-1]))) is not None:
                way.append(t)
            landmarks = [self._named(t) or self._layer(t) for t in way[:0:-1]]
            steps = [mark or made_by(t) for mark, t in zip(landmarks, way[:0:-1], strict=True)]
            known, path = _unrepeated(filter(None, landmarks)), " <- ".join(_unrepeated(steps))
            self._found[id(leaf)] = weakref.ref(leaf), known, path
            self.touched[self._named(leaf) or _unnamed(leaf)] = path

    def _named(self, t: Tensor) -> str:
        known = self._names.get(id(t))
        return known[1] if known is not None and known[0]() is t else ""

    def _layer(self, t: Tensor) -> str:
        """The layer whose parameters the operation that made ``t`` reads."""
        named = (x for x in t.inputs if isinstance(x, Tensor) and self._named(x))
        return next(filter(None, (self._layers[id(x)] for x in named)), "")

    # -------------------------------------------------------------------------------- asserting

    def assert_touches(self, *things: Any) -> None:
        """Every parameter of the given modules (or tensors) received a gradient.

        Raises
        ------
        RouteError
            With the names of those that did not.
        """
        for name, t in self._all(things):
            if not self._received(t):
                why = "is it used, and not behind a detach()?"
                if not t.requires_grad:
                    why = "it does not require grad"
                raise RouteError(f"{name} received no gradient: {why}")

    def assert_untouched(self, *things: Any) -> None:
        """No parameter of the given modules (or tensors) received a gradient.

        Raises
        ------
        RouteError
            With the path by which the first one arrived.
        """
        everything = list(self._all(things))
        touched = [(name, t) for name, t in everything if self._received(t)]
        if touched:
            name, t = touched[0]
            more = f" (and {len(touched) - 1} more)" if len(touched) > 1 else ""
            inside = {_layer_of(n) for n, _ in everything}  # the way there is what matters
            _, known, path = self._found[id(t)]
            path = " <- ".join(k for k in known if k not in inside) or path or "no operation"
            raise RouteError(f"{name}{more} received gradient through {path}: missing detach()?")

    def _received(self, t: Tensor) -> bool:
        known = self._found.get(id(t))
        return known is not None and known[0]() is t

    def _all(self, things: tuple[Any, ...]) -> Iterator[tuple[str, Tensor]]:
        for thing in things:
            for path, t in _tensors(thing):
                yield self._named(t) or path or _unnamed(t), t

    def __repr__(self) -> str:
        lines = [f"{name} <- {path}" for name, path in self.touched.items()]
        return "\n".join(["gradients arrived at:", *lines]) if lines else "no gradient arrived"


def _tensors(thing: Any) -> list[tuple[str, Tensor]]:
    """The parameters of a module with their names, or a tensor."""
    if isinstance(thing, Tensor):
        return [("", thing)]
    if hasattr(thing, "named_parameters"):
        return list(thing.named_parameters())
    raise TypeError(f"expected a module or a tensor, got {type(thing).__name__}: {thing!r}")


def _nearest(outputs: list[Tensor]) -> dict[int, Tensor]:
    """For each tensor of the graph, by id, the next one on the shortest way to an output."""
    came_from: dict[int, Tensor] = {}
    seen, wave = {id(t) for t in outputs}, list(outputs)
    while wave:
        following = []
        for t in wave:
            for x in t.inputs:
                if isinstance(x, Tensor) and x.requires_grad and id(x) not in seen:
                    seen.add(id(x))
                    came_from[id(x)] = t
                    following.append(x)
        wave = following
    return came_from


def _unrepeated(steps: Iterable[str]) -> list[str]:
    """A layer may take several operations; one mention is enough."""
    return [step for step, _ in itertools.groupby(steps)]


def _layer_of(name: str) -> str:
    """``generator.0`` for ``generator.0.weight``."""
    return name.rpartition(".")[0] or name


def _unnamed(t: Tensor) -> str:
    return f"a tensor {t.shape}"
