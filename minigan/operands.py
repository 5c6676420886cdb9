"""What differentiable functions accept, the dtype and shape they give, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .array import Array, DeviceError, device_of, float32, is_array, module_of, np
from .tensor import Op, Tensor


def accepted(x: Any) -> Any:
    """An operand that is not a tensor: Python numbers stay raw so that float32 stays float32."""
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, (bool, int, float)) or is_array(x):
        return x
    raise TypeError(f"expected a tensor, an array or a number, got {type(x).__name__}: {x!r}")


def settled(y: Any, record: Op, arrays: Sequence[Any]) -> Array:
    """A function's value as an array, in the dtype that its operands give."""
    y = module_of(y).asarray(y)  # NumPy gives scalars where no axis is left
    if y.dtype.kind == "f" and y.dtype != float32 and not record.casts:
        floats = [a.dtype for a in arrays if is_array(a) and a.dtype.kind == "f"]
        # integers never widen floats, and alone they give the default; only a cast may widen
        if y.dtype not in floats:
            y = y.astype(np.result_type(*floats) if floats else float32)
    return y


def explained(error: Exception, record: Op, arrays: Sequence[Any]) -> Exception:
    """The error with the operation and its operands' shapes, or devices if those differ."""
    operands = [a for a in arrays if is_array(a)]
    devices = sorted({device_of(a) for a in operands})
    if len(devices) > 1:
        return DeviceError(
            f"{record.name}: operands on {' and '.join(devices)}; "
            "bring them together with tensor.to(device)"
        )
    shapes = " and ".join(str(a.shape) for a in operands)
    kind = TypeError if isinstance(error, TypeError) else type(error)  # not NumPy's subclasses
    return kind(f"{record.name} of {shapes}: {error}")


def starting_gradient(out: Tensor, g: Any) -> Tensor:
    """The gradient to start from at an output, checked; 1 for a scalar that none is given for."""
    if g is None:
        if out.array.size != 1:
            raise RuntimeError(
                f"a gradient is started at a scalar, but the output has shape {out.shape}: "
                "reduce it with .sum() or .mean(), or give its own gradient"
            )
        g = module_of(out.array).ones_like(out.array)
    g = g if isinstance(g, Tensor) else Tensor(g)
    if g.shape != out.shape:
        raise ValueError(f"expected a gradient of shape {out.shape}, got {g.shape}")
    return g if g.dtype == out.dtype else g.to(out.dtype)


def fitted(g: Any, x: Tensor, record: Op) -> Any:
    """Sum ``g`` over the axes that broadcasting added to ``x``, and give it x's dtype.

    The one place where broadcasting is undone. A gradient that ``x`` could not have been
    broadcast to is a wrong rule, which summing must not hide.
    """
    if g.shape != x.shape:
        try:
            fits = np.broadcast_shapes(g.shape, x.shape) == g.shape
        except ValueError:
            fits = False
        if not fits:
            raise AssertionError(f"rule of {record.name}: shape {g.shape} for input {x.shape}")
        extra = g.ndim - x.ndim
        axes = [i for i, n in enumerate(g.shape) if i < extra or x.shape[i - extra] != n]
        if isinstance(g, Tensor):
            g = g.sum(axes, keepdim=True).reshape(x.shape)
        else:
            g = g.sum(axis=tuple(axes), keepdims=True).reshape(x.shape)
    if g.dtype == x.dtype:
        return g
    return g.to(x.dtype) if isinstance(g, Tensor) else g.astype(x.dtype)


def changed(x: Tensor) -> Exception:
    """Rules read the inputs' values: those that changed since would give a wrong gradient."""
    return RuntimeError(
        f"a tensor of shape {x.shape} was changed in place, by optimizer.step() or -=, "
        "after it had been used: call backward() before that, or compute the loss anew"
    )


def shares(view: Array, array: Array) -> bool:
    """Whether ``view``, made from ``array``, shares its memory."""
    return view is array or view.base is (array if array.base is None else array.base)
