"""Why a gradient is wrong: mistakes are tried on, and those that reproduce the claim are named.

``names`` lists the causes. ``whole`` holds mistakes made with the finished gradient (a sign, a
factor, an axis), ``rules`` those made in one rule of the chain: of a function (``known``), of a
layer (``layers``), or of any operation. ``point`` is the recorded graph on which they are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from ...array import np
from . import rules, whole
from .names import CAUSES, FACTOR, FEW, KINKS
from .point import Array, Hypotheses, Hypothesis, Plant, Point

_PRECISION = 1e-6  # an explanation agrees with the claim to this, relative,
_REMAINDER = 1e-3  # and leaves no more than this part of the difference unexplained


def explanations(point: Point, claimed: Array, kinks: Array) -> list[Hypothesis]:
    """What explains the whole difference between ``claimed`` and the right gradient, best first.

    One explanation per cause. Mistakes that change nothing at this point are not considered: they
    could not have made the difference. The families of hypotheses grow ever more general, and a
    special explanation makes the general ones redundant: they would say the same in vaguer words.
    """
    if not claimed.any():  # zeros carry no trace of how they came about
        return []
    found: dict[str, Hypothesis] = {}
    for family in _families(point, claimed):
        for e in family:
            if e.cause not in found and _explains(point, claimed, e.gradient):
                found[e.cause] = e
        if found.keys() - {FACTOR}:  # a factor may be a whole link of the chain: look for that too
            break
    return list(found.values()) or list(_elements(point, claimed, kinks))


def _explains(point: Point, claimed: Array, wrong: Array | None) -> bool:
    if wrong is None or wrong.shape != claimed.shape or not np.isfinite(wrong).all():
        return False
    if not point.same(claimed, wrong, _PRECISION).all():
        return False
    if claimed.shape != point.right.shape:
        return True
    difference = np.abs(claimed - point.right).max()
    return np.abs(claimed - wrong).max() <= _REMAINDER * difference


def _families(point: Point, claimed: Array) -> Iterator[Hypotheses]:
    """All hypotheses, the simplest and most telling first."""
    special = whole.simple(point, claimed)
    if claimed.shape != point.right.shape:
        yield special
        return
    yield chain(special, _tried(point, rules.mistakes(point)))
    yield _tried(point, rules.links_missing(point))
    yield whole.plain(point, claimed)
    yield _tried(point, rules.lost(point))


def _tried(point: Point, mistakes: Iterable[rules.Mistake]) -> Hypotheses:
    """The gradient that each mistake gives, made once, or in every place of its kind."""
    alike: dict[str, tuple[rules.Mistake, dict[int, Plant]]] = {}
    for mistake in mistakes:
        wrong = point.gradient(mistake.plant)
        if wrong is not None and wrong.any():  # no gradient at all says nothing about the reason
            yield Hypothesis(mistake.cause, mistake.says, wrong)
        alike.setdefault(mistake.kind, (mistake, {}))[1][id(mistake.plant.tensor)] = mistake.plant
    for mistake, plants in alike.values():
        if len(plants) > 1:
            says = f"In all {len(plants)} places: {mistake.says[0].lower()}{mistake.says[1:]}"
            yield Hypothesis(mistake.cause, says, point.gradient(*plants.values()))


def _elements(point: Point, claimed: Array, kinks: Array) -> Hypotheses:
    """If nothing explains the difference: whether it is confined to a few places."""
    if claimed.shape != point.right.shape:
        return
    wrong = ~point.same(claimed, point.right)
    involved = int(np.count_nonzero(wrong | (point.right != 0)))  # zeros are easily right
    where = [index(i) for i in np.argwhere(wrong)]
    listed = ", ".join(where[:5]) + (" …" if len(where) > 5 else "")
    if not wrong[~kinks].any():
        says = (
            f"Right wherever the derivative exists. At {listed} the function has a kink, "
            "where the library takes PyTorch's convention (relu'(0) = 0, abs'(0) = 0)."
        )
        yield Hypothesis(KINKS, says, None)
    elif involved > 3 and len(where) <= max(1, min(10, involved // 5)):
        says = f"Right but for {len(where)} of {wrong.size} elements: {listed}."
        yield Hypothesis(FEW, says, None)


def index(position: Iterable[int]) -> str:
    """``[2, 1]``; nothing for a number, which has no axes."""
    numbers = ", ".join(str(int(i)) for i in position)
    return f"[{numbers}]" if numbers else ""


__all__ = ["CAUSES", "Hypothesis", "Point", "explanations", "index"]
