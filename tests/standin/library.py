"""The module that takes CuPy's place: the names of the snapshot, on host memory."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from .manners import (
    NAMES,
    Misuse,
    check_call,
    counts,
    explicit,
    garbage,
    launch,
    rules,
)
from .ndarray import DEVICE, call, elementwise, ndarray, raw, wrap

_AT = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
_FOLD = ("add", "multiply")
_HOST = {  # about types and shapes: no work for the device
    "result_type", "can_cast", "may_share_memory", "shares_memory", "ndim", "shape", "size",
    "isscalar", "iscomplexobj", "isrealobj", "broadcast_shapes", "promote_types", "common_type",
    "issubdtype", "min_scalar_type", "get_array_module",
}  # fmt: skip


class ufunc:
    """One of CuPy's element-wise functions: no ``where=``, few ``.at``, fewer ``.reduce``."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.name = name
        self._f = getattr(np, name)
        self.nin, self.nout, self.nargs = self._f.nin, self._f.nout, self._f.nargs

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, **keywords: Any) -> Any:
        if unknown := keywords.keys() - {"casting"}:
            raise TypeError(f"cupy.{self.name} takes no {', '.join(sorted(unknown))}=")
        if self.nout > 1:
            raise NotImplementedError(f"the stand-in has no {self.name} yet")
        if len(args) > self.nin:
            args, (out,) = args[: self.nin], args[self.nin :]
        if dtype is not None:
            keywords["dtype"] = dtype
        out = out[0] if isinstance(out, tuple) else out
        return elementwise(self._f, args, out, **keywords)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if self.name not in _AT:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        index, _ = a._index(indices)

        def add(x: np.ndarray, y: Any) -> None:
            self._f.at(x, index, y)

        launch(f"{self.name}.at", add, [a._a, raw(b)], changes=True)

    def reduce(self, array: ndarray, *args: Any, **keywords: Any) -> ndarray:
        return self._fold("reduce", array, args, keywords)

    def accumulate(self, array: ndarray, *args: Any, **keywords: Any) -> ndarray:
        return self._fold("accumulate", array, args, keywords)

    def _fold(self, method: str, array: ndarray, args: Any, keywords: dict[str, Any]) -> ndarray:
        if self.name not in _FOLD:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")
        check_call("cupy.ufunc", method, 2 + len(args), keywords)
        f = getattr(self._f, method)
        return call("cupy.ufunc", f"{self.name}.{method}", f, (array, *args), keywords)


def _function(place: str, name: str) -> Callable[..., Any]:
    """NumPy's function of that name, with CuPy's arguments only."""
    f: Any = np
    for part in [*place.split(".")[1:], name]:
        f = getattr(f, part, None)
    if f is None:
        raise NotImplementedError(f"{place}.{name} exists, but the stand-in does not have it yet")

    @functools.wraps(f)
    def function(*args: Any, **keywords: Any) -> Any:
        check_call(place, name, len(args), keywords)
        if name in _HOST:
            return f(*map(raw, args), **keywords)
        return call(place, name, f, args, keywords)

    return function


def _lookup(place: str, name: str) -> Any:
    kind = NAMES[place].get(name)
    if kind is None:
        raise AttributeError(f"module {place!r} has no attribute {name!r}: CuPy lacks it")
    if kind == "ufunc" and isinstance(getattr(np, name, None), np.ufunc):
        return ufunc(name)
    if kind in ("type", "value") and hasattr(np, name):
        return getattr(np, name)
    return _function(place, name)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    found = globals()[name] = _lookup("cupy", name)
    return found


def _place(place: str) -> ModuleType:
    module = ModuleType(place)
    module.__getattr__ = functools.partial(_lookup, place)  # type: ignore[method-assign]
    return module


linalg = _place("cupy.linalg")
lib = SimpleNamespace(stride_tricks=_place("cupy.lib.stride_tricks"))


# ------------------------------------------------------------------------------- what differs more


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return wrap(garbage(np.empty(shape, dtype, order)))


def empty_like(prototype: ndarray, dtype=None, order="K", subok=None, shape=None) -> ndarray:
    return wrap(garbage(np.empty_like(raw(prototype), dtype, order, shape=shape)))


def asnumpy(a: Any, stream=None, order="C", out=None, *, blocking=True) -> np.ndarray:
    return a.get(stream, order, out) if type(a) is ndarray else np.asarray(a, order=order)


def _taken(name: str, a: Any, args: Any, keywords: dict[str, Any]) -> ndarray:
    """``asarray`` and its like: of an array on the device, or an upload of what is not."""
    check_call("cupy", name, 1 + len(args), keywords)
    if type(a) is ndarray:
        return call("cupy", name, getattr(np, name), (a, *args), keywords)
    explicit("upload")
    host = np.array(getattr(np, name)(a, *args, **keywords))
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    return wrap(host)


def asarray(a: Any, *args: Any, **keywords: Any) -> ndarray:
    return _taken("asarray", a, args, keywords)


def array(a: Any, *args: Any, **keywords: Any) -> ndarray:
    return _taken("array", a, args, keywords)


def ascontiguousarray(a: Any, *args: Any, **keywords: Any) -> ndarray:
    return _taken("ascontiguousarray", a, args, keywords)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None:
        return _lookup("cupy", "nonzero")(condition)
    return call("cupy", "where", np.where, (condition, x, y), {})


def get_array_module(*args: Any) -> Any:
    return sys.modules[__name__] if any(type(a) is ndarray for a in args) else np


# -------------------------------------------------------------------------------------------- CUDA


class _Kernel:
    """A function of a RawModule, run by the host."""

    def __init__(self, name: str, run: Callable[..., None]) -> None:
        self.name, self._run = name, run

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        for x in args:
            if isinstance(x, np.ndarray):
                raise TypeError(f"Unsupported type {np.ndarray}: {self.name} takes device arrays")
            if isinstance(x, (list, tuple, str)):
                raise TypeError(f"Unsupported type {type(x)} given to the kernel {self.name}")
            if type(x) in (bool, int, float):  # CuPy passes 8 bytes, whatever the kernel declares
                raise Misuse(f"{self.name} got a Python {type(x).__name__}: say np.float32(…)")
        operands = [raw(x) for x in args]
        launch(self.name, lambda *m: self._run(grid, block, m), operands, changes=True)


class RawModule:
    """CUDA C, compiled for the host where ``hostcuda.py`` and a compiler are there.

    ``hostcuda.load(source, options).get_function(name)`` gives ``f(grid, block, args)``, to which
    arrays come as NumPy arrays (the device's memory, to be written to) and NumPy scalars.
    """

    def __init__(self, *, code: str, options: tuple[str, ...] = (), **other: Any) -> None:
        if unknown := other.keys() - {"backend", "translate_cucache", "name_expressions", "jitify"}:
            raise TypeError(f"RawModule takes no {', '.join(sorted(unknown))}=")
        try:
            hostcuda = importlib.import_module(f"{__package__}.hostcuda")
            self._module = hostcuda.load(code, options)
        except (ImportError, FileNotFoundError) as error:
            pytest.skip(f"CUDA C runs on the host through hostcuda.py and g++: {error}")

    def get_function(self, name: str) -> _Kernel:
        return _Kernel(name, self._module.get_function(name))


class _Stream:
    """A queue of work; here it is done as soon as it is given."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None) -> None:
        self.ptr, self.null, self.non_blocking = 0, null, non_blocking

    def __enter__(self) -> _Stream:
        self._before = cuda.current
        return self.use()

    def __exit__(self, *exception: Any) -> None:
        cuda.current = self._before

    def use(self) -> _Stream:
        cuda.current = self
        return self

    def synchronize(self) -> None:
        explicit("download")

    def record(self, event=None) -> Any:
        return event or SimpleNamespace(stream=self)

    def wait_event(self, event: Any) -> None:
        assert event.stream is not None

    def begin_capture(self, mode=None) -> None:
        if cuda.current is not self or self.null:
            raise Misuse("only the current stream, and not the default one, can be captured")
        rules.tape = []

    def end_capture(self) -> _Graph:
        tape, rules.tape = rules.tape, None
        return _Graph(tape)

    def is_capturing(self) -> bool:
        return rules.tape is not None


class _Graph:
    """What a stream was given while it was captured."""

    def __init__(self, tape: Any) -> None:
        self._tape = tape

    def launch(self, stream: Any = None) -> None:
        counts.graphs += 1
        for task in self._tape:
            task()


class _Pool:
    """Memory of a graph's own; here any will do."""

    def malloc(self, size: int) -> None:
        raise NotImplementedError("the stand-in's memory is NumPy's")


class _Device:
    def __init__(self, device: int | None = None) -> None:
        self.id = device or 0
        if self.id != DEVICE.id:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    use = __enter__

    def synchronize(self) -> None:
        explicit("download")


_Stream.null = _Stream(null=True)  # type: ignore[attr-defined]
cuda = SimpleNamespace(
    current=_Stream.null,  # type: ignore[attr-defined]
    is_available=lambda: True,
    get_current_stream=lambda device_id=-1: cuda.current,
    get_device_id=lambda: DEVICE.id,
    Device=_Device,
    Stream=_Stream,
    MemoryPool=_Pool,
    using_allocator=lambda allocator=None: nullcontext(),
    runtime=SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDevice=lambda: DEVICE.id,
        deviceSynchronize=lambda: explicit("download"),
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13000,
        getDeviceProperties=lambda device: {"name": b"stand-in", "major": 0, "minor": 0},
    ),
)


# ----------------------------------------------------------------------------- in the place of CuPy


def _erf(x: ndarray) -> ndarray:
    from math import erf

    f = np.vectorize(erf, otypes=[x.dtype])
    return wrap(launch("erf", lambda a: np.asarray(f(a) if a.size else a.copy()), [raw(x)]))


special = ModuleType("cupyx.scipy.special")
special.erf = _erf  # type: ignore[attr-defined]


@contextmanager
def installed() -> Iterator[Any]:
    """``import cupy`` gives the stand-in, and so do the modules of ``cupyx`` that it has."""
    places = {"cupy": sys.modules[__name__], "cupyx.scipy.special": special}
    places |= {"cupyx": ModuleType("cupyx"), "cupyx.scipy": ModuleType("cupyx.scipy")}
    before = {name: sys.modules.get(name) for name in places}
    sys.modules.update(places)
    try:
        yield places["cupy"]
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
