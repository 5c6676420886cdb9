"""Derivatives from values alone, each with an estimate of its own error.

Central differences :math:`(f(x+h) - f(x-h)) / 2h` are wrong by a series in even powers of h. The
same difference at h, h/4, h/16 … tells that series apart from the limit (Richardson's
extrapolation, by Neville's scheme), and how far neighbouring entries of the scheme disagree is an
estimate of what is still wrong (Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)").
Rounding enters as noise / h, with the noise of f measured, not assumed.

Where f accepts complex numbers and is analytic, :math:`\\mathrm{Im}\\, f(x + ih) / h` has no
difference to cancel and is right to the last digits (Squire and Trapp 1998).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..array import float64, np, quiet

RATIO = 4.0  # from one step to the next
LEVELS = (4, 6, 8, 11, 14)  # so many steps, from 1/16 of the input's scale down to 1e-9 of it
COMPLEX_STEP = 1e-30  # its square is lost in rounding, so it leaves the value alone

EPS = float(np.finfo(float64).eps)


class Estimate(NamedTuple):
    """Numerical derivatives. The three arrays have the shape of what was asked for."""

    value: np.ndarray  # float64
    error: np.ndarray  # estimated size of value's error; inf where no step gave a finite number
    kink: np.ndarray  # bool: the slopes from the left and from the right differ, or f jumps
    method: str  # "central differences" or "complex step"


def gradient(
    f: Callable[..., Any], arrays: Sequence[Any], wrt: int, complex_step: bool = True
) -> Estimate:
    """The derivative of the number ``f(*arrays)`` in every element of ``arrays[wrt]``.

    Parameters
    ----------
    f : callable
        Takes float64 arrays, which it must not write to, and returns a number.
    arrays : sequence of arrays
        Where to differentiate. They are copied, never changed.
    wrt : int
        Which of them.
    complex_step : bool
        Whether to try complex arrays. The result is used only where it agrees with the central
        differences everywhere, so an f that drops imaginary parts does no harm.

    Returns
    -------
    Estimate
        Arrays of the shape of ``arrays[wrt]``. Costs 8 calls of f per element, 28 near kinks.
    """
    found = jacobian(f, arrays, wrt, complex_step)
    return Estimate(found.value[0], found.error[0], found.kink[0], found.method)


def jacobian(
    f: Callable[..., Any], arrays: Sequence[Any], wrt: int, complex_step: bool = True
) -> Estimate:
    """:func:`gradient` for an f that returns a vector (m,): arrays (m, *arrays[wrt].shape)."""
    own, views = _copies(arrays)
    x, scale = own[wrt], _scale(own[wrt])

    def move(i: int, t: complex) -> Any:
        moved = x if isinstance(t, float) else x.astype(complex)
        flat = moved.reshape(-1)
        before = flat[i]
        flat[i] = before + t
        try:
            return f(*views[:wrt], views[wrt] if moved is x else moved, *views[wrt + 1 :])
        finally:
            flat[i] = before

    with quiet():
        sway = np.where(np.arange(x.size).reshape(x.shape) % 2, -1.0, 0.7) * scale
        ways = [sway if i == wrt else np.zeros(a.shape) for i, a in enumerate(own)]
        noise = _noise(f, own, ways)
        start = np.atleast_1d(f(*views))
        found = _differences(move, _steps(scale.reshape(-1)), start, noise, near=1e-9)
        found = _better(found, move) if complex_step else found
    shape = (-1, *x.shape) if x.size else (len(noise), *x.shape)
    floor = 8 * noise / float(scale.max(initial=1e-300))  # rounding that no step size escapes
    value, error, kink = (
        a.T.reshape(shape) for a in (found.value, found.error + floor, found.kink)
    )
    return Estimate(value, error, kink, found.method)


def directional(
    f: Callable[..., Any],
    arrays: Sequence[Any],
    directions: Sequence[Sequence[Any]],
    complex_step: bool = True,
) -> Estimate:
    """The derivative of the number ``f(*arrays)`` along each of ``directions``.

    A direction is one array (or None for zeros) per input, in the input's shape. It says how far
    the inputs may move: the steps tried lie between 1/16 and 1e-9 of its length. See
    :func:`random_directions`. The result's arrays have shape (len(directions),).
    """
    own, views = _copies(arrays)
    ways = [
        [np.zeros(a.shape) if d is None else np.asarray(d) for a, d in zip(own, way, strict=True)]
        for way in directions
    ]

    def move(i: int, t: complex) -> Any:
        return f(*(a + t * d for a, d in zip(own, ways[i], strict=True)))

    with quiet():
        noise = _noise(f, own, ways[0])
        steps = np.full(len(ways), 1 / 16)
        found = _differences(move, steps, np.atleast_1d(f(*views)), noise, near=1e-7)
        found = _better(found, move) if complex_step else found
    value, error, kink = (a[:, 0] for a in (found.value, found.error + 8 * noise, found.kink))
    return Estimate(value, error, kink, found.method)


def random_directions(
    arrays: Sequence[Any], moving: Sequence[int], count: int, rng: Any
) -> list[list[np.ndarray | None]]:
    """``count`` normal directions that move only some arrays, each by about its own size."""

    def way(i: int) -> np.ndarray | None:
        return rng.standard_normal(arrays[i].shape) * typical(arrays[i]) if i in moving else None

    return [[way(i) for i in range(len(arrays))] for _ in range(count)]


# -------------------------------------------------------------------------------- steps and noise


def _copies(arrays: Sequence[Any]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Own copies of ``arrays``, and views of these that f can read only."""
    own = [np.array(a, dtype=float64, order="C") for a in arrays]
    views = [a.view() for a in own]
    for view in views:
        view.flags.writeable = False
    return own, views


def typical(x: np.ndarray) -> float:
    """The root mean square of x; 1 for zeros."""
    return float(np.sqrt(np.mean(x * x))) or 1.0 if x.size else 1.0


def _scale(x: np.ndarray) -> np.ndarray:
    """How far each element may move: its size, or that of its fellows if it is small."""
    return np.maximum(np.abs(x), typical(x))


def _steps(scale: np.ndarray) -> np.ndarray:
    """The largest steps: about a 16th of ``scale``, and powers of two, so that x + h is exact."""
    return 2.0 ** np.floor(np.log2(scale / 16))


def _noise(f: Any, own: Sequence[np.ndarray], way: Sequence[np.ndarray]) -> np.ndarray:
    """How much rounding shakes f: at spacings too short for f to bend, differences are noise alone.

    The fourth difference of independent errors of size s has size s √70 (Moré and Wild 2011,
    "Estimating computational noise"). A second spacing finds the coarser steps of float32.
    """
    for spacing in (1e-10, 1e-7):
        moved = ([a + k * spacing * d for a, d in zip(own, way, strict=True)] for k in range(1, 7))
        values = np.array([np.atleast_1d(f(*arrays)) for arrays in moved])
        shaken = np.abs(np.diff(values, n=4, axis=0)).max(axis=0)
        if (shaken > 0).any():
            break
    shaken = np.nan_to_num(shaken)
    return np.maximum(shaken / math.sqrt(70), EPS * np.abs(values[0]))


# ------------------------------------------------------------------------------ central differences


def _differences(
    move: Callable[[int, float], Any],
    steps: np.ndarray,
    start: np.ndarray,
    noise: np.ndarray,
    near: float,
) -> Estimate:
    """The slopes on n lines of a function with m values, as arrays (n, m).

    ``move(i, t)`` is f at t along line i, ``steps`` (n,) the largest t. A few coarse steps come
    first; where they leave a relative error above ``near``, more and finer ones.
    """
    n, m = len(steps), len(start)
    h = steps[:, None] * RATIO ** -np.arange(LEVELS[-1])[:, None, None]  # (levels, n, 1)
    up, down = np.full((2, LEVELS[-1], n, m), np.nan)

    def look(lines: Any, levels: range) -> None:
        for i in lines:
            for k in levels:
                t = float(h[k, i, 0])
                up[k, i], down[k, i] = move(i, t), move(i, -t)

    def limits(lines: Any, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b, step = up[:levels, lines], down[:levels, lines], h[:levels, lines]
        slope, error = _limit((a - b) / (2 * step), noise / step, power=2)
        # the slope from the right less the slope from the left, a series in odd powers of h
        bend, doubt = _limit((a - 2 * start + b) / step, 4 * noise / step, power=1)
        size = np.maximum(np.abs(slope), np.abs(bend)) + noise / step[0]
        change = np.abs(a - b)  # where f jumps, a shorter step does not bring less of it
        jump = (change[-1] > 0.9 * change[-2]) & (change[-1] > 100 * noise)
        kink = ~np.isfinite(error) | (np.abs(bend) > 10 * doubt + 1e-6 * size) | jump
        return slope, error, kink

    slope, error, kink = np.full((n, m), np.nan), np.full((n, m), np.inf), np.full((n, m), True)
    rest, done = np.arange(n), 0
    for levels in LEVELS:
        look(rest, range(done, levels))
        slope[rest], error[rest], kink[rest] = limits(rest, levels)
        largest = np.abs(np.where(kink, 0.0, slope)).max(axis=0, initial=0.0)
        rest = np.flatnonzero((kink | ~(error <= near * largest)).any(axis=1))
        done = levels
    return Estimate(slope, error, kink, "central differences")


def _limit(values: np.ndarray, rounding: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
    """The limit for h → 0 along the first axis of ``values``, and its error, by Neville's scheme.

    ``values[k]`` belongs to a step ``RATIO`` times shorter than ``values[k - 1]``. Its error is a
    series in h to the ``power``, power + 2, power + 4 … and, from rounding, ``rounding[k]``.
    """
    best, error = values[-1], np.full(values.shape[1:], np.inf)
    column = values
    for j in range(1, min(len(values), 6)):
        coarse, fine = column[:-1], column[1:]
        column = fine + (fine - coarse) / (RATIO ** (power + 2 * (j - 1)) - 1)
        apart = np.maximum(np.abs(column - fine), np.abs(column - coarse)) + rounding[j:]
        apart = np.where(np.isfinite(apart), apart, np.inf)
        row = apart.argmin(axis=0)[None]
        least = np.take_along_axis(apart, row, axis=0)[0]
        best = np.where(least < error, np.take_along_axis(column, row, axis=0)[0], best)
        error = np.minimum(error, least)
    return best, error


# ------------------------------------------------------------------------------------- complex step


def _better(found: Estimate, move: Callable[[int, complex], Any]) -> Estimate:
    """The derivatives by complex step, if f takes complex numbers and all of them agree."""
    n, m = found.value.shape
    exact = np.empty((n, m))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy warns when it drops an imaginary part
        try:
            for i in range(n):
                exact[i] = np.imag(move(i, 1j * COMPLEX_STEP)) / COMPLEX_STEP
        except Exception:  # whatever f does with complex numbers is no mistake of f
            return found
    smooth = ~found.kink
    agree = np.abs(exact - found.value) <= 10 * found.error + 1e-8 * np.abs(exact)
    if not (np.isfinite(exact) & agree)[smooth].all():
        return found
    largest = np.abs(np.where(smooth, exact, 0.0)).max(axis=0, initial=0.0)
    value, error = (
        np.where(smooth, a, b) for a, b in ((exact, found.value), (16 * EPS * largest, found.error))
    )
    return Estimate(value, error, found.kink, "complex step")
