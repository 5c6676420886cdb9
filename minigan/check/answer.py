"""Compare an answer with the right one, and with the usual wrong ones.

::

    check.answer(
        lambda t: t,                                      # given
        lambda t: 1 - t * t,                              # expected
        {"That is tanh itself; differentiate it.": lambda t: t},
        at=[(0.3,), (-0.5,)],
    )
    # Not yet. That is tanh itself; differentiate it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..array import np, quiet, to_host
from ..tensor import Tensor
from .table import BAD, GOOD, OPEN, Table, framed

TINY = 1e-12  # what may come out where the right value is zero


@dataclass(frozen=True)
class Answer:
    """What :func:`answer` found. True if the answer is right.

    Attributes
    ----------
    ok : bool
    message : str
        One or two sentences: what is wrong, and what to look at.
    table : Table
        For functions: what yours gives at each of the inputs.
    answered : bool
        False if there is no answer yet.
    """

    ok: bool
    message: str
    table: Table = field(default_factory=lambda: Table([]), repr=False)
    answered: bool = True

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return "\n".join(part for part in (self.message, self.table.text()) if part)

    def _repr_html_(self) -> str:
        return framed(self.message, self.table, GOOD if self.ok else BAD if self.answered else OPEN)


def answer(
    given: Any,
    expected: Any,
    mistakes: Mapping[str, Any],
    at: Sequence[tuple[Any, ...]] | None = None,
    rtol: float = 1e-6,
) -> Answer:
    """Is ``given`` right? If not: which of the known mistakes is it, or where is it furthest off?

    Parameters
    ----------
    given : object
        A number, string, bool, array or tensor, a tuple of those, or a function that returns them.
        Ellipsis or None, also as a part of it or as the function's result, is no answer yet.
    expected : object
        The same kind of thing.
    mistakes : mapping
        Hint → wrong answer; the first that ``given`` equals is named.
    at : sequence of tuples, optional
        The inputs, one tuple a call, at which functions are compared.
    rtol : float
        How far numbers may be apart, relative to the largest of an array.

    Returns
    -------
    Answer
        Never raises because of ``given``: what it raises is reported.

    Raises
    ------
    ValueError
        ``expected`` is a function and ``at`` is empty.
    """
    if is_blank(given):
        return unanswered()
    if not callable(expected):
        return _judged([given], [expected], {h: [w] for h, w in mistakes.items()}, None, rtol)
    if not at:
        raise ValueError("expected is a function: give the inputs to compare at, at=[(0.5,), …]")
    if not callable(given):
        return Answer(False, f"A function is asked for, and you gave {_kind(given)}.")
    results: list[Any] = []
    for inputs in at:
        try:
            results.append(_call(given, inputs))
        except Exception as error:
            return Answer(
                False, f"Your function raises {type(error).__name__} at {_shown(inputs)}: {error}"
            )
        if is_blank(results[-1]):
            return unanswered()
    right = [_call(expected, inputs) for inputs in at]
    wrong = {hint: [_call(f, inputs) for inputs in at] for hint, f in mistakes.items()}
    return _judged(results, right, wrong, at, rtol)


def unanswered() -> Answer:
    """The report on an exercise that nobody has tried."""
    message = (
        "Not answered yet. Put your answer in place of the dots and run the cell again; "
        "wrong answers get a hint."
    )
    return Answer(False, message, answered=False)


def is_blank(given: Any) -> bool:
    """Whether there is no answer yet: dots or None, or a tuple or list with some in it."""
    if isinstance(given, (tuple, list)):
        return any(map(is_blank, given))
    return given is None or given is ...


# ------------------------------------------------------------------------------------- the verdict


def _judged(
    given: list[Any],
    right: list[Any],
    mistakes: Mapping[str, list[Any]],
    at: Sequence[tuple[Any, ...]] | None,
    rtol: float,
) -> Answer:
    """The verdict over the results at all inputs; without ``at`` there is one, the answer."""
    apart = _apart(given, right, rtol)
    if not any(apart):
        several = at is not None and len(at) > 1
        return Answer(True, f"Right at all {len(right)} inputs." if several else "Right.")
    table = _table(given, apart, at) if at else Table([])
    for hint, wrong in mistakes.items():
        if not any(_apart(given, wrong, rtol)):
            return Answer(False, f"Not yet. {hint}", table)
    worst = max(range(len(apart)), key=lambda i: apart[i][0] if apart[i] else -1.0)
    where = f" at {_shown(at[worst])}" if at else ""
    number = sum(map(bool, apart))
    share = f" It is wrong at {number} of {len(apart)} inputs." if len(apart) > 1 else ""
    difference = apart[worst]
    assert difference is not None
    return Answer(
        False,
        f"Not yet, and it is none of the usual mistakes{where}: {difference[1]}.{share}",
        table,
    )


def _table(given: list[Any], apart: list[Any], at: Sequence[tuple[Any, ...]]) -> Table:
    rows = [
        {"at": _shown(inputs), "yours": _short(result), "": "" if wrong else "right"}
        for inputs, result, wrong in zip(at, given, apart, strict=True)
    ]
    return Table(rows, marks={i: "bad" for i, wrong in enumerate(apart) if wrong})


def _apart(given: Iterable[Any], right: Iterable[Any], rtol: float) -> list[Any]:
    return [_difference(g, r, rtol) for g, r in zip(given, right, strict=True)]


def _difference(given: Any, right: Any, rtol: float) -> tuple[float, str] | None:
    """How far ``given`` is from ``right`` (relative), and in words; None if they are the same."""
    given, right = _plain(given), _plain(right)
    if isinstance(right, str):
        if not isinstance(given, str):
            return np.inf, f"text is asked for, and you gave {_kind(given)}"
        same = given.strip().casefold() == right.strip().casefold()
        return None if same else (np.inf, f"{given!r} is not it")
    if isinstance(right, tuple):
        if isinstance(given, np.ndarray) and given.ndim:
            given = tuple(given)
        if not isinstance(given, tuple) or len(given) != len(right):
            return np.inf, f"{len(right)} values are asked for, and you gave {_kind(given)}"
        parts = [_difference(g, r, rtol) for g, r in zip(given, right, strict=True)]
        wrong = [(part, i) for i, part in enumerate(parts, 1) if part]
        if not wrong:
            return None
        (amount, words), i = max(wrong, key=lambda w: w[0][0])
        return amount, f"value {i} of {len(right)}: {words}"
    what = "a number" if not right.ndim else f"an array {right.shape}"
    if right.dtype == bool:
        what = "True or False"
    try:
        numbers = np.asarray(given)
        if numbers.dtype.kind not in "biuf" or (right.dtype == bool) != (numbers.dtype == bool):
            raise TypeError
    except (TypeError, ValueError):
        return np.inf, f"{what} is asked for, and you gave {_kind(given)}"
    if numbers.shape != right.shape:
        return np.inf, f"its shape is {numbers.shape}, and that of the right answer {right.shape}"
    return _numbers_apart(numbers.astype(np.float64), right.astype(np.float64), rtol)


def _numbers_apart(given: Any, right: Any, rtol: float) -> tuple[float, str] | None:
    with quiet():
        size = np.abs(right[np.isfinite(right)]).max(initial=0.0)
        same = (given == right) | (np.abs(given - right) <= max(rtol * size, TINY))
        same |= np.isnan(given) & np.isnan(right)
        if same.all():
            return None
        gap = np.where(same, 0.0, np.nan_to_num(np.abs(given - right), nan=np.inf))
    worst = np.unravel_index(gap.argmax(), gap.shape)
    mine, true = float(given[worst]), float(right[worst])
    element = f"element {[int(i) for i in worst]} is {mine:.6g}" if given.ndim else f"{mine:.6g}"
    if not np.isfinite(mine) or not np.isfinite(true):
        words = (
            f"{element}, {'which should' if np.isfinite(true) else 'which should not'} be finite"
        )
    elif true:
        words = f"{element}, {mine / true:.4g} times the right value"
    else:
        words = f"{element}, and should be zero"
    return float(gap.max() / max(size, TINY)), words


# -------------------------------------------------------------------------------------- the values


def _call(f: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """f at copies of the inputs, since f may change them."""
    fresh = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
    with quiet():
        return f(*fresh)


def _plain(value: Any) -> Any:
    """Tensors and numbers as NumPy arrays, lists as tuples, the rest as it is."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, (str, tuple)):
        return value
    if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        return np.asarray(value)
    return to_host(value) if hasattr(value, "__cuda_array_interface__") else value


def _kind(value: Any) -> str:
    """What a value is, in words."""
    value = _plain(value)
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray):
        if value.dtype == bool:
            return "True or False" if not value.ndim else f"an array {value.shape} of them"
        return f"an array {value.shape}" if value.ndim else "one number"
    return "a function" if callable(value) else f"a {type(value).__name__}"


def _short(value: Any) -> str:
    """A value in a table's cell."""
    value = _plain(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return f"{float(value):.6g}" if not value.ndim else _numbers(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_short, value)) + ")"
    return str(value)


def _numbers(array: Any) -> str:
    if array.size > 6:
        return f"array {array.shape}"
    return np.array2string(array, precision=4, separator=", ").replace("\n", "")


def _shown(inputs: tuple[Any, ...]) -> str:
    return f"({', '.join(map(_short, inputs))})"
