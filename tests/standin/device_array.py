"""The stand-in's array, and the one function through which everything is computed."""

from __future__ import annotations

import contextlib
import functools
import json
import operator
import re
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text())

counts: Counter[str] = Counter()  # launches, uploads, downloads, and by name
state = SimpleNamespace(forbid_sync=False, tape=None)

LIBRARY = str(Path(__file__).parents[2] / "minigan")


class Misuse(AssertionError):
    """What the real package refuses, or does in silence to the program's harm."""


def hidden(what: str, wanted: bool = False) -> None:
    """A transfer that nobody asked for: a mistake of the library, a convenience of a test.

    ``wanted``: the user's data ask for it, where time does not count.
    """
    counts["hidden"] += 1
    if state.forbid_sync or (not wanted and asked_by_library()):
        raise Misuse(f"hidden synchronisation: {what}")
    if state.tape is not None:
        raise Misuse(f"cudaErrorStreamCaptureUnsupported: {what} while a stream is captured")


def explicit(kind: str) -> None:
    """A transfer that the program asks for."""
    counts[kind] += 1
    if state.tape is not None:
        raise Misuse(f"cudaErrorStreamCaptureUnsupported: {kind} while a stream is captured")
    if state.forbid_sync == "all":
        raise Misuse(f"{kind} in a place that allows none")


@contextlib.contextmanager
def no_sync(strict: bool = False):
    """Inside, hidden synchronisations raise; ``strict``: explicit transfers, too."""
    before, state.forbid_sync = state.forbid_sync, "all" if strict else True
    try:
        yield
    finally:
        state.forbid_sync = before


def asked_by_library() -> bool:
    """Whether the nearest Python frame outside of here and of NumPy is minigan's."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(LIBRARY):
            return True
        if "standin" not in file and "numpy" not in file and "contextlib" not in file:
            return False
        frame = frame.f_back
    return False


def raw(x):
    """The host memory behind an operand; an error for what a GPU could not take."""
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, np.ndarray) and asked_by_library():
        raise TypeError(f"Unsupported type {type(x)}: a NumPy array among CuPy arrays")
    if isinstance(x, (tuple, list)):
        return type(x)(map(raw, x))
    return x


def launch(name: str, f, *operands, **settings) -> ndarray:
    """A new array: f of the operands, C-ordered. Every launch without ``out`` goes through here."""
    counts["launches"] += 1
    counts[name] += 1
    raws = raw(operands)
    with np.errstate(all="ignore"):
        value = np.array(f(*raws, **settings), order="C")
    if state.tape is not None:
        state.tape.append((_store, (f, raws, settings, value)))
        value[...] = poison(value.dtype)
    return ndarray(value)


def write(name: str, f, *operands, **settings) -> None:
    """``f(*operands)`` for its effect on them. Every launch in place goes through here."""
    counts["launches"] += 1
    counts[name] += 1
    task = (_run, (f, raw(operands), settings))
    if state.tape is not None:
        state.tape.append(task)
    else:
        task[0](*task[1])


def _store(f, raws, settings, out) -> None:
    with np.errstate(all="ignore"):
        out[...] = f(*raws, **settings)


def _run(f, raws, settings) -> None:
    with np.errstate(all="ignore"):
        f(*raws, **settings)


def poison(dtype):
    """What is in memory that nobody wrote."""
    return np.nan if dtype.kind in "fc" else (True if dtype.kind == "b" else -(2**7) % 2**7 + 99)


def upload(a: np.ndarray) -> ndarray:
    """A copy of a host array on the device."""
    explicit("uploads")
    return ndarray(np.array(a, order="C"))


def view(name: str, f, x: ndarray) -> ndarray:
    """f of x: the same memory where NumPy finds it possible, as CuPy does; else a launch."""
    value = f(raw(x))
    if np.may_share_memory(value, x._a) or not value.size:
        return ndarray(value, x)
    return launch(name, f, x)


class ndarray:
    """An array that only its library can read."""

    def __init__(self, a: np.ndarray, base: ndarray | None = None) -> None:
        self._a, self.base = a, base

    # ------------------------------------------------------------------------- what it is

    dtype = property(lambda self: self._a.dtype)
    shape = property(lambda self: self._a.shape)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: self._a.flags)
    device = SimpleNamespace(id=0)
    data = property(lambda self: SimpleNamespace(ptr=self._a.ctypes.data))
    T = property(lambda self: ndarray(self._a.T, self))
    mT = property(lambda self: ndarray(self._a.mT, self))

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    __hash__ = None

    def __getattr__(self, name: str):
        raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")

    # ------------------------------------------------------------------- leaving the device

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        explicit("downloads")
        return self._a.copy()

    def item(self):
        explicit("downloads")
        return self._a.item()

    def tolist(self):
        explicit("downloads")
        return self._a.tolist()

    def set(self, arr, stream=None) -> None:
        explicit("uploads")
        if not isinstance(arr, np.ndarray) or arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError("set() takes a NumPy array of the same shape and dtype")
        self._a[...] = arr

    def __array__(self, dtype=None, copy=None):
        hidden("np.asarray of a device array")
        return np.array(self._a, dtype=dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        if asked_by_library():
            raise TypeError(f"np.{ufunc.__name__} of a device array: Unsupported type")
        hidden(f"np.{ufunc.__name__} of a device array")
        if out is not None:
            settings["out"] = raw(out)
        return getattr(ufunc, method)(*raw(inputs), **settings)

    def __array_function__(self, func, types, args, kwargs):
        hidden(f"np.{func.__name__} of a device array")
        return func(*raw(args), **{k: raw(v) for k, v in kwargs.items()})

    def _scalar(self, kind):
        hidden(f"{kind.__name__}() of a device array")
        return kind(self._a)

    __bool__ = functools.partialmethod(_scalar, bool)
    __float__ = functools.partialmethod(_scalar, float)
    __int__ = functools.partialmethod(_scalar, int)
    __complex__ = functools.partialmethod(_scalar, complex)
    __repr__ = functools.partialmethod(_scalar, repr)
    __str__ = functools.partialmethod(_scalar, str)

    def __format__(self, spec):
        hidden("format() of a device array")
        return format(self._a, spec)

    def __index__(self):
        raise TypeError("'cupy.ndarray' object cannot be interpreted as an integer")

    @property
    def __cuda_array_interface__(self):
        raise Misuse("a host address would be taken for a device's")

    # ----------------------------------------------------------------------------- indexing

    def _index(self, index):
        """The index for NumPy, and whether it is a plain one, which gives a view."""
        parts = index if isinstance(index, tuple) else (index,)
        plain, found = True, []
        for axis, part in enumerate(parts):
            if isinstance(part, (list, np.ndarray)):
                hidden("a host array as an index")
                part = np.asarray(part)
            elif isinstance(part, ndarray):
                part = part._a
                if part.dtype == bool:
                    hidden("a mask as an index, whose size is only known there", wanted=True)
            if isinstance(part, np.ndarray):
                plain = False
                n = self.shape[axis] if axis < self.ndim and not _plain(parts) else np.inf
                if part.dtype.kind in "iu" and part.size and (part.max() >= n or part.min() < -n):
                    raise Misuse(f"an index beyond axis {axis} wraps around in silence")
            found.append(part)
        return (tuple(found) if isinstance(index, tuple) else found[0]), plain

    def __getitem__(self, index):
        at, plain = self._index(index)
        if plain:
            return ndarray(np.asarray(self._a[at]), self) if _is_view(at) else self._pick(at)
        return launch("take", lambda a: a[at], self)

    def _pick(self, at):
        part = np.asarray(self._a[at])
        if part.ndim == 0:  # NumPy copies single elements; CuPy gives a view without axes
            at = at if isinstance(at, tuple) else (at,)
            part = self._a[(*[slice(i, i + 1 or None) for i in at],)].reshape(())
        return ndarray(part, self)

    def __setitem__(self, index, value) -> None:
        at, plain = self._index(index)
        if isinstance(value, np.ndarray) and value.ndim and asked_by_library():
            raise TypeError("Unsupported type: a NumPy array is stored in a CuPy array")
        if not plain:
            seen = np.zeros(self.shape, np.intp)
            np.add.at(seen, at, 1)
            if seen.max(initial=0) > 1 and isinstance(value, ndarray) and value.ndim:
                raise Misuse("an element is assigned twice: which one stays is not defined")
        write("copy", lambda a, v: a.__setitem__(at, v), self, value)

    # -------------------------------------------------------------------------- conversions

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if not copy and self.dtype == np.dtype(dtype):
            return self
        return launch("astype", lambda a: a.astype(dtype), self)

    def copy(self, order="C"):
        return launch("copy", lambda a: a.copy(order), self)

    def view(self, dtype=None):
        return ndarray(self._a.view(dtype), self)

    def fill(self, value) -> None:
        write("fill", lambda a: a.fill(value), self)

    # ------------------------------------------------------------------------------- shapes

    def reshape(self, *shape, order="C", copy=None):
        return view("copy", lambda a: a.reshape(*shape, order=order), self)

    def transpose(self, *axes):
        return ndarray(self._a.transpose(*axes), self)

    def swapaxes(self, axis1, axis2):
        return ndarray(self._a.swapaxes(axis1, axis2), self)

    def squeeze(self, axis=None):
        return ndarray(self._a.squeeze(axis), self)

    def ravel(self, order="C"):
        return view("copy", lambda a: a.ravel(order), self)

    def flatten(self, order="C"):
        return launch("copy", lambda a: a.flatten(order), self)


def _plain(parts):
    return [p for p in parts if p is None or p is Ellipsis]


def _is_view(at) -> bool:
    parts = at if isinstance(at, tuple) else (at,)
    return any(not isinstance(p, (int, np.integer)) for p in parts)


def _unary(symbol: str, f):
    def method(self):
        return launch(symbol, f, self)

    return method


def _binary(symbol: str, f, reflected: bool = False):
    def method(self, other):
        if not isinstance(other, (ndarray, int, float, bool, complex, np.generic, np.ndarray)):
            return NotImplemented
        return launch(symbol, f, *((other, self) if reflected else (self, other)))

    return method


def _in_place(symbol: str, f):
    def method(self, other):
        write(symbol, f, self, other)
        return self

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _f = getattr(operator, _name)
    setattr(ndarray, f"__{_name}__", _binary(_name, _f))
    setattr(ndarray, f"__r{_name}__", _binary(_name, _f, reflected=True))
    setattr(ndarray, f"__i{_name}__", _in_place(_name, getattr(operator, f"i{_name}")))
for _name in ("matmul", "and_", "or_", "xor", "lt", "le", "gt", "ge", "eq", "ne"):
    _bare, _f = _name.rstrip("_"), getattr(operator, _name)
    setattr(ndarray, f"__{_bare}__", _binary(_bare, _f))
for _name in ("neg", "abs", "invert", "pos"):
    setattr(ndarray, f"__{_name}__", _unary(_name, getattr(operator, _name)))


def _cublas(self, other):
    if state.tape is not None:
        raise NotImplementedError(
            "calling cuBLAS API during stream capture is currently unsupported"
        )
    return _binary("matmul", operator.matmul)(self, other)


ndarray.__matmul__ = _cublas


def _reduction(name: str):
    def method(self, *args, **settings):
        _known(NAMES["ndarray"][name], settings, f"ndarray.{name}")
        return launch(name, lambda a: np.asarray(getattr(np, name)(a, *args, **settings)), self)

    return method


def _known(signature: str | None, settings: dict, name: str) -> None:
    """Refuse a keyword that the real function does not have."""
    for key in settings:
        if signature is not None and not re.search(rf"[(, ]{key}\b", signature):
            raise TypeError(f"{name}() got an unexpected keyword argument {key!r}")


for _name in ("sum", "prod", "mean", "var", "std", "max", "min", "argmax", "argmin", "any", "all"):
    setattr(ndarray, _name, _reduction(_name))
for _name in ("clip", "repeat", "take", "cumsum", "round", "argsort"):
    setattr(ndarray, _name, _reduction(_name))
