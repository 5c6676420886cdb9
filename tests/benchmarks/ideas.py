"""What each twin for the CPU buys: a training step with its definition in its place.

::

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/ideas.py

One process alternates between the library as it is and the library without *one* function's twins,
a fraction of a second each, and reports the median of the ratios of neighbours. All of them
together are not the product: one may matter more without another.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from unittest import mock

from workloads import minigan_
from workloads.common import WORKLOADS, write_inputs

from minigan.gan import steps
from minigan.seam import DEFINITIONS, Definition

LETTERS = "abcef"  # the workloads of one training step of two networks, and the LSTM


@contextmanager
def without_twins(record: Definition) -> Iterator[None]:
    """Inside, the definition runs on the CPU."""
    twins = record.twins
    record.twins = {place: found for place, found in twins.items() if place[0] != "cpu"}
    record.settle()
    try:
        yield
    finally:
        record.twins = twins
        record.settle()


def unused_gradients() -> AbstractContextManager[object]:
    """D's gradients in G's step, too."""
    return mock.patch.object(steps, "frozen", lambda *networks: nullcontext())


def ideas() -> dict[str, Callable[[], AbstractContextManager[object]]]:
    """By name: a context in which the step does without."""
    found: dict[str, Callable[[], AbstractContextManager[object]]] = {
        f"twins of {record.name}": partial(without_twins, record)
        for record in DEFINITIONS
        if any(
            device == "cpu" and twin.__module__.startswith("minigan.fast.numpy.")
            for (device, _), twins in record.twins.items()
            for twin in twins
        )
    }
    return found | {"freezing D in G's step": unused_gradients}


# ------------------------------------------------------------------------------------ measuring


def bought(
    step: Callable[[int], object],
    plain: Callable[[], AbstractContextManager[object]],
    seconds: float,
) -> float:
    """Time with the plain version over time without, the median over neighbouring stretches."""

    def stretch(steps: int) -> float:
        start = time.perf_counter()
        for t in range(steps):
            step(t)
        return time.perf_counter() - start

    stretch(2)
    steps = max(1, int(0.25 / (stretch(2) / 2)))
    ratios, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 5:
        fast = stretch(steps)
        with plain():
            stretch(1)
            slow = stretch(steps)
        stretch(1)
        ratios.append(slow / fast)
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="per twin and workload")
    options = parser.parse_args()
    print("| a step without | " + " | ".join(WORKLOADS[k].title for k in LETTERS) + " |")
    print("|---" * (len(LETTERS) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        run = {}
        for letter in LETTERS:
            write_inputs(WORKLOADS[letter], Path(folder) / letter)
            run[letter] = minigan_.start(WORKLOADS[letter], Path(folder) / letter, "cpu").step
        for title, plain in ideas().items():
            ratios = [bought(run[letter], plain, options.seconds) for letter in LETTERS]
            cells = [f"{100 * (ratio - 1):+.0f}%" for ratio in ratios]
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
