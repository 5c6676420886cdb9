"""NVIDIA GPUs: what is there, and whole steps started with a single call.

::

    mg.set_default_device("cuda")
    step = mg.cuda.graph(step)          # recorded at the third call, replayed from then on
"""

from __future__ import annotations

import os
import sys

from .capture import CaptureError, graph
from .device import cuda_is_available as is_available
from .device import load_cupy

__all__ = ["CaptureError", "allow_tf32", "graph", "is_available", "synchronize"]


def synchronize() -> None:
    """Wait until the GPU has done all that it was given; needed before reading a clock."""
    load_cupy().cuda.Device().synchronize()


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
