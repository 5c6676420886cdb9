"""How long does the same training step take in minigan, PyTorch, JAX, tinygrad, HIPS autograd?

::

    pip install -e ".[benchmark,parity]"
    python tests/benchmarks/compare.py                # everything installed: about half an hour
    python tests/benchmarks/compare.py --quick        # does it run? writes nothing
    python tests/benchmarks/compare.py --device cuda  # on an NVIDIA GPU; also with --tf32

All start from the same weights and read the same data and noise. First every library's losses of
the first steps are compared with minigan's; one that computes something else is not timed. Then, in
each round, every library gets a process of its own, in random order, with the same number of
threads on the same cores: it warms up, takes steps for about a second and reports their median. The
ratio is minigan's time over the other's *within a round*, so that a slow minute of the machine
counts for both; reported are its median and quartiles over the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from workloads.common import BATCH, CONVOLUTIONAL, SAMPLES, WORKLOADS, write_inputs

from minigan.saving import write_atomically

HERE = Path(__file__).resolve().parent
TITLES = {
    "minigan": "minigan",
    "minigan-graph": "minigan, CUDA graphs",
    "pytorch": "PyTorch eager",
    "pytorch-graph": "PyTorch, CUDA graphs",
    "jax": "JAX jit",
    "tinygrad": "tinygrad jit",
    "autograd": "HIPS autograd",
}
MODULES = {  # what is imported, where it is called otherwise
    "minigan-graph": "minigan",
    "pytorch": "torch",
    "pytorch-graph": "torch",
}
ON_GPU = ("minigan", "minigan-graph", "pytorch", "pytorch-graph")
DEVICES = {"cpu": tuple(x for x in TITLES if not x.endswith("-graph")), "cuda": ON_GPU}

# Losses of the first steps, from equal weights in float32, relative to the loss or to 1. The first
# loss sees rounding alone. Later ones also see Adam's first steps, about lr · sign(g): where g is
# nothing but rounding, its sign differs from library to library, and such weights end up 2 lr
# apart. How far that moves the losses depends on the network (Workload.tolerance, some three times
# what was seen between PyTorch, JAX and minigan). In float64 the losses of minigan and PyTorch
# agree to 1e-15 on (a), (c), (d) and (f).
CHECKED = 4
TOLERANCE_FIRST = 2e-6


# ------------------------------------------------------------------------------------- one process


def run(library: str, name: str, threads: int, seconds: float, options: Any, folder: Path) -> Any:
    """What workloads/worker.py measured, or ``{"failed": message}``."""
    task = {
        "library": library,
        "name": name,
        "cores": list(range(options.pin, options.pin + threads)),
        "folder": str(folder / name),
        "device": options.device,
        "batch": options.batch,
        "checked": CHECKED,
        "seconds": seconds,
        "sampled": CONVOLUTIONAL,
    }
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "CPU_COUNT": str(threads),  # tinygrad's
        "CUPY_TF32": str(int(options.tf32)),
    }
    if library == "jax":  # it takes as many threads as there are cores that it may run on
        env["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, "-m", "workloads.worker", json.dumps(task)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def disagreement(losses: list[list[float]], expected: list[list[float]], later: float) -> str:
    """Where the losses are further apart than float32 explains; "" if nowhere.

    ``later`` is the tolerance of all but the very first loss.
    """
    for t, (ours, theirs) in enumerate(zip(expected, losses, strict=True)):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            tolerance = TOLERANCE_FIRST if t == i == 0 else later
            if not abs(a - b) <= tolerance * max(1, abs(a)):
                return f"loss {i + 1} of step {t + 1} is {b:.7g}, minigan's is {a:.7g}"
    return ""


# --------------------------------------------------------------------------------------- a workload


def compare(name: str, threads: int, options: Any, folder: Path) -> dict[str, Any]:
    """Check, then time: ``{"absent": {library: why}, "rounds": [{library: result}], …}``."""
    absent: dict[str, str] = {}
    versions: dict[str, str] = {}
    expected: list[list[float]] = []
    for library in options.libraries:
        if not importlib.util.find_spec(MODULES.get(library, library)):
            absent[library] = "not installed"
        else:
            result = run(library, name, threads, 0, options, folder)
            why = result.get("failed") or result.get("unsupported") or ""
            if not why:
                expected = expected or result["losses"]  # of minigan, which comes first
                why = disagreement(result["losses"], expected, WORKLOADS[name].tolerance)
            if why:
                absent[library] = why
            else:
                versions[library] = result["version"]
        if library in absent:
            print(f"  ({name}) {library}: {absent[library]}", file=sys.stderr)
    if "minigan" in absent:
        sys.exit(f"minigan itself can not run ({name}): {absent['minigan']}")

    rounds = []
    for number in range(options.rounds):
        order = random.sample(list(versions), len(versions))
        seconds = options.seconds
        rounds.append({lib: run(lib, name, threads, seconds, options, folder) for lib in order})
        for library, result in rounds[-1].items():
            if "failed" in result:
                sys.exit(f"({name}) {library} failed in round {number + 1}: {result['failed']}")
            if result["version"] != versions[library]:
                sys.exit(f"{library} was {versions[library]}, and is now {result['version']}")
        times = "  ".join(f"{lib} {r['step'] * 1e3:.2f} ms" for lib, r in rounds[-1].items())
        print(f"  ({name}) {threads} thread(s), round {number + 1}: {times}", file=sys.stderr)
    return {
        "workload": name,
        "threads": threads,
        "versions": versions,
        "absent": absent,
        "rounds": rounds,
    }


# ----------------------------------------------------------------------------------------- tables


def summary(result: dict[str, Any], library: str, key: str) -> dict[str, Any] | None:
    """Median and quartiles of a measurement over the rounds, and of minigan's ratio to it."""
    rounds = [r for r in result["rounds"] if key in r.get(library, {})]
    if not rounds:
        return None
    values = [r[library][key] for r in rounds]
    ratios = [r["minigan"][key] / r[library][key] for r in rounds if r[library][key] > 0]
    return {
        "quartiles": [float(q) for q in np.percentile(values, [25, 50, 75])],
        "ratio": [float(q) for q in np.percentile(ratios, [25, 50, 75])] if ratios else None,
    }


def table(results: list[dict[str, Any]], libraries: list[str], key: str, unit: float) -> list[str]:
    """Markdown: a row per workload and thread count; median (quartiles), ratio (quartiles)."""
    rows = []
    for result in results:
        cells = []
        for library in libraries:
            s = summary(result, library, key)
            if s is None:
                cells.append("–")
                continue
            low, median, high = (f"{q * unit:.3g}" for q in s["quartiles"])
            cell = f"{median} ({low}–{high})"
            if library != "minigan" and s["ratio"]:
                low, median, high = (f"{q:.2f}" for q in s["ratio"])
                cell += f" · **{median}** ({low}–{high})"
            cells.append(cell)
        if any(cell != "–" for cell in cells):
            title = f"({result['workload']}) {WORKLOADS[result['workload']].title}"
            rows.append(f"| {title} | {result['threads']} | {' | '.join(cells)} |")
    if not rows:
        return []
    head = f"| workload | threads | {' | '.join(TITLES[library] for library in libraries)} |"
    return [head, "|---|---|" + "---|" * len(libraries), *rows]


def report(results: list[dict[str, Any]], options: Any, about: dict[str, Any]) -> str:
    """Everything as Markdown."""
    versions = {lib: v for result in results for lib, v in result["versions"].items()}
    absent = set()
    for result in results:
        for library, why in result["absent"].items():
            where = "" if why == "not installed" else f", ({result['workload']})"
            absent.add(f"- {TITLES[library]}{where}: {why}")
    lines = [
        "# minigan beside other libraries",
        "",
        f"{about['cpu']}, {about['date']}, {about['system']}; {options.rounds} rounds of "
        f"{options.seconds:g} s, batch {options.batch}, float32"
        f"{' (products in TF32)' if options.tf32 else ''}, {about['device']}.",
        "",
        *[f"- {TITLES[library]}: {version}" for library, version in versions.items()],
        *sorted(absent),
        "",
        "Each cell: median (quartiles) over the rounds · **minigan's value over this one's** "
        "(quartiles). Below 1, minigan needs less; for pictures a second, above 1 it makes more.",
    ]
    measured = [library for library in TITLES if library in versions]
    sections = [("Time of a step, ms", "step", 1e3)]
    sections += [(f"Pictures a second, {n} at a time", f"sampling {n}", 1) for n in SAMPLES]
    if options.device == "cpu":
        sections += [("Peak memory of training, MB", "memory", 1e-6)]
    for title, key, unit in sections:
        body = table(results, measured, key, unit)
        lines += ["", f"## {title}", "", *body] if body else []
    return "\n".join([*lines, "", "## What is compared", "", NOTES, ""])


NOTES = """\
- A step of (a), (b), (c) and (e) updates D on real pictures and on G's, which are constants there,
  and then G, each with binary cross-entropy and Adam. (d) updates the critic alone, on given real
  and fake pictures; its gradient penalty is differentiated twice. (f) updates an LSTM with a linear
  layer, on given real and fake pictures.
- Nobody computes the gradients of D's weights in G's step, where they are not used: minigan's game
  freezes D, the PyTorch step calls `requires_grad_(False)`, the functional libraries differentiate
  with respect to G's weights alone. Many PyTorch programs leave them in: 8 % more
  FLOPs in (c).
- Every step ends with its losses as Python floats. minigan's game also checks that they are finite
  and reports the mean of D(x) and of D(G(z)); the others do not.
- PyTorch runs as it comes: eager, NCHW memory, `torch.optim.Adam`'s defaults. JAX and tinygrad
  compile each of the two steps; compiling is not timed, but its memory is counted.
- Memory is a process's highest resident size in training minus its size after the imports. What a
  library loads at first use (oneDNN's kernels, a compiler) is therefore counted.
- Initial weights are minigan's, from a seed, read by every library from the same safetensors
  files. The losses of the first four steps agree; compare.py says how closely, and why so."""


def machine(device: str) -> dict[str, Any]:
    """The processor's name, the date, the system, and the device."""
    cpu = platform.processor() or platform.machine()
    try:
        names = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    except OSError:
        pass
    if device == "cuda":
        import cupy

        device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return {
        "device": device,
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }


def parse() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def names(text: str) -> list[str]:
        return text.split(",")

    parser.add_argument("--workloads", type=names, default=list(WORKLOADS), help="such as a,c")
    parser.add_argument("--libraries", type=names, help="beside minigan; all that the device has")
    parser.add_argument("--threads", type=names, default=["1", "2"], help="such as 1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of steps, per process")
    parser.add_argument("--batch", type=int, default=BATCH, help="samples a step")
    parser.add_argument("--pin", type=int, default=0, help="the first of the cores to run on")
    parser.add_argument("--device", choices=list(DEVICES), default="cpu")
    parser.add_argument("--tf32", action="store_true", help="on a GPU, in every library")
    parser.add_argument("--out", type=Path, help="a folder; docs/benchmarks unless --quick")
    parser.add_argument("--quick", action="store_true", help="1 round of 0.1 s on 1 thread")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.threads = 1, 0.1, ["1"]
    elif options.out is None:
        options.out = HERE.parents[1] / "docs" / "benchmarks"
    there = DEVICES[options.device]
    options.libraries = options.libraries or there
    for given, known, what in (
        (options.workloads, list(WORKLOADS), "workload"),
        (options.libraries, there, "library"),
    ):
        for name in given:
            if name not in known:
                parser.error(f"unknown {what} {name!r}: choose from {', '.join(known)}")
    # minigan first: the others are compared with it
    options.libraries = [x for x in there if x in options.libraries or x == "minigan"]
    options.threads = [int(n) for n in options.threads]
    if options.pin + max(options.threads) > (os.cpu_count() or 1):
        parser.error(f"{max(options.threads)} thread(s) from core {options.pin} on: there are only "
                     f"{os.cpu_count()} cores")  # fmt: skip
    return options


def main() -> None:
    options = parse()
    about = machine(options.device)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.workloads:
            write_inputs(replace(WORKLOADS[name], batch=options.batch), Path(folder, name))
            for threads in options.threads:
                results.append(compare(name, threads, options, Path(folder)))
                if options.out is not None:  # after each, so that an interrupted run keeps them
                    options.out.mkdir(parents=True, exist_ok=True)
                    stem = f"compare-{options.device}"
                    content = json.dumps({**about, "results": results}, indent=1) + "\n"
                    write_atomically(options.out / f"{stem}.json", content.encode())
                    text = report(results, options, about)
                    write_atomically(options.out / f"{stem}.md", text.encode())
    print(report(results, options, about))


if __name__ == "__main__":
    main()
