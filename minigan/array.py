"""Where arrays live: NumPy on the host, CuPy on a GPU. The only file that imports either.

The array's own type says where it is, so no global switch can disagree with the data::

    xp = module_of(array)        # numpy or cupy
    xp.exp(array)
"""

from __future__ import annotations

import ctypes
import importlib
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = [
    "DeviceError",
    "asarray",
    "bool_",
    "cuda_is_available",
    "default_device",
    "device_of",
    "erf",
    "float32",
    "float64",
    "int64",
    "module_of",
    "np",
    "quiet",
    "scalars",
    "set_default_device",
    "to_host",
]

float32, float64 = np.dtype("float32"), np.dtype("float64")
int64, bool_ = np.dtype("int64"), np.dtype("bool")

Array = Any  # numpy.ndarray or cupy.ndarray


class DeviceError(RuntimeError):
    """A device that is not there, or arrays on two devices in one operation."""


# ---------------------------------------------------------------------------------- array library

array_types: dict[type, Any] = {np.ndarray: np}  # array type -> the library that computes with it


def module_of(array: Array, *others: Array) -> Any:
    """The library (``numpy`` or ``cupy``) that computes with ``array``.

    Where it may be a number, the next of ``others`` that is an array decides; NumPy if none is.
    """
    for other in others:
        if type(array) in array_types:
            break
        array = other
    return array_types.get(type(array), np)


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of a known library."""
    return type(value) in array_types


def quiet() -> Any:
    """A context in which infinities and NaNs arise without NumPy's warnings (CuPy has none)."""
    return np.errstate(all="ignore")


def erf(x: Array) -> Array:
    """The error function, element by element: neither NumPy nor CuPy's main module has it."""
    if module_of(x) is np:
        return _host_erf(x).astype(x.dtype, copy=False)
    return importlib.import_module("cupyx.scipy.special").erf(x)


_host_erf = np.vectorize(math.erf, otypes=["float64"])


def keep_freed_memory() -> None:
    """Let the C library keep up to 1 GiB of freed memory for the arrays to come.

    glibc returns large blocks to the system as soon as they are freed, and each of their pages is
    cleared and mapped anew at the next use: 22% of an MLP's training step, 9% of a DCGAN's.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # their numbers in malloc.h
        libc.mallopt(trim_threshold, 1 << 30)
        if not libc.mallopt(mmap_threshold, 1 << 30):
            libc.mallopt(mmap_threshold, 32 << 20)  # the most that an older glibc takes


keep_freed_memory()


# ---------------------------------------------------------------------------------------- devices


def _load_cupy() -> Any:
    """CuPy, once it has proved that it can compute; else a ``DeviceError`` that says what to do."""
    try:
        cupy = importlib.import_module("cupy")
        if cupy.ndarray in array_types:
            return cupy
    except ImportError:
        raise DeviceError(
            "device 'cuda' needs CuPy, which is not installed: pip install 'minigan[cuda12]' "
            "(or 'minigan[cuda13]'), whichever matches your driver"
        ) from None
    if not cupy.cuda.is_available():
        raise DeviceError(
            "device 'cuda' needs an NVIDIA GPU and its driver, and CuPy sees none here "
            f"(driver: {_driver(cupy)}): use device 'cpu', or install the driver and try "
            "`nvidia-smi`"
        )
    try:  # missing CUDA libraries show only at first use
        probe = cupy.ones((2, 2), dtype="float32")
        cupy.exp(probe @ probe)
    except Exception as error:
        raise DeviceError(
            f"CuPy found a GPU but not all of CUDA's libraries ({error}): "
            "pip install 'cupy-cuda12x[ctk]' (or 'cupy-cuda13x[ctk]')"
        ) from None
    array_types[cupy.ndarray] = cupy
    return cupy


def _driver(cupy: Any) -> str:
    """The newest CUDA that the installed driver knows, as text."""
    try:
        version = cupy.cuda.runtime.driverGetVersion()
    except Exception:  # whatever CuPy raises without one
        version = 0
    return f"CUDA {version // 1000}.{version % 1000 // 10}" if version else "none"


def describe_cuda() -> list[str]:
    """CuPy, the driver and the GPUs, a line each; or what is missing, and what to do."""
    try:
        cupy = _load_cupy()
    except DeviceError as error:
        return [str(error)]
    version = vars(cupy)["__version__"]
    lines = [f"CuPy {version}, driver {_driver(cupy)}"]
    for i in range(cupy.cuda.runtime.getDeviceCount()):
        about = cupy.cuda.runtime.getDeviceProperties(i)
        lines.append(f"cuda:{i} {about['name'].decode()}, {about['totalGlobalMem'] >> 20} MiB")
    return lines


def cuda_is_available() -> bool:
    """Whether arrays can be put on a GPU: CuPy is installed, sees one, and computes on it."""
    try:
        _load_cupy()
    except DeviceError:
        return False
    return True


def check_device(device: str) -> str:
    """``device`` itself if it is ``"cpu"``, ``"cuda"`` or ``"cuda:N"`` and usable."""
    kind, _, index = str(device).partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise DeviceError(f"unknown device {device!r}: use 'cpu', 'cuda' or 'cuda:N'")
    if kind == "cuda":
        count = _load_cupy().cuda.runtime.getDeviceCount()
        if index and int(index) >= count:
            raise DeviceError(f"there is no device {device!r}: this machine has {count} GPU(s)")
    return str(device)


_default_device: str | None = None


def default_device() -> str:
    """The device of new tensors: set by the user, else ``MINIGAN_DEVICE``, else ``"cpu"``."""
    if _default_device is None:
        set_default_device(os.environ.get("MINIGAN_DEVICE") or "cpu")
    assert _default_device is not None
    return _default_device


def set_default_device(device: str) -> None:
    """Create tensors on ``device`` (``"cpu"``, ``"cuda"``, ``"cuda:N"``) from now on.

    Raises
    ------
    DeviceError
        If the device is unknown, or CuPy, a GPU or CUDA's libraries are missing.
    """
    global _default_device
    _default_device = check_device(device)
    kind, _, index = device.partition(":")
    if kind == "cuda":  # what is launched goes to the current GPU
        _load_cupy().cuda.Device(int(index or 0)).use()


def device_of(array: Array) -> str:
    """``"cpu"`` or ``"cuda:N"``: where ``array`` lives."""
    return "cpu" if module_of(array) is np else f"cuda:{array.device.id}"


def asarray(data: Any, dtype: Any = None, device: str | None = None) -> Array:
    """``data`` as an array on ``device`` (default: where it is, or the default device).

    The one function that uploads. Python floats become float32, ints int64; arrays keep theirs.
    """
    if isinstance(data, np.generic):
        data = np.asarray(data)  # a NumPy scalar is an array without axes
    if is_array(data):
        array = data if dtype is None else data.astype(dtype, copy=False)
        if device is None:
            return array
    else:
        array = np.asarray(data)
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        elif array.dtype == float64:
            array = array.astype(float32)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"expected numbers to make a tensor of, got {_describe(data)}")
        device = device or default_device()
    with on(device) as xp:
        return to_host(array) if xp is np else xp.asarray(array)


@contextmanager
def on(device: str | None) -> Iterator[Any]:
    """The library that makes arrays on ``device`` (default: the default one), set to that GPU."""
    kind, _, index = check_device(device or default_device()).partition(":")
    if kind == "cpu":
        yield np
    else:
        cupy = _load_cupy()
        with cupy.cuda.Device(int(index or 0)):
            yield cupy


def to_host(array: Array) -> np.ndarray:
    """``array`` as a NumPy array: itself, or a copy brought back from the GPU."""
    return array if module_of(array) is np else array.get()


def nccl(size: int, rank: int) -> Any:
    """What lets the GPUs of ``size`` processes talk to each other, for process ``rank``.

    Raises
    ------
    DeviceError
        If NCCL is missing.
    """
    try:
        cupyx = importlib.import_module("cupyx.distributed")
        return cupyx.init_process_group(size, rank, use_mpi=True)
    except RuntimeError as error:
        raise DeviceError(
            f"GPUs of several processes talk through NCCL, which failed: {error}. If it is "
            "missing: pip install nvidia-nccl-cu12 (or nvidia-nccl-cu13)"
        ) from None


def send(array: np.ndarray, place: Array) -> None:
    """Copy a host array into one on the device, of the same shape and dtype."""
    place.set(array)


def scalars(*arrays: Array) -> list[Any]:
    """Arrays of one element each, of one kind, as Python numbers: one transfer for all."""
    xp = module_of(*arrays)
    if xp is np:
        return [a.item() for a in arrays]
    return xp.stack([a.reshape(()) for a in arrays]).tolist()


def _describe(data: object) -> str:
    text = repr(data)
    return text if len(text) < 60 else f"{text[:57]}... ({type(data).__name__})"
