"""NVIDIA GPUs: what is there, and whole steps started with a single call.

::

    mg.set_default_device("cuda")
    step = mg.cuda.graph(step)          # recorded at the third call, replayed from then on
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from ... import hooks as replay
from ...array import _load_cupy, module_of
from ...array import cuda_is_available as is_available
from ...hooks import CaptureError
from ...tensor import Tensor
from . import kernels

__all__ = ["CaptureError", "allow_tf32", "graph", "is_available", "synchronize"]

WARM_UP = 2  # calls before recording: they compile kernels and make the arrays that last


def synchronize() -> None:
    """Wait until the GPU has done all that it was given; needed before reading a clock."""
    _load_cupy().cuda.Device().synchronize()


def allow_tf32() -> None:
    """Let products of float32 matrices use TensorFloat-32 (Ampere and newer): faster, 10-bit.

    Inputs are rounded to 10 bits of fraction, about three decimal digits, and sums are kept in
    float32. Recorded steps multiply in float32 all the same. CuPy reads this choice once, so it
    comes before the first use of a GPU.

    Raises
    ------
    RuntimeError
        If CuPy is in use already.
    """
    if "cupy" in sys.modules:
        raise RuntimeError(
            "CuPy has read its settings already: call allow_tf32() first, or set CUPY_TF32=1"
        )
    os.environ["CUPY_TF32"] = "1"


def graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` recorded as a CUDA graph at its third call, and replayed from then on.

    A small network's step is a few hundred kernels, each of which takes the GPU less time than
    Python needs to start it. A graph starts them all at once.

    Parameters
    ----------
    function : callable
        Takes tensors on the GPU, and whatever else stays the same, and returns tensors; it may
        change weights, draw noise and take an optimiser's step (Adam and AdamW). It must neither
        look at values (``.item()``, ``if loss > …``) nor do anything on the host besides.

    Returns
    -------
    callable
        The same as ``function``. What it returns is overwritten by its next call. Inputs of
        other shapes, and inputs on the CPU, run ``function`` itself. If it can not be recorded,
        a warning says why and it goes on as it was.
    """
    recorded: _Graph | None = None
    calls, refused = 0, False

    @functools.wraps(function)
    def step(*inputs: Any) -> Any:
        nonlocal recorded, calls, refused
        if replay.recording():  # it is part of a larger step
            return function(*inputs)
        calls += 1
        devices = {x.device for x in inputs if isinstance(x, Tensor)}
        if refused or calls <= WARM_UP or len(devices) != 1 or "cpu" in devices:
            return function(*inputs)
        if recorded is None:
            try:
                recorded = _Graph(function, inputs)
            except Exception as error:
                refused = True
                warnings.warn(f"this step is not recorded: {error}", stacklevel=2)
                return function(*inputs)
        if not recorded.fits(inputs):
            return function(*inputs)
        return recorded(*inputs)

    return step


class _Graph:
    """One recorded step: its own memory, its inputs' places, and the host's part."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        like = next(x.array for x in inputs if isinstance(x, Tensor))
        self.xp = xp = module_of(like)
        self.inputs = [
            Tensor(xp.empty_like(x.array)) if isinstance(x, Tensor) else x for x in inputs
        ]
        self.recording = replay.Recording(like)
        self.stream = xp.cuda.Stream(non_blocking=True)
        self.pool = xp.cuda.MemoryPool()  # what a replay computes must not be given to others
        kernels.load_product(xp)
        self.stream.wait_event(xp.cuda.get_current_stream().record())
        replay.set_recording(self.recording)
        try:
            with self.stream, xp.cuda.using_allocator(self.pool.malloc):
                self.stream.begin_capture()
                try:
                    self.output = function(*self.inputs)
                finally:
                    self.graph = self.stream.end_capture()
        finally:
            replay.set_recording(None)

    def fits(self, inputs: tuple[Any, ...]) -> bool:
        """Whether these inputs are like the recorded ones."""
        return [_kind(x) for x in inputs] == [_kind(x) for x in self.inputs]

    def __call__(self, *inputs: Any) -> Any:
        for place, x in zip(self.inputs, inputs, strict=True):
            if isinstance(x, Tensor):
                place.array[...] = x.array
        self.recording.renew()
        current = self.xp.cuda.get_current_stream()
        self.stream.wait_event(current.record())
        self.graph.launch(self.stream)
        current.wait_event(self.stream.record())
        output = self.output
        return output.value() if isinstance(output, replay.Later) else output


def _kind(x: Any) -> Any:
    return (x.shape, x.dtype, x.device) if isinstance(x, Tensor) else x


replay.capture = graph
