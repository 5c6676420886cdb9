"""Functions that a module calls before and after its ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class HookHandle(NamedTuple):
    """What registering a hook returns: ``remove()`` takes the hook off its module again."""

    module: Any
    kind: str
    hook: Callable[..., Any]

    def remove(self) -> None:
        hooks = getattr(self.module, self.kind)
        setattr(self.module, self.kind, tuple(h for h in hooks if h is not self.hook))


class Hooked:
    """What is called before and after a module's ``forward``."""

    _forward_hooks: tuple[Callable[..., Any], ...] = ()
    _forward_pre_hooks: tuple[Callable[..., Any], ...] = ()

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(module, inputs, output)`` after every forward.

        What it returns, unless None, replaces the output.
        """
        return add(self, "_forward_hooks", hook)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(module, inputs)`` before every forward.

        What it returns, unless None, replaces the inputs.
        """
        return add(self, "_forward_pre_hooks", hook)


def add(module: Any, kind: str, hook: Callable[..., Any]) -> HookHandle:
    """Put a hook after the others of its kind; no two modules share a list of hooks."""
    setattr(module, kind, (*getattr(module, kind), hook))
    return HookHandle(module, kind, hook)


def before(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs of ``forward`` after all pre-hooks."""
    for hook in module._forward_pre_hooks:
        if (changed := hook(module, inputs)) is not None:
            inputs = changed if isinstance(changed, tuple) else (changed,)
    return inputs


def after(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
    """The output of ``forward`` after all hooks."""
    for hook in module._forward_hooks:
        if (changed := hook(module, inputs, output)) is not None:
            output = changed
    return output
