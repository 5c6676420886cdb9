"""The library on the stand-in for CuPy."""

from contextlib import contextmanager

import standin

import minigan as mg
from minigan import backend, kernels


@contextmanager
def on_standin():
    """Inside, the stand-in is CuPy, its manners hold for the library, and it is the default."""
    kinds, sizes = dict(backend.array_types), (kernels.THREADS, kernels.TILE)
    kernels.THREADS = kernels.TILE = 8  # fibres take turns: few of them are quicker
    try:
        with standin.installed(), standin.held_to_them("minigan", uploader="minigan.backend"):
            mg.set_default_device("cuda")
            mg.manual_seed(0)
            yield
    finally:
        mg.set_default_device("cpu")
        backend.array_types.clear()
        backend.array_types.update(kinds)
        kernels.THREADS, kernels.TILE = sizes
