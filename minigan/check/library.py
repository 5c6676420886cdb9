"""Every differentiable function of the library at one point, for ``minigan check``.

The points avoid kinks: there are no ties, and no zeros where a function bends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .. import ops, random
from ..array import float64, np
from ..ops import algebra
from ..ops.collective import all_reduce
from ..ops.conv import conv2d_weight, fold
from ..ops.index import scatter
from ..ops.inplace import put_
from ..ops.shape import cast, expand, sum_to
from .gradients import gradients
from .report import Report
from .table import Table


class Example(NamedTuple):
    """A function and float64 inputs for it."""

    name: str
    f: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]


_rng = random.default_rng(3)


def _any(*shape: int) -> np.ndarray:
    """Numbers of either sign, all of different size, none closer to zero than 0.1."""
    n = int(np.prod(shape))
    sizes = _rng.permutation(np.linspace(0.1, 2, n)) if n > 1 else np.array([0.7])
    return (sizes * _rng.choice([-1.0, 1.0], n)).reshape(shape)


def _positive(*shape: int) -> np.ndarray:
    return np.abs(_any(*shape)) + 0.2


def _probability(*shape: int) -> np.ndarray:
    return _rng.uniform(0.1, 0.9, shape)


_MASK = np.array([[True, False, True], [False, True, True]])
_INDEX = np.array([[0, 2, 1], [2, 0, 1]])
_WINDOW: dict[str, Any] = {
    "kernel": (2, 2),
    "stride": (2, 1),
    "padding": (1, 0),
    "dilation": (1, 1),
}
_CONV: dict[str, Any] = {"stride": 2, "padding": 1}


def _examples() -> Iterator[Example]:
    def example(name: str, f: Callable[..., Any], *inputs: np.ndarray) -> Example:
        return Example(name, f, inputs)

    for f in (ops.neg, ops.exp, ops.expm1, ops.sin, ops.cos, ops.erf, ops.tanh, ops.sigmoid):
        yield example(f.__name__, f, _any(2, 3))
    for f in (ops.softplus, ops.relu, ops.abs, ops.sign):
        yield example(f.__name__, f, _any(2, 3))
    for f in (ops.log, ops.log1p, ops.sqrt):
        yield example(f.__name__, f, _positive(2, 3))
    for f in (ops.add, ops.sub, ops.mul, ops.div, ops.maximum, ops.minimum):
        yield example(f.__name__, f, _any(2, 3), _any(3))
    yield example("pow", ops.pow, _positive(2, 3), _any(3))
    yield example("pow, 3", lambda x: x**3, _any(2, 3))
    yield example("leaky_relu", lambda x: ops.leaky_relu(x, negative_slope=0.2), _any(2, 3))
    yield example("clamp", lambda x: ops.clamp(x, -1.0, 1.0), _any(2, 3))
    yield example("where", lambda a, b: ops.where(_MASK, a, b), _any(2, 3), _any(3))
    yield example("cast", lambda x: cast(x, dtype=float64), _any(2, 3))

    yield example("sum", lambda x: ops.sum(x, 0), _any(2, 3))
    yield example("mean", lambda x: ops.mean(x, 1, keepdim=True), _any(2, 3))
    yield example("var", lambda x: ops.var(x, 0), _any(3, 2))
    yield example("std", lambda x: ops.std(x, 0), _any(3, 2))
    yield example("amax", lambda x: ops.amax(x, 1), _any(2, 3))
    yield example("amin", lambda x: ops.amin(x, 1), _any(2, 3))
    yield example("max", lambda x: ops.max(x, 1).values, _any(2, 3))
    yield example("norm", lambda x: ops.norm(x, dim=1), _any(2, 3))
    yield example("norm, p = 3", lambda x: ops.norm(x, 3, dim=1), _any(2, 3))
    yield example("logsumexp", lambda x: ops.logsumexp(x, 1), _any(2, 3))
    yield example("softmax", lambda x: ops.softmax(x, 1), _any(2, 3))
    yield example("log_softmax", lambda x: ops.log_softmax(x, 1), _any(2, 3))
    yield example("standardize", lambda x: ops.standardize(x, (0, 2)), _any(3, 2, 2))
    yield example("batch_norm", ops.batch_norm, _any(3, 2, 2), _any(2), _any(2))

    yield example("matmul", ops.matmul, _any(2, 2, 3), _any(2, 3, 2))
    yield example("outer", ops.outer, _any(3), _any(2))
    yield example("linear", ops.linear, _any(2, 3), _any(2, 3), _any(2))
    yield example("bce", ops.bce, _probability(2, 3), _probability(2, 3))
    yield example("bce_with_logits", ops.bce_with_logits, _any(2, 3), _probability(2, 3))

    yield example("reshape", lambda x: ops.reshape(x, 3, 2), _any(2, 3))
    yield example("permute", lambda x: ops.permute(x, 2, 0, 1), _any(2, 3, 2))
    yield example("flip", lambda x: ops.flip(x, 1), _any(2, 3))
    yield example("expand", lambda x: expand(x, 2, 2, 3), _any(2, 1))
    yield example("sum_to", lambda x: sum_to(x, shape=(2, 1)), _any(2, 2, 3))
    yield example("getitem", lambda x: x[:, [0, 2, 0]], _any(2, 3))
    yield example("gather", lambda x: ops.gather(x, 1, _INDEX), _any(2, 3))
    yield example(
        "scatter", lambda x: scatter(x, shape=(4, 3), index=[0, 2], once=False), _any(2, 3)
    )
    yield example("cat", lambda a, b: ops.cat([a, b, a], 1), _any(2, 3), _any(2, 1))
    yield example("stack", lambda a, b: ops.stack([a, b], 1), _any(2, 3), _any(2, 3))
    yield example("split", lambda x: ops.split(x, [1, 2], 1), _any(2, 3))
    yield example("pad", lambda x: ops.pad(x, (1, 2, 0, 1)), _any(2, 3))
    yield example("pad, reflect", lambda x: ops.pad(x, (1, 2), "reflect"), _any(2, 3))
    yield example("put", lambda x, v: put_(x, v, index=[1, 0]), _any(3, 2), _any(2, 2))

    square = _any(3, 3) + 3 * np.eye(3)
    yield example("einsum", lambda a, b: algebra.einsum("ij,jk->ik", a, b), _any(2, 3), _any(3, 2))
    yield example("inverse", algebra.inverse, square)
    yield example("det", algebra.det, square)
    yield example("slogdet", lambda x: algebra.slogdet(x).logabsdet, square)
    yield example("diagonal", algebra.diagonal, _any(3, 3))
    yield example("cumsum", lambda x: algebra.cumsum(x, 1), _any(2, 3))

    picture, kernel = _any(2, 2, 5, 4), _any(3, 2, 3, 2)
    yield example("conv2d", lambda *a: ops.conv2d(*a, **_CONV), picture, kernel, _any(3))
    yield example(
        "conv_transpose2d",
        lambda *a: ops.conv_transpose2d(*a, **_CONV),
        _any(2, 2, 3, 2),
        _any(2, 3, 3, 2),
        _any(3),
    )
    yield example(
        "conv2d_weight",
        lambda x, e: conv2d_weight(x, e, groups=1, **{**_WINDOW, "stride": (2, 2)}),
        _any(2, 2, 4, 4),
        _any(2, 2, 3, 2),
    )
    yield example(
        "lstm", lambda *a: ops.lstm(*a)[0], _any(3, 2, 8), _any(8, 2), _any(2, 2), _any(2, 2)
    )
    yield example("all_reduce", all_reduce, _any(2, 3))
    yield example("conv1d", ops.conv1d, _any(2, 2, 5), _any(2, 2, 3))
    yield example("windows", lambda x: ops.windows(x, 2, 2, 1), _any(1, 2, 3, 4))
    yield example("fold_windows", lambda x: fold(x, size=(2, 3), **_WINDOW), _any(1, 2, 2, 2, 4))


EXAMPLES: tuple[Example, ...] = tuple(_examples())


def check(order: int = 2) -> Iterator[tuple[Example, Report]]:
    """Each example with the report of :func:`gradients`, one after the other."""
    for example in EXAMPLES:
        yield example, gradients(example.f, *example.inputs, order=order)


def table(results: Iterable[tuple[Example, Report]]) -> Table:
    """One row per function: orders checked, worst relative error, margin to its tolerance."""
    rows = [
        {
            "function": example.name,
            "orders": ", ".join(str(k) for k in sorted({b.order for b in report.blocks})),
            "numbers": sum(b.kink.size for b in report.blocks),
            "worst error": float(f"{report.worst_error:.1e}"),
            "margin": float(f"{report.margin:.2g}"),
            "verdict": "right" if report else "WRONG",
        }
        for example, report in results
    ]
    wrong = [i for i, row in enumerate(rows) if row["verdict"] != "right"]
    worst = max(row["worst error"] for row in rows)
    note = (
        f"{len(rows)} functions, {len(wrong)} wrong; largest relative error {worst:.1e}. "
        "Margin: how often the error fits into its tolerance."
    )
    return Table(rows, note=note, marks=dict.fromkeys(wrong, "bad"))
