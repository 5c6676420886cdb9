"""What a tensor is to Python: text, a number, a list, a NumPy array."""

from __future__ import annotations

import operator
from typing import Any

from .array import Array, bool_, device_of, float32, int64, np, to_host


class Values:
    """The values of an array by Python's own protocols; a training step does without them."""

    __slots__ = ()

    array: Array
    op: Any
    requires_grad: bool

    # ------------------------------------------------------------------------- its form

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of axis ``dim``."""
        return self.array.shape if dim is None else self.array.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    def __repr__(self) -> str:
        host = to_host(self.array)
        text = np.array2string(host, separator=", ", prefix="tensor(", precision=4, threshold=200)
        if self.array.dtype not in (float32, int64, bool_):
            text += f", dtype={self.array.dtype}"
        if (device := device_of(self.array)) != "cpu":
            text += f", device={device!r}"
        if self.op is not None:
            text += f", grad_fn={self.op.name}"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"

    # ------------------------------------------------------------------- as something else

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array that shares memory (a copy if they are on a GPU).

        Raises
        ------
        RuntimeError
            If the tensor requires grad: what NumPy does to it could not be differentiated.
        """
        if self.requires_grad:
            raise RuntimeError("this tensor requires grad: use tensor.detach().numpy()")
        return to_host(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The one element, as a Python number."""
        if self.array.size != 1:
            raise ValueError(f"item() needs exactly one element, got shape {self.array.shape}")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        return self.array.tolist()

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ValueError(
                f"True or False needs exactly one element, got shape {self.array.shape}: ask "
                "tensor.array.all() or tensor.array.any()"
            )
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())
