"""What a step does on the host, told apart from what it does on the device.

A step that is recorded as a CUDA graph (:func:`minigan.cuda.graph`) runs its Python lines once; the
device then repeats what they started, with the same numbers on the same memory. What changes from
step to step on the host (a learning rate, a count, where the random numbers are) must therefore be
named. The library does so with three functions, which outside of a recording just do their work::

    each_step(count)                        # a counter goes up
    rates = numbers(compute, 2)             # two numbers, which the device sees anew
    return read(losses, dict_of)            # numbers come from there, and the host waits
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .array import Array, float64, module_of, np, scalars, send

ROOM = 512  # numbers of eight bytes that a recorded step may ask for


class CaptureError(RuntimeError):
    """A step that can not be recorded: something in it changes, and only the host knows how."""


class Recording:
    """The host's part of a recorded step, to be done before each replay.

    Attributes
    ----------
    words : Array, (ROOM,), uint64, on the device
        All the numbers that change; :meth:`renew` sends them in one piece.
    """

    def __init__(self, like: Array) -> None:
        self.words = module_of(like).zeros(ROOM, np.uint64)
        self._host = np.zeros(ROOM, np.uint64)
        self._tasks: list[tuple[Callable[[], Any], Any]] = []
        self._used = 0

    def add(self, task: Callable[[], Any], count: int = 0, dtype: Any = float64) -> Array:
        """Do ``task`` before each replay; gives where its ``count`` results will be."""
        here = slice(self._used, self._used + count)
        if here.stop > ROOM:
            raise CaptureError(f"the step changes more than {ROOM} numbers from replay to replay")
        self._used = here.stop
        self._tasks.append((task, self._host[here].view(dtype)))
        return self.words[here].view(dtype)

    def renew(self) -> None:
        """Do every task, and send what they give to the device."""
        for task, home in self._tasks:
            result = task()
            if home.size:
                home[...] = result
        if self._used:
            send(self._host, self.words)


_recording: Recording | None = None


def recording() -> bool:
    """Whether a step is being recorded now."""
    return _recording is not None


def set_recording(value: Recording | None) -> None:
    """Begin to record the host's part of a step, or stop."""
    global _recording
    _recording = value


def each_step(task: Callable[[], Any]) -> None:
    """Do ``task`` now; in a recorded step, before every replay instead."""
    if _recording is None:
        task()
    else:
        _recording.add(task)


def numbers(task: Callable[[], Any], count: int, dtype: Any = float64) -> Any:
    """The ``count`` numbers that ``task`` gives.

    In a recorded step, where they will be: an array on the device, of float64 (or uint64), that is
    filled anew before every replay.
    """
    return task() if _recording is None else _recording.add(task, count, dtype)


class Later:
    """Numbers that a replay will have computed, and what to make of them."""

    def __init__(self, array: Array, finish: Callable[[list[float]], Any]) -> None:
        self.array, self.finish = array, finish

    def value(self) -> Any:
        """What it is, now that the replay was started."""
        return self.finish(self.array.tolist())


def read(arrays: Sequence[Array], finish: Callable[[list[float]], Any]) -> Any:
    """``finish`` of the numbers in arrays without axes, for which the host waits.

    In a recorded step, which computes nothing yet, a :class:`Later` to be returned instead.
    """
    if _recording is None:
        return finish(scalars(*arrays))
    return Later(module_of(arrays[0]).stack(arrays), finish)


def not_in_graph(what: str) -> None:
    """Refuse to be recorded: ``what`` would be repeated as it was in the recorded step.

    Raises
    ------
    CaptureError
        While a step is recorded.
    """
    if _recording is not None:
        raise CaptureError(f"{what}, which a recorded step can not follow")


# ------------------------------------------- what `fast` does around a game's steps, if it is there

capture: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None  # as mg.cuda.graph
before_update: list[Callable[[Any], None]] = []  # each gets the optimiser that is about to step
alone: Callable[[], AbstractContextManager[None]] = nullcontext  # inside, no other rank takes part


def mean_over_ranks(arrays: Iterable[Array]) -> None:
    """Replace each array by its mean over the ranks, in place; without ranks it is that already."""
