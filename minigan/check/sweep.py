"""``sweep(f, x)``: why a step is neither too long nor too short.

A difference over a step h is wrong by the curve that it cuts off (truncation: in proportion to h
for forward, to h² for central differences) and by the digits that cancel (round-off: ε / h).
Against h, the error has the shape of a U.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import autograd, random
from ..array import asarray, np, quiet, to_host
from .subject import Subject
from .table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("forward", "central")


class Sweep:
    """Errors of finite differences against their step; see :func:`sweep`.

    Attributes
    ----------
    steps : array
        From large to small.
    errors : dict
        "forward" and "central" → array: |difference - gradient| / |gradient|.
    best : dict
        "forward" and "central" → the step with the smallest error.
    table : Table
        One row per step, with the region in which each kind of difference is.
    """

    def __init__(self, steps: np.ndarray, errors: dict[str, np.ndarray]) -> None:
        self.steps, self.errors = steps, errors
        # the bottom is ragged: its middle is the best step of the smoothed curve
        self.best = {kind: float(steps[_smooth(error).argmin()]) for kind, error in errors.items()}

    def region(self, kind: str, step: float) -> str:
        """What the error at ``step`` consists of: "truncation", "round-off", or "best" between."""
        ratio = step / self.best[kind]
        return "truncation" if ratio > 3.2 else "round-off" if ratio < 1 / 3.2 else "best"

    @property
    def table(self) -> Table:
        rows = []
        for i, h in enumerate(self.steps):
            row: dict[str, Any] = {"step": float(h)}
            for kind in KINDS:
                row[kind] = float(self.errors[kind][i])
                row[f"{kind}: mostly"] = self.region(kind, h)
            rows.append(row)
        best = ", ".join(f"{kind} {self.best[kind]:.0e}" for kind in KINDS)
        return Table(rows, title="relative error of differences", note=f"best step: {best}")

    def plot(self) -> Figure:
        """The two curves in logarithmic axes, as a matplotlib figure."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 4.5), layout="constrained", dpi=100)
        axes = figure.add_subplot(
            xscale="log", yscale="log", xlabel="step h", ylabel="relative error"
        )
        for kind, color in zip(KINDS, ("#d95f0e", "#1f6fb4"), strict=True):
            error = np.maximum(self.errors[kind], 1e-17)
            axes.plot(self.steps, error, ".-", color=color, label=f"{kind} difference")
            axes.axvline(self.best[kind], color=color, linestyle=":", linewidth=1)
        middle = self.best["central"]
        low, high = axes.get_xlim()
        for left, right, text, color in (
            (low, middle, "round-off\n∝ ε / h", "#f3e3dc"),
            (middle, high, "truncation\n∝ h², forward ∝ h", "#e0eaf5"),
        ):
            axes.axvspan(left, right, color=color, zorder=0)
            place = float(np.sqrt(left * right))
            axes.text(
                place, 0.97, text, ha="center", va="top", transform=axes.get_xaxis_transform()
            )
        axes.set(xlim=(low, high), ylim=(None, 300 * axes.get_ylim()[1]))
        axes.legend(loc="lower left")
        return figure

    def __str__(self) -> str:
        return self.table.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.html()


def sweep(f: Callable[..., Any], *inputs: Any, steps: Any = None, seed: int = 0) -> Sweep:
    """The error of forward and of central differences at many steps.

    The gradient of <c, f> along a random direction, with a random cotangent c, is what the
    differences are compared with: one number, so that the U shows.

    Parameters
    ----------
    f : callable
        Takes Tensors, returns a Tensor or a tuple of them; its gradient is taken to be right.
    inputs : float64 arrays, Tensors or floats
    steps : sequence of float, optional
        Default: 57 from 10⁻¹⁴ to 1, four per decade.
    seed : int

    Raises
    ------
    CheckError
        As :func:`gradients`; also where the derivative is zero.
    """
    subject = Subject(f, inputs)
    shapes = subject.examine()
    rng = random.default_rng(seed)
    weights = [rng.standard_normal(shape) for shape in shapes]
    c = np.concatenate([w.reshape(-1) for w in weights])
    ways = [rng.standard_normal(a.shape) for a in subject.arrays]
    with subject.at(subject.arrays) as (outputs, variables):
        pairs = zip(weights, outputs, strict=True)
        cotangents = [asarray(w, device=y.device) for w, y in pairs]
        grads = autograd.grad(outputs, variables, cotangents, allow_unused=True)
        exact = sum(
            float(np.vdot(to_host(g.array), way))
            for g, way in zip(grads, ways, strict=True)
            if g is not None
        )
    if exact == 0:
        raise ValueError("the derivative is zero here: an error relative to it does not exist")

    def value(t: float) -> float:
        moved = [a + t * way for a, way in zip(subject.arrays, ways, strict=True)]
        return float(c @ subject.value(*moved))

    h = np.logspace(0, -14, 57) if steps is None else np.sort(np.asarray(steps, "float64"))[::-1]
    with quiet():
        middle = value(0.0)
        up, down = (np.array([value(sign * t) for t in h]) for sign in (1.0, -1.0))
        found = {"forward": (up - middle) / h, "central": (up - down) / (2 * h)}
    return Sweep(h, {kind: np.abs(d - exact) / abs(exact) for kind, d in found.items()})


def _smooth(error: np.ndarray) -> np.ndarray:
    """The errors' logarithms, each the median of five neighbours; NaN counts as large."""
    logs = np.log10(np.maximum(np.nan_to_num(error, nan=1e9), 1e-17))
    padded = np.pad(logs, 2, mode="edge")
    return np.median([padded[i : i + len(logs)] for i in range(5)], axis=0)
