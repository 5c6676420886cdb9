"""How many modes of a mixture does a GAN find? The experiment of the PacGAN paper, on two mixtures.

Ring (8 modes) and grid (25), networks, optimiser and metrics as in Lin et al. 2018 (PacGAN, section
4.1 and table 1)::

    python tests/benchmarks/mixtures.py --jobs 2           # shortened, for a CPU
    python tests/benchmarks/mixtures.py --quick            # seconds; its numbers mean nothing
    MINIGAN_DEVICE=cuda python tests/benchmarks/mixtures.py --budget full --jobs 4

writes mixtures.md, mixtures-ring.png and mixtures-grid.png into docs/benchmarks. A study that was
stopped goes on when it is started again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from study import Measured, Study, parser, where_and_when, write

from minigan import data, metrics
from minigan.check.table import Table
from minigan.data import Dataset
from minigan.gan import Minimax
from minigan.studio import plot

SAMPLES = 2500
STD = {"ring": 0.01, "grid": 0.05}
BASE = {
    "model": "pacgan", "latent_dim": 2, "batch_size": 100, "lr": 1e-4, "beta1": 0.8, "ema": 0.0,
    "objective": "non-saturating", "threads": 1,
}  # fmt: skip
METHODS: dict[str, dict[str, Any]] = {
    "GAN": {},
    "PacGAN2": {"pack": 2},
    # As in the authors' toy examples: λ = 0.1, five steps of the critic.
    "WGAN-GP": {"objective": "wasserstein", "penalties": ["gradient-penalty=0.1"], "d_steps": 5},
    "unrolled": {"unroll": 3},
    "GAN + R1": {"penalties": ["r1=0.1"]},
}
ONLY_RING = ("unrolled",)  # the costliest

# Table 1 of the paper: modes, high-quality samples in %, reverse KL; ten trials.
PUBLISHED = {
    ("ring", "GAN"): "6.3 ± 0.5 / 98.2 ± 0.2 / 0.45 ± 0.09",
    ("ring", "PacGAN2"): "7.9 ± 0.1 / 95.6 ± 2.0 / 0.07 ± 0.03",
    ("grid", "GAN"): "17.3 ± 0.8 / 94.8 ± 0.7 / 0.70 ± 0.07",
    ("grid", "PacGAN2"): "23.8 ± 0.7 / 91.3 ± 0.8 / 0.13 ± 0.04",
}


@dataclass(frozen=True)
class Budget:
    """What is spent: runs of each method, and their options over ``BASE``."""

    seeds: int
    options: dict[str, Any]
    note: str


BUDGETS = {
    "full": Budget(10, {"epochs": 400}, "the published one, {share:.0%} of it"),
    "short": Budget(
        3,
        {"epochs": 5, "lr": 1e-3, "lr_half_life": 1.0, "ema": 0.99},
        "**shortened to {share:.2%} of the published updates**. To make up for some of it, the "
        "learning rate starts at ten times the published one and halves with every pass, and the "
        "samples are of a moving average of G (0.99): the published column is no target for it",
    ),
    "quick": Budget(
        1,
        {
            "epochs": 1, "batch_size": 2000, "lr": 1e-2,
            "generator": {"width": 20, "depth": 2},
            "discriminator": {"width": 20, "pieces": 2, "depth": 1},
        },
        "**a smoke run of tiny networks, whose numbers mean nothing**",
    ),
}  # fmt: skip


HEAD = """# Two mixtures: which modes are found

The experiment of Lin et al. 2018 (PacGAN, section 4.1): its networks, optimiser and metrics. The
budget is {note}.

100,000 points, batches of {batch_size}, passes over them: {epochs}, so {updates:,} updates of D.
Adam, lr {lr:g}, β₁ {beta1}. Runs of each method: {seeds}; mean ± standard
error. Reverse KL is over the runs that made a sample of high quality. Only GAN and PacGAN2 are in
the paper's table. Options: {options}.

- This page: `{here}`
- The published budget, on a GPU: `{full}`"""


def measure(game: Minimax, dataset: Dataset) -> Measured:
    """The paper's three metrics on 2,500 samples."""
    samples = game.sample(SAMPLES, game.fixed_noise(SAMPLES, seed=1))
    found = metrics.mode_coverage(samples, dataset.centers, STD[dataset.name])
    quality = {"modes": found.modes, "high quality": 100 * found.high_quality}
    return quality | {"reverse KL": found.reverse_kl, "updates of G": game.step}


def study(name: str, budget: Budget, arguments: Any) -> Study:
    """All methods on one mixture."""
    methods = {
        method: BASE | budget.options | options | {"data": name}
        for method, options in METHODS.items()
        if name == "ring" or method not in ONLY_RING
    }
    seeds = arguments.seeds or budget.seeds
    return Study(methods, seeds, arguments.runs / name, arguments.jobs, measure)


def table(name: str, study: Study) -> Table:
    """A row per method, and the perfect sampler's."""
    dataset: Dataset = getattr(data, name)()
    rows = [
        {
            "": method,
            "modes": study.mean(method, "modes", 1),
            "high quality, %": study.mean(method, "high quality", 1),
            "reverse KL": study.mean(method, "reverse KL", 2),
            "runs": study.ended(method),
            "updates of G": study.mean(method, "updates of G", 0).partition(" ")[0],
            "seconds a run": study.seconds(method),
            "published: modes / high quality / reverse KL": PUBLISHED.get((name, method), "–"),
        }
        for method in study.methods
    ]
    floor = metrics.perfect_mode_coverage(dataset.centers, STD[name], SAMPLES)
    perfect = {"": "perfect sampler", "modes": f"{floor.modes:.1f}"}
    perfect |= {"high quality, %": f"{100 * floor.high_quality:.1f}"}
    return Table([*rows, perfect | {"reverse KL": f"{floor.reverse_kl:.4f}"}])


def ranking(study: Study) -> str:
    """The methods from best to worst, by each of the three means."""
    lines = []
    for metric, digits, sign in (("modes", 1, -1), ("high quality", 1, -1), ("reverse KL", 2, 1)):
        means = {m: np.nanmean([r[metric] for r in study.measured[m]]) for m in study.methods}
        best = sorted(means, key=lambda m: sign * means[m])
        lines.append(f"- {metric}: " + ", ".join(f"{m} {means[m]:.{digits}f}" for m in best))
    note = "From best to worst by the means (few runs tell apart what differs by several errors):"
    return "\n".join([note, "", *lines])


def figure(name: str, study: Study) -> Any:
    """Above, each method's first run that did not fail; below, every run's three metrics."""
    from matplotlib.figure import Figure

    dataset: Dataset = getattr(data, name)(SAMPLES)
    count = len(study.methods)
    sheet = Figure(figsize=(3 * count, 6.2), layout="constrained", dpi=90)
    above, below = sheet.subfigures(2, 1, height_ratios=(3, 2.6))
    assert dataset.centers is not None
    reach = 1.25 * float(np.abs(dataset.centers).max())
    for axes, method in zip(above.subplots(1, count), study.methods, strict=True):
        axes.plot(*dataset.centers.T, "o", color=plot.GREY, markersize=9, alpha=0.5, zorder=0)
        for result in study.good(method)[:1]:
            game = study.game(result)
            samples = game.sample(SAMPLES, game.fixed_noise(SAMPLES, seed=1)).numpy()
            axes.plot(*samples.T, ".", color=plot.ORANGE, markersize=1.5)
        axes.set(title=method, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
        axes.set_xticks([])
        axes.set_yticks([])
    floor = metrics.perfect_mode_coverage(dataset.centers, STD[name], SAMPLES)
    perfect = (floor.modes, 100 * floor.high_quality, floor.reverse_kl)
    panels = below.subplots(1, 3)
    for axes, metric, line in zip(
        panels, ("modes", "high quality", "reverse KL"), perfect, strict=True
    ):
        for i, method in enumerate(study.methods):
            values = [m[metric] for m in study.measured[method]]
            axes.plot([i] * len(values), values, "o", color=plot.BLUE, alpha=0.6)
        axes.axhline(line, color=plot.GREY, linestyle="--", label="perfect sampler")
        axes.set_xticks(range(count), list(study.methods), rotation=25)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_title(metric + (", %" if metric == "high quality" else ""))
        axes.grid(alpha=0.3)
    panels[2].legend(loc="best")
    return sheet


def main() -> None:
    options = parser(__doc__ or "", "mixtures")
    options.add_argument("--budget", choices=("short", "full"), default="short")
    options.add_argument("--data", choices=("ring", "grid", "both"), default="both")
    options.add_argument("--epochs", type=int, help="passes instead of the budget's [short: 5]")
    arguments = options.parse_args()
    name = "quick" if arguments.quick else arguments.budget
    budget = BUDGETS[name]
    if arguments.epochs:
        budget = replace(budget, options=budget.options | {"epochs": arguments.epochs})
    arguments.runs = arguments.runs / f"{name}-{budget.options['epochs']}"
    parts = []
    for mixture in ("ring", "grid") if arguments.data == "both" else (arguments.data,):
        done = study(mixture, budget, arguments)
        parts.append(f"## {mixture}\n\n{table(mixture, done).markdown()}\n\n{ranking(done)}")
        parts += [done.failures()] if done.failures() else []
        arguments.out.mkdir(parents=True, exist_ok=True)
        plot.save(figure(mixture, done), arguments.out / f"mixtures-{mixture}.png")
        parts.append(f"![{mixture}](mixtures-{mixture}.png)")
    used = BASE | budget.options
    options = "; ".join(f"{k}: {v}" for k, v in METHODS.items() if v)
    which = "--quick" if arguments.quick else f"--budget {name} --epochs {used['epochs']}"
    command = "python tests/benchmarks/mixtures.py"
    head = HEAD.format(
        note=budget.note.format(share=used["epochs"] / 400),
        updates=100_000 // used["batch_size"] * used["epochs"],
        seeds=arguments.seeds or budget.seeds,
        options=options,
        here=f"{command} {which}",
        full=f"MINIGAN_DEVICE=cuda {command} --budget full --jobs 4",
        **used,
    )
    foot = f"One thread a run; {where_and_when()}.\n"
    write(arguments.out / "mixtures.md", "\n\n".join([head, *parts, foot]))


if __name__ == "__main__":
    main()
