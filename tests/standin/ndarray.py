"""The stand-in's array: host memory with a device's manners."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from . import manners
from .manners import (
    NAMES,
    Misuse,
    check_call,
    explicit,
    forgiven,
    garbage,
    hidden,
    launch,
)

DEVICE = SimpleNamespace(id=0, synchronize=lambda: None)
VIEWS = {
    "reshape", "ravel", "transpose", "swapaxes", "squeeze", "diagonal", "view", "real", "imag",
    "broadcast_to", "expand_dims", "moveaxis", "rollaxis", "atleast_1d", "atleast_2d", "split",
    "array_split", "as_strided", "sliding_window_view", "astype", "T", "mT", "flip", "fliplr",
    "flipud", "asarray", "ascontiguousarray", "asfortranarray", "rot90", "vsplit", "hsplit",
}  # fmt: skip
KEEP_LAYOUT = {"astype", "copy", "zeros_like", "ones_like", "full_like", "empty_like", "array"}
KEEP_LAYOUT |= {"asfortranarray", "asarray", "reshape", "ravel"}
WAITING = {
    "nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress", "bincount", "array_repr",
    "array_str", "array2string", "setdiff1d", "union1d", "intersect1d", "trim_zeros", "tofile",
    "tobytes", "dump", "dumps",
}  # fmt: skip
CHANGING = {"fill", "fill_diagonal", "put_along_axis", "copyto", "place", "put", "putmask", "sort"}
_PLAIN = {int, float, bool, complex, str, type(None), slice, type(...)}


class Flags(NamedTuple):
    """What CuPy tells of an array's memory; there is no ``writeable``."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class ndarray:
    """Looks like ``cupy.ndarray``. The memory is ``_a``, which nothing but the device touches."""

    __slots__ = ("__weakref__", "_a", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, **unknown: Any) -> None:
        if unknown:
            raise NotImplementedError(f"the stand-in's arrays are not made with {unknown}")
        self._a, self.base = garbage(np.empty(shape, dtype)), None

    # ------------------------------------------------------------------------- what is on the host

    shape = property(lambda self: self._a.shape)
    ndim = property(lambda self: self._a.ndim)
    dtype = property(lambda self: self._a.dtype)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    device = property(lambda self: DEVICE)
    data = property(lambda self: SimpleNamespace(ptr=self._a.ctypes.data, device=DEVICE))

    @property
    def flags(self) -> Flags:
        f = self._a.flags
        return Flags(f.c_contiguous, f.f_contiguous, f.owndata)

    @property
    def T(self) -> ndarray:
        return wrap(self._a.T, self)

    @property
    def mT(self) -> ndarray:
        return wrap(self._a.mT, self)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self._a)))

    def __getattr__(self, name: str) -> Any:
        """Any other method: NumPy's, if CuPy has it."""
        if name not in NAMES["cupy.ndarray"] or name.startswith("__"):
            raise AttributeError(f"CuPy's arrays have no {name!r}")
        if NAMES["cupy.ndarray"][name] == "value":
            return call("cupy.ndarray", name, lambda a: getattr(a, name), (self,), {})
        return functools.partial(self._method, name)

    def _method(self, name: str, *args: Any, **keywords: Any) -> Any:
        check_call("cupy.ndarray", name, 1 + len(args), keywords)
        method = getattr(np.ndarray, name, None)
        if method is None:
            raise NotImplementedError(f"the stand-in's arrays do not {name} yet")
        return call("cupy.ndarray", name, method, (self, *args), keywords)

    # ------------------------------------------------------------------ transfers, named and hidden

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        explicit("download")
        if out is not None:
            out[...] = self._a
            return out
        return self._a.copy(order)

    def set(self, arr: np.ndarray, stream=None) -> None:
        explicit("upload")
        self._a[...] = arr

    def item(self) -> Any:
        explicit("download")
        return self._a.item()

    def tolist(self) -> Any:
        explicit("download")
        return self._a.tolist()

    def _fetched(self, what: str) -> np.ndarray:
        hidden(f"{what} of an array on the device waits for it")
        return self._a

    def __bool__(self) -> bool:
        return bool(self._fetched("bool()"))

    def __float__(self) -> float:
        return float(self._fetched("float()"))

    def __int__(self) -> int:
        return int(self._fetched("int()"))

    def __complex__(self) -> complex:
        return complex(self._fetched("complex()"))

    def __repr__(self) -> str:
        return repr(self._fetched("repr()"))

    def __str__(self) -> str:
        return str(self._fetched("str()"))

    def __format__(self, spec: str) -> str:
        return format(self._fetched("format()"), spec)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if not forgiven():
            raise TypeError("Implicit conversion to a NumPy array is not allowed: use .get()")
        return np.array(self._a, dtype=dtype)

    @property
    def __cuda_array_interface__(self) -> Any:
        raise AttributeError("this memory is the host's: no library for CUDA can read it")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return self._by_numpy(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, types: Any, args: Any, keywords: Any) -> Any:
        return self._by_numpy(function, "__call__", args, keywords)

    def _by_numpy(self, function: Any, method: str, args: Any, keywords: Any) -> Any:
        """NumPy's function of an array on the device: CuPy answers with its own of that name."""
        if forgiven():
            args, keywords = on_host(args), on_host(keywords)
            return getattr(function, method)(*args, **keywords)
        scalar = any(isinstance(x, (np.ndarray, np.generic)) for x in args)
        if manners.rules.package is not None and not scalar:
            raise Misuse(f"NumPy's {function.__name__} called on the device in {manners.caller()}")
        from . import library

        own = getattr(library, function.__name__)
        return (own if method == "__call__" else getattr(own, method))(*args, **keywords)

    # ------------------------------------------------------------------------------------ indexing

    def __getitem__(self, index: Any) -> ndarray:
        index, fancy = self._index(index, reading=True)
        if not fancy:
            part = self._a[index]
            if type(part) is not np.ndarray:  # of a single element too there is a view
                part = self._a[(*tuple_of(index), ...)]
            return wrap(part, self)
        return wrap(launch("take", lambda a: np.array(a[index], order="C"), [self._a]))

    def __setitem__(self, index: Any, value: Any) -> None:
        index, fancy = self._index(index)
        if fancy and type(value) is ndarray and value.size > 1:
            places = np.arange(self._a.size).reshape(self._a.shape)[index].reshape(-1)
            if len(np.unique(places)) < len(places):
                raise Misuse("an element assigned twice: which value it keeps is left to chance")

        if not fancy and type(value) is ndarray and value.base is not None:
            target = self[index]
            if (target.data.ptr, target.strides) == (value.data.ptr, value.strides):
                return  # a[i] += b ends with a[i] = a[i], which CuPy notices too

        def put(a: np.ndarray, v: Any) -> None:
            a[index] = v

        if isinstance(value, (np.ndarray, list)) and not forgiven():
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        launch("put", put, [self._a, raw(value)], changes=True)

    def _index(self, index: Any, reading: bool = False) -> tuple[Any, bool]:
        """The index for the memory, and whether it gathers."""
        parts, fancy = tuple_of(index), False
        for part in parts:
            if type(part) is ndarray:
                fancy = True
                if part._a.dtype == bool and reading:  # how many it selects is known there only
                    hidden("indexing with a mask waits for the device", inherent=True)
            elif isinstance(part, (np.ndarray, list)):
                fancy = True
                hidden(f"an index that is a {type(part).__name__} is uploaded")
        if not fancy:
            return index, False
        inside = tuple(p._a if type(p) is ndarray else p for p in parts)
        try:
            np.broadcast_to(np.int8(0), self._a.shape)[inside]
        except IndexError as error:
            raise Misuse(f"the device does not check indices, it wraps them: {error}") from None
        return inside, True

    # ---------------------------------------------------------------------------------- arithmetic

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __reduce__(self) -> Any:
        raise Misuse("pickling an array on the device fetches it: say .get()")


def _operators() -> None:
    """Give ``ndarray`` the operators that CuPy's has."""
    two = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
        "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
        "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
        "lshift": np.left_shift, "rshift": np.right_shift,
    }  # fmt: skip
    compare = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
    compare |= {"eq": np.equal, "ne": np.not_equal}
    one = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}
    for name, f in (two | compare | one).items():
        setattr(ndarray, f"__{name}__", functools.partialmethod(_operator, f))
    for name, f in two.items():
        setattr(ndarray, f"__r{name}__", functools.partialmethod(_reflected, f))
        if f is not np.matmul:  # CuPy has no @=
            setattr(ndarray, f"__i{name}__", functools.partialmethod(_in_place, f))


def _operator(self: ndarray, f: Any, *others: Any) -> Any:
    if others and not _known(others[0]):
        return NotImplemented
    return elementwise(f, (self, *others))


def _reflected(self: ndarray, f: Any, other: Any) -> Any:
    return elementwise(f, (other, self)) if _known(other) else NotImplemented


def _in_place(self: ndarray, f: Any, other: Any) -> Any:
    return elementwise(f, (self, other), self) if _known(other) else NotImplemented


def _known(x: Any) -> bool:
    return type(x) is ndarray or isinstance(x, (int, float, complex, np.ndarray, np.generic))


_operators()


# ------------------------------------------------------------------------- between host and device


def wrap(a: np.ndarray, view_of: ndarray | None = None) -> ndarray:
    """Memory as an array on the device."""
    array = ndarray.__new__(ndarray)
    array._a = a
    array.base = None if view_of is None else view_of if view_of.base is None else view_of.base
    return array


def tuple_of(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def raw(x: Any) -> Any:
    """An operand as the device sees it: memory, or a scalar; a NumPy array is refused."""
    if type(x) is ndarray:
        return x._a
    if type(x) in _PLAIN:
        return x
    if isinstance(x, np.ndarray):
        if forgiven():
            return x
        raise TypeError(f"Unsupported type {np.ndarray}: an array on the host meets the device")
    if type(x) in (list, tuple):
        return type(x)(map(raw, x))
    return x


def on_host(x: Any) -> Any:
    """The same with every array on the device fetched."""
    if type(x) is ndarray:
        return x._a.copy()
    if type(x) in (list, tuple):
        return type(x)(map(on_host, x))
    return {k: on_host(v) for k, v in x.items()} if type(x) is dict else x


def elementwise(f: Any, inputs: Any, out: Any = None, **keywords: Any) -> ndarray:
    """One kernel over the elements. Its result lies in C order, whatever the operands do."""
    if f is np.matmul and manners.rules.tape is not None:
        raise NotImplementedError(
            "calling cuBLAS API during stream capture is currently unsupported"
        )
    operands = [raw(x) for x in inputs]

    if out is not None and type(out) is not ndarray:
        raise TypeError(f"Unsupported type {type(out)}: out= is an array on the device")

    def compute(*arrays: Any) -> np.ndarray:
        result = np.asarray(f(*arrays, order="C", **keywords))
        if out is not None and result.shape != out._a.shape:
            raise ValueError(f"out= has shape {out.shape}, but the result has {result.shape}")
        if out is not None and not np.can_cast(result.dtype, out._a.dtype, "same_kind"):
            raise TypeError(f"Cannot cast {f.__name__}'s result, {result.dtype}, to {out.dtype}")
        return result

    result = launch(f.__name__, compute, operands, None if out is None else out._a)
    if any(isinstance(x, np.generic) for x in operands) and "dtype" not in keywords:
        _check_width(operands, result.dtype, f)
    return wrap(result) if out is None else out


def _check_width(operands: list[Any], got: np.dtype, f: Any) -> None:
    """A NumPy scalar is no Python number: ``x32 * np.float64(0.5)`` is float64."""
    numbers = [x.item() if isinstance(x, np.generic) else x for x in operands]
    if got != f(*numbers).dtype and not forgiven():
        raise Misuse(f"a NumPy scalar widens the result of {f.__name__} to {got}: use a number")


def call(place: str, name: str, f: Any, args: Any, keywords: dict[str, Any]) -> Any:
    """NumPy's function on the device's memory: views are free, all else is a launch."""
    if name in ("concatenate", "stack") and len(args[0]) > 8 and manners.rules.tape is not None:
        raise Misuse("cudaErrorStreamCaptureUnsupported: a table of addresses is uploaded")
    if name in WAITING:
        hidden(f"{name} waits for the device")
    out = keywords.pop("out", None)
    operands = [raw(x) for x in args]
    keywords = {k: raw(v) for k, v in keywords.items()}
    if name in VIEWS:
        view = f(*operands, **keywords)
        several = isinstance(view, (list, tuple))
        if all(np.may_share_memory(v, operands[0]) for v in (view if several else [view])):
            if several:
                return [wrap(v, args[0]) for v in view]
            return args[0] if view is operands[0] else wrap(view, args[0])

    def compute(*arrays: Any) -> Any:
        result = f(*arrays, **keywords)
        if isinstance(result, (tuple, list)):
            return tuple(map(np.asarray, result))
        if result is None:
            return None
        return np.asarray(result, order=None if name in KEEP_LAYOUT else "C")

    changes = name in CHANGING
    result = launch(name, compute, operands, None if out is None else out._a, changes)
    if out is not None:
        return out
    if isinstance(result, tuple):
        return tuple(map(wrap, result))
    return None if result is None else wrap(result)
