"""One seam: a function's definition, and what may take its place.

A *definition* is written as on a blackboard, in plain NumPy, and knows of nothing else. A *twin*
computes the same for arrays on one kind of device, faster. A call asks the twins first; one that
does not accept these operands answers ``NotImplemented``, Python's own protocol, and the definition
runs::

    @twin(leaky_relu, "cpu")
    def leaky_relu_(x, *, negative_slope): ...

    with mg.plain(): ...                    # every twin off

Twins live in ``minigan.fast``, which no definition imports.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .array import module_of, np

__all__ = ["DEFINITIONS", "Definition", "definition", "plain", "twin"]

DEFINITIONS: list[Definition] = []  # all there are
_plain = False


@dataclass(slots=True, eq=False)
class Definition:
    """A function whose place others may take.

    Attributes
    ----------
    name : str
    definition : callable
        The function as it is written.
    forward : callable
        What runs: the definition, or a function that asks the twins first.
    twins : dict
        (device, None) → twins of the value; (device, i) → twins of the gradient rule of input i.
    """

    name: str
    definition: Callable[..., Any]
    forward: Callable[..., Any] = field(init=False)
    twins: dict[tuple[str, int | None], list[Callable[..., Any]]] = field(
        init=False, default_factory=dict
    )
    replaced: bool = field(init=False, default=False)  # by somebody's own, which has no twins

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Choose what runs, after twins came, went, or were switched off."""
        self.forward = self.asking(None, self.definition)

    def asking(self, place: int | None, definition: Any) -> Any:
        """``definition`` or, if it has twins, a function that asks them: what decides each call."""
        found = {device: twins for (device, at), twins in self.twins.items() if at == place}
        if _plain or self.replaced or not found:
            return definition

        on_cpu, on_gpu = found.get("cpu", ()), found.get("cuda", ())

        @functools.wraps(definition)
        def ask(*operands: Any, **settings: Any) -> Any:
            for twin in on_cpu if module_of(*operands or (None,)) is np else on_gpu:
                result = twin(*operands, **settings)
                if result is not NotImplemented:
                    return result
            return definition(*operands, **settings)

        return ask


def definition(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without gradients that may have twins, such as a draw of random numbers."""
    record = Definition(function.__name__, function)
    DEFINITIONS.append(record)

    @functools.wraps(function)
    def call(*operands: Any, **settings: Any) -> Any:
        return record.forward(*operands, **settings)

    call.op = record  # type: ignore[attr-defined]
    return call


def around(inner: Callable[..., Any]) -> Callable[[Any], Any]:
    """Say that the decorated function prepares what ``inner`` does, so that it stands for it."""

    def decorate(function: Any) -> Any:
        function.op = vars(inner)["op"]
        return function

    return decorate


def twin(
    function: Callable[..., Any], *devices: str, rule: int | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function a twin of ``function``.

    Parameters
    ----------
    function : callable
        Made by ``op``, ``composite`` or ``definition``.
    devices : "cpu" (NumPy), "cuda" (CuPy)
        Whose arrays it takes; both if none is named. The twin that came last is asked first.
    rule : int, optional
        The twin computes this input's gradient rule, instead of the value. (Twins of a composite
        give both: the value, and a function from its gradient to those of the inputs.)
    """
    record: Definition = function.op  # type: ignore[attr-defined]

    def decorate(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for device in devices or ("cpu", "cuda"):
            record.twins.setdefault((device, rule), []).insert(0, implementation)
        record.settle()
        return implementation

    return decorate


@contextmanager
def plain() -> Iterator[None]:
    """Inside, only definitions compute: every twin is switched off."""
    global _plain
    before = _plain
    try:
        _switch(True)
        yield
    finally:
        _switch(before)


def _switch(to: bool) -> None:
    global _plain
    _plain = to
    for record in DEFINITIONS:
        record.settle()
