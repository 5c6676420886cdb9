"""Whether functions of tensors record themselves: per thread, and per asyncio task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

is_recording = ContextVar("is_recording", default=True)


class recording:
    """A context manager, and a decorator, that switches recording on or off."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(is_recording.get())
        is_recording.set(self.on)

    def __exit__(self, *exception: object) -> None:
        is_recording.set(self.before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with recording(self.on):
                return function(*args, **kwargs)

        return wrapped


def no_grad() -> recording:
    """Compute without recording, in a ``with`` block or as a decorator; for this thread alone."""
    return recording(False)


def enable_grad() -> recording:
    """Record again inside a ``no_grad`` block."""
    return recording(True)


def is_grad_enabled() -> bool:
    """Whether functions of tensors record themselves now."""
    return is_recording.get()
