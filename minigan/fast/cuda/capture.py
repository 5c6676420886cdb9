"""Whole steps as CUDA graphs: what the device repeats, and what the host does before each repeat.

Three hooks (:mod:`minigan.hooks`) name what a step does on the host. While a step is captured their
twins here note it down, and :meth:`Recording.renew` does it again before every replay.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ... import hooks
from ...array import Array, float64, module_of, np, send
from ...seam import twin
from ...tensor import Tensor
from . import kernels

WARM_UP = 2  # calls before the capture: they compile kernels and make the arrays that last
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


@twin(hooks.each_step)
def each_step_(task: Callable[[], Any]) -> Any:
    """Before every replay."""
    if _recording is None:
        return NotImplemented
    _recording.add(task)
    return None


@twin(hooks.numbers)
def numbers_(task: Callable[[], Any], count: int, dtype: Any = float64) -> Any:
    """Where the numbers will be: an array on the device, filled anew before every replay."""
    return NotImplemented if _recording is None else _recording.add(task, count, dtype)


@twin(hooks.read)
def read_(arrays: Sequence[Array], finish: Callable[[list[float]], Any]) -> Any:
    """A :class:`Later` to be returned: a captured step computes nothing yet."""
    if _recording is None:
        return NotImplemented
    return Later(module_of(arrays[0]).stack(arrays), finish)


@twin(hooks.not_in_capture)
def not_in_capture_(what: str) -> Any:
    """Raise :class:`CaptureError` while a step is captured."""
    if _recording is None:
        return NotImplemented
    raise CaptureError(f"{what}, which a captured step can not follow")


class Later:
    """Numbers that a replay will have computed, and what to make of them."""

    def __init__(self, array: Array, finish: Callable[[list[float]], Any]) -> None:
        self.array, self.finish = array, finish

    def value(self) -> Any:
        """What it is, now that the replay was started."""
        return self.finish(self.array.tolist())


def graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` recorded as a CUDA graph at its third call, and replayed from then on.

    A small network's step is a few hundred kernels, each of which takes the GPU less time than
    Python needs to start it. A graph starts them all at once.

    Parameters
    ----------
    function : callable
        Takes tensors on the GPU, and whatever else stays the same, and returns tensors; it may
        change weights, draw noise and take an optimiser's step (Adam and AdamW). It must neither
        look at values (``.item()``, ``if loss > …``) nor do anything on the host besides.

    Returns
    -------
    callable
        The same as ``function``. What it returns is overwritten by its next call. Inputs of
        other shapes, and inputs on the CPU, run ``function`` itself. If it can not be recorded,
        a warning says why and it goes on as it was.
    """
    recorded: _Graph | None = None
    calls, refused = 0, False

    @functools.wraps(function)
    def step(*inputs: Any) -> Any:
        nonlocal recorded, calls, refused
        if recording():  # it is part of a larger step
            return function(*inputs)
        calls += 1
        devices = {x.device for x in inputs if isinstance(x, Tensor)}
        if refused or calls <= WARM_UP or len(devices) != 1 or "cpu" in devices:
            return function(*inputs)
        if recorded is None:
            try:
                recorded = _Graph(function, inputs)
            except Exception as error:
                refused = True
                warnings.warn(f"this step is not recorded: {error}", stacklevel=2)
                return function(*inputs)
        if not recorded.fits(inputs):
            return function(*inputs)
        return recorded(*inputs)

    return step


class _Graph:
    """One recorded step: its own memory, its inputs' places, and the host's part."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        like = next(x.array for x in inputs if isinstance(x, Tensor))
        self.xp = xp = module_of(like)
        self.inputs = [
            Tensor(xp.empty_like(x.array)) if isinstance(x, Tensor) else x for x in inputs
        ]
        self.recording = Recording(like)
        self.stream = xp.cuda.Stream(non_blocking=True)
        self.pool = xp.cuda.MemoryPool()  # what a replay computes must not be given to others
        kernels.load_product(xp)
        self.stream.wait_event(xp.cuda.get_current_stream().record())
        set_recording(self.recording)
        try:
            with self.stream, xp.cuda.using_allocator(self.pool.malloc):
                self.stream.begin_capture()
                try:
                    self.output = function(*self.inputs)
                finally:
                    self.graph = self.stream.end_capture()
        finally:
            set_recording(None)

    def fits(self, inputs: tuple[Any, ...]) -> bool:
        """Whether these inputs are like the recorded ones."""
        return [_kind(x) for x in inputs] == [_kind(x) for x in self.inputs]

    def __call__(self, *inputs: Any) -> Any:
        for place, x in zip(self.inputs, inputs, strict=True):
            if isinstance(x, Tensor):
                place.array[...] = x.array
        self.recording.renew()
        current = self.xp.cuda.get_current_stream()
        self.stream.wait_event(current.record())
        self.graph.launch(self.stream)
        current.wait_event(self.stream.record())
        output = self.output
        return output.value() if isinstance(output, Later) else output


def _kind(x: Any) -> Any:
    return (x.shape, x.dtype, x.device) if isinstance(x, Tensor) else x


hooks.capture = graph
