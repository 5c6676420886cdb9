"""One process of the comparison: one library, one workload. ``compare.py`` starts it.

Reads a task as JSON from its argument and prints what it measured as JSON in its last line. The
thread counts are set in the environment before this process starts.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

MODULES = {
    "minigan": "minigan_",
    "minigan-graph": "minigan_graph",
    "pytorch": "pytorch",
    "pytorch-graph": "pytorch_graph",
    "jax": "jax_",
    "tinygrad": "tinygrad_",
    "autograd": "autograd_",
}
WARM_UP_SECONDS = 0.3


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """The losses of the first steps; where ``seconds`` is not 0, also times and memory."""
    if hasattr(os, "sched_setaffinity"):  # Linux; before the library counts its cores
        os.sched_setaffinity(0, task["cores"])
    library = importlib.import_module(f"workloads.{MODULES[task['library']]}")
    from workloads.common import SAMPLES, WORKLOADS, Unsupported

    imported = _memory("VmRSS")
    _forget_peak()
    workload = task.get("workload") or WORKLOADS[task["name"]]
    workload = replace(workload, batch=task.get("batch", workload.batch))
    result: dict[str, Any] = {"version": library.VERSION}
    try:
        training = library.start(workload, Path(task["folder"]), task["device"])
        result["losses"] = [training.step(t) for t in range(task["checked"])]
    except Unsupported as reason:
        return result | {"unsupported": str(reason)}
    if not task["seconds"]:
        return result

    durations = times(training.step, task["checked"], task["seconds"])
    result["step"] = statistics.median(durations)
    result["steps"] = len(durations)
    if imported:
        result["memory"] = _memory("VmHWM") - imported
    if workload.generator and task["name"] in task["sampled"]:
        for n in SAMPLES:
            seconds = times(lambda _, n=n: training.sample(n), 0, task["seconds"] / 2)
            result[f"sampling {n}"] = n / statistics.median(seconds)
    return result


def times(step: Callable[[int], object], t: int, seconds: float) -> list[float]:
    """Seconds of each step, from number t on, after a warm-up; at least three."""
    end = time.perf_counter() + min(WARM_UP_SECONDS, seconds)
    while True:
        step(t)
        t += 1
        if time.perf_counter() >= end:
            break
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while len(durations) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        step(t)
        durations.append(time.perf_counter() - start)
        t += 1
    return durations


def _memory(field: str) -> int:
    """This process's resident bytes now (VmRSS) or at most so far (VmHWM); 0 if not on Linux.

    Not ``getrusage``: its peak starts from that of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _forget_peak() -> None:
    """Let VmHWM start anew, so that a peak while importing is not counted."""
    with suppress(OSError):  # where it stays, too much memory is reported, not too little
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
