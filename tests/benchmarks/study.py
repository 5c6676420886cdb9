"""What the studies of this folder share: several methods, several seeds, one table with errors.

Every run is a trial of ``minigan.studio.search``: a process of its own, continued if the study is
started again, and kept with its error if it fails.
"""

from __future__ import annotations

import argparse
import datetime
import math
import platform
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigan.data import Dataset
from minigan.gan import Minimax
from minigan.saving import write_atomically
from minigan.studio.runs import Run
from minigan.studio.search import Result, Trial, run_trials

Measured = dict[str, float]


def parser(doc: str, name: str) -> argparse.ArgumentParser:
    """The options that every study has."""
    options = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", type=int, help="runs of each method")
    options.add_argument("--jobs", type=int, default=1, help="processes at a time [1]")
    options.add_argument("--quick", action="store_true", help="a smoke run of one seed")
    options.add_argument("--runs", type=Path, default=Path("runs", name), help="the runs' folder")
    options.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    return options


class Study:
    """The runs of several methods, and what was measured on each.

    Parameters
    ----------
    methods : mapping
        A method's name → the options of its run.
    seeds : int
        How many runs of each.
    folder : Path
        Where the runs' folders are, or will be.
    measure : callable
        ``measure(game, dataset)`` gives the numbers of a finished run.

    Attributes
    ----------
    results : dict
        Method → a Result per seed.
    measured : dict
        Method → the numbers of its runs that did not fail.
    """

    def __init__(
        self,
        methods: Mapping[str, Mapping[str, Any]],
        seeds: int,
        folder: Path,
        jobs: int,
        measure: Callable[[Minimax, Dataset], Measured],
    ) -> None:
        self.methods, self.folder = methods, folder
        names = [(name, seed) for name in methods for seed in range(seeds)]
        trials = [Trial(label(name), seed, dict(methods[name])) for name, seed in names]
        results = run_trials(trials, folder, jobs)
        self.results: dict[str, list[Result]] = {name: [] for name in methods}
        self.measured: dict[str, list[Measured]] = {name: [] for name in methods}
        for (name, _), result in zip(names, results, strict=True):
            self.results[name].append(result)
            if result.error is None:
                run = self.run(result)
                self.measured[name].append(measure(self.game(result), run.config.dataset()))

    def good(self, name: str) -> list[Result]:
        """The results of a method's runs that did not fail."""
        return [r for r in self.results[name] if r.error is None]

    def run(self, result: Result) -> Run:
        """The run of a trial."""
        return Run.open(self.folder / result.trial.name)

    def game(self, result: Result) -> Minimax:
        """The finished game of a trial."""
        with warnings.catch_warnings(action="ignore"):  # about unusual pairs: here they are meant
            return self.run(result).restore()

    def mean(self, name: str, metric: str, digits: int) -> str:
        """The mean ± standard error of a method's runs, where the metric says something."""
        values = [m[metric] for m in self.measured[name]]
        return mean_and_error([v for v in values if math.isfinite(v)], digits)

    def seconds(self, name: str) -> str:
        """The mean time of a run."""
        values = [r.seconds for r in self.results[name] if r.seconds is not None]
        return f"{np.mean(values):.0f}" if values else "–"

    def ended(self, name: str) -> str:
        """How many runs did not fail."""
        return f"{len(self.measured[name])} of {len(self.results[name])}"

    def failures(self) -> str:
        """A line per run that failed, as a Markdown list; empty if there is none."""
        failed = [r for results in self.results.values() for r in results if r.error]
        return "".join(f"- {r.trial.name}: {r.error}\n" for r in failed)


def label(name: str) -> str:
    """A method's name as part of a folder's."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower())


def mean_and_error(values: Sequence[float], digits: int) -> str:
    """``"6.3 ± 0.5"``: the mean and its standard error over runs."""
    if not values:
        return "–"
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.{digits}f}"


def where_and_when() -> str:
    """The machine and the day, for the end of a report."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return f"{cpu}, NumPy {np.__version__}, {datetime.date.today()}"


def write(path: Path, text: str) -> None:
    """Print a report and save it."""
    print(f"\n{text}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    print(f"\n{path}")
