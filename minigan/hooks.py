"""What a step does on the host: three functions that a capture on a GPU takes over.

A captured step runs its Python lines once; the device then repeats what they started, with the same
numbers on the same memory. What changes from step to step on the host (a learning rate, a count)
must therefore be named. Without a capture the three just do their work::

    each_step(count)                        # a counter goes up
    rates = numbers(compute, 2)             # two numbers, anew in every step
    return read(losses, finish)             # finish of the losses' values, for which the host waits
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .array import Array, module_of, np
from .seam import definition


@definition
def each_step(task: Callable[[], Any]) -> None:
    """Do ``task``, in every step."""
    task()


@definition
def numbers(task: Callable[[], Any], count: int, dtype: Any = "float64") -> Any:
    """The ``count`` numbers that ``task`` gives, which differ from step to step."""
    return task()


@definition
def read(arrays: Sequence[Array], finish: Callable[[list[Any]], Any]) -> Any:
    """``finish`` of the numbers in arrays of one element, in one transfer for all."""
    return finish(scalars(*arrays))


@definition
def not_in_capture(what: str) -> None:
    """Refuse to be captured: ``what`` would be repeated as it was in the captured step."""


def scalars(*arrays: Array) -> list[Any]:
    """Arrays of one element each, of one kind, as Python numbers: one transfer for all."""
    xp = module_of(*arrays)
    if xp is np:
        return [a.item() for a in arrays]
    return xp.stack([a.reshape(()) for a in arrays]).tolist()


# ------------------------------------------- what `fast` does around a game's steps, if it is there

capture: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None  # as mg.cuda.graph
before_update: list[Callable[[Any], None]] = []  # each gets the optimiser that is about to step
alone: Callable[[], AbstractContextManager[None]] = nullcontext  # inside, no other rank takes part


@definition
def ranks() -> int:
    """How many processes train together."""
    return 1


@definition
def mean_over_ranks(arrays: Iterable[Array]) -> None:
    """Replace each array by its mean over the ranks, in place; without ranks it is that already."""
