"""Kernels: what a GPU does in one pass where the library's own lines take many.

Each is a function in CUDA C, in the ``.cu`` file beside this one, and each computes what a
definition in plain NumPy, its documentation, does. They accept float32 and float64 arrays of CuPy;
for everything else the definition runs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...array import Array, array_types, module_of, np

THREADS = 256  # of a block
TILE = 32  # rows and columns of a product that a block makes

REALS = {np.dtype("float32"): "float", np.dtype("float64"): "double"}
NULL = np.uint64(0)

NONE, LEAKY_RELU, TANH, SIGMOID = map(np.int32, range(4))  # as in elementwise.cu


def accepts(*arrays: Array) -> bool:
    """Whether kernels compute with these arrays: all of CuPy, all float32 or all float64."""
    first = arrays[0]
    if type(first) is np.ndarray or type(first) not in array_types or first.dtype not in REALS:
        return False
    return all(type(a) is type(first) and a.dtype == first.dtype for a in arrays)


def source(file: str, real: str, threads: int = THREADS, tile: int = TILE) -> str:
    """The CUDA C of a file, for "float" or "double"."""
    head = f"#define REAL {real}\n#define THREADS {threads}\n#define TILE {tile}\n"
    return head + (Path(__file__).parent / f"{file}.cu").read_text()


def options(file: str) -> tuple[str, ...]:
    """For the compiler: products and sums are rounded apart, as NumPy rounds them, but in gemm."""
    return ("--std=c++17",) if file == "gemm" else ("--std=c++17", "--fmad=false")


@functools.cache
def _module(xp: Any, file: str, real: str, threads: int, tile: int) -> Any:
    return xp.RawModule(code=source(file, real, threads, tile), options=options(file))


@functools.cache
def _kernel(xp: Any, file: str, name: str, real: str, threads: int, tile: int) -> Any:
    return _module(xp, file, real, threads, tile).get_function(name)


def _start(
    file: str, name: str, like: Array, grid: Sequence[int], block: Sequence[int], args: Any
) -> None:
    if 0 not in grid:
        kernel = _kernel(module_of(like), file, name, REALS[like.dtype], THREADS, TILE)
        kernel(tuple(grid), tuple(block), tuple(args))


def _each(file: str, name: str, like: Array, n: int, *args: Any) -> None:
    """Start a kernel with a thread for each of n elements."""
    _start(file, name, like, (-(-n // THREADS),), (THREADS,), args)


def _contiguous(x: Array) -> Array:
    # not ascontiguousarray, which gives an array without axes one
    return x if x.flags.c_contiguous else x.copy(order="C")


def _new(like: Array, shape: Sequence[int]) -> Array:
    return module_of(like).empty(tuple(shape), dtype=like.dtype)


def _ints(*values: int) -> list[Any]:
    return [np.int32(v) for v in values]


def _longs(*values: int) -> list[Any]:
    return [np.int64(v) for v in values]


# ------------------------------------------------------------------------------------ elementwise


def activation(x: Array, kind: Any, slope: float = 0.0, bias: Array | None = None) -> Array:
    """f(x + bias) in one pass; ``bias`` (C,) belongs to the last axis."""
    x = _contiguous(x)
    y, c = _new(x, x.shape), x.shape[-1] if x.ndim else 1
    with_bias = NULL if bias is None else _contiguous(bias)
    args = (y, x, with_bias, *_longs(x.size), *_ints(c), kind, np.float64(slope))
    _each("elementwise", "bias_activation", x, x.size, *args)
    return y


def activation_backward(g: Array, at: Array, kind: Any, slope: float = 0.0) -> Array:
    """g f'(x) in one pass; ``at`` is x for LEAKY_RELU, else y."""
    g, at = _contiguous(g), _contiguous(at)
    gx = _new(g, g.shape)
    args = (gx, g, at, *_longs(g.size), kind, np.float64(slope))
    _each("elementwise", "activation_backward", g, g.size, *args)
    return gx


def bce_with_logits(x: Array, t: Array) -> Array:
    """softplus(x) - t x for x and t of one shape."""
    x, t = _contiguous(x), _contiguous(t)
    y = _new(x, x.shape)
    _each("elementwise", "bce_with_logits", x, x.size, y, x, t, *_longs(x.size))
    return y


def bce_with_logits_backward(g: Array, x: Array, t: Array) -> Array:
    """g (σ(x) - t) for g, x and t of one shape."""
    g, x, t = map(_contiguous, (g, x, t))
    gx = _new(x, x.shape)
    _each("elementwise", "bce_with_logits_backward", x, x.size, gx, g, x, t, *_longs(x.size))
    return gx


# ------------------------------------------------------------------------------------- batch norm


def _channels(x: Array) -> tuple[Array, list[Any], list[Any]]:
    """x (N, C, …) as (N, C, S) by strides, made contiguous if its places do not lie evenly."""
    n, c, *rest = x.shape
    s = math.prod(rest)
    for size, stride, inner, step in zip(
        rest[:-1], x.strides[2:-1], rest[1:], x.strides[3:], strict=True
    ):
        if size > 1 and stride != inner * step:
            x = _contiguous(x)
            break
    each = x.dtype.itemsize
    step = x.strides[-1] // each if rest else 1
    return x, _longs(n, c, s), _longs(x.strides[0] // each, x.strides[1] // each, step)


def batch_stats(x: Array) -> tuple[Array, Array]:
    """The mean and the variance (without correction) of every channel of x (N, C, …), axes kept."""
    x, (n, c, s), strides = _channels(x)
    shape = (1, x.shape[1], *[1] * (x.ndim - 2))
    mean, variance = _new(x, shape), _new(x, shape)
    args = (x, mean, variance, n, s, *strides)
    _start("norm", "batch_stats", x, (int(c),), (THREADS,), args)
    return mean, variance


def batch_norm(x: Array, stats: tuple[Array, Array], w: Array, b: Array, eps: float) -> Array:
    """(x - mean) / √(variance + eps) · w + b."""
    x, sizes, strides = _channels(x)
    y = _new(x, x.shape)
    args = (x, *map(_contiguous, (*stats, w, b)), y, np.float64(eps), *sizes, *strides)
    _each("norm", "batch_norm", x, x.size, *args)
    return y


def batch_norm_backward(
    g: Array, x: Array, stats: tuple[Array, Array], w: Array, eps: float, wanted: bool
) -> tuple[Array | None, Array, Array]:
    """The gradients of x (None if not ``wanted``), w and b."""
    g, (x, sizes, strides) = _contiguous(g), _channels(x)
    stats, w = tuple(map(_contiguous, stats)), _contiguous(w)
    gw, gb, common = _new(w, w.shape), _new(w, w.shape), (np.float64(eps), *sizes, *strides)
    _start("norm", "batch_norm_sums", x, (w.size,), (THREADS,), (g, x, *stats, gw, gb, *common))
    gx = None
    if wanted:
        gx = _new(x, x.shape)
        _each("norm", "batch_norm_backward", x, x.size, g, x, *stats, w, gw, gb, gx, *common)
    return gx, gw, gb


# ------------------------------------------------------------------------------------ convolution


def unfold(
    x: Array, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    """x (N, C, H, W) under each of ``size`` positions: (groups, N·oh·ow, kh·kw·C/groups)."""
    n, c, h, w = x.shape
    columns = _new(x, (groups, n * size[0] * size[1], kernel[0] * kernel[1] * c // groups))
    numbers = _ints(n, c, h, w, *size, *kernel, *stride, *padding, *dilation, groups)
    strides = _longs(*(s // x.dtype.itemsize for s in x.strides))
    _each("conv", "unfold", x, columns.size, columns, x, *numbers, *strides)
    return columns


def fold(
    spread: Array,
    bias: Array | None,
    shape: Any,
    size: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    """y (N, C, H, W) of ``shape``, from what each of ``size`` positions spreads, plus a bias.

    ``spread`` is (groups, N·oh·ow, C/groups·kh·kw).
    """
    spread, y = _contiguous(spread), _new(spread, shape)
    with_bias = NULL if bias is None else _contiguous(bias)
    numbers = _ints(*shape, *size, *kernel, *stride, *padding, *dilation, groups)
    _each("conv", "fold", y, y.size, y, spread, with_bias, *numbers)
    return y


# ------------------------------------------------------------------------------ products, updates


def product(a: Array, b: Array) -> Array:
    """a @ b by the kernel, if it accepts them."""
    if not accepts(a, b):
        return a @ b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (_stacked(x, batch) for x in (a, b))
    (count, m, k), n = a.shape, b.shape[2]
    c = _new(a, (*batch, m, n))
    strides = _longs(*(s // a.dtype.itemsize for s in (*a.strides, *b.strides)))
    grid = (-(-n // TILE), -(-m // TILE), count)
    _start("gemm", "gemm", a, grid, (TILE, TILE // 4), (a, b, c, *_ints(m, n, k), *strides))
    return c


def load_product(xp: Any) -> None:
    """Compile the kernel of :func:`product`, which no step uses before it is recorded."""
    for real in REALS.values():
        _kernel(xp, "gemm", "gemm", real, THREADS, TILE)


def _stacked(x: Array, batch: Sequence[int]) -> Array:
    """Matrices broadcast to the axes ``batch``, as (count, rows, columns)."""
    x = module_of(x).broadcast_to(x, (*batch, *x.shape[-2:]))
    return x if len(batch) == 1 else x.reshape(math.prod(batch), *x.shape[-2:])


def adam(
    p: Array,
    g: Array,
    averages: Sequence[Array],
    betas: tuple[float, float],
    eps: float,
    decay: float,
    decoupled: bool,
    maximize: bool,
    rates: Any,
) -> None:
    """A step of Adam on flat arrays, in place."""
    m, v, v_max = (*averages, NULL)[:3]
    values, renewed = _renewed(rates, 3)
    settings = map(np.float64, (*betas, eps, decay))
    args = (p, g, m, v, v_max, *_longs(p.size), *settings, *_ints(decoupled, maximize))
    _each("optim", "adam", p, p.size, *args, *values, renewed)


def blend(average: Array, now: Array, rates: Any) -> None:
    """average ← keep · average + follow · now, in place."""
    values, renewed = _renewed(rates, 2)
    args = (average, _contiguous(now), *_longs(average.size), *values, renewed)
    _each("optim", "blend", average, average.size, *args)


def _renewed(rates: Any, count: int) -> tuple[list[Any], Any]:
    """Numbers as they are, or, in a recorded step, where they will be."""
    if isinstance(rates, tuple):
        return [np.float64(r) for r in rates[:count]], NULL
    return [np.float64(0)] * count, rates


# ----------------------------------------------------------------------------------- random numbers


def random(kind: str, xp: Any, shape: Any, dtype: Any, place: Any) -> Array:
    """``kind`` "uniform" or "normal"; ``place`` in the random numbers: seed, rank, counter.

    Three numbers or, in a recorded step, where they will be.
    """
    y = xp.empty(shape, dtype)
    each = 8 if y.dtype.itemsize == 4 else 4  # numbers that a block of random bits gives
    given = isinstance(place, tuple)
    numbers = [*map(np.uint64, place), NULL] if given else [NULL, NULL, NULL, place]
    _each("random", kind, y, -(-y.size // each), y, *_longs(y.size), *numbers)
    return y
