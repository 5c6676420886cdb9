"""The library on a device: on a GPU, or on the stand-in for CuPy."""

from contextlib import contextmanager

import standin

import minigan as mg
from minigan import array as backend
from minigan.fast.cuda import kernels


@contextmanager
def on_device(library="standin"):
    """Inside, CuPy or its stand-in computes, and the library is held to a device's manners."""
    kinds, sizes = dict(backend.array_types), (kernels.THREADS, kernels.TILE)
    try:
        with standin.held_to_them("minigan", uploader="minigan.array"):
            if library == "cupy":
                mg.set_default_device("cuda")
                yield
                return
            kernels.THREADS = kernels.TILE = 8  # fibres take turns: few of them are quicker
            with standin.installed():
                mg.set_default_device("cuda")
                yield
    finally:
        mg.set_default_device("cpu")
        backend.array_types.clear()
        backend.array_types.update(kinds)
        kernels.THREADS, kernels.TILE = sizes
