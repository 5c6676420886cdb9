"""The command ``minigan``: train a GAN, sample from it, look at a run, check every gradient."""

from __future__ import annotations

import importlib
import inspect
import json
import platform
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from .. import data, metrics, random, zoo
from ..array import (
    DeviceError,
    default_device,
    np,
    quiet,
    set_default_device,
    to_host,
)
from ..fast.cuda.device import describe_cuda
from ..fast.mpi import group, started
from ..gan import Diverged
from ..saving import write_atomically
from ..seam import DEFINITIONS
from ..tensor import Tensor
from . import plot
from . import search as search_
from .runs import Config, Run

app = typer.Typer(
    help="Understand GANs: train one, look at it, take it apart.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TRAIN_HELP = """Train a GAN; with no option, on the bundled handwritten digits.

\b
Examples:
  minigan train
  minigan train --data mnist --model dcgan --epochs 20
  minigan train --data ~/Pictures/cats --model dcgan --image-size 64
  minigan train --data ring --d-steps 3 --out runs/eight-modes
  minigan train --objective wasserstein --penalty gradient-penalty=10 --d-steps 5
  minigan train --resume runs/digits-mlp --epochs 600
"""


def _takes_the_options_of_a_run(command: Callable[..., int]) -> Callable[..., int]:
    """``command(**options)`` with an option for each field of ``Config`` that has a help text."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]
    options = []
    for name, hint in get_type_hints(Config, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, *texts = get_args(hint)  # the help text, and the name if it is not the field's
            option = typer.Option(*texts[1:], help=texts[0])
            options.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None,
                    annotation=Annotated[kind | None, option],
                )
            )
    signature = inspect.Signature(
        [*options, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own)]
    )
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command


@app.command(help=_TRAIN_HELP)
@_takes_the_options_of_a_run
def train(
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N  [MINIGAN_DEVICE, or cpu]")
    ] = None,
    capture: Annotated[
        bool, typer.Option(help="on a GPU: record the steps as CUDA graphs and replay them")
    ] = False,
    diagnose: Annotated[
        bool, typer.Option(help="watch for trouble, say what to try; 2% of the time")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="the run's folder  [runs/DATA-MODEL]")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="continue this run up to --epochs in total")
    ] = None,
    **options: Any,
) -> int:
    set_default_device(group().local_device(device or default_device()))
    options["penalties"] = options["penalties"] or None
    options["ranks"] = group().size if resume is None else None
    first = group().rank == 0  # which makes the folder and writes to it
    if not first:
        run = Run.open(Path(group().share("")))
        dataset = run.config.dataset()
    elif resume is None:
        config = Config.of(**options)
        dataset = config.dataset()
        run = Run.create(config, dataset, out)
    else:
        source = Run.open(resume)
        dataset = source.config.dataset()
        run = source.continued(options, out)
    if first:
        group().share(str(run.folder))
        game = " + ".join([run.config.objective, *run.config.penalties])
        print(f"{dataset!r}\n{run.config.model}, {game}, {run.config.epochs} epochs")
        if resume is not None and not run.checkpoint.is_file():
            print("no checkpoint yet: from the beginning")
    try:
        run.train(dataset, diagnose=diagnose, capture=capture)
    except KeyboardInterrupt:
        return _say(f"interrupted; continue with: minigan train --resume {run.folder}", 130)
    seen = ", diagnosis.txt" if diagnose else ""
    if first:
        print(f"{run.folder}: samples.png, loss.png, history.csv, checkpoint.safetensors{seen}")
    return 0


_SEARCH_HELP = """Train with every combination of several options' values, or with random ones.

Takes the options of `minigan train`, with several values each: A,B,C is a list,
log:LOW:HIGH a range drawn from uniformly in the logarithm, uniform:LOW:HIGH one drawn from
uniformly. --trials draws that many settings at random; without it every combination is tried.
The same command again skips the trials that are finished and continues the others.

\b
Examples:
  minigan search --lr 2e-4,1e-3 --objective minimax,non-saturating --seeds 3 --jobs 2
  minigan search --lr log:1e-5:1e-2 --batch-size 32,64,128 --trials 20 --out runs/search-lr
  minigan search --objective hinge,wasserstein --penalty none,r1=10,r1=1+r2=1
"""


@app.command(
    help=_SEARCH_HELP,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def search(
    context: typer.Context,
    trials: Annotated[
        int | None, typer.Option(help="settings to draw at random  [every combination]")
    ] = None,
    seeds: Annotated[int, typer.Option(help="runs of each setting")] = 1,
    seed: Annotated[int, typer.Option(help="of the draws, and the first of the runs")] = 0,
    jobs: Annotated[int, typer.Option(help="processes at a time, one thread each")] = 1,
    score: Annotated[str, typer.Option(help=", ".join(search_.SCORES))] = "frechet",
    out: Annotated[Path, typer.Option(help="the search's folder")] = Path("runs/search"),
    device: Annotated[str | None, typer.Option(help="cpu or cuda  [cpu]")] = None,
) -> None:
    set_default_device(device or default_device())
    plan = search_.Search(search_.read_options(context.args), trials, seeds, seed, score)
    print(search_.table(plan, search_.run(plan, out, jobs)))
    print(f"{out}: trials.csv, trials.png, and a folder for each run")


@app.command()
def sample(
    run: Annotated[Path, typer.Argument(help="a run's folder")],
    n: Annotated[int, typer.Option("-n", help="how many")] = 64,
    out: Annotated[
        Path, typer.Option(help="FILE.png, or FILE.npz with the array `samples`")
    ] = Path("samples.png"),
    seed: Annotated[int, typer.Option(help="of the noise")] = 0,
) -> None:
    """Sample from a run's generator.

    The .npz holds `samples`: float32, (N, C, H, W) pictures in the data's range, or (N, D) points.

    \b
    Examples:
      minigan sample runs/digits-mlp -n 100 --out digits.png
      minigan sample runs/digits-mlp -n 10000 --out digits.npz
    """
    if out.suffix not in (".png", ".npz"):
        raise ValueError(f"--out writes FILE.png or FILE.npz, got {out}")
    if n < 1:
        raise ValueError(f"-n must be at least 1, got {n}")
    source = Run.open(run)
    game = source.restore()
    samples = game.sample(n, game.fixed_noise(n, seed))
    if out.suffix == ".png":
        plot.save(source.picture(samples), out)
    else:
        write_atomically(out, _npz(samples=to_host(samples.array)))
    print(f"{out}: {n} samples {samples.shape[1:]}")


def _npz(**arrays: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="a run's folder")],
    n: Annotated[int, typer.Option("-n", help="samples; at most half of the real data")] = 5000,
    features: Annotated[
        str, typer.Option(help="what pictures are compared by: " + ", ".join(metrics.NAMES))
    ] = "auto",
    seed: Annotated[int, typer.Option(help="of the noise and of the choice of real data")] = 0,
) -> None:
    """Measure a run's samples, beside what a perfect generator would get.

    Prints a table and writes it to evaluation.json in the run's folder.

    \b
    Examples:
      minigan evaluate runs/digits-mlp
      minigan evaluate runs/mnist-dcgan -n 10000 --features inception
    """
    if n < 1:
        raise ValueError(f"-n must be at least 1, got {n}")
    source = Run.open(run)
    game, dataset = source.restore(), source.config.dataset()
    extractor = metrics.extractor(features, dataset)
    samples = game.sample(n, game.fixed_noise(n, seed))
    report = metrics.evaluate(dataset, samples, extractor, seed)
    content = {"epoch": game.epoch, "seed": seed, **report.as_dict()}
    write_atomically(run / "evaluation.json", (json.dumps(content, indent=2) + "\n").encode())
    print(f"{report}\n{run / 'evaluation.json'}")


@app.command()
def info(
    run: Annotated[Path | None, typer.Argument(help="a run's folder")] = None,
    twins: Annotated[
        bool, typer.Option("--twins", help="list the functions that have a faster twin, and where")
    ] = False,
) -> None:
    """Show what minigan finds on this machine, or what a run holds."""
    if twins:
        _print_twins()
        return
    if run is None:
        _print_machine()
        return
    source = Run.open(run)
    for name, value in vars(source.config).items():
        print(f"{name:14} {value}")
    lines = source.history.read_text().splitlines() if source.history.is_file() else []
    if len(lines) > 1:
        last = dict(zip(lines[0].split(","), lines[-1].split(","), strict=False))
        print("last step      " + ", ".join(f"{k} {v}" for k, v in last.items()))
    if source.checkpoint.is_file():
        game = source.restore()
        print(f"checkpoint     epoch {game.epoch} of {source.config.epochs}, step {game.step}")
        for name in ("generator", "discriminator"):
            count = sum(p.numel() for p in getattr(game, name).parameters())
            print(f"{name:14} {count:,} parameters")
    else:
        print("checkpoint     none yet")
    if source.diagnosis.is_file():
        print("\n" + source.diagnosis.read_text().rstrip())


def _print_twins() -> None:
    importlib.import_module("minigan.fast.cuda.twins")  # which are known once a GPU is used
    print(f"{'function':20} {'device':7} {'of':8} twin")
    for record in DEFINITIONS:
        for (device, rule), found in record.twins.items():
            for twin in found:
                what = "value" if rule is None else f"rule {rule}"
                what = "both" if getattr(record, "composite", False) else what
                place = f"{twin.__module__.removeprefix('minigan.')}.{twin.__name__}"
                print(f"{record.name:20} {device:7} {what:8} {place}")


def _print_machine() -> None:
    for name in ("minigan", "numpy", "safetensors", "matplotlib", "pillow"):
        print(f"{name:14} {version(name)}")
    print(f"{'python':14} {platform.python_version()} on {platform.platform()}")
    print(f"{'data folder':14} {data.cache_folder('')}")
    for line in describe_cuda():
        print(f"{'cuda':14} {line}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="mnist, fashion-mnist or cifar10")],
    data_dir: Annotated[Path | None, typer.Option(help="where to put it")] = None,
) -> None:
    """Download a data set, so that training on it needs no network."""
    print(f"{name}: {data.download(name, data_dir)}")


@app.command()
def check(
    order: Annotated[int, typer.Option(help="of the highest derivative", min=1, max=3)] = 2,
) -> int:
    """Check the gradient of every function of the library against differences of its values.

    Takes seconds. Fails if a derivative is wrong.
    """
    from tqdm import tqdm

    from ..check import library

    results = tqdm(library.check(order), total=len(library.EXAMPLES), leave=False, disable=None)
    table = library.table(results)
    print(table)
    return 1 if "WRONG" in table["verdict"] else 0


@app.command()
def bench(
    model: Annotated[str, typer.Option(help=", ".join(zoo.MODELS))] = "dcgan",
    data_shape: Annotated[
        str, typer.Option(help="of one example: CxHxW for pictures, D for points")
    ] = "1x28x28",
    batch_size: Annotated[int, typer.Option(help="examples per step")] = 64,
    steps: Annotated[int, typer.Option(help="how many to time; 0: some seconds of them")] = 0,
    threads: Annotated[
        int | None, typer.Option(help="cores for matrix products, 0 for all; mlp takes 1  [0]")
    ] = None,
) -> None:
    """Time a training step on random data, and show where the time goes.

    The first figure, without the profiler, is the one to quote. Takes some ten seconds.

    \b
    Examples:
      minigan bench
      minigan bench --model dcgan --data-shape 3x32x32 --threads 1
    """
    from threadpoolctl import threadpool_limits

    from . import profiler

    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    if default_device() != "cpu":
        raise ValueError(f"bench times the CPU, but the device is {default_device()}")
    config = Config.of(data="mnist", model=model, batch_size=batch_size, threads=threads)
    game = config.game(_shape(data_shape))
    real = random.uniform((batch_size, *_shape(data_shape))) * 2 - 1

    def step() -> None:
        game.step_discriminator(Tensor(real))
        game.step_generator(batch_size)

    with threadpool_limits(config.threads or None, user_api="blas"), quiet():
        print(f"{config.model}, batches of {batch_size} x {data_shape}")
        print(profiler.bench(step, steps))


def _shape(text: str) -> tuple[int, ...]:
    """``"1x28x28"`` as (1, 28, 28)."""
    sizes = text.lower().split("x")
    if len(sizes) not in (1, 3) or not all(s.isdecimal() and int(s) for s in sizes):
        raise ValueError(f"data-shape is like 1x28x28, or like 2 for points; got {text!r}")
    return tuple(map(int, sizes))


def main(args: list[str] | None = None) -> int:
    """Run the command; every foreseeable mistake is one line on stderr and a non-zero exit."""
    warnings.showwarning = lambda message, *_, **__: print(f"minigan: {message}", file=sys.stderr)
    args = sys.argv[1:] if args is None else args
    try:
        code = _run(args)
    except Exception:
        if started() > 1:
            traceback.print_exc()
            _end_all(1)
        raise
    if code and started() > 1:
        _end_all(code)
    return code


def _end_all(code: int) -> None:
    """The other processes would wait for this one for ever."""
    with suppress(ImportError):  # they do not: without mpi4py none of them has begun
        group().abort(code)


def _run(args: list[str]) -> int:
    try:
        return app(args or ["--help"], standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)
    except Diverged as error:
        return _say(str(error), 1)
    except (ValueError, OSError, ImportError, DeviceError) as error:
        return _say(_one_line(error), 2)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error: unknown option, missing argument
            return _say(error.format_message(), 2)
        raise


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(lines).replace(":;", ":")


def _say(message: str, code: int) -> int:
    print(f"minigan: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
