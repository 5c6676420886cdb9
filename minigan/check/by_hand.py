"""Check a gradient that was derived by hand, and say what is wrong with it.

::

    def f(x):
        return (mg.sigmoid(x) ** 2).sum()

    def derived(x):                       # in NumPy, from paper
        s = 1 / (1 + np.exp(-x))
        return 2 * s

    check.by_hand(f, at=np.array([0.3, -1.2]), claimed=derived)
    # Wrong. The derivative of σ is missing: multiply the incoming gradient by it.

The claim is compared with two others: autograd's gradient, and finite differences of f, which know
nothing of gradient rules. If it is wrong, known mistakes are tried on, and those that explain the
*whole* difference are named.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..array import float64, is_array, np, quiet, to_host
from ..tensor import Tensor
from . import numeric
from .causes import Hypothesis, Point, explanations, index
from .causes.names import DETACHED
from .subject import CheckError, Subject, as_float64
from .table import BAD, GOOD, Table, framed

Array = Any

MANY = 512  # finite differences are taken in every element of inputs up to this size


@dataclass(frozen=True)
class ByHand:
    """What :func:`by_hand` found. True if the claimed gradient is right.

    Attributes
    ----------
    ok : bool
        Whether the claim is right, in every element.
    causes : list of str
        What explains the whole difference, names from ``check.CAUSES``, best first; several if
        they explain it equally well; empty if the claim is right or no known mistake explains it.
    message : str
        One or two sentences.
    claimed, autograd, numeric : numpy.ndarray
        The three gradients; finite differences come with their error estimate, ``numeric_error``.
        For an input of more than 512 elements they are taken in some, and NaN elsewhere.
    table : Table
        The worst elements: claimed, autograd, numeric, and their difference.
    """

    ok: bool
    causes: list[str]
    message: str
    claimed: Array = field(repr=False)
    autograd: Array = field(repr=False)
    numeric: Array = field(repr=False)
    numeric_error: Array = field(repr=False)
    table: Table = field(repr=False)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{self.message}\n{self.table.text()}"

    def _repr_html_(self) -> str:
        return framed(self.message, self.table, GOOD if self.ok else BAD)


def by_hand(
    f: Callable[..., Tensor],
    at: Any,
    claimed: Any,
    wrt: int | str | None = None,
    cotangent: Any = None,
) -> ByHand:
    """Compare a hand-derived gradient with autograd's and with finite differences.

    Parameters
    ----------
    f : callable
        Takes the inputs as tensors and returns a tensor of one element, or of any shape if
        ``cotangent`` is given. It may be of the library's functions or of your own.
    at : array, or tuple or dict of arrays
        Where: one input, or all of them, in the order or by the names of f's arguments. Floats are
        float64; integers (labels, indices) are passed on as they are. Nothing is changed.
    claimed : array or callable
        The gradient with respect to one input, or a function of the inputs (as NumPy arrays) that
        computes it.
    wrt : int or str, optional
        Which input, by position or name; default the first.
    cotangent : array, optional
        The gradient ȳ that arrives at f's output, in its shape; the claim is then the gradient of
        Σ ȳ · f.

    Returns
    -------
    ByHand
        Truthy if the claim is right; otherwise with ``.causes`` and a ``.message``.

    Raises
    ------
    CheckError
        Integers or float32 where a derivative is taken: neither allows finite differences. NaN or
        infinity. An f that is not scalar, not differentiable, or random. A claim of a shape that
        no known mistake explains.
    """
    arrays, wrt = _inputs(f, at, wrt)
    with quiet():  # NaN and infinity are errors below
        point = _recorded(f, at, arrays, wrt, cotangent)
    claim = _claim(claimed, at, arrays)

    def value(x: Array) -> Array:
        moved = {n: Tensor(x if n == wrt else a) for n, a in arrays.items()}
        for t in moved.values():
            t.requires_grad = t.dtype == float64  # f may differentiate inside
        y = _call(f, at, moved).array
        return (y * point.cotangent.array).sum()

    return _judged(point, claim, _estimated(value, point, claim))


def _estimated(value: Callable[[Array], float], point: Point, claimed: Array) -> numeric.Estimate:
    """Finite differences: of every element of x, or of some of them (NaN elsewhere) if x is large.

    Those where the claim differs most from autograd, and some more, evenly spread. All, after
    all, if autograd turns out not to be trusted.
    """
    x = point.x.array
    if x.size <= MANY:
        return numeric.gradient(value, [x], 0)
    spread = np.linspace(0, x.size - 1, MANY // 2).astype(int)
    if claimed.shape == x.shape:
        worst = np.argsort(-np.abs(claimed - point.right), axis=None)[: MANY // 2]
        spread = np.union1d(spread, worst)

    def some(values: Array) -> float:
        moved = x.astype(values.dtype)
        moved.flat[spread] = values
        return value(moved)

    few = numeric.gradient(some, [x.flat[spread]], 0)
    full = few._replace(
        value=np.full(x.shape, np.nan),
        error=np.full(x.shape, np.inf),
        kink=np.zeros(x.shape, bool),
    )
    for whole, part in zip(full[:3], few[:3], strict=True):
        whole.flat[spread] = part
    return full if _faithful(point, full).all() else numeric.gradient(value, [x], 0)


# ------------------------------------------------------------------------------------ the verdict


def _judged(point: Point, claimed: Array, estimate: numeric.Estimate) -> ByHand:
    right = point.right
    faithful = _faithful(point, estimate)
    if claimed.shape == right.shape:
        wrong = ~point.same(claimed, right)
    else:
        wrong = np.ones(right.shape, bool)
    causes: list[Hypothesis] = []
    if not faithful.all():
        wrong, message = _unfaithful(point, claimed, estimate, ~faithful)
        if wrong.any():
            causes = [Hypothesis(DETACHED, message, None)]
    elif wrong.any() or claimed.shape != right.shape:
        causes = explanations(point, claimed, estimate.kink)
        if not causes and claimed.shape != right.shape:
            raise CheckError(_misfit("the claim", claimed.shape, point.wrt, right.shape))
        message = _message(point, claimed, causes)
    else:
        message = f"Right in all {right.size} elements." if right.size != 1 else "Right."
    return ByHand(
        not wrong.any(),
        [e.cause for e in causes],
        message,
        claimed,
        point.right,
        estimate.value,
        estimate.error,
        _table(point, claimed, estimate, wrong),
    )


def _faithful(point: Point, estimate: numeric.Estimate) -> Array:
    """Where finite differences confirm autograd, or can not contradict it."""
    apart = np.abs(point.right - estimate.value)
    largest = np.abs(point.right).max(initial=0.0)
    confirmed = apart <= 10 * estimate.error + point.rounding + 1e-6 * largest
    return confirmed | estimate.kink | np.isnan(estimate.value)


def _unfaithful(
    point: Point, claimed: Array, estimate: numeric.Estimate, where: Array
) -> tuple[Array, str]:
    """What autograd does not know must be judged by finite differences alone."""
    first = index(np.argwhere(where)[0])
    message = (
        f"Autograd's gradient is not the derivative of f: at {point.wrt}{first} it says "
        f"{point.right[where][0]:.6g}, finite differences say {estimate.value[where][0]:.6g}. Does "
        "f detach a tensor, compute with .array or .item(), or use a wrong gradient rule? "
    )
    if claimed.shape != estimate.value.shape:
        raise CheckError(_misfit("the claim", claimed.shape, point.wrt, point.right.shape))
    largest = np.abs(estimate.value).max(initial=0.0)
    near = np.abs(claimed - estimate.value) <= 10 * estimate.error + 1e-6 * largest
    wrong = ~near & ~estimate.kink
    if not wrong.any():
        return wrong, message + "Your gradient agrees with finite differences: it is right."
    if point.same(claimed, point.right).all():
        return wrong, message + "Your gradient agrees with autograd's, so it is wrong too."
    return wrong, message + "Your gradient agrees with neither."


def _message(point: Point, claimed: Array, causes: list[Hypothesis]) -> str:
    if causes:
        first, *others = causes
        message = f"Wrong. {first.says}"
        if others:
            message += " Or, equally possible here: " + " Or: ".join(e.says for e in others)
        if claimed.size == 1 or (not np.ptp(claimed) and not np.ptp(point.right)):
            message += " (One number fits many stories: check at several values to be sure.)"
        return message
    right, size = point.right, point.right.size
    difference = np.abs(claimed - right)
    wrong = ~point.same(claimed, right)
    worst = np.unravel_index(difference.argmax(), difference.shape)
    where_wrong = f" in {int(wrong.sum())} of {size} elements" if size > 1 else ""
    message = (
        f"Wrong{where_wrong}, and no single known mistake explains it. "
        f"The error is largest at {point.wrt}{index(worst)}: you have "
        f"{claimed[worst]:.6g}, the true value is {right[worst]:.6g}."
    )
    if not claimed.any():
        return message + " Your gradient is zero everywhere."
    relative = (difference / np.maximum(np.abs(right), 1e-300))[wrong].max()
    if relative < 1e-2:
        message += (
            f" You are within {relative:.2g} of it everywhere: rounded numbers, or a small term "
            "such as an eps left out?"
        )
    return message


def _misfit(what: str, got: tuple[int, ...], of: str, shape: tuple[int, ...]) -> str:
    """Which axis of a shape is wrong."""
    if len(got) != len(shape):
        axes = f"{len(got)} axes instead of {len(shape)}"
    else:
        pairs = enumerate(zip(got, shape, strict=True))
        axes = ", ".join(f"axis {i} is {a} instead of {b}" for i, (a, b) in pairs if a != b)
    return f"{what} has shape {got}, but it should have that of {of}, {shape}: {axes}"


def _table(point: Point, claimed: Array, estimate: numeric.Estimate, wrong: Array) -> Table:
    right = point.right
    rows: list[dict[str, Any]]
    if claimed.shape != right.shape:
        rows = [{"gradient": "claimed", "shape": str(claimed.shape)}]
        return Table([*rows, {"gradient": "expected", "shape": str(right.shape)}], marks={0: "bad"})
    difference = np.abs(claimed - right)
    order = np.lexsort((-difference.ravel(), ~wrong.ravel()))[:8]
    rows, marks = [], {}
    for row, flat in enumerate(order):
        i = np.unravel_index(flat, right.shape)
        rows.append(
            {
                "element": f"{point.wrt}{index(i)}",
                "claimed": float(claimed[i]),
                "autograd": float(right[i]),
                "numeric": float(estimate.value[i]),
                "± numeric": float(estimate.error[i]),
                "difference": float(claimed[i] - right[i]),
                "": "kink" if estimate.kink[i] else "",
            }
        )
        if wrong[i]:
            marks[row] = "bad"
    note = f"the {len(rows)} worst of {right.size} elements" if right.size > len(rows) else ""
    if (measured := int(np.isfinite(estimate.value).sum())) < right.size:
        note += f"; finite differences were taken in {measured} of them"
    return Table(rows, note=note, marks=marks)


# ------------------------------------------------------------------------------------- the inputs


def _inputs(f: Callable[..., Any], at: Any, wrt: int | str | None) -> tuple[dict[str, Array], str]:
    """The inputs as named arrays, copied, and the name of the one to differentiate in."""
    if isinstance(at, dict):
        named = dict(at)
    else:
        values = at if isinstance(at, tuple) else (at,)
        named = dict(zip(_names(f, len(values)), values, strict=True))
    plain = {name: _plain(value, f"input {name!r}") for name, value in named.items()}
    names = list(plain)
    if wrt is None:
        wrt = next((n for n in names if plain[n].dtype.kind == "f"), names[0] if names else None)
    elif isinstance(wrt, int) and -len(names) <= wrt < len(names):
        wrt = names[wrt]
    if not isinstance(wrt, str) or wrt not in plain:
        raise CheckError(f"wrt={wrt!r} is no input; they are {', '.join(map(repr, names))}")
    if plain[wrt].dtype.kind != "f":
        raise CheckError(
            f"input {wrt!r} is {plain[wrt].dtype}: integers have no derivative, because they "
            "can not move a little; give floats, e.g. 3.0"
        )
    if not plain[wrt].size:
        raise CheckError(f"input {wrt!r} has no elements: its shape is {plain[wrt].shape}")
    floats = {n: as_float64(a, f"input {n!r}") for n, a in plain.items() if a.dtype.kind == "f"}
    return {name: floats.get(name, array) for name, array in plain.items()}, wrt


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of f's first arguments, or ``input 0`` … if they are not to be had."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return plain[:count] if len(plain) >= count else [f"input {i}" for i in range(count)]


def _plain(value: Any, what: str) -> Array:
    """``value`` as a NumPy array of numbers."""
    if value is None:
        raise CheckError(f"{what} is None: is a return statement missing?")
    given = value.array if isinstance(value, Tensor) else value
    array = np.asarray(to_host(given) if is_array(given) else given)
    if array.dtype.kind not in "fiub":
        raise CheckError(f"expected {what} to be numbers, got {array.dtype}")
    return array


def _call(f: Callable[..., Any], at: Any, values: dict[str, Any]) -> Any:
    return f(**values) if isinstance(at, dict) else f(*values.values())


def _recorded(
    f: Callable[..., Any], at: Any, arrays: dict[str, Array], wrt: str, cotangent: Any
) -> Point:
    """f's graph at the inputs, after making sure that it can be differentiated there."""

    def positional(*values: Any) -> Any:
        return _call(f, at, dict(zip(arrays, values, strict=True)))

    inputs = {n: Tensor(a, requires_grad=a.dtype.kind == "f") for n, a in arrays.items()}
    Subject(positional, list(inputs.values()), [list(arrays).index(wrt)]).examine()
    y = _call(f, at, inputs)
    if not isinstance(y, Tensor):
        raise CheckError(f"f returned a {type(y).__name__}: return one output of them")
    if cotangent is None and y.array.size != 1:
        raise CheckError(
            f"f returned shape {y.shape}, and a gradient belongs to one number: reduce it with "
            ".sum() or .mean(), or give cotangent=, the gradient that arrives at the output"
        )
    start = np.ones(y.shape) if cotangent is None else _plain(cotangent, "the cotangent")
    if start.shape != y.shape:
        raise CheckError(_misfit("the cotangent", start.shape, "f's output", y.shape))
    point = Point(inputs, wrt, y, Tensor(as_float64(start.astype(float64), "the cotangent")))
    if not np.isfinite(point.right).all():
        raise CheckError(
            f"autograd's gradient of {wrt!r} is NaN or infinite at this point (as of sqrt or log "
            "at 0): move the point"
        )
    return point


def _claim(claimed: Any, at: Any, arrays: dict[str, Array]) -> Array:
    if callable(claimed):
        claimed = _call(claimed, at, {name: a.copy() for name, a in arrays.items()})
    array = _plain(claimed, "the claimed gradient")
    if array.dtype.kind != "f":
        array = array.astype(float64)
    return as_float64(array, "the claimed gradient")
