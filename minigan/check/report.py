"""What ``gradients`` found: true or false, a message, and a table of the worst elements."""

from __future__ import annotations

import html
import itertools
from typing import Any, NamedTuple

from ..array import np
from .table import Table

SAFETY = 10.0  # the tolerance is so many times the estimated error of the numerical derivative
ROUNDING = 1e-11  # of the largest gradient: what autograd's own sums may lose
RESOLUTION = 1e-4  # a tolerance above this part of the largest gradient decides nothing

RIGHT, WRONG, KINK, UNSURE = "right", "WRONG", "kink", "undecided"


class Block(NamedTuple):
    """One variable's derivatives to one order: arrays with one row per cotangent."""

    order: int
    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    error: np.ndarray  # |analytic - numeric|
    tolerance: np.ndarray
    kink: np.ndarray
    undecided: np.ndarray
    rows: list[str]  # what each row is the derivative of
    columns: list[str]  # with respect to what
    method: str

    @staticmethod
    def compare(
        order: int,
        name: str,
        analytic: np.ndarray,
        estimate: Any,
        rows: list[str],
        columns: list[str],
        size: float,
        zero: float,
        atol: float,
        rtol: float,
    ) -> Block:
        """Judge every element.

        ``size`` is f's own, in units of its gradient: a tolerance may be as large as 1e-7 of it.
        If no gradient reaches ``zero``, f is constant but for rounding, as x - x is.
        """
        shape = (len(rows), len(columns))
        analytic = analytic.reshape(shape)
        value, error, kink = (a.reshape(shape) for a in estimate[:3])
        largest = float(np.abs(np.where(kink, 0.0, value)).max(initial=0.0))
        tolerance = SAFETY * error + ROUNDING * largest
        undecided = ~kink & ~(tolerance <= RESOLUTION * max(largest, 1e-3 * size))
        if largest < zero:
            tolerance, undecided = tolerance + zero, np.zeros_like(kink)
        tolerance = tolerance + atol + rtol * np.abs(value)
        apart = np.abs(analytic - value)
        method = estimate.method
        return Block(
            order, name, analytic, value, apart, tolerance, kink, undecided, rows, columns, method
        )

    @property
    def wrong(self) -> np.ndarray:
        """Beyond the tolerance, or NaN, and not a kink. May be undecided too, if wildly off."""
        return ~self.kink & ~(self.error <= self.tolerance)

    @property
    def excess(self) -> np.ndarray:
        """The error in units of the tolerance; NaN counts as infinite, kinks as zero."""
        ratio = np.nan_to_num(self.error / np.maximum(self.tolerance, 1e-300), nan=np.inf)
        return np.where(self.kink, 0.0, ratio)

    def status(self, at: tuple[int, int]) -> str:
        """What was found about one element."""
        if self.kink[at]:
            return KINK
        if self.wrong[at]:
            return WRONG
        return UNSURE if self.undecided[at] else RIGHT


class Report:
    """The verdict of :func:`gradients`; true if every derivative is right.

    Attributes
    ----------
    ok : bool
        No derivative wrong or undecided, nothing changed in place, and not only kinks.
    message : str
        What is right or wrong, in a few sentences.
    table, summary : Table
        The worst elements; one line per order and variable.
    kinks : list of (str, str)
        Variable and index of the elements at which f has a kink: reported, not judged.
    scale : str
        "elements" or "directions": which was checked.
    margin : float
        How many times smaller the worst error is than its tolerance.
    """

    def __init__(self, scale: str, directions: int, changed: list[str], show: int = 8) -> None:
        self.scale, self.directions, self.changed, self.show = scale, directions, changed, show
        self.blocks: list[Block] = []

    @property
    def ok(self) -> bool:
        bad = any((b.wrong | b.undecided).any() for b in self.blocks)
        # the last row is <c, y>, in which kinks do not hide behind zeros of the Jacobian
        sizes = [b.kink[-1].size for b in self.blocks]
        some = not any(sizes) or any((~b.kink[-1]).any() for b in self.blocks)
        return not bad and some and not self.changed

    def __bool__(self) -> bool:
        return self.ok

    @property
    def kinks(self) -> list[tuple[str, str]]:
        at = ((b.name, b.columns[i]) for b in self.blocks for i in np.flatnonzero(b.kink.any(0)))
        return list(dict.fromkeys(at))

    @property
    def margin(self) -> float:
        worst = max((float(b.excess.max(initial=0.0)) for b in self.blocks), default=0.0)
        return 1 / worst if worst else np.inf

    @property
    def worst_error(self) -> float:
        """The largest error, relative to the largest derivative of its variable and order."""
        return max((_relative(b) for b in self.blocks), default=0.0)

    # -------------------------------------------------------------------------------- in words

    @property
    def message(self) -> str:
        lines = [
            f"{what} was changed in place: gradients read its old value" for what in self.changed
        ]
        lines += [line for b in self.blocks if (line := _complaint(b))]
        wrong = {b.order for b in self.blocks if b.wrong.any()}
        if wrong and 1 not in wrong:
            lines.append(
                "The gradients are right and their derivatives are not: with create_graph=True "
                "some rule takes for a constant what depends on the input (.array, detach, "
                "statistics computed beforehand)."
            )
        if not lines:
            orders = sorted({b.order for b in self.blocks})
            told = " and ".join({1: "first", 2: "second"}.get(k, f"{k}th") for k in orders)
            lines = [f"right: {told} derivatives" if self.ok else "nothing but kinks: not judged"]
        if self.kinks:
            named = ", ".join(f"{name}{index}" for name, index in self.kinks[:4])
            more = f" and {len(self.kinks) - 4} more" if len(self.kinks) > 4 else ""
            lines.append(f"f has kinks at {named}{more}, where no gradient is right or wrong.")
        return "\n".join(lines)

    @property
    def table(self) -> Table:
        """The worst elements of all, kinks last."""
        at: list[tuple[float, int, tuple[int, int]]] = []
        for number, b in enumerate(self.blocks):
            flat = np.where(b.undecided, np.maximum(b.excess, 1.0), b.excess)
            flat = np.where(b.kink, -1.0, flat).reshape(-1)
            for i in np.argsort(-flat, kind="stable")[: self.show]:
                row, column = divmod(int(i), len(b.columns))
                at.append((-float(flat[i]), number, (row, column)))
        rows: list[dict[str, Any]] = []
        marks: dict[int, str] = {}
        for _, number, place in sorted(at)[: self.show]:
            b = self.blocks[number]
            status = b.status(place)
            if status in (WRONG, UNSURE):
                marks[len(rows)] = "bad"
            shown = {
                "order": b.order,
                "derivative of": b.rows[place[0]],
                "in": b.name,
                "at": b.columns[place[1]],
                "autograd": float(b.analytic[place]),
                "numeric": float(b.numeric[place]),
                "error": float(b.error[place]),
                "tolerance": float(b.tolerance[place]),
                "": status,
            }
            rows.append(shown)
        return Table(rows, title="the worst elements", marks=marks)

    @property
    def summary(self) -> Table:
        """One line per order and variable."""
        rows = [
            {
                "order": b.order,
                "in": b.name,
                "checked": int((~b.kink).sum()),
                "wrong": int(b.wrong.sum()),
                "undecided": int((b.undecided & ~b.wrong).sum()),
                "kinks": int(b.kink.sum()),
                "worst error": _relative(b),
                "against": b.method,
            }
            for b in self.blocks
        ]
        marks = {i: "bad" for i, b in enumerate(self.blocks) if (b.wrong | b.undecided).any()}
        what = "every element of each variable, along random cotangents"
        if self.scale == "directions":
            each = "in each variable (beyond first order: in all at once)"
            what = f"{self.directions} random directions {each}, along a random cotangent"
        return Table(rows, title=f"checked: {what}", marks=marks)

    def __str__(self) -> str:
        return "\n\n".join([self.message, self.summary.text(), self.table.text()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        color = "#177245" if self.ok else "#b3261e"
        told = html.escape(self.message).replace("\n", "<br>")
        return (
            f'<p style="color:{color};font-weight:bold">{told}</p>'
            f"{self.summary.html()}{self.table.html()}"
        )


def _relative(b: Block) -> float:
    smooth = ~b.kink
    largest = float(np.abs(np.where(smooth, b.numeric, 0.0)).max(initial=0.0))
    error = float(np.nan_to_num(np.where(smooth, b.error, 0.0), nan=np.inf).max(initial=0.0))
    return error / largest if largest else error


def _complaint(b: Block) -> str:
    """What is wrong in one block, and how it looks; empty if nothing is."""
    order = {1: "gradient", 2: "second derivative"}.get(b.order, f"derivative of order {b.order}")
    wrong = b.wrong
    if not wrong.any() and not b.undecided.any():
        return ""
    if not wrong.any():
        return (
            f"{order} in {b.name}: {int(b.undecided.sum())} of {b.kink.size} numbers can not be "
            "decided: f is too rough or too noisy here for differences to be exact"
        )
    row, column = divmod(int(b.excess.argmax()), len(b.columns))
    here = row, column
    text = (
        f"{order} in {b.name}: {int(wrong.sum())} of {b.kink.size} numbers are wrong; worst at "
        f"{b.columns[column]}: autograd {b.analytic[here]:.6g}, numeric {b.numeric[here]:.6g}"
    )
    if not b.analytic.any():
        text += ". Autograd gives zero everywhere: was the path cut, or the rule forgotten?"
    elif not np.isfinite(b.analytic).all():
        text += ". Autograd gives NaN or infinity: 0 · ∞ or 0 / 0 in a rule?"
    return text


def index_names(shape: tuple[int, ...], prefix: str = "") -> list[str]:
    """``[0, 0]``, ``[0, 1]`` … for every element of an array; a number without axes has none."""
    if not shape:
        return [prefix]
    return [prefix + str(list(index)) for index in itertools.product(*map(range, shape))]
