"""A stand-in for CuPy on machines without a GPU: host memory with a device's manners.

It computes with NumPy, but only what the real package has (``cupy_names.json``), and it refuses
what a GPU punishes: arrays that come to the host unasked, host arrays among device arrays, reading
what was never written. Launches and transfers are counted; a stream can be captured and replayed.
A green run checks names, placement, synchronisation and, where g++ is there, the kernels'
arithmetic; not a GPU's numerics, nor its speed.
"""

from .device_array import Misuse, counts, ndarray, no_sync
from .module import cupy, cupyx

__all__ = ["Misuse", "counts", "cupy", "cupyx", "install", "ndarray", "no_sync"]


def install(monkeypatch):
    """Make this module the one that ``import cupy`` finds, until the test ends."""
    import sys

    from minigan import backend

    for name, module in (("cupy", cupy), ("cupyx", cupyx), ("cupyx.scipy.special", cupyx.special)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(backend.array_types, ndarray, cupy)
    counts.clear()
