"""Where arrays live: NumPy on the host, CuPy on a GPU.

The array's own type says where it is, so no global switch can disagree with the data::

    xp = module_of(array)        # numpy or cupy
    xp.exp(array)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

float32, float64 = np.dtype("float32"), np.dtype("float64")
int64, bool_ = np.dtype("int64"), np.dtype("bool")

Array = Any  # numpy.ndarray or cupy.ndarray


class DeviceError(RuntimeError):
    """A device that is not there, or arrays on two devices in one operation."""


# ---------------------------------------------------------------------------------- array library

array_types: dict[type, Any] = {np.ndarray: np}  # array type -> the library that computes with it
libraries: dict[str, Callable[[], Any]] = {}  # "cuda" -> what loads its library, or raises


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


# ---------------------------------------------------------------------------------------- devices


def check_device(device: str) -> str:
    """``device`` itself if it is ``"cpu"``, ``"cuda"`` or ``"cuda:N"`` and usable."""
    kind, _, index = str(device).partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise DeviceError(f"unknown device {device!r}: use 'cpu', 'cuda' or 'cuda:N'")
    if kind == "cuda":
        count = libraries[kind]().cuda.runtime.getDeviceCount()
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
    kind, _, index = _default_device.partition(":")
    if kind == "cuda":  # what is launched goes to the current GPU
        libraries[kind]().cuda.Device(int(index or 0)).use()


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
        library = libraries[kind]()
        with library.cuda.Device(int(index or 0)):
            yield library


def to_host(array: Array) -> np.ndarray:
    """``array`` as a NumPy array: itself, or a copy brought back from the GPU."""
    return array if module_of(array) is np else array.get()


def send(array: np.ndarray, place: Array) -> None:
    """Copy a host array into one on the device, of the same shape and dtype."""
    place.set(array)


def _describe(data: object) -> str:
    text = repr(data)
    return text if len(text) < 60 else f"{text[:57]}... ({type(data).__name__})"
