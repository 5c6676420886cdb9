"""What a step does on the host, told apart from what it does on the device.

A step that is recorded as a CUDA graph (:func:`minigan.cuda.graph`) runs its Python lines once; the
device then repeats what they started, with the same numbers on the same memory. What changes from
step to step on the host (a learning rate, a count, where the random numbers are) must therefore be
named. The library does so with three functions, which outside of a recording just do their work::

    each_step(count)                        # a counter goes up
    rates = numbers(compute, 2, like=p)     # two numbers go to the device
    return read(losses, dict_of)            # numbers come from there, and the host waits
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import backend
from .backend import Array, float64, np

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
        self.words = backend.module_of(like).zeros(ROOM, np.uint64)
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

    def add_array(self, task: Callable[[], Any], home: Array) -> None:
        """Send what ``task`` gives to ``home`` before each replay."""
        self._tasks.append((lambda: home.set(task()), self._host[:0]))

    def renew(self) -> None:
        """Do every task, and send what they give to the device."""
        for task, home in self._tasks:
            result = task()
            if home.size:
                home[...] = result
        if self._used:
            self.words.set(self._host)


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


def numbers(
    task: Callable[[], Sequence[float]], count: int, like: Array, dtype: Any = float64
) -> Array:
    """The ``count`` numbers that ``task`` gives, where ``like`` is.

    As they are on the CPU; on a GPU as an array of float64 (or uint64), which is filled anew before
    every replay of a recorded step.
    """
    if _recording is not None:
        return _recording.add(task, count, dtype)
    values = task()
    if backend.module_of(like) is np:
        return values
    return backend.asarray(np.array(values, dtype), device=backend.device_of(like))


def sent(task: Callable[[], Any], shape: tuple[int, ...], dtype: Any, device: str | None) -> Array:
    """The host array that ``task`` gives, on the device; anew before every replay."""
    if _recording is None or device == "cpu":
        return backend.asarray(task(), device=device or "cpu")
    home = backend.module_of(_recording.words).empty(shape, dtype)
    _recording.add_array(task, home)
    return home


class Later:
    """Numbers that a replay will have computed, and what to make of them."""

    def __init__(self, array: Array, finish: Callable[[list[float]], Any]) -> None:
        self.array, self.finish = array, finish

    def value(self) -> Any:
        """What it is, now that the replay was started."""
        return self.finish(self.array.tolist())


def read(array: Array, finish: Callable[[list[float]], Any]) -> Any:
    """``finish`` of the array's numbers, for which the host waits.

    In a recorded step, which computes nothing yet, a :class:`Later` to be returned instead.
    """
    later = Later(array, finish)
    return later.value() if _recording is None else later


def not_in_graph(what: str) -> None:
    """Refuse to be recorded: ``what`` would be repeated as it was in the recorded step.

    Raises
    ------
    CaptureError
        While a step is recorded.
    """
    if _recording is not None:
        raise CaptureError(f"{what}, which a recorded step can not follow")
