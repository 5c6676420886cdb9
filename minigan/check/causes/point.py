"""One evaluation of f, recorded: what hypotheses about a wrong gradient are tried on.

Most mistakes are *one wrong gradient rule*. To try one, the wrong rule is planted in the recorded
graph, and the library's own backward pass is run: it then makes the student's mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from ...array import float64, np, quiet
from ...autograd import enable_grad, grad
from ...graph import ancestors
from ...random import default_rng
from ...tensor import Op, Tensor

Array = Any
Wrong = tuple[str, str, Callable[..., Any]]  # cause, what to say, the wrong rule

_NOISE = 1e-14  # some fifty roundings of a float64
_MARGIN = 30  # formulas differ in how they round


class Plant(NamedTuple):
    """How a tensor shall claim to have been computed, while a hypothesis is tried."""

    tensor: Tensor
    op: Op
    inputs: tuple[Any, ...]
    settings: dict[str, Any]


def wrong_rule(t: Tensor, i: int, rule: Callable[..., Any]) -> Plant:
    """The operation that made ``t``, with another gradient rule for its input i."""
    assert t.op is not None
    rules = list(rules_of(t))
    rules[i] = rule
    return Plant(t, replace(t.op, rules=tuple(rules), composite=False), t.inputs, t.settings)


def shortcut(z: Tensor, s: Tensor, rule: Callable[[Array, Array, Array], Array]) -> Plant:
    """All operations between ``z`` and ``s`` as one, whose gradient rule is ``rule(g, s, z)``."""
    return Plant(s, Op("shortcut", lambda x: x, (rule,), ""), (z,), {})


def _put(plant: Plant) -> Plant:
    """Put ``plant`` into the graph; returns what was there before."""
    t = plant.tensor
    assert t.op is not None
    before = Plant(t, t.op, t.inputs, t.settings)
    _, t.op, t.inputs, t.settings = plant
    return before


def made_by(t: Tensor) -> str:
    """The name of the operation that made ``t``; empty for leaves."""
    return t.op.name if t.op is not None else ""


def rules_of(t: Tensor) -> Sequence[Callable[..., Any] | None]:
    """The gradient rules of the operation that made ``t``; of a composite, its body's gradients."""
    op: Any = t.op
    return [partial(_part, t, i) for i in range(len(t.inputs))] if op.composite else op.rules


def _part(t: Tensor, i: int, g: Array, y: Array, *inputs: Array, **settings: Any) -> Array:
    with enable_grad():
        leaves = [Tensor(x, requires_grad=True) for x in inputs]
        again = t.op.definition(*leaves, **settings)  # type: ignore[union-attr]
    (gx,) = grad(again, [leaves[i]], Tensor(g))
    return gx.array  # type: ignore[union-attr]


class Link(NamedTuple):
    """An operation's input that the wanted gradient flows through: ``t.inputs[i]``."""

    t: Tensor
    i: int

    @property
    def x(self) -> Tensor:
        return self.t.inputs[self.i]

    @property
    def name(self) -> str:
        """The operation's."""
        return made_by(self.t)

    @property
    def rule(self) -> Callable[..., Any]:
        return rules_of(self.t)[self.i]  # type: ignore[return-value]


@dataclass
class Point:
    """The graph of f at a point, and the right gradient there."""

    inputs: dict[str, Tensor]
    wrt: str
    output: Tensor
    cotangent: Tensor

    @property
    def x(self) -> Tensor:
        return self.inputs[self.wrt]

    def gradient(self, *plants: Plant, of: Tensor | None = None) -> Array:
        """The gradient with respect to ``of`` (default: x) that the backward pass gives.

        With ``plants`` in the graph; None if their rules do not fit the shapes here.
        """
        target = self.x if of is None else of
        before = [_put(plant) for plant in plants]
        try:
            with quiet():  # a wrong rule may well divide by zero
                (g,) = grad(self.output, target, self.cotangent, allow_unused=True)
        except (ValueError, AssertionError, IndexError):
            if not plants:
                raise
            return None
        finally:
            for plant in before:
                _put(plant)
        return np.zeros(target.shape) if g is None else g.array

    @cached_property
    def right(self) -> Array:
        """The gradient by autograd."""
        return self.gradient()

    @cached_property
    def graph(self) -> list[Tensor]:
        """The tensors through which x reaches the output, x first."""
        reached = {id(self.x)}
        graph = [self.x]
        for t in ancestors([self.output]):
            if any(id(x) in reached for x in t.inputs):
                reached.add(id(t))
                graph.append(t)
        return graph

    @cached_property
    def links(self) -> list[Link]:
        """The inputs of all operations through which x reaches the output."""
        reached = {id(t) for t in self.graph}
        return [
            Link(t, i)
            for t in self.graph[1:]
            for i, (x, rule) in enumerate(zip(t.inputs, rules_of(t), strict=False))
            if id(x) in reached and rule is not None
        ]

    @cached_property
    def segments(self) -> list[tuple[Tensor, Tensor]]:
        """Pairs (z, s) of one shape, s computed from z by a few operations, nearest first."""
        reached = {id(t) for t in self.graph}
        pairs = []
        for s in self.graph[1:]:
            near, seen = [s], {id(s)}
            for _ in range(8):  # a composed sigmoid takes four operations, a batch norm eight
                near = [x for t in near for x in t.inputs if id(x) in reached and id(x) not in seen]
                seen.update(id(x) for x in near)
                pairs += [(z, s) for z in dict.fromkeys(near) if z.shape == s.shape]
        return pairs

    def raw(self, link: Link, rule: Callable[..., Any] | None = None) -> Array:
        """What ``link``'s rule (or another) gives, before broadcasting is undone."""
        t = link.t
        arrays = [x.array if isinstance(x, Tensor) else x for x in t.inputs]
        return (rule or link.rule)(self.gradient(of=t), t.array, *arrays, **t.settings)

    # ------------------------------------------------------------------------ how exact it can be

    @cached_property
    def rounding(self) -> Array:
        """How far apart right formulas may lie, element by element, because of rounding.

        Found by trying: the backward pass again, with every number in it disturbed in its last
        digits (Monte Carlo arithmetic, Parker 1997). What would change f itself by less than a
        rounding when x moves by its own size (at least 1) is below anybody's reach.
        """
        reach = np.abs(self.cotangent.array * self.output.array).sum()
        floor = 4 * np.finfo(float64).eps * reach / max(1.0, np.abs(self.x.array).max(initial=0.0))
        rng = default_rng(0)
        worst = np.zeros(self.x.shape)
        for _ in range(4):
            plants = [_shaken(t, rng) for t in self.graph[1:]]
            shaken = self.gradient(*plants)
            if shaken is not None:
                worst = np.fmax(worst, np.abs(shaken - self.right))
        return _MARGIN * worst + floor

    def same(self, a: Array, b: Array, digits: float = 1e-7) -> Array:
        """Where a and b are equal to rounding; element by element if they have x's shape."""
        rounding = self.rounding if a.shape == self.x.shape else self.rounding.max(initial=0.0)
        return np.abs(a - b) <= digits * np.abs(b) + rounding

    def describe(self, t: Tensor) -> str:
        """A tensor in words: an input's name, else the operation that made it."""
        for name, x in self.inputs.items():
            if x is t:
                return name
        return made_by(t) or "a constant"


_COMPARING = ("clamp", "maximum", "minimum")  # a disturbed tie is no longer a tie


def _shaken(t: Tensor, rng: Any) -> Plant:
    """The operation that made ``t``, with rules that are right but for their last digits."""
    assert t.op is not None
    steady, logarithm = made_by(t) in _COMPARING, t.op.logarithm

    def shake(rule: Callable[..., Any] | None) -> Callable[..., Any] | None:
        def shaken(g: Array, y: Array, *inputs: Any, **settings: Any) -> Array:
            g = g * (1 + _NOISE * rng.uniform(-1, 1, g.shape))
            # one factor for all: what was equal stays equal, what was positive positive
            k = 1 + (0.0 if steady else _NOISE * rng.uniform(-1, 1))
            moved = (x * k if getattr(x, "dtype", None) == float64 else x for x in inputs)
            # the relative error of exp(y) is the absolute error of y
            y = y + (k - 1) if logarithm else y * k
            return rule(g, y, *moved, **settings)  # type: ignore[misc]

        return None if rule is None else shaken

    return Plant(
        t,
        replace(t.op, rules=tuple(map(shake, rules_of(t))), composite=False),
        t.inputs,
        t.settings,
    )


class Hypothesis(NamedTuple):
    """A hypothesis: the gradient that this mistake gives, and what to tell who made it."""

    cause: str
    says: str
    gradient: Array | None


Hypotheses = Iterator[Hypothesis]
