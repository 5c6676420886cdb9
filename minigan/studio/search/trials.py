"""Playing trials, each in a process of its own."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...array import default_device
from ...saving import write_atomically
from .. import plot
from ..runs import Config, Run
from .results import Result, figure, line, to_csv
from .scores import SCORES
from .settings import Search, Trial

_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def run(
    search: Search, folder: Path, jobs: int = 1, tell: Callable[[str], Any] = print
) -> list[Result]:
    """Play the search's trials with :func:`run_trials`; then write trials.csv and trials.png.

    The same search with more ``trials`` or ``seeds`` plays those that are new.
    """
    trials = search.all_trials()
    results = run_trials(trials, folder, jobs, search.score, search.varied(), tell)
    write_atomically(folder / "trials.csv", to_csv(search, results).encode())
    plot.save(figure(search, results), folder / "trials.png")
    return results


def run_trials(
    trials: Sequence[Trial],
    folder: Path,
    jobs: int = 1,
    score: str | None = None,
    show: Sequence[str] = (),
    tell: Callable[[str], Any] = print,
) -> list[Result]:
    """Play every trial that is not finished in ``folder``.

    Each trial is a process of its own with one thread for the products of matrices. A trial that
    fails keeps its error and stops no other. If this process is killed, its running trials end
    with it and lose what they did since their last checkpoints; the same call again goes on from
    there. A trial whose process died without a word (killed, out of memory) is tried again then;
    one with an error of its own is not, unless its trial.json is deleted.

    Parameters
    ----------
    trials : sequence of Trial
    folder : Path
        Where the trials' folders are, or will be.
    jobs : int
        Processes at a time.
    score : str, optional
        One of ``SCORES``, computed when a trial is finished.
    show : sequence of str
        The options that ``tell`` gets to hear.
    tell : callable
        Gets a line per finished trial.

    Returns
    -------
    list of Result
        In the order of the trials.

    Raises
    ------
    ValueError
        If a trial's folder is there, but of other options; or if the data cannot be read.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    found = {trial.name: _finished(folder, trial, score) for trial in trials}
    results = {name: result for name, result in found.items() if result is not None}
    waiting = [trial for trial in trials if trial.name not in results]
    _check_data(waiting)
    if results:
        tell(f"{len(results)} of {len(trials)} trials are finished already")
    for trial, process, stderr in _processes(waiting, folder, jobs, score):
        result = _finished(folder, trial, score)
        results[trial.name] = result or Result(trial, error=_last_words(process, stderr))
        tell(f"[{len(results)}/{len(trials)}] {line(results[trial.name], show)}")
    return [results[trial.name] for trial in trials]


def _finished(folder: Path, trial: Trial, score: str | None) -> Result | None:
    """The result that is in the trial's folder, if it is finished and has the score."""
    home = folder / trial.name
    if (home / "trial.json").is_file():
        content = json.loads((home / "trial.json").read_text())
        same = content.pop("setting") == trial.setting
        scored = content.pop("scored by", score) == score  # one that could not train has no score
        result = Result(trial, **content) if scored else None
    else:
        same = not (home / "config.json").is_file() or Run.open(home).config == trial.config()
        result = None
    if not same:
        raise ValueError(f"{home} is a trial with other options: choose another --out")
    return result


def _check_data(trials: Sequence[Trial]) -> None:
    """Load each data set once here: what is missing is downloaded by one process, or told once."""
    keys = ("data", "data_dir", "split", "image_size")
    seen = []
    for trial in trials:
        source = {k: trial.setting[k] for k in keys if k in trial.setting}
        if source not in seen:
            seen.append(source)
            Config.of(**source).dataset()


def _processes(
    trials: Sequence[Trial], folder: Path, jobs: int, score: str | None
) -> Iterator[tuple[Trial, subprocess.Popen, Any]]:
    """Start each trial's process, ``jobs`` at a time, and yield it when it has ended."""
    program = "import sys; from minigan.studio.search import trials; trials.play(sys.argv[1])"
    environment = os.environ | _ONE_THREAD | {"MINIGAN_DEVICE": default_device()}
    waiting = list(trials)
    running: dict[subprocess.Popen, tuple[Trial, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                trial, stderr = waiting.pop(0), tempfile.TemporaryFile()  # noqa: SIM115
                orders: dict[str, Any] = {"home": str(folder / trial.name), "score": score}
                orders |= {"label": trial.label, "seed": trial.seed, "setting": trial.setting}
                process = subprocess.Popen(
                    [sys.executable, "-c", program, json.dumps(orders)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=environment,
                )
                running[process] = trial, stderr
            for process in [p for p in running if p.poll() is not None]:
                trial, stderr = running.pop(process)
                yield trial, process, stderr
            time.sleep(0.02)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _last_words(process: subprocess.Popen, stderr: Any) -> str:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").splitlines()
    words = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return f"its process ended with code {process.returncode}: {words}"


def play(orders: str) -> None:
    """A trial, in a process of its own: begin or continue its run, and leave its trial.json."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    given = json.loads(orders)
    home, score = Path(given["home"]), given["score"]
    trial = Trial(given["label"], given["seed"], given["setting"])
    start = time.perf_counter()
    content: dict[str, Any] = {"setting": trial.setting}
    try:
        config = trial.config()
        dataset = config.dataset()
        started = (home / "config.json").is_file()
        run = Run.open(home) if started else Run.create(config, dataset, home)
        game = run.train(dataset, progress=False)
        content["scored by"] = score
        if score is not None:
            value = SCORES[score].of(game, dataset)
            if not math.isfinite(value):
                raise ArithmeticError(f"the {SCORES[score].title} is {value}")
            content["score"] = value
    except Exception as error:  # whatever a setting does, the others go on
        content["error"] = " ".join(f"{type(error).__name__}: {error}".split())
    content["seconds"] = round(time.perf_counter() - start, 1)
    home.mkdir(parents=True, exist_ok=True)
    write_atomically(home / "trial.json", (json.dumps(content, indent=2) + "\n").encode())


def _end_with_parent() -> None:
    """Standard input ends when the parent does, however it ends: no trial goes on without it."""
    os.read(0, 1)
    os._exit(1)
