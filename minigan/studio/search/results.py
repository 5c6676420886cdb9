"""What came of a search: a table, a CSV file and a figure."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...array import np
from ...check.table import Table
from .scores import SCORES
from .settings import Range, Search, Trial, as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Result:
    """What came of a trial: a score, or an error in words."""

    trial: Trial
    score: float | None = None
    error: str | None = None
    seconds: float | None = None


def ranked(search: Search, results: Sequence[Result]) -> list[list[Result]]:
    """The results of each setting, the best mean score first; settings that failed come last.

    A setting that failed with some of its seeds comes after all that never did: what is left of
    it is the lucky part.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.trial.label, []).append(result)
    sign = -1 if SCORES[search.score].larger_is_better else 1

    def rank(group: list[Result]) -> tuple[int, float]:
        scores = _scores(group)
        failures = 0 if len(scores) == len(group) else 1 if scores else 2
        return failures, sign * float(np.mean(scores)) if scores else 0.0

    return sorted(groups.values(), key=rank)


def _scores(group: Sequence[Result]) -> list[float]:
    return [r.score for r in group if r.score is not None]


def table(search: Search, results: Sequence[Result]) -> Table:
    """A row per setting: its options, the score's mean ± standard error, and how many runs ended.

    Below it, the error of every trial that failed.
    """
    rows = []
    for group in ranked(search, results):
        trial, scores = group[0].trial, _scores(group)
        mean = f"{np.mean(scores):.4g}" if scores else "–"
        if len(scores) > 1:
            mean += f" ± {np.std(scores, ddof=1) / math.sqrt(len(scores)):.2g}"
        options = {o: as_text(trial.setting[o]) for o in search.varied()}
        rows.append(
            {"setting": trial.label, **options}
            | {SCORES[search.score].title: mean, "runs": f"{len(scores)} of {len(group)}"}
        )
    failed = [r for r in results if r.error]
    note = "\n".join(["", "failed:", *(line(r, search.varied()) for r in failed)])
    return Table(rows, note=note if failed else "")


def to_csv(search: Search, results: Sequence[Result]) -> str:
    """A row per trial, those of the best setting first."""
    file = io.StringIO()
    options = search.varied()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["trial", *options, "seed", search.score, "error"])
    for result in itertools.chain.from_iterable(ranked(search, results)):
        trial = result.trial
        values = [v if isinstance(v := trial.setting[o], float) else as_text(v) for o in options]
        writer.writerow([trial.name, *values, trial.seed, result.score, result.error])
    return file.getvalue()


def line(result: Result, options: Sequence[str]) -> str:
    """A trial and what came of it, on one line."""
    values = [f"{o} {as_text(result.trial.setting[o])}" for o in options]
    outcome = result.error or ("finished" if result.score is None else f"{result.score:.4g}")
    return f"{' '.join([result.trial.name, *values])}: {outcome}"


def figure(search: Search, results: Sequence[Result]) -> Figure:
    """The score against every option that varies: a dot per trial, a bar at each value's mean.

    Trials that failed are crosses at the top.
    """
    from ..plot import BLUE, GREY, ORANGE, new_figure

    options = search.varied() or ["seed"]
    sheet = new_figure(max(4.0, 3.2 * len(options)), 3.6)
    all_axes = sheet.subplots(1, len(options), sharey=True, squeeze=False)[0]
    good = [r for r in results if r.score is not None]
    bad = [r for r in results if r.score is None]
    choices = search.choices()
    for axes, option in zip(all_axes, options, strict=True):
        values = [r.trial.setting.get(option, r.trial.seed) for r in results]
        numeric = all(isinstance(v, (int, float)) for v in values)
        if numeric:
            places = dict(zip([r.trial.name for r in results], values, strict=True))
            if min(values) > 0 and max(values) >= 10 * min(values):
                axes.set_xscale("log")
        else:
            names = list(dict.fromkeys(map(as_text, values)))
            places = {r.trial.name: names.index(as_text(r.trial.setting[option])) for r in results}
            axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 2 else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
        x = [places[r.trial.name] for r in good]
        axes.plot(x, [r.score for r in good], "o", color=BLUE, alpha=0.6, markersize=5)
        if not isinstance(choices.get(option), Range):
            means = {
                p: np.mean([r.score for r in good if places[r.trial.name] == p]) for p in set(x)
            }
            axes.plot(list(means), list(means.values()), "_", color=GREY, markersize=22)
        axes.plot(
            [places[r.trial.name] for r in bad],
            [0.97] * len(bad),
            "x",
            color=ORANGE,
            transform=axes.get_xaxis_transform(),
        )
        axes.set_xlabel(option)
        axes.grid(alpha=0.3)
    scores = [r.score for r in good if r.score is not None]
    if scores and min(scores) > 0 and max(scores) > 20 * min(scores):
        all_axes[0].set_yscale("log")
    all_axes[0].set_ylabel(SCORES[search.score].title)
    return sheet
