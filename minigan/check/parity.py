"""``parity(f, g, *inputs)``: does minigan compute what PyTorch computes, derivatives included?"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .. import autograd, random
from ..array import np
from ..tensor import Tensor
from .table import Table


class Parity:
    """Largest differences between minigan and PyTorch; true if none is beyond its tolerance.

    Attributes
    ----------
    ok : bool
    table : Table
        A row per value, gradient and second derivative: largest difference, where, tolerance.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.ok = not any(row["differs"] for row in rows)
        marks = {i: "bad" for i, row in enumerate(rows) if row["differs"]}
        title = "minigan and PyTorch agree" if self.ok else "minigan and PyTorch differ"
        self.table = Table(rows, title=title, marks=marks)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.table.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.html()


def parity(
    f: Callable[..., Any],
    g: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    rtol: float = 1e-10,
    seed: int = 0,
) -> Parity:
    """Compare ``f`` on minigan's tensors with ``g`` on PyTorch's: value, gradients, and so on.

    Parameters
    ----------
    f, g : callable
        The same function twice; each returns one tensor.
    inputs : arrays
        Floating ones are differentiated in, others are passed as tensors without gradient.
    order : int
        0 for the value alone, 1 for gradients along a random cotangent, 2 for the gradients of
        those along random directions too.
    rtol : float
        Relative to the largest element of each; float32 inputs need about 1e-5.
    seed : int
        Of the cotangent and the directions.

    Raises
    ------
    ImportError
        If PyTorch is not installed: ``pip install "minigan[parity]"``.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise ImportError(
            "check.parity compares with PyTorch, which is not installed: "
            'pip install "minigan[parity]"'
        ) from None
    arrays = [np.array(x.array if isinstance(x, Tensor) else x) for x in inputs]
    moving = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    if not moving:
        raise ValueError("expected at least one floating-point input")
    rng = random.default_rng(seed)
    cotangent = rng.standard_normal(np.shape(f(*map(Tensor, arrays)).array))
    ways = [rng.standard_normal(arrays[i].shape) for i in moving]

    def results(function: Any, make: Any, grad: Any) -> list[np.ndarray]:
        """The same steps with either library: their tensors and their ``grad`` work alike."""
        xs = [make(a) for a in arrays]
        wrt = [xs[i] for i in moving]
        for x in wrt:
            x.requires_grad_()
        tensors, weights = [function(*xs)], [cotangent]
        found = list(tensors)
        for _ in range(order):
            pairs = zip(tensors, weights, strict=True)
            terms = [
                (t * make(w.astype(arrays[moving[0]].dtype))).sum()
                for t, w in pairs
                if t is not None and t.requires_grad
            ]
            tensors, weights = [None] * len(wrt), ways
            if terms:
                tensors = list(grad(sum(terms), wrt, create_graph=True, allow_unused=True))
            found += tensors
        return [np.array(0.0 if t is None else t.detach().numpy()) for t in found]

    ours = results(f, Tensor, autograd.grad)
    theirs = results(g, torch.from_numpy, torch.autograd.grad)
    labels = ["value"]
    for k in range(1, order + 1):
        kind = {1: "gradient", 2: "second derivative"}.get(k, f"derivative of order {k}")
        labels += [f"{kind} in input {i}" for i in moving]
    rows = zip(labels, ours, theirs, strict=True)
    return Parity([_row(label, a, b, rtol) for label, a, b in rows])


def _row(label: str, ours: Any, theirs: Any, rtol: float) -> dict[str, Any]:
    """One line of the table; shapes that differ are told first."""
    row: dict[str, Any] = {"": label, "differs": False}
    if ours.ndim and theirs.ndim and ours.shape != theirs.shape:  # a missing gradient is 0
        return {**row, "differs": True, "at": f"shapes {ours.shape}, {theirs.shape}"}
    ours, theirs = np.broadcast_arrays(ours, theirs)
    apart = np.abs(ours - theirs)
    tolerance = rtol * max(1.0, float(np.abs(theirs).max(initial=0.0)))
    if not apart.size:
        return row
    worst = np.unravel_index(int(np.nan_to_num(apart, nan=np.inf).argmax()), apart.shape)
    return {
        **row,
        "differs": not bool((apart <= tolerance).all()),
        "difference": float(apart[worst]),
        "tolerance": tolerance,
        "at": str(list(map(int, worst))) if worst else "",
        "minigan": float(ours[worst]),
        "PyTorch": float(theirs[worst]),
    }
