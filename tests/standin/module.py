"""The stand-in's modules ``cupy`` and ``cupyx``: the real one's names, and nothing else."""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np

from . import device_array
from .device_array import (
    NAMES,
    Misuse,
    _known,
    counts,
    explicit,
    hidden,
    launch,
    ndarray,
    poison,
    state,
    upload,
    view,
    write,
)

AT = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
VIEWS = (
    "broadcast_to", "expand_dims", "flip", "moveaxis", "ravel", "reshape", "rollaxis", "squeeze",
    "swapaxes", "transpose", "diagonal",
)  # fmt: skip
CREATED = ("arange", "eye", "full", "identity", "linspace", "ones", "tri", "zeros")
ON_HOST = ("can_cast", "finfo", "iinfo", "result_type", "promote_types", "broadcast_shapes")


def _library_file() -> str:
    """The nearest file outside of the stand-in, if it is minigan's."""
    frame = inspect.currentframe()
    while frame is not None and "standin" in frame.f_code.co_filename:
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else ""
    return name if name.startswith(device_array.LIBRARY) else ""


class Ufunc:
    """An element-wise function: no ``where=``, few methods, C-ordered results."""

    def __init__(self, name: str) -> None:
        self.name, self.f = name, getattr(np, name)

    def __call__(self, *operands, out=None, **settings):
        _known("(dtype=, casting=)", settings, self.name)
        if len(operands) > self.f.nin:
            *operands, out = operands
        kinds = {x.dtype for x in operands if isinstance(x, ndarray) and x.dtype.kind == "f"}
        if kinds and any(isinstance(x, np.floating) and x.dtype not in kinds for x in operands):
            raise Misuse(f"{self.name}: a NumPy scalar widens the array; use a Python number")
        if not any(isinstance(x, ndarray) for x in operands):
            device_array.raw(tuple(operands))
        if out is None:
            return launch(self.name, self.f, *operands, **settings)
        if not isinstance(out, ndarray):
            raise TypeError(f"{self.name}: out must be a cupy.ndarray, got {type(out)}")
        write(self.name, lambda *a: self.f(*a[:-1], out=a[-1], **settings), *operands, out)
        return out

    def at(self, a, indices, b=None) -> None:
        if self.name not in AT:
            raise AttributeError(f"ufunc.at is not there for {self.name}")
        a._index(indices)  # the checks
        where = device_array.raw(indices)
        write(f"{self.name}.at", lambda x, y: self.f.at(x, where, y), a, b)

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"reduce of {self.name}")
        return launch(self.name, lambda a: self.f.reduce(a, axis, dtype, None, keepdims), array)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"accumulate of {self.name}")
        return launch(self.name, lambda a: self.f.accumulate(a, axis, dtype), array)


class Module(ModuleType):
    """A module that has what the snapshot lists, made as it is asked for."""

    def __init__(self, name: str, listed, source, **given) -> None:
        super().__init__(name)
        self._listed, self._source = listed, source
        vars(self).update(given)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        if name not in self._listed:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        f = getattr(self._source, name, None)
        if f is None:
            raise NotImplementedError(f"{full} is not in the stand-in yet: add it")
        signature = self._listed[name] if isinstance(self._listed, dict) else None
        made = _function(name, full, f, signature)
        setattr(self, name, made)
        return made


def _function(name, full, f, signature):
    if isinstance(f, np.ufunc):
        return Ufunc(name)
    if isinstance(f, type) or not callable(f) or name in ON_HOST:  # dtypes, constants
        return f if name not in ON_HOST else lambda *a, **k: f(*map(_dtype, a), **k)

    def call(*args, **settings):
        _known(signature, settings, full)
        if name in VIEWS:
            return view(name, lambda a: f(a, *args[1:], **settings), args[0])
        if name not in CREATED and not _any_array(args) and not _any_array(settings.values()):
            raise TypeError(f"{full} of {[type(a).__name__ for a in args]}: no device array")
        out = settings.pop("out", None)
        if out is not None:
            write(name, lambda *a: np.copyto(a[-1], f(*a[:-1], **settings)), *args, out)
            return out
        return launch(name, lambda *a: np.asarray(f(*a, **settings)), *args)

    return call


def _dtype(x):
    return x.dtype if isinstance(x, ndarray) else x


def _any_array(values) -> bool:
    return any(
        _any_array(v) if isinstance(v, (tuple, list)) else isinstance(v, ndarray) for v in values
    )


# ------------------------------------------------------------------ functions that are not NumPy's


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        return a if dtype is None else a.astype(dtype, copy=False)
    file = _library_file()
    if file and not file.endswith("backend.py"):
        raise Misuse("a host array is uploaded outside of backend.asarray")
    return upload(np.asarray(a, dtype=dtype))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):
        return launch("copy", lambda a: np.array(a, dtype=dtype, ndmin=ndmin), obj)
    return asarray(obj, dtype)


def ascontiguousarray(a, dtype=None):
    return a if a.flags.c_contiguous and dtype in (None, a.dtype) else a.copy()


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get()


def empty(shape, dtype=float, order="C"):
    counts["allocations"] += 1
    made = np.empty(shape, dtype)
    made[...] = poison(made.dtype)
    return ndarray(made)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return empty(prototype.shape if shape is None else shape, dtype or prototype.dtype)


def copyto(dst, src, casting="same_kind", where=None):
    if where is not None:
        raise NotImplementedError("copyto with where=")
    dst[...] = src


def where(condition, x=None, y=None):
    if x is None:
        hidden("where() with one argument: its size is only known on the device")
        return tuple(ndarray(i) for i in np.nonzero(condition._a))
    return launch("where", np.where, condition, x, y)


def nonzero(a):
    return where(a)


def pad(array, pad_width, mode="constant", **kwargs):
    return launch("pad", lambda a: np.pad(a, pad_width, mode, **kwargs), array)


def fill_diagonal(a, val, wrap=False):
    write("fill_diagonal", lambda x: np.fill_diagonal(x, val, wrap), a)


def put_along_axis(arr, indices, values, axis):
    write("put_along_axis", lambda a, i, v: np.put_along_axis(a, i, v, axis), arr, indices, values)


def may_share_memory(a, b, max_work=None):
    return np.may_share_memory(a._a, b._a)


def as_strided(x, shape=None, strides=None):
    return ndarray(np.lib.stride_tricks.as_strided(x._a, shape, strides), x)


def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    made = np.lib.stride_tricks.sliding_window_view(x._a, window_shape, axis, writeable=writeable)
    return ndarray(made, x)


def matmul(a, b, out=None):
    if out is not None:
        raise NotImplementedError("matmul with out=: add it")
    return a @ b


dot = matmul


class RawModule:
    """CUDA C, compiled by g++ and run on the host, thread by thread."""

    def __init__(self, code=None, *, options=(), backend="nvrtc", **others) -> None:
        from . import hostcuda

        self._compiled = hostcuda.load(code, options)

    def get_function(self, name):
        f = self._compiled.get_function(name)

        def start(grid, block, args, *, shared_mem=0):
            for a in args:
                if not isinstance(a, (ndarray, np.generic)):
                    raise Misuse(f"{name}: an argument of type {type(a).__name__} has no C type")
            if math.prod(block) > 1024 or 0 in (*grid, *block):
                raise Misuse(f"{name}: cudaErrorInvalidConfiguration {grid} {block}")
            write(name, lambda *raws: f(grid, block, raws), *args)

        return start


# -------------------------------------------------------------------------- devices and streams


class Device:
    """The one device there is."""

    def __init__(self, device=None) -> None:
        self.id = device or 0

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        pass

    def synchronize(self) -> None:
        explicit("synchronisations")

    use = __enter__
    compute_capability = "90"
    mem_info = (1 << 33, 1 << 34)


class Graph:
    """What a stream was given while it was captured."""

    def __init__(self, tape) -> None:
        self._tape = tape

    def launch(self, stream=None) -> None:
        counts["graphs"] += 1
        for task, operands in self._tape:
            task(*operands)


class Stream:
    """A queue of work, done at once; while it is captured, kept for later."""

    current: list[Stream] = []

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None) -> None:
        self.ptr = id(self)

    def __enter__(self):
        Stream.current.append(self)
        return self

    def __exit__(self, *exception) -> None:
        Stream.current.pop()

    def record(self, event=None):
        return event or SimpleNamespace()

    def wait_event(self, event) -> None:
        pass

    def synchronize(self) -> None:
        explicit("synchronisations")

    def begin_capture(self, mode=None) -> None:
        if state.tape is not None:
            raise Misuse("a stream is being captured already")
        if self not in Stream.current:
            raise Misuse("the captured stream is not the current one: nothing would be recorded")
        state.tape = []

    def end_capture(self) -> Graph:
        tape, state.tape = state.tape, None
        return Graph(tape)

    def is_capturing(self) -> bool:
        return state.tape is not None


class MemoryPool:
    """Memory apart."""

    def __init__(self, allocator=None) -> None:
        pass

    def malloc(self, size):
        raise NotImplementedError

    def used_bytes(self) -> int:
        return 0


@contextlib.contextmanager
def using_allocator(allocator=None):
    yield


_null = Stream(null=True)

runtime = SimpleNamespace(
    getDeviceCount=lambda: 1,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    getDeviceProperties=lambda device: {"name": b"a stand-in", "totalGlobalMem": 1 << 34},
    memGetInfo=lambda: (1 << 33, 1 << 34),
)
cuda = Module(
    "cupy.cuda", NAMES["cuda"], None,
    Device=Device, Graph=Graph, MemoryPool=MemoryPool, Stream=Stream, runtime=runtime,
    get_current_stream=lambda device_id=-1: (Stream.current or [_null])[-1],
    is_available=lambda: True, using_allocator=using_allocator,
)  # fmt: skip
linalg = Module("cupy.linalg", NAMES["linalg"], np.linalg)
lib = SimpleNamespace(
    stride_tricks=SimpleNamespace(as_strided=as_strided, sliding_window_view=sliding_window_view)
)
_own = {
    f.__name__: f
    for f in (
        array, asarray, ascontiguousarray, asnumpy, copyto, empty, empty_like, fill_diagonal,
        matmul, may_share_memory, nonzero, pad, put_along_axis, where, RawModule,
    )
}  # fmt: skip
cupy = Module(
    "cupy", NAMES["cupy"], np,
    ndarray=ndarray, ufunc=Ufunc, dot=dot, cuda=cuda, linalg=linalg, lib=lib, newaxis=None,
    pi=math.pi, inf=math.inf, nan=math.nan, **_own, __version__=NAMES["version"],
)  # fmt: skip

_erf = np.vectorize(math.erf, otypes=["float64"])
special = Module("cupyx.scipy.special", NAMES["special"], None)
special.erf = lambda x: launch("erf", lambda a: _erf(a).astype(a.dtype), x)
cupyx = Module("cupyx", (), None, special=special, scipy=SimpleNamespace(special=special))
assert sys.modules.get("cupy") is not cupy
