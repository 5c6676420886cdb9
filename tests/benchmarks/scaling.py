"""Does minigan's cost grow with the work? DCGAN steps of growing batch and width.

::

    python tests/benchmarks/scaling.py            # docs/benchmarks/scaling.png, and a table

A step's multiplications and additions in dense layers and convolutions are counted from the
networks' lists, and its time is measured. A straight line in the picture, and a steady number of µs
per MFLOP in the table, say that no size falls off a cliff (a cache, an allocation, a slow path).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent


def forward_flops(layers, shape) -> tuple[list[int], tuple[int, ...]]:
    """FLOPs of each layer with weights for one sample, and the output's shape."""
    flops: list[int] = []
    for name, *sizes in layers:
        if name == "linear":
            flops.append(2 * sizes[0] * sizes[1])
            shape = (sizes[1],)
        elif name in ("conv", "conv_transpose"):
            _, h, w = shape
            positions = h * w // 4 if name == "conv" else h * w  # the smaller picture's
            flops.append(2 * 16 * sizes[0] * sizes[1] * positions)
            shape = (sizes[1], h // 2, w // 2) if name == "conv" else (sizes[1], 2 * h, 2 * w)
        elif name == "unflatten":
            shape = tuple(sizes)
    return flops, shape


def step_flops(workload) -> int:
    """FLOPs of a step of both networks.

    D's step: G forward; D on real and on fake forward, and backward to its weights and to every
    input but the first. G's step: both forward; backward to G's weights, through all of D, and to
    every input of G's but the noise. D's weights need no gradient there.
    """
    from workloads.common import LATENT

    d, _ = forward_flops(workload.discriminator, workload.shape)
    g, _ = forward_flops(workload.generator, (LATENT,))
    d_step = sum(g) + 2 * (3 * sum(d) - d[0])
    g_step = sum(g) + sum(d) + sum(d) + 2 * sum(g) - g[0]
    return workload.batch * (d_step + g_step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pin", type=int, default=0, help="the first of the cores to run on")
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps, per size")
    parser.add_argument("--quick", action="store_true", help="two small sizes, writes nothing")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs" / "benchmarks")
    options = parser.parse_args()
    # before NumPy is imported, which happens below: it looks at both
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(options.pin, options.pin + options.threads))
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)

    from workloads.common import MNIST, dcgan, game, write_inputs
    from workloads.minigan_ import start
    from workloads.worker import times

    batches = [16, 32] if options.quick else [16, 32, 64, 128, 256, 512]
    sizes = [(batch, 1) for batch in batches] + [(64, w) for w in (2, 4) if not options.quick]
    points = []
    print("batch  width    GFLOP        ms   µs per MFLOP   GFLOP/s")
    for batch, width in sizes:
        networks = dcgan(MNIST, [64 * width, 128 * width])
        workload = replace(game("DCGAN", MNIST, networks), batch=batch)
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(workload, Path(folder))
            training = start(workload, Path(folder), "cpu")
        seconds = statistics.median(times(training.step, 0, options.seconds))
        flops = step_flops(workload)
        points.append((width, flops, seconds))
        print(
            f"{batch:5}  {width:5}  {flops / 1e9:7.2f}  {seconds * 1e3:8.1f}  "
            f"{seconds / flops * 1e12:13.2f}  {flops / seconds / 1e9:8.1f}",
            flush=True,
        )
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        draw(points, options.threads, options.out / "scaling.png")


def draw(points, threads: int, path: Path) -> None:
    """Time against FLOPs, both logarithmic, beside a line of equal speed."""
    from minigan.studio import plot

    figure = plot.new_figure(6, 4.5)
    axes = figure.add_subplot()
    for width, color in ((1, plot.BLUE), (None, plot.ORANGE)):
        chosen = [(f, s) for w, f, s in points if (w == 1) == (width == 1)]
        label = "batch 16 to 512" if width else "batch 64, width ×2 and ×4"
        axes.loglog(*zip(*chosen, strict=True), "o", color=color, label=label)
    ends = [min(f for _, f, _ in points), max(f for _, f, _ in points)]
    speed = statistics.median(f / s for _, f, s in points)
    axes.loglog(
        ends, [f / speed for f in ends], "--", color=plot.GREY, label=f"{speed / 1e9:.0f} GFLOP/s"
    )
    axes.set_xlabel("FLOPs of a step")
    axes.set_ylabel("seconds")
    axes.set_title(f"DCGAN 28×28, {threads} thread{'s' if threads > 1 else ''}")
    axes.grid(alpha=0.3)
    axes.legend()
    plot.save(figure, path)


if __name__ == "__main__":
    main()
