"""Somebody's own function, class or method in the place of one of minigan's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from .seam import Definition


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
            _check_fits(target, mine, _name(target))
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
