"""Modules that hold modules: one after the other, or as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .module import Module


class _Container(Module):
    """Sub-modules in order, under the names "0", "1", … or under given ones."""

    def _modules(self) -> dict[str, Module]:
        return dict(self._own(Module))

    def _add(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"expected a Module, got {type(module).__name__}: {module!r}")
        if not name or "." in name or hasattr(self, name):
            raise ValueError(f"{name!r} can not name a module: it is taken, empty or has a dot")
        setattr(self, name, module)

    def __len__(self) -> int:
        return len(self._modules())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules().values())

    def __setitem__(self, index: int, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"expected a Module, got {type(module).__name__}: {module!r}")
        setattr(self, list(self._modules())[index], module)

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns the container."""
        self._add(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; returns the container."""
        for module in modules:
            self.append(module)
        return self


class Sequential(_Container):
    """The modules one after the other: each one's output is the next one's input.

    ``Sequential(a, b, c)``, or ``Sequential({"first": a, "second": b})`` with names. A slice is a
    Sequential of the same modules under the same names.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self._add(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules().items())[index]))
        return list(self)[index]

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x


class ModuleList(_Container):
    """A list of modules whose parameters are found; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        return ModuleList(list(self)[index]) if isinstance(index, slice) else list(self)[index]
