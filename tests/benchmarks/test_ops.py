"""Micro-benchmarks of the parts of a GAN's step, at the DCGAN's shapes, and what each must do.

::

    pytest tests/benchmarks/test_ops.py -n 0 -s --benchmark-columns=min,median,iqr,rounds

Each benchmark's ``extra_info`` (in ``--benchmark-json=FILE``) has ``bytes``, what must at least be
read and written, each array once; ``flops``, two per multiply-add; and ``GB/s`` and ``GFLOP/s``,
which the median reached. At the end a table (with ``-s``) compares them with the machine's best,
from :func:`minigan.profiler.measure_machine`. Needs pytest-benchmark.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigan as mg
from minigan.check.table import Table
from minigan.gan.ema import EMA
from minigan.studio.profiler import measure_machine

pytest.importorskip("pytest_benchmark")

F = mg.nn.functional
N = 64  # the batch
ROWS: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def table():
    """Print what was reached and what the machine can do."""
    yield
    if not ROWS:
        return
    machine = measure_machine()
    for row in ROWS:
        reached = row["GFLOP/s"] * 1e9 / machine.flops, row["GB/s"] * 1e9 / machine.bandwidth
        row["% of limit"] = round(100 * max(reached))
    note = "% of limit: more than 100 if the arrays were in the CPU's cache"
    print(f"\n{Table(ROWS, title=str(machine), note=note)}")


def measured(benchmark, function, arrays, flops=0):
    """Benchmark the function, which must read or write ``arrays`` and do ``flops`` operations."""
    moved = sum(a.nbytes for a in arrays)
    benchmark(function)
    if benchmark.stats is None:  # --benchmark-disable: only see that it runs
        return
    info, seconds = benchmark.extra_info, benchmark.stats.stats.median
    info["bytes"], info["flops"] = moved, flops
    info["GB/s"] = moved / seconds / 1e9
    info["GFLOP/s"] = flops / seconds / 1e9
    row = {"what": benchmark.name.removeprefix("test_"), "ms": round(seconds * 1e3, 3)}
    row |= {"MB": round(moved / 1e6, 3), "MFLOP": round(flops / 1e6, 3)}
    ROWS.append(row | {name: round(info[name], 2) for name in ("GB/s", "GFLOP/s")})


def picture(*shape: int) -> mg.Tensor:
    """Random pictures in the memory layout that a convolution gives them: channels last."""
    n, c, h, w = shape
    return mg.Tensor(mg.randn(n, h, w, c).array.transpose(0, 3, 1, 2))


def gradient(y: mg.Tensor) -> mg.Tensor:
    """Something in y's shape and layout to start the walk back from."""
    return mg.Tensor(np.full_like(y.array, 0.5))


# ----------------------------------------------------------------------------------------- products


class Product(NamedTuple):
    """y = f(x, w), and the multiply-adds in it."""

    f: Callable[..., mg.Tensor]
    x: mg.Tensor
    w: mg.Tensor
    multiply_adds: int


def down(x: mg.Tensor, w: mg.Tensor) -> mg.Tensor:
    return F.conv2d(x, w, stride=2, padding=1)


def up(x: mg.Tensor, w: mg.Tensor) -> mg.Tensor:
    return F.conv_transpose2d(x, w, stride=2, padding=1)


PRODUCTS = {
    "conv2d 1-64": lambda: Product(
        down, picture(N, 1, 28, 28), mg.randn(64, 1, 4, 4), N * 14**2 * 64 * 1 * 16
    ),
    "conv2d 64-128": lambda: Product(
        down, picture(N, 64, 14, 14), mg.randn(128, 64, 4, 4), N * 7**2 * 128 * 64 * 16
    ),
    "conv_transpose2d 128-64": lambda: Product(
        up, picture(N, 128, 7, 7), mg.randn(128, 64, 4, 4), N * 7**2 * 128 * 64 * 16
    ),
    "conv_transpose2d 64-1": lambda: Product(
        up, picture(N, 64, 14, 14), mg.randn(64, 1, 4, 4), N * 14**2 * 64 * 1 * 16
    ),
    "linear 100-6272": lambda: Product(
        F.linear, mg.randn(N, 100), mg.randn(6272, 100), N * 100 * 6272
    ),
    "linear 6272-1": lambda: Product(F.linear, mg.randn(N, 6272), mg.randn(1, 6272), N * 6272),
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("what", ["forward", "input gradient", "weight gradient"])
def test_product(benchmark, name, what):
    f, x, w, multiply_adds = PRODUCTS[name]()
    y = f(x, w)
    if what == "forward":
        measured(benchmark, lambda: f(x, w), [x.array, w.array, y.array], 2 * multiply_adds)
        return
    wanted = (x if what == "input gradient" else w).requires_grad_()  # no work for the other one
    y, g = f(x, w), gradient(y)
    arrays = [x.array, w.array, y.array]  # two are read and one is written, whichever it is
    measured(benchmark, lambda: mg.grad(y, wanted, g), arrays, 2 * multiply_adds)


# --------------------------------------------------------------- element by element, and by channel


def batch_norm(x: mg.Tensor, w: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
    return F.batch_norm(x, None, None, w, b, training=True)


PASSES = {
    "batch_norm 128x7x7": (batch_norm, (128, 7, 7)),
    "batch_norm 64x14x14": (batch_norm, (64, 14, 14)),
    "leaky_relu 64x14x14": (lambda x, *_: F.leaky_relu(x, 0.2), (64, 14, 14)),
    "relu 64x14x14": (lambda x, *_: F.relu(x), (64, 14, 14)),
    "tanh 1x28x28": (lambda x, *_: mg.tanh(x), (1, 28, 28)),
}


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("what", ["forward", "backward"])
def test_pass(benchmark, name, what):
    f, shape = PASSES[name]
    x = picture(N, *shape).requires_grad_()
    w, b = (mg.randn(shape[0], requires_grad=True) for _ in range(2))
    y = f(x, w, b)
    if what == "forward":
        measured(benchmark, lambda: f(x, w, b), [x.array, y.array])
        return
    wanted = [t for t in (x, w, b) if f is batch_norm or t is x]
    g = gradient(y)
    arrays = [g.array, x.array, x.array]  # g and x, or y, are read, x's gradient is written
    measured(benchmark, lambda: mg.grad(y, wanted, g), arrays)


@pytest.mark.parametrize("what", ["forward", "backward"])
def test_bce_with_logits(benchmark, what):
    x, t = mg.randn(N, 1, requires_grad=True), mg.ones(N, 1)
    if what == "forward":
        measured(benchmark, lambda: F.binary_cross_entropy_with_logits(x, t), [x.array, t.array])
        return
    loss = F.binary_cross_entropy_with_logits(x, t)
    measured(benchmark, lambda: mg.grad(loss, x), [x.array, t.array, x.array])


# ----------------------------------------------------------------------------------- after the walk

SIZE = 1_080_000  # parameters


def test_adam(benchmark):
    p = mg.nn.Parameter(mg.randn(SIZE).array)
    optimizer = mg.optim.Adam([p], 2e-4, (0.5, 0.999))
    (p * mg.randn(SIZE)).sum().backward()  # leaves the gradient in the optimiser's buffer
    optimizer.step()
    arrays = [p.array] * 7  # p, g, m and v are read, p, m and v written
    measured(benchmark, optimizer.step, arrays)


def test_ema(benchmark):
    network = mg.nn.Linear(1000, SIZE // 1000, bias=False)
    arrays = [network.weight.array] * 3  # the weights and the average are read, it is written
    measured(benchmark, EMA(network).update, arrays)


# ----------------------------------------------------------------------------------------- overhead

LENGTH = 30  # ops in the chain


def chain(x: mg.Tensor, w: mg.Tensor) -> mg.Tensor:
    """mul, add and tanh again and again, on 4 × 4 numbers: what remains is Python."""
    for _ in range(LENGTH // 3):
        x = mg.tanh(x * w + w)
    return x


@pytest.mark.parametrize("what, bar", [("forward", 1.5), ("forward and backward", 7.0)])
def test_overhead(benchmark, what, bar):
    """The median in µs per op, which must stay below ``bar``."""
    x, w = mg.randn(4, 4, requires_grad=True), mg.randn(4, 4)
    g = mg.ones(4, 4)

    def forward():
        chain(x, w)

    def both():
        chain(x, w).backward(g)

    benchmark(forward if what == "forward" else both)
    if benchmark.stats is None:
        return
    microseconds = benchmark.stats.stats.median / LENGTH * 1e6
    benchmark.extra_info["µs per op"] = microseconds
    print(f"\noverhead, {what}: {microseconds:.2f} µs per op (bar: {bar})")
    assert microseconds <= bar
