"""Functions that make new tensors: constants, ranges, random numbers."""

from __future__ import annotations

from typing import Any

from .. import random
from ..array import asarray, default_device, module_of, np, on
from ..tensor import Tensor
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
