"""The library on a device: on a GPU, or on the stand-in for CuPy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import standin

import minigan as mg
from minigan import array as backend
from minigan import nn
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


class Uploading(type):
    """A class of tensors as a test sees it on a device: what it makes of NumPy's is uploaded.

    The library has imported the class itself, so that it still has to upload by name.
    """

    def __call__(cls, data, *args, **keywords):
        if isinstance(data, (np.ndarray, np.generic)):
            data = backend.asarray(data, device="cuda")
        return cls.__base__(data, *args, **keywords)

    def __instancecheck__(cls, x):
        return isinstance(x, cls.__base__)


HERE = str(Path(__file__).parent)
UPLOADING = {kind: Uploading(kind.__name__, (kind,), {}) for kind in (mg.Tensor, mg.Parameter)}


def tensor_classes_in_tests() -> Iterator[tuple[ModuleType, str, Uploading]]:
    """Where tests look up the classes of tensors, and what they find there on a device."""
    for module in list(sys.modules.values()):
        if module in (mg, nn) or (getattr(module, "__file__", None) or "").startswith(HERE):
            for name, value in list(vars(module).items()):
                if isinstance(value, type) and value in UPLOADING:
                    yield module, name, UPLOADING[value]
