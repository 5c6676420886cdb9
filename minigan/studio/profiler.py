"""Where the time goes: every function of a program, forward and backward, and what it computed.

::

    with mg.profiler.profile() as report:
        game.step_discriminator(x)
        game.step_generator(64)
    print(report)

While the block runs, timed functions stand in for the ``forward`` and the ``rules`` of every op.
Afterwards the plain ones are back, so a profiler that is off costs nothing.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .. import graph, ops
from ..array import Array, is_array, module_of, np
from ..check.table import Table
from ..optim import Optimizer
from ..tensor import Op, no_twin

OPTIMISER, REST, ITSELF = "optimiser", "walk and Python", "(the profiler)"

_NOTE = """\
backward: calls of gradient rules, one for each input that needs a gradient.
GFLOP/s: two operations per multiply-add of a product. GB/s, of the other functions: a call at least
reads its operands (a rule: the gradient that arrives) and writes its result, each once.
walk and Python: all that is no op: adding gradients up, random numbers, moving averages ...
(the profiler): what measuring itself took."""


# --------------------------------------------------------------------------------------- the report


@dataclass(slots=True)
class Count:
    """What the calls of one function in one direction came to."""

    calls: int = 0
    seconds: float = 0.0
    flops: int = 0
    bytes: int = 0


@dataclass
class Report:
    """What :func:`profile` found; prints as a table, in Jupyter as HTML.

    Attributes
    ----------
    counts : dict
        (name of the op, "forward" or "backward") → :class:`Count`. Functions inside of others are
        not counted twice, so the seconds add up to the wall time of the block.
    """

    counts: dict[tuple[str, str], Count] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The wall time of the block."""
        return math.fsum(count.seconds for count in self.counts.values())

    @property
    def flops(self) -> int:
        """Twice the multiply-adds of all products."""
        return sum(count.flops for count in self.counts.values())

    def count(self, name: str, direction: str = "forward") -> Count:
        """The count of that name and direction; a new one if there is none."""
        return self.counts.setdefault((name, direction), Count())

    def per(self, n: int) -> Report:
        """The mean of ``n`` equal repetitions that the block was made of."""
        return Report(
            {
                key: Count(c.calls // n, c.seconds / n, c.flops // n, c.bytes // n)
                for key, c in self.counts.items()
            }
        )

    def table(self, machine: Machine | None = None) -> Table:
        """One row per op, the slowest first, then what is no op, and the total.

        With ``machine``, the column "% of limit" tells how long it would at least have taken at the
        machine's best, relative to the time measured; more than 100 if the data was in the cache.
        """
        apart = (OPTIMISER, REST, ITSELF)
        names = dict.fromkeys(name for name, _ in self.counts)
        rows = [self._row(name, [name], machine) for name in names]
        ops = [row for row in rows if row["op"] not in apart]
        ops.sort(key=lambda row: row["share %"], reverse=True)
        ops += [row for name in apart for row in rows if row["op"] == name]
        total = self._row("total", list(names), machine)
        return Table([*ops, total | {"calls": "", "backward": ""}], note=_NOTE)

    def _row(self, title: str, names: Sequence[str], machine: Machine | None) -> dict[str, Any]:
        """One row for what ``names`` came to together."""
        zero = Count()
        pairs = [[self.counts.get((n, d), zero) for n in names] for d in ("forward", "backward")]
        (f_calls, b_calls), (f_seconds, b_seconds), flops_, bytes_ = (
            [sum(getattr(count, what) for count in counts) for counts in pairs]
            for what in ("calls", "seconds", "flops", "bytes")
        )
        seconds, flops, moved = f_seconds + b_seconds, sum(flops_), sum(bytes_)
        row = {
            "op": title,
            "calls": f_calls or "",
            "backward": b_calls or "",
            "forward ms": round(f_seconds * 1e3, 3),
            "backward ms": round(b_seconds * 1e3, 3) if b_calls else "",
            "share %": round(100 * seconds / (self.seconds or 1), 1),
            "GFLOP/s": round(flops / seconds / 1e9, 1) if flops else "",
            "GB/s": round(moved / seconds / 1e9, 1) if moved and not flops else "",
        }
        if machine is not None:
            least = flops / machine.flops + moved / machine.bandwidth
            row["% of limit"] = round(100 * least / seconds) if least else ""
        return row

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()


# ------------------------------------------------------------------------------ what a call must do


_MULTIPLY_ADDS: dict[str, Callable[..., int]] = {  # of y = op(a, b)
    "matmul": lambda y, a, b: y.size * a.shape[-1],
    "linear": lambda y, x, w: y.size * x.shape[-1],
    "conv2d": lambda y, x, w: y.size * math.prod(w.shape[1:]),
    "conv_transpose2d": lambda y, x, w: x.size * math.prod(w.shape[1:]),
    "conv2d_weight": lambda y, x, e: e.size * math.prod(y.shape[1:]),
    "lstm": lambda y, x, w: x.size * w.shape[1],
}


def _flops(op: Op, y: Array, inputs: Sequence[Array]) -> int:
    """2 · multiply-adds of one of the library's products; padding's zeros count, as usual.

    A product and its gradients in a and b sum over the same indices: each takes as many.
    """
    own = op.definition.__module__.startswith("minigan.ops.")  # a reader's `linear` may differ
    count = _MULTIPLY_ADDS.get(op.name) if own else None
    return 2 * count(y, *inputs[:2]) if count else 0


def _bytes(result: Any, operands: Sequence[Any], picks: bool = False) -> int:
    """What must be read of the operands and written of the result; nothing if that is a view.

    A function that ``picks`` elements reads no more than it writes.
    """
    xp = module_of(result)
    result = xp.asarray(result)
    arrays = {id(a): a for a in operands if is_array(a)}.values()
    if any(xp.may_share_memory(result, a) for a in arrays):
        return 0
    return _size(result) + (_size(result) if picks else sum(map(_size, arrays)))


def _size(a: Array) -> int:
    """Bytes in memory: what was broadcast is there once."""
    return a.itemsize * math.prod(
        n for n, stride in zip(a.shape, a.strides, strict=True) if stride or not n
    )


# ---------------------------------------------------------------------------------------- measuring


class _Clock:
    """At each moment exactly one count runs."""

    def __init__(self, running: Count, itself: Count) -> None:
        self.running, self.itself = running, itself
        self.since = time.perf_counter()
        self.inside = False  # of a function, whose time includes those that it calls on arrays

    def alone(self, function: Any) -> Any:
        """The function, with what it calls not counted apart."""

        def called(*args: Any, **settings: Any) -> Any:
            before, self.inside = self.inside, True
            try:
                return function(*args, **settings)
            finally:
                self.inside = before

        return called

    def switch(self, count: Count) -> Count:
        """Let ``count`` run from now on; returns the one that ran until now."""
        now, before = time.perf_counter(), self.running
        before.seconds += now - self.since
        self.running, self.since = count, now
        return before

    def timed(self, function: Any, count: Count, tally: Callable[..., None]) -> Any:
        """The function, on ``count``; ``tally(arguments, settings, result)`` adds what it did."""

        @functools.wraps(function)
        def measured(*args: Any, **settings: Any) -> Any:
            outer = self.switch(count)
            try:
                result = function(*args, **settings)
                self.switch(self.itself)
                count.calls += outer is not count  # a step() that calls super().step() is one
                tally(args, settings, result)
                return result
            finally:
                self.switch(outer)

        return measured


_profiling = False


@contextmanager
def profile() -> Iterator[Report]:
    """Measure what the block computes; the report is complete when the block ends.

    Measured are all ops that exist when it begins, your own ones too, and each optimiser's
    ``step()``. A rule's time includes the functions that it calls on arrays. With
    ``create_graph=True`` the rules' functions are recorded and count as forward calls of their own.

    Times are the CPU's: a GPU still works when a function has returned. The block must compute in
    one thread of Python (BLAS may use more).

    Raises
    ------
    RuntimeError
        If another ``profile()`` is running.
    """
    global _profiling
    if _profiling:
        raise RuntimeError("profile() inside of profile(): the outer one measures all ops already")
    report = Report()
    clock = _Clock(report.count(REST), report.count(ITSELF))
    ops = [op for op in gc.get_objects() if type(op) is Op]
    originals = [(op, (op.forward, op.backward)) for op in ops]
    places = [(cls, "step", OPTIMISER) for cls in _family(Optimizer)] + _WORK_OUTSIDE_OF_OPS
    plain = [(*place, vars(place[0])[place[1]]) for place in places if place[1] in vars(place[0])]
    _profiling = True
    try:
        for op, (forward, backward) in originals:
            op.forward = _timed_forward(op, forward, report, clock)
            op.backward = tuple(
                _timed_rule(op, rule, i, report, clock) for i, rule in enumerate(backward)
            )
        for owner, name, row, function in plain:
            setattr(owner, name, _timed_plain(function, report.count(row), clock))
        clock.since = time.perf_counter()
        yield report
    finally:
        clock.switch(clock.itself)
        for op, own in originals:
            op.forward, op.backward = own
        for owner, name, _, function in plain:
            setattr(owner, name, function)
        _profiling = False
        unused = [key for key, count in report.counts.items() if count == Count()]
        for key in unused:
            del report.counts[key]


# functions that the walk back and the layers call on bare arrays: where, name, and row
_WORK_OUTSIDE_OF_OPS: list[tuple[Any, str, str]] = [
    (graph, "fitted", "sum_to"),  # undoes broadcasting after a rule
    (ops, "batch_stats", "batch_stats"),
]


def _timed_plain(function: Any, count: Count, clock: _Clock) -> Any:
    def tally(arguments: Sequence[Any], settings: dict[str, Any], result: Any) -> None:
        if is_array(arguments[0]):
            count.bytes += _size(arguments[0])  # it reads that

    return clock.timed(function, count, tally)


def _timed_forward(op: Op, forward: Any, report: Report, clock: _Clock) -> Any:
    count = report.count(op.name)
    if forward is no_twin:
        return forward

    def tally(inputs: Sequence[Any], settings: dict[str, Any], y: Any) -> None:
        if y is NotImplemented:
            return
        y = y[0] if op.composite else y
        flops = _flops(op, y, inputs)
        count.flops += flops
        if not flops:
            count.bytes += _bytes(y, inputs, picks=op.picks)

    measured = clock.timed(clock.alone(forward), count, tally)

    def timed(*inputs: Any, **settings: Any) -> Any:
        return (forward if clock.inside else measured)(*inputs, **settings)

    if not op.composite:
        return timed

    def with_pullback(*inputs: Any, **settings: Any) -> Any:
        found = timed(*inputs, **settings)
        if found is NotImplemented:
            return found
        y, pullback = found

        def rule(g: Any, wanted: Any, *operands: Any) -> Any:
            return pullback(g, wanted)

        rule_timed: Any = _timed_rule(op, rule, None, report, clock)
        return y, lambda g, wanted: rule_timed(g, wanted, y, *inputs)

    return with_pullback


def _timed_rule(
    op: Op, rule: Any, i: int | None, report: Report, clock: _Clock
) -> Callable[..., Any] | None:
    """The rule for input i, on the clock; None: a pullback, which is told what is wanted."""
    if rule is None:
        return None
    count = report.count(op.name, "backward")

    def tally(arguments: Sequence[Any], settings: dict[str, Any], found: Any) -> None:
        if i is None:
            g, wanted, y, *inputs = arguments
            products = sum(wanted[:2])
        else:  # one product for each of the first two inputs; the third is a bias, which is summed
            g, y, *inputs = arguments
            products = i < 2
        flops = _flops(op, y, inputs) * products
        count.flops += flops
        for gx in found if isinstance(found, tuple) else (found,):
            if not flops and gx is not None:
                count.bytes += _bytes(gx, (g,))

    return clock.timed(clock.alone(rule), count, tally)


def _family(cls: Any) -> list[Any]:
    """The class and all that were derived from it."""
    return [cls, *(c for child in cls.__subclasses__() for c in _family(child))]


# ------------------------------------------------------------------------- the machine, and a bench


class Machine(NamedTuple):
    """A processor and its best: what no function can be faster than."""

    name: str
    flops: float  # operations per second, of a large product of float32 matrices
    bandwidth: float  # bytes read or written per second, by a large copy

    def __str__(self) -> str:
        return (
            f"{self.name}; at best {self.flops / 1e9:.0f} GFLOP/s (sgemm), "
            f"{self.bandwidth / 1e9:.1f} GB/s (copy, one thread)"
        )


def measure_machine(n: int = 2048) -> Machine:
    """This machine, with as many threads as BLAS may use now; takes about a second.

    It multiplies matrices of n × n and copies 4n² float32 numbers: 64 MiB, more than caches hold.
    """
    a = np.full((n, n), 0.5, np.float32)
    c = np.empty_like(a)
    product = _best(lambda: np.matmul(a, a, out=c))
    source = np.ones(4 * n * n, np.float32)
    target = np.empty_like(source)
    copy = _best(lambda: np.copyto(target, source))
    return Machine(_name(), 2 * n**3 / product, 2 * source.nbytes / copy)


def _best(function: Callable[[], Any], times: int = 6) -> float:
    """The seconds that the fastest of some calls took, the first, which warms up, apart."""
    function()
    return min(_seconds(function) for _ in range(times - 1))


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _name() -> str:
    """The CPU, BLAS and its number of threads."""
    from threadpoolctl import threadpool_info

    cpu = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), cpu)
    blas = {
        f"{b['internal_api']} {b['version'] or ''} ({b['num_threads']} of {os.cpu_count()} threads)"
        for b in threadpool_info()
        if b["user_api"] == "blas"
    }
    return ", ".join([cpu, *sorted(blas or {"unknown BLAS"})])


class Bench(NamedTuple):
    """How long a step takes without the profiler, and with it where that time goes."""

    seconds: list[float]
    report: Report  # of one step
    machine: Machine

    def __str__(self) -> str:
        n, ms = len(self.seconds), [1e3 * s for s in sorted(self.seconds)]
        products, peak = self.report.flops, self.machine.flops
        lines = [
            f"{self.machine}",
            f"one step: {np.median(ms):.2f} ms, the median of {n} ({ms[0]:.2f} to "
            f"{ms[-1]:.2f}); its {products / 1e9:.2f} GFLOP need {1e3 * products / peak:.2f} ms",
            f"the same with the profiler, {1e3 * self.report.seconds:.2f} ms:",
            str(self.report.table(self.machine)),
        ]
        return "\n".join(lines)


def bench(step: Callable[[], Any], steps: int = 0, seconds: float = 3.0) -> Bench:
    """Time ``step()`` without and then with the profiler.

    Parameters
    ----------
    step : callable
        What to measure, e.g. one update of D and one of G; called twice first, to warm up.
    steps : int
        How often to call it, without and with; 0: as often as fits into ``seconds``, without.
    """
    for _ in range(2):
        step()
    times: list[float] = []
    while len(times) < steps if steps else len(times) < 3 or math.fsum(times) < seconds:
        times.append(_seconds(step))
    again = steps or -(-len(times) // 2)
    with profile() as report:
        for _ in range(again):
            step()
    return Bench(times, report.per(again), measure_machine())
