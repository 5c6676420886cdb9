"""One seam: a function's definition, and what may take its place.

A *definition* is written as on a blackboard, in plain NumPy, and knows of nothing else. A *twin*
computes the same for arrays on one kind of device, faster. A call asks the twins first; one that
does not accept these operands answers ``NotImplemented``, Python's own protocol, and the definition
runs::

    @twin(leaky_relu, "cpu")
    def leaky_relu_(x, *, negative_slope): ...

    with mg.plain(): ...                    # every twin off
    with mg.use(mg.tanh, mine): ...         # your own function in the definition's place

Twins live in ``minigan.fast``, which no definition imports.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .array import module_of, np

__all__ = ["DEFINITIONS", "Definition", "definition", "plain", "twin", "use"]

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

        @functools.wraps(definition)
        def ask(*operands: Any, **settings: Any) -> Any:
            device = "cpu" if module_of(*operands) is np else "cuda"
            for twin in found.get(device, ()):
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


# -------------------------------------------------------------------------------- somebody's own


class use:
    """Put a function, class or method of your own in the place of one of minigan's.

    ::

        with mg.use(mg.tanh, my_tanh): ...                  # until the block ends
        mine = mg.use(mg.optim.Adam.rule, my_rule)          # until mine.undo()

    Parameters
    ----------
    target : callable
        A differentiable function (``mg.tanh``, ``mg.ops.conv2d``), a class (``mg.nn.Linear``, an
        optimiser, an objective), or a method (``mg.optim.Adam.rule``, an objective's loss,
        ``mg.gan.Minimax.step_discriminator``).
    mine : callable
        It is called as the target's definition is. A function gets arrays; one that takes the place
        of a composite gets tensors and is written with minigan's functions.
    rules : sequence of callables, optional
        The gradient rules of your function, ``rule(g, y, *inputs, **settings)``; without, those of
        the target stay.

    Raises
    ------
    TypeError
        If the target has no such place, or ``mine`` can not be called as the target is.
    """

    def __init__(self, target: Any, mine: Callable[..., Any], *, rules: Any = None) -> None:
        record = getattr(target, "op", None)
        if rules is not None and not hasattr(record, "rules"):
            raise TypeError(f"rules= is for differentiable functions, not for {_name(target)}")
        if isinstance(record, Definition):
            _check_fits(record.definition, mine, record.name)
            self.undo = _replace(record, mine, rules)
        elif isinstance(target, type):
            _check_fits(target.__init__, getattr(mine, "__init__", mine), _name(target))
            self.undo = _replace_class(target, mine)
        elif inspect.isfunction(target) and "." in target.__qualname__:
            _check_fits(target, mine, _name(target))
            self.undo = _replace_method(target, mine)
        else:
            raise TypeError(
                f"{_name(target)} has no place to put another function in: give a differentiable "
                "function such as mg.tanh, a layer, an optimiser or an objective, or one of their "
                "methods such as mg.optim.Adam.rule"
            )

    def __enter__(self) -> use:
        return self

    def __exit__(self, *exception: object) -> None:
        self.undo()


def _replace(record: Any, mine: Callable[..., Any], rules: Any) -> Callable[[], None]:
    before = {
        name: getattr(record, name)
        for name in ("definition", "rules", "replaced")
        if hasattr(record, name)
    }

    def put(values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(record, name, value)
        record.settle()

    put({"definition": mine, "replaced": True} | ({} if rules is None else {"rules": tuple(rules)}))
    return lambda: put(before)


def _replace_class(target: type, mine: Any) -> Callable[[], None]:
    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if cls is not target:  # a class derived from it
            return object.__new__(cls)
        derived = isinstance(mine, type) and issubclass(mine, target)
        return object.__new__(mine) if derived else mine(*args, **kwargs)

    before = target.__dict__.get("__new__")
    target.__new__ = new  # type: ignore[method-assign, assignment]

    def undo() -> None:
        if before is None:
            del target.__new__
            # a class whose __new__ was removed would no longer take arguments (bpo-25731)
            target.__new__ = _plain_new  # type: ignore[method-assign, assignment]
        else:
            target.__new__ = before  # type: ignore[method-assign]

    return undo


def _plain_new(cls: type, *args: Any, **kwargs: Any) -> Any:
    return object.__new__(cls)


def _replace_method(target: Any, mine: Callable[..., Any]) -> Callable[[], None]:
    owner: Any = sys.modules[target.__module__]
    for part in target.__qualname__.split(".")[:-1]:
        owner = getattr(owner, part)
    before = inspect.getattr_static(owner, target.__name__)
    setattr(
        owner, target.__name__, type(before)(mine) if isinstance(before, staticmethod) else mine
    )
    return lambda: setattr(owner, target.__name__, before)


def _check_fits(target: Any, mine: Any, name: str) -> None:
    """Raise TypeError unless ``mine`` can be called with the parameters of ``target``."""
    theirs, own = inspect.signature(target), inspect.signature(mine)
    if (
        inspect.isfunction(target)
        and target.__name__ == "__init__"
        and not (inspect.isfunction(mine) and mine.__name__ == "__init__")
    ):
        theirs = theirs.replace(parameters=list(theirs.parameters.values())[1:])  # no self
    by_position, by_name = [], {}
    for p in theirs.parameters.values():
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            by_position.append(p.name)
        elif p.kind is p.KEYWORD_ONLY:
            by_name[p.name] = p.name
    try:
        own.bind(*by_position, **by_name)
    except TypeError as error:
        raise TypeError(
            f"{name} is called as {name}{theirs}, but yours takes {own}: {error}"
        ) from None


def _name(target: Any) -> str:
    return getattr(target, "__qualname__", repr(target))
