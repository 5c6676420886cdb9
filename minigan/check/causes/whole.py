"""Mistakes made with the whole gradient: a sign, a factor, an axis, another input's."""

from __future__ import annotations

import itertools
import math

from ...array import np
from ...autograd import grad
from ...tensor import Tensor
from .names import AXES, BROADCAST, CONSTANT, FACTOR, OTHER, SHAPE, SIGN, TRANSPOSED
from .point import Array, Hypotheses, Hypothesis, Point, made_by


def simple(point: Point, claimed: Array) -> Hypotheses:
    """Changes of the right gradient that have a name."""
    right = point.right
    yield Hypothesis(SIGN, "Every sign is flipped: a minus got lost, or one too many.", -right)
    ratio = common_ratio(point, claimed)
    if ratio is not None:
        meaning = _meaning(point, ratio)
        if meaning:
            yield Hypothesis(FACTOR, f"{_times(ratio)} in every element: {meaning}", ratio * right)
    for order in itertools.permutations(range(right.ndim)):
        if order != tuple(range(right.ndim)) and right.ndim <= 5:
            says = f"Transposed: the axes of {point.wrt} stand in the order {order}."
            yield Hypothesis(TRANSPOSED, says, right.transpose(order))
    if claimed.size == right.size and claimed.shape != right.shape:
        says = (
            f"The values are right but have shape {claimed.shape}; the gradient has "
            f"{point.wrt}'s shape, {right.shape}: reshape it."
        )
        yield Hypothesis(SHAPE, says, right.reshape(claimed.shape))
    yield from _other_inputs(point)
    yield from _sums(point, claimed)


def plain(point: Point, claimed: Array) -> Hypotheses:
    """Changes that only describe the difference, after those that say where it came from."""
    right = point.right
    ratio = common_ratio(point, claimed)
    if ratio is not None and np.count_nonzero(right) > 1:
        says = f"{_times(ratio)} in every element."
        yield Hypothesis(FACTOR, says, ratio * right)
    if claimed.shape == right.shape and right.size > 2 and np.ptp(right) > 0:
        constant = float(np.median(claimed - right))
        says = f"The true gradient plus {constant:.6g} in every element: a term too many?"
        yield Hypothesis(CONSTANT, says, right + constant)


# ------------------------------------------------------------------------------- constant factors


def common_ratio(point: Point, claimed: Array) -> float | None:
    """claimed / right, if it is one number other than 0 and ±1."""
    right = point.right
    if claimed.shape != right.shape or not np.any(right):
        return None
    largest = np.abs(right).argmax()
    ratio = float(claimed.flat[largest] / right.flat[largest])
    if ratio == 0 or abs(abs(ratio) - 1) < 1e-9:
        return None
    return ratio


def _times(ratio: float) -> str:
    words = {2.0: "twice the true value", 0.5: "half the true value"}
    size, minus = abs(ratio), "minus " if ratio < 0 else ""
    for number, word in words.items():
        if math.isclose(size, number, rel_tol=1e-7):
            return f"{minus}{word}".capitalize()
    if size < 1 and _near_integer(1 / size):
        return f"{minus}1/{round(1 / size)} of the true value".capitalize()
    number_text = f"{round(size)}" if _near_integer(size) else f"{size:.6g}"
    return f"{minus}{number_text} times the true value".capitalize()


def _near_integer(number: float) -> bool:
    return abs(number) < 1e9 and math.isclose(number, round(number), rel_tol=1e-7)


def _meaning(point: Point, ratio: float) -> str:
    """What a factor probably comes from; empty if that is anybody's guess."""
    size = abs(ratio)
    minus = "the sign is flipped too, and " if ratio < 0 else ""
    averaged, summed = _reductions(point)

    def among(numbers: dict[float, str], value: float) -> str:
        return next((w for n, w in numbers.items() if math.isclose(n, value, rel_tol=1e-7)), "")

    named = {2.0: "is a factor 1/2 missing, or something counted twice?"}
    halved = {2.0: "is the 2 from the derivative of a square missing?"}
    for numbers, value in ((averaged, size), (summed, 1 / size), (named, size), (halved, 1 / size)):
        if found := among(numbers, value):
            return minus + found
    sizes = _sizes(point)
    if found := among(sizes, size):
        return f"{minus}is a mean over {found} missing?"
    if found := among(sizes, 1 / size):
        return f"{minus}did you divide by {found} once too often?"
    for n in sizes:  # Bessel's correction
        if n > 1 and any(math.isclose(size, r, rel_tol=1e-7) for r in (n / (n - 1), (n - 1) / n)):
            return f"{minus}divided by N in one place and by N - 1 in the other, N = {n:g}?"
    return ""


def _reductions(point: Point) -> tuple[dict[float, str], dict[float, str]]:
    """The numbers that f takes means over, and those that it sums over, each with a question."""
    averaged, summed = {}, {}
    for t in point.graph[1:]:
        for x in t.inputs:
            if isinstance(x, Tensor) and made_by(x) == "sum":
                n = x.inputs[0].array.size / max(x.array.size, 1)
                if (
                    made_by(t) == "div"
                    and isinstance(t.inputs[1], (int, float))
                    and t.inputs[1] == n
                ):
                    averaged[n] = f"did you sum where f takes the mean over N = {n:g}?"
        if made_by(t) == "sum":
            n = t.inputs[0].array.size / max(t.array.size, 1)
            summed[n] = f"did you take the mean where f sums over N = {n:g}?"
    for n in averaged:
        summed.pop(n, None)
    for numbers in (averaged, summed):
        numbers.pop(1.0, None)
    return averaged, summed


def _sizes(point: Point) -> dict[float, str]:
    """The sizes of the axes that f works with, and whose they are."""
    sizes: dict[float, str] = {}
    named = [(f"{name}'s", x) for name, x in point.inputs.items()]
    named += [(f"{point.describe(t)}'s", t) for t in point.graph[1:]]
    for whose, t in named:
        for axis, n in enumerate(t.shape):
            what = (
                "the batch size" if axis == 0 and t.ndim > 1 else f"the size of {whose} axis {axis}"
            )
            sizes.setdefault(float(n), f"{n} ({what})")
    for whose, t in named:
        sizes.setdefault(float(t.array.size), f"all {t.array.size} of {whose} elements")
    sizes.pop(1.0, None)
    return sizes


# ------------------------------------------------------------------------------ inputs and axes


def _other_inputs(point: Point) -> Hypotheses:
    for name, other in point.inputs.items():
        if other is point.x or not other.requires_grad:
            continue
        (g,) = grad(point.output, other, point.cotangent, allow_unused=True)
        if g is not None:
            says = f"This is the gradient with respect to {name}, not {point.wrt}."
            yield Hypothesis(OTHER, says, g.array)


def _sums(point: Point, claimed: Array) -> Hypotheses:
    """Wherever f repeats a tensor along axes: the gradient summed over other axes than these."""
    for link in point.links:
        if link.x.array.size == link.t.array.size and link.x.ndim == link.t.ndim:
            continue  # nothing was repeated
        broadcasts = link.name in ("linear", "conv2d", "conv_transpose2d") and link.i == 2
        raw = point.gradient(of=link.t) if broadcasts else point.raw(link)
        if raw.size <= link.x.array.size:
            continue
        should = _repeated(link.x.shape, raw.shape, broadcasts)
        for count in range(raw.ndim + 1):
            for axes in itertools.combinations(range(raw.ndim), count):
                if axes == should:
                    continue
                for keep in (False, True):
                    wrong = raw.sum(axis=axes, keepdims=keep)
                    if wrong.shape == claimed.shape:
                        yield _summed(point, axes, should, raw.shape, wrong)
                        break


def _repeated(small: tuple[int, ...], large: tuple[int, ...], bias: bool) -> tuple[int, ...]:
    """The axes along which a tensor of shape ``small`` was repeated to give ``large``."""
    if bias:  # of a layer: its one axis meets axis 1
        return tuple(i for i in range(len(large)) if i != 1)
    extra = len(large) - len(small)
    return tuple(i for i, n in enumerate(large) if i < extra or small[i - extra] != n)


def _summed(
    point: Point,
    axes: tuple[int, ...],
    should: tuple[int, ...],
    shape: tuple[int, ...],
    wrong: Array,
) -> Hypothesis:
    missing = [i for i in should if i not in axes]
    if set(axes) <= set(should):
        says = (
            f"Not summed over {_list(missing)}: {point.wrt} was repeated there, so its "
            f"gradient is the sum of the {shape} incoming gradients over {_list(should)}."
        )
        return Hypothesis(BROADCAST, says, wrong)
    did = _list(axes) if axes else "no axis"
    says = f"Summed over {did} of the incoming gradient {shape} instead of {_list(should)}."
    return Hypothesis(AXES, says, wrong)


def _list(axes: list[int] | tuple[int, ...]) -> str:
    *most, last = map(str, axes)
    return f"axes {', '.join(most)} and {last}" if most else f"axis {last}"
