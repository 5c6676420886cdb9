"""What each idea in ``docs/why-it-is-fast.md`` buys: a step with the plain version in its place.

::

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/ideas.py

One process alternates between the library as it is and the library with *one* idea taken back, a
fraction of a second each, and reports the median of the ratios of neighbours. All of them together
are not the product: one idea may matter more without another.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from workloads import minigan_
from workloads.common import WORKLOADS, write_inputs

from minigan import ops
from minigan.gan import steps
from minigan.ops import conv, elementwise, reduce
from minigan.optim import optimizer

# ------------------------------------------------------------------------------- the plain versions


def spread(x, w, b=None, *, size, stride, padding, dilation, groups):
    return conv._spread(x, w, b, size, stride, padding, dilation, groups)


def summed(x, *, dim, keepdim):
    return x.sum(axis=reduce._axes(dim, x.ndim), keepdims=keepdim)


def chosen_slope(x, *, negative_slope):
    return np.where(x > 0, x.dtype.type(1), x.dtype.type(negative_slope))


def composed_batch_norm(x, weight, bias, eps, stats):
    shape = (-1, *[1] * (x.ndim - 2))
    y = ops.standardize(x, (0, *range(2, x.ndim)), eps, stats)
    return y * weight.reshape(*shape) + bias.reshape(*shape)


def composed_lstm(x, weight, h, c):
    hs, cs = [], []
    for row in ops.unbind(x):
        write, keep, new, show = ops.chunk(row + ops.linear(h, weight), 4, 1)
        c = ops.sigmoid(keep) * c + ops.sigmoid(write) * ops.tanh(new)
        h = ops.sigmoid(show) * ops.tanh(c)
        hs.append(h)
        cs.append(c)
    return ops.stack(hs), ops.stack(cs)


def unused_gradients() -> Any:
    """D's gradients in G's step, too."""
    return mock.patch.object(steps, "frozen", lambda *networks: nullcontext())


def forward(function: Any, plain: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: mock.patch.object(function.op, "forward", plain)


def value(owner: Any, name: str, plain: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(owner, name, plain)


IDEAS: dict[
    str, tuple[str, Callable[[], Any]]
] = {  # title: (workloads, context with the plain one)
    "transposed convolution gathers, phase by phase": (
        "ce",
        forward(conv._conv_transpose2d, spread),
    ),
    "windows are unfolded a few pictures at a time": ("ce", value(conv, "CACHE", 1 << 60)),
    "sums over all but the channels are products with ones": (
        "bce",
        forward(reduce.sum_, summed),
    ),
    "leaky ReLU's slope without a branch": ("bce", forward(elementwise._slope, chosen_slope)),
    "batch norm as one function": ("bce", value(ops, "batch_norm", composed_batch_norm)),
    "the LSTM as one function": ("f", value(ops, "lstm", composed_lstm)),
    "no gradients for D's weights in G's step": ("abce", unused_gradients),
    "Adam in blocks that fit the cache": ("bce", value(optimizer, "BLOCK", 1 << 60)),
}


# ------------------------------------------------------------------------------------ measuring


def bought(step: Callable[[int], Any], plain: Callable[[], Any], seconds: float) -> float:
    """Time with the plain version over time without, the median over neighbouring stretches."""

    def stretch(steps: int) -> float:
        start = time.perf_counter()
        for t in range(steps):
            step(t)
        return time.perf_counter() - start

    stretch(2)
    steps = max(1, int(0.25 / (stretch(2) / 2)))
    ratios, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 5:
        fast = stretch(steps)
        with plain():
            stretch(1)
            slow = stretch(steps)
        stretch(1)
        ratios.append(slow / fast)
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="per idea and workload")
    options = parser.parse_args()
    letters = sorted({letter for used, _ in IDEAS.values() for letter in used})
    print(
        "| step time without the idea | " + " | ".join(WORKLOADS[k].title for k in letters) + " |"
    )
    print("|---" * (len(letters) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        steps = {}
        for letter in letters:
            write_inputs(WORKLOADS[letter], Path(folder) / letter)
            steps[letter] = minigan_.start(WORKLOADS[letter], Path(folder) / letter, "cpu").step
        for title, (used, plain) in IDEAS.items():
            cells = []
            for letter in letters:
                ratio = bought(steps[letter], plain, options.seconds) if letter in used else None
                cells.append(f"{100 * (ratio - 1):+.0f}%" if ratio else "")
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
