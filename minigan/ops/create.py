"""Functions that make new tensors: constants, ranges, random numbers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from .. import random
from ..array import asarray, check_device, default_device, module_of, np, on
from ..tensor import Tensor, tensor
from .shape import _sizes


def _new(host: np.ndarray, device: str | None) -> Tensor:
    return Tensor(asarray(host, device=device or default_device()))


def zeros(
    *size: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros of the given size."""
    with on(device) as xp:
        return Tensor(xp.zeros(_sizes(size), dtype), requires_grad)


def ones(
    *size: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones of the given size."""
    with on(device) as xp:
        return Tensor(xp.ones(_sizes(size), dtype), requires_grad)


def full(
    size: tuple[int, ...],
    fill_value: float,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one value: float32 for a float, int64 for an integer."""
    dtype = dtype or ("float32" if isinstance(fill_value, float) else None)
    with on(device) as xp:
        return Tensor(xp.full(size, fill_value, dtype), requires_grad)


def empty(*size: Any, dtype: Any = "float32", device: str | None = None) -> Tensor:
    """A tensor of the given size whose values are left to chance: fill it."""
    with on(device) as xp:
        return Tensor(xp.empty(_sizes(size), dtype))


def zeros_like(x: Tensor) -> Tensor:
    """Zeros with the shape, dtype and device of ``x``."""
    x = x.array if isinstance(x, Tensor) else x
    return Tensor(module_of(x).zeros_like(x))


def ones_like(x: Tensor) -> Tensor:
    """Ones with the shape, dtype and device of ``x``."""
    x = x.array if isinstance(x, Tensor) else x
    return Tensor(module_of(x).ones_like(x))


def eye(n: int, m: int | None = None, dtype: Any = "float32", device: str | None = None) -> Tensor:
    """The (n, m) matrix with ones on the diagonal; m = n if left out."""
    with on(device) as xp:
        return Tensor(xp.eye(n, m, dtype=dtype))


def arange(*bounds: float, dtype: Any = None, device: str | None = None) -> Tensor:
    """``arange(end)``, ``arange(start, end[, step])``: int64, or float32 if a bound is a float."""
    dtype = dtype or ("float32" if any(isinstance(b, float) for b in bounds) else "int64")
    return _new(np.arange(*bounds).astype(dtype), device)  # steps are rounded only once


def linspace(
    start: float, end: float, steps: int, dtype: Any = "float32", device: str | None = None
) -> Tensor:
    """``steps`` numbers from start to end, both included, evenly spaced."""
    return _new(np.linspace(start, end, steps, dtype=dtype), device)


def randn(
    *size: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Independent draws from the normal distribution N(0, 1)."""
    device = device or default_device()
    return Tensor(random.standard_normal(_sizes(size), dtype, device), requires_grad)


def rand(
    *size: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Independent draws from the uniform distribution on [0, 1)."""
    device = device or default_device()
    return Tensor(random.uniform(_sizes(size), dtype, device), requires_grad)


def randn_like(x: Tensor) -> Tensor:
    """Draws from N(0, 1) with the shape, dtype and device of ``x``."""
    return randn(x.shape, dtype=x.dtype, device=x.device)


def rand_like(x: Tensor) -> Tensor:
    """Draws from [0, 1) with the shape, dtype and device of ``x``."""
    return rand(x.shape, dtype=x.dtype, device=x.device)


def randint(low: int, high: int, size: tuple[int, ...], device: str | None = None) -> Tensor:
    """Independent draws from the integers low to high - 1; int64."""
    return _new(random.integers(low, high, size), device)


def randperm(n: int, device: str | None = None) -> Tensor:
    """The integers 0 to n - 1 in random order; int64."""
    return _new(random.permutation(n), device)


# ------------------------------------------------------------------ PyTorch's older ways to say it


class device(str):
    """A device as an object: the text ``"cuda:0"`` that knows its ``type`` and ``index``.

    Raises ``DeviceError`` if there is no such device.
    """

    def __new__(cls, name: str, index: int | None = None) -> device:
        return super().__new__(cls, check_device(name if index is None else f"{name}:{index}"))

    @property
    def type(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        return self.partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """The number of the GPU, or None."""
        number = self.partition(":")[2]
        return int(number) if number else None


@dataclass(frozen=True)
class TensorType:
    """What ``mg.FloatTensor`` is: it makes tensors of its dtype, and ``x.type(…)`` takes it.

    ``FloatTensor(2, 3)`` has that size, and values left to chance; ``FloatTensor([2, 3])`` and
    ``FloatTensor(array)`` have these values, copied. A tuple could mean either and is refused.
    """

    name: str
    dtype: str
    device: str | None = None  # None: the default device

    def __call__(self, *data: Any) -> Tensor:
        if len(data) == 1 and isinstance(data[0], (Tensor, np.ndarray, list)):
            return tensor(data[0], self.dtype, self.device)
        try:
            sizes = [operator.index(n) for n in data]
        except TypeError:
            raise TypeError(
                f"{self.name} takes sizes as {self.name}(2, 3), or values as an array or a list; "
                f"got {', '.join(map(repr, data))}"
            ) from None
        return empty(*(sizes or [0]), dtype=self.dtype, device=self.device)


int32, uint8 = np.dtype("int32"), np.dtype("uint8")  # the others are in array.py
_NAMES = {"Float": "float32", "Double": "float64", "Long": "int64", "Int": "int32"}
_NAMES |= {"Byte": "uint8", "Bool": "bool"}
types = {f"{name}Tensor": TensorType(f"{name}Tensor", dtype) for name, dtype in _NAMES.items()}
cuda_types = {n: TensorType(f"cuda.{n}", kind.dtype, "cuda") for n, kind in types.items()}


def type_of(x: Tensor, dtype: Any = None) -> Any:
    """The tensor converted: ``x.type(mg.FloatTensor)``, ``x.type(dtype)``; without: its type."""
    if dtype is None:
        known = cuda_types if x.is_cuda else types
        return next((t.name for t in known.values() if t.dtype == x.dtype), str(x.dtype))
    kind = dtype if isinstance(dtype, TensorType) else TensorType("", dtype)
    return x.to(dtype=kind.dtype, device=kind.device)


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """The values (shared memory) as a new leaf: what PyTorch once wrapped tensors in."""
    return data.detach().requires_grad_(requires_grad)


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a tensor."""
    return isinstance(x, Tensor)


def numel(x: Tensor) -> int:
    """The number of elements."""
    return x.numel()
