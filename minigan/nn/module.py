"""Module: a function with parameters. Its attributes are plain data, found by their type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import indent
from typing import Any

from ..tensor import Parameter, Tensor
from . import forward_hooks
from .forward_hooks import Hooked
from .state import Buffer, Stateful, join


class LayerError(ValueError):
    """An input that does not fit a layer; the message names the layer and where it sits."""

    def __init__(self, layer: Module, problem: str) -> None:
        super().__init__(layer, problem)
        self.layer, self.problem, self.path = layer, problem, ""

    def __str__(self) -> str:
        where = f"layer {self.path!r}, " if self.path else ""
        return f"{where}{_one_line(self.layer)}: {self.problem}"


class Module(Stateful, Hooked):
    """The base of all layers and networks.

    A subclass sets parameters, buffers and sub-modules as attributes and defines ``forward``.
    Nothing is registered behind the scenes: an attribute of type :class:`Parameter`,
    :class:`Buffer` or ``Module`` is found by looking, in the order in which they were set. (Modules
    inside a plain list or dict are not found: use ``ModuleList``.)

    Attributes
    ----------
    training : bool
        Whether dropout drops and batch norm uses the batch's statistics; set by ``train()`` and
        ``eval()``.
    """

    training: bool = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        try:
            if self._forward_pre_hooks:
                inputs = forward_hooks.before(self, inputs)
            output = self.forward(*inputs, **kwargs)
            if self._forward_hooks:
                output = forward_hooks.after(self, inputs, output)
            return output
        except LayerError as error:  # raised by a layer inside: say where it sits, seen from here
            inside = (name for name, module in self.named_modules() if module is error.layer)
            error.path = next(inside, error.path)
            raise
        except ValueError as error:
            raise LayerError(self, str(error)) from error

    # ------------------------------------------------------------------------- what it holds

    def _own(self, kind: type) -> list[tuple[str, Any]]:
        """The attributes of a kind, with their names; an object with two names comes twice."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kind)]

    def _paths(self, path: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all inside it, with dotted paths; shared ones under each of them."""
        yield path, self
        for name, child in self._own(Module):
            yield from child._paths(join(path, name))

    def _named(self, kind: type, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        """Every attribute of a kind, each object once, own attributes before those of children."""
        found = (
            (join(path, name), value)
            for path, module in (self.named_modules(prefix) if recurse else [(prefix, self)])
            for name, value in module._own(kind)
        )
        return _once(found)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules set as attributes of this one, with their names; each module once."""
        return _once(iter(self._own(Module)))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every module inside it, with dotted paths; each module once."""
        return _once(self._paths(prefix))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name; shared ones once."""
        return self._named(Parameter, prefix, recurse)

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Buffer]]:
        """Every buffer with its dotted name."""
        return self._named(Buffer, prefix, recurse)

    def children(self) -> Iterator[Module]:
        """The modules set as attributes of this one."""
        return (module for _, module in self.named_children())

    def modules(self) -> Iterator[Module]:
        """This module and every module inside it."""
        return (module for _, module in self.named_modules())

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter; shared ones once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """Every buffer."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    # ----------------------------------------------------------------------------- changes

    def train(self, mode: bool = True) -> Module:
        """Set this module and all inside it to training mode; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set this module and all inside it to evaluation mode; returns the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Make all parameters trainable, or freeze them; returns the module."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad.array[...] = 0

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call ``function`` on every module inside, then on this one; returns the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def add_module(self, name: str, module: Module) -> None:
        """Set a module as an attribute; the same as ``self.name = module`` for any name.

        Raises
        ------
        TypeError
            If it is not a module.
        ValueError
            If the name is empty, has a dot, or belongs to something other than a module.
        """
        if not isinstance(module, Module):
            raise TypeError(f"expected a Module, got {type(module).__name__}: {module!r}")
        if not name or "." in name or not isinstance(getattr(self, name, module), Module):
            raise ValueError(f"{name!r} can not name a module: it is taken, empty or has a dot")
        setattr(self, name, module)

    def register_buffer(self, name: str, tensor: Tensor) -> None:
        """Set a buffer as an attribute; the same as ``self.name = Buffer(tensor)``."""
        setattr(self, name, Buffer(tensor))

    # -------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """The layer's settings, as they appear between the parentheses of its repr."""
        return ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if isinstance(value, (bool, int, float, str, tuple))
            and name != "training"
            and not name.startswith("_")
        )

    def __repr__(self) -> str:
        extra, name = self.extra_repr(), type(self).__name__
        children = [f"({name}): {child!r}" for name, child in self._own(Module)]
        if not children:
            return f"{name}({extra})"
        inside = indent("\n".join([extra, *children] if extra else children), "  ")
        return f"{name}(\n{inside}\n)"


def _once(found: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each object under the first of its names only."""
    seen: set[int] = set()
    for name, value in found:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _one_line(module: Module) -> str:
    text = repr(module)
    return f"{type(module).__name__}(...)" if "\n" in text else text
