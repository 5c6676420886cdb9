"""Convolution on the CPU: a few pictures at a time, and the transposed one by its phases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...array import Array, np
from ...ops import conv
from ...ops.conv import Pair, channels_last, columns, kernels_of, padded, rows, windows_of
from ...seam import twin

CACHE = 2_000_000  # bytes of unfolded windows at a time; much less keeps BLAS's threads waiting


def _blocks(windows: Array) -> Iterator[slice]:
    """A few pictures at a time.

    Their unfolded windows are then still in the CPU's cache when they are multiplied: a DCGAN's
    step takes 5 to 12% more time with all pictures unfolded first, and more memory.
    """
    n = len(windows)
    few = CACHE // max(windows.nbytes // max(n, 1), 1)
    for start in range(0, n, max(few, 1)):
        yield slice(start, start + max(few, 1))


def _correlate(windows: Array, matrix: Array, bias: Array | None, out: Array) -> None:
    """Fill ``out`` (N, oh, ow, O) with the products of windows and a kernel as a matrix."""
    for block in _blocks(windows):
        rows = columns(windows[block], len(matrix)) @ matrix
        if bias is not None:
            rows += bias.reshape(len(matrix), 1, -1)  # while the product is in the cache
        out[block] = rows.transpose(1, 0, 2).reshape(out[block].shape)


@twin(conv.conv2d, "cpu")
def conv2d_(
    x: Array, w: Array, b: Any = None, *, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """A few pictures at a time; the bias is added while the product is in the cache."""
    windows = windows_of(padded(x, padding, padding), w.shape[2:], stride, dilation)
    y = np.empty((*windows.shape[:3], len(w)), dtype=np.result_type(x, w))
    _correlate(windows, kernels_of(w, groups), b, y)
    return y.transpose(0, 3, 1, 2)


@twin(conv.conv2d_weight, "cpu")
def conv2d_weight_(
    x: Array, e: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """A few pictures at a time."""
    windows, e = windows_of(padded(x, padding, padding), kernel, stride, dilation), channels_last(e)
    c, o = x.shape[1] // groups, e.shape[3] // groups
    w = np.zeros((groups, o, kernel[0] * kernel[1] * c), dtype=np.result_type(x, e))
    for block in _blocks(windows):
        w += rows(e[block], groups).transpose(0, 2, 1) @ columns(windows[block], groups)
    return w.reshape(groups * o, *kernel, c).transpose(0, 3, 1, 2)


@twin(conv._conv_transpose2d, "cpu")
def conv_transpose2d_(
    x: Array,
    w: Array,
    b: Any = None,
    *,
    size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """Each position of y gathers, instead of each of x spreading.

    Seen from y, output position i gathers x[h]·w[u] wherever s·h + d·u = i + p. Positions that
    are s apart meet the same taps u, on neighbouring h: each of these s² phases of y is an ordinary
    correlation with a part of the kernel. No windows overlap that would have to be added up; by
    spreading, a DCGAN's step takes 25% longer.
    """
    o, c, kh, kw = w.shape
    if 8 * c * groups <= o:  # few outputs: unfolding x would move more than adding up overlaps
        return NotImplemented
    axes = (0, 1)
    phases = [_phases(size[i], w.shape[2 + i], stride[i], padding[i], dilation[i]) for i in axes]
    low = tuple(max([0, *(-p.first for p in phases[i])]) for i in axes)
    high = tuple(max([0, *(p.end - x.shape[2 + i] for p in phases[i])]) for i in axes)
    wide = padded(x, low, high)
    kernel = channels_last(w).reshape(groups, o // groups, kh, kw, c)
    y = np.empty((len(x), *size, groups * c), dtype=np.result_type(x, w))
    y[...] = 0 if b is None else b  # what no tap meets
    for v in phases[0]:
        for h in phases[1]:
            seen = wide[:, low[0] + v.first : low[0] + v.end, low[1] + h.first : low[1] + h.end]
            windows = windows_of(seen, (v.meeting, h.meeting), (1, 1), (v.step, h.step))
            part = kernel[:, :, v.taps, h.taps].transpose(0, 2, 3, 1, 4)
            matrix = part.reshape(groups, -1, c)
            _correlate(windows, matrix, b, y[:, v.outputs, h.outputs])
    return y.transpose(0, 3, 1, 2)


class _Phase(NamedTuple):
    """The positions along one axis of y that gather with the same taps of the kernel."""

    outputs: slice
    taps: slice  # in the order in which they meet x, so backwards
    meeting: int  # how many taps that are
    first: int  # the first of x that is met
    end: int  # one past the last
    step: int  # between the places in x that two neighbouring taps meet


def _phases(size: int, k: int, s: int, p: int, d: int) -> list[_Phase]:
    """The phases of ``size`` outputs that gather from anywhere."""
    found = []
    for i in range(min(s, size)):
        taps = [u for u in reversed(range(k)) if (i + p - d * u) % s == 0]
        met = [(i + p - d * u) // s for u in taps]
        if taps:
            end = met[-1] + len(range(i, size, s))
            step, between = (met[1] - met[0], taps[0] - taps[1]) if taps[1:] else (1, k)
            found.append(
                _Phase(
                    slice(i, None, s), slice(taps[0], None, -between), len(taps), met[0], end, step
                )
            )
    return found
