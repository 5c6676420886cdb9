"""Every objective, with no penalty and with its usual one, on the bundled digits.

One budget, the same networks and the same optimiser for all; nothing is tuned::

    python tests/benchmarks/objectives.py --jobs 2
    python tests/benchmarks/objectives.py --quick        # a minute; its numbers mean nothing

writes objectives.md, objectives.png (each method's samples) and objectives-scores.png into
docs/benchmarks. A study that was stopped goes on when it is started again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from study import Measured, Study, parser, where_and_when, write

from minigan import data, metrics
from minigan.check.table import Table
from minigan.data import Dataset
from minigan.gan import OBJECTIVES, Minimax
from minigan.studio import plot
from minigan.studio.runs import Config

# An objective's usual constraint on D, with its weight there.
USUAL: dict[str, dict[str, dict[str, Any]]] = {
    "minimax": {"R1": {"penalties": ["r1=10"]}},  # Mescheder et al. 2018
    "non-saturating": {"R1": {"penalties": ["r1=10"]}},  # the same
    "least-squares": {"DRAGAN": {"penalties": ["dragan=10"]}},
    "hinge": {"spectral norm": {"d_norm": "spectral"}},  # Miyato et al. 2018
    "wasserstein": {
        "clipping": {"penalties": ["weight-clipping=0.01"]},  # Arjovsky et al. 2017
        "gradient penalty": {"penalties": ["gradient-penalty=10"]},  # Gulrajani et al. 2017
    },
    "relativistic": {"gradient penalty": {"penalties": ["gradient-penalty=10"]}},  # its paper
}
BASE = {"data": "digits", "model": "mlp", "epochs": 100}
COLLAPSED = 0.1  # recall below it: the samples reach less than a tenth of the digits


PAGE = """# Every objective on the bundled digits

{quick}One budget for all: {epochs} passes over 1,797 digits of 8×8, {updates:,} updates of D
and as many of G, batches of {config.batch_size}; Adam with lr {config.lr:g} and β₁ {config.beta1}
for both; G {g} with batch norm, D {d} without; samples from G's moving average ({config.ema}).
Nothing is tuned: the learning rate was chosen for the non-saturating game. Runs of each method:
{seeds}; mean ± standard error.

The Fréchet distance, precision and recall are on the features of the library's own classifier of
digits, so this is not the FID. They compare {n} samples with {n} real digits; the perfect sampler
is {n} other real ones. A run is called collapsed if its recall is below {collapsed}.

{table}

{failures}
![samples](objectives.png)

![scores](objectives-scores.png)

`python tests/benchmarks/objectives.py{option}`; one thread a run; {foot}.
"""


def methods(epochs: int) -> dict[str, dict[str, Any]]:
    """Name → options: each objective alone, then with what usually holds its D in check."""
    found: dict[str, dict[str, Any]] = {}
    for objective in OBJECTIVES:
        for constraint, options in {"": {}, **USUAL[objective]}.items():
            name = f"{objective} + {constraint}" if constraint else objective
            found[name] = {**BASE, **options, "objective": objective, "epochs": epochs}
    return found


def measure(game: Minimax, dataset: Dataset) -> Measured:
    """The game's numbers; a perfect sampler's are in :func:`floor`."""
    return _values(game.sample(len(dataset), game.fixed_noise(len(dataset), seed=1)), dataset)


def _values(samples: Any, dataset: Dataset, which: str = "value") -> Measured:
    report = metrics.evaluate(dataset, samples, metrics.extractor("auto", dataset))
    wanted = {
        "distance": "Fréchet distance (digit features)",
        "precision": "precision (digit features)",
        "recall": "recall (digit features)",
        "digits": "classes covered (of 10)",
    }
    return {short: getattr(report[name], which) for short, name in wanted.items()} | {"n": report.n}


def floor(dataset: Dataset) -> Measured:
    """What as many real digits score that the others were not compared with."""
    return _values(dataset[:], dataset, "perfect")


def verdict(study: Study, name: str) -> str:
    """What went wrong, in words; empty if nothing did."""
    diverged = len(study.results[name]) - len(study.good(name))
    collapsed = sum(m["recall"] < COLLAPSED for m in study.measured[name])
    words = [f"{diverged} failed"] * (diverged > 0) + [f"{collapsed} collapsed"] * (collapsed > 0)
    return ", ".join(words)


def table(study: Study, perfect: Measured) -> Table:
    """A row per method, and the perfect sampler's."""
    columns = {"Fréchet distance": ("distance", 2), "precision": ("precision", 2)}
    columns |= {"recall": ("recall", 2), "digits covered": ("digits", 1)}
    rows = [
        {"": name}
        | {title: study.mean(name, *metric) for title, metric in columns.items()}
        | {"runs": study.ended(name), "seconds a run": study.seconds(name)}
        | {"remarks": verdict(study, name)}
        for name in study.methods
    ]
    last = {title: f"{perfect[metric]:.{d}f}" for title, (metric, d) in columns.items()}
    return Table([*rows, {"": "perfect sampler"} | last])


def sheet(study: Study) -> Any:
    """Forty samples of each method's first run that did not fail."""
    from matplotlib.figure import Figure

    columns = 3
    rows = math.ceil(len(study.methods) / columns)
    figure = Figure(figsize=(4.2 * columns, 2 * rows), layout="constrained", dpi=80)
    for axes, name in zip(figure.subplots(rows, columns).flat, study.methods, strict=False):
        axes.set_title(name, fontsize=10)
        for result in study.good(name)[:1]:
            game = study.game(result)
            pictures = game.sample(40, game.fixed_noise(40, seed=1))
            axes.imshow(np.asarray(plot.grid(pictures, columns=10)), cmap="gray", vmin=0, vmax=255)
    for axes in figure.axes:
        axes.axis("off")
    return figure


def scores(study: Study, perfect: Measured) -> Any:
    """Every run's distance and recall, a row per method, with the perfect sampler's."""
    from matplotlib.figure import Figure

    names = list(study.methods)
    figure = Figure(figsize=(9, 0.32 * len(names) + 1), layout="constrained", dpi=90)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, ("distance", "recall"), strict=True):
        for i, name in enumerate(names):
            values = [m[metric] for m in study.measured[name]]
            axes.plot(values, [i] * len(values), "o", color=plot.BLUE, alpha=0.6)
            failed = len(study.results[name]) - len(values)
            axes.plot(
                [0.98] * failed,
                [i] * failed,
                "x",
                color=plot.ORANGE,
                transform=axes.get_yaxis_transform(),
            )
        axes.axvline(perfect[metric], color=plot.GREY, linestyle="--", label="perfect sampler")
        axes.grid(alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[0].set(xscale="log", xlabel="Fréchet distance (digit features)")
    panels[1].set(xlim=(0, 1), xlabel="recall (digit features)")
    panels[1].legend(loc="best")
    return figure


def main() -> None:
    options = parser(__doc__ or "", "objectives")
    options.add_argument("--epochs", type=int, default=BASE["epochs"], help="passes [100]")
    arguments = options.parse_args()
    epochs = 2 if arguments.quick else arguments.epochs
    seeds = arguments.seeds or (1 if arguments.quick else 3)
    folder = arguments.runs / f"{epochs}-epochs"
    study = Study(methods(epochs), seeds, folder, arguments.jobs, measure)
    dataset = data.digits()
    perfect = floor(dataset)
    arguments.out.mkdir(parents=True, exist_ok=True)
    plot.save(sheet(study), arguments.out / "objectives.png")
    plot.save(scores(study, perfect), arguments.out / "objectives-scores.png")
    config = Config.of(**BASE)
    text = PAGE.format(
        quick="**A smoke run, whose numbers mean nothing.** " if arguments.quick else "",
        updates=epochs * (len(dataset) // config.batch_size),
        epochs=epochs,
        seeds=seeds,
        n=f"{perfect['n']:.0f}",
        collapsed=COLLAPSED,
        g="-".join(map(str, config.generator["hidden"])),
        d="-".join(map(str, config.discriminator["hidden"])),
        table=table(study, perfect).markdown(),
        failures=study.failures(),
        option=" --quick" if arguments.quick else "",
        foot=where_and_when(),
        config=config,
    )
    write(arguments.out / "objectives.md", text)


if __name__ == "__main__":
    main()
