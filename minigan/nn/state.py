"""The state of a module: by name, copied from another, and moved to another device or dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from ..array import asarray, device_of
from ..tensor import Parameter, Tensor


class Buffer(Tensor):
    """A tensor of a module's state that is not trained, e.g. running statistics."""

    __slots__ = ()


class IncompatibleKeys(NamedTuple):
    """The names that ``load_state_dict`` did not find, and those it had no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Stateful:
    """What a module holds: saved, loaded and moved."""

    def _own(self, kind: type) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _paths(self, path: str = "") -> Iterator[tuple[str, Any]]:
        raise NotImplementedError

    def parameters(self) -> Iterable[Parameter]:
        raise NotImplementedError

    def buffers(self) -> Iterable[Buffer]:
        raise NotImplementedError

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Every parameter and buffer by name, as detached tensors that share memory.

        Shared parameters appear under each of their names, as in PyTorch's files.
        """
        return {
            join(path, name): value.detach()
            for path, module in self._paths(prefix)
            for kind in (Parameter, Buffer)
            for name, value in module._own(kind)
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy values into the parameters and buffers of the same names.

        Parameters
        ----------
        state_dict : mapping from name to tensor or array
        strict : bool
            Refuse missing and unexpected names. Shapes must agree in any case.

        Returns
        -------
        IncompatibleKeys
            The names left out, ``.missing_keys`` and ``.unexpected_keys``; none if ``strict``.

        Raises
        ------
        ValueError
            With the list of everything that does not fit; then nothing has been changed.
        """
        return load(self.state_dict(), state_dict, strict, type(self).__name__)

    def to(self, *targets: Any, dtype: Any = None, device: str | None = None) -> Self:
        """Move parameters, their gradients and buffers to a device, a floating dtype, or both.

        In place; returns the module. Integer buffers keep their dtype.

        Raises
        ------
        TypeError
            If the dtype is not a floating one: such parameters have no gradient.
        """

        def move(array: Any) -> Any:
            moved = Tensor(array).to(*targets, dtype=dtype, device=device)
            if array.dtype.kind != "f":  # counters stay integers
                moved = Tensor(array).to(device=moved.device)
            elif moved.dtype.kind != "f":
                raise TypeError(f"a module's parameters need a floating dtype, got {moved.dtype}")
            return moved.array

        for t in (*self.parameters(), *self.buffers()):
            if (moved := move(t.array)) is not t.array:
                t.data = moved
                t.grad = None if t.grad is None else Tensor(move(t.grad.array))
        return self

    def float(self) -> Self:
        """All floating parameters and buffers as float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """All floating parameters and buffers as float64."""
        return self.to(dtype="float64")

    def cpu(self) -> Self:
        """All parameters and buffers as NumPy arrays; in place, returns the module."""
        return self.to(device="cpu")

    def cuda(self, device: int | None = None) -> Self:
        """All parameters and buffers on a GPU, as CuPy arrays; in place, returns the module."""
        return self.to(device="cuda" if device is None else f"cuda:{device}")


def load(
    own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool, owner: str
) -> IncompatibleKeys:
    """Copy the given values into the tensors of the same names; see ``Module.load_state_dict``."""
    values = {k: v.array if isinstance(v, Tensor) else v for k, v in given.items()}
    missing = [name for name in own if name not in values]
    unexpected = [name for name in values if name not in own]
    common = [name for name in own if name in values]
    problems = [
        f"shape of {name}: expected {own[name].shape}, got {tuple(values[name].shape)}"
        for name in common
        if tuple(values[name].shape) != own[name].shape
    ]
    if strict:
        absent = [f"missing: {name}" for name in missing]
        problems = [*absent, *(f"unexpected: {name}" for name in unexpected), *problems]
    if problems:
        raise ValueError(f"this state does not fit {owner}:\n  " + "\n  ".join(problems))
    for name in common:
        target = own[name].array
        target[...] = asarray(values[name], target.dtype, device_of(target))
        own[name].mark_changed()
    return IncompatibleKeys(missing, unexpected)


def join(path: str, name: str) -> str:
    """A dotted path."""
    return f"{path}.{name}" if path else name
