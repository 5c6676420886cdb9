"""Is it failing? A callback that watches a game and says in words what it sees.

::

    diagnosis = Diagnosis(mg.data.digits())
    game.fit(loader, 300, [diagnosis])
    diagnosis.report()                          # a table of all that was measured, and the findings

Each sickness is one function: from readings (see ``Probe.read``) to what is seen, or to None.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import random
from ..array import asarray, np
from ..check.table import Table
from ..gan import Callback, LeastSquares, Minimax, Saturating
from ..saving import write_atomically
from ..tensor import Tensor
from .probe import SATURATED, Probe

Reading = dict[str, float]  # what was measured at one step, by name


@dataclass
class Finding:
    """A sickness that was seen.

    Attributes
    ----------
    name : str
        "D wins", "G collapses" …: the same every time that it is seen.
    sentence : str
        What is seen, with its numbers.
    evidence : tuple of str
        The names of the measures behind it; :meth:`Diagnosis.report` marks them.
    remedy : str
        What to try, in the names of the options of :class:`Minimax` and of the layers.
    step, lasted : int
        When it was said, and for how many steps it had been so.
    until : int or None
        When it had gone away again; None while it lasts.
    """

    name: str
    sentence: str
    evidence: tuple[str, ...]
    remedy: str
    step: int = 0
    lasted: int = 0
    until: int | None = None

    def __str__(self) -> str:
        gone = f" (gone by step {self.until})" if self.until is not None else ""
        return (
            f"step {self.step}: {self.name}{gone}: for {self.lasted} steps, {self.sentence}; "
            f"try {self.remedy}"
        )


# ---------------------------------------------------------------------------------- the sicknesses


def d_wins(game: Any, readings: list[Reading]) -> Finding | None:
    """D tells every fake; where the loss goes through a sigmoid, that starves or shakes G."""
    d_fake, now = readings[-1]["D(G(z))"], readings[-1]["gradient of G"]
    # At 0.01, D is right in 99 of 100 cases by its own account.
    if not (_is_probability(game) and d_fake < 0.01):
        return None
    fall = max(r["gradient of G"] for r in readings) / max(now, 1e-30)
    # A non-saturating loss keeps the gradient alive, and batches alone differ by less than 3x.
    and_so = f" and G's gradient norm fell {fall:.0f}x, to {now:.2g}" if fall > 3 else ""
    return Finding(
        "D wins",
        f"D(G(z)) < 0.01 (now {d_fake:.2g}){and_so}",
        ("D(G(z))", "gradient of G"),
        "a penalty on D's slope (penalties=['r1=1']), a smaller d_lr, or instance_noise=0.1",
    )


def g_wins(game: Any, readings: list[Reading]) -> Finding | None:
    """D takes every fake for real, so that what it teaches G is worth nothing."""
    d_fake = readings[-1]["D(G(z))"]
    # A discriminator that knows nothing says 0.5; one that says 0.9 lags behind G.
    if not (_is_probability(game) and d_fake > 0.9):
        return None
    return Finding(
        "G wins",
        f"D(G(z)) > 0.9 (now {d_fake:.2g}): D takes the fakes for real",
        ("D(G(z))", "accuracy on fakes"),
        "more updates of D (d_steps=2), a larger d_lr, or more units in D",
    )


def saturated(game: Any, readings: list[Reading]) -> Finding | None:
    """L_G is flat where the fakes are, so that G learns from few of them or none."""
    first, last = readings[0], readings[-1]
    # With 9 of 10 fakes silent, a batch of 64 teaches as much as one of 6.
    if not last["saturation"] > 0.9:
        return None
    return Finding(
        "G's loss is saturated",
        f"{last['saturation']:.0%} of the fakes have |dL_G/dlogit| < {SATURATED:g}; G's gradient "
        f"norm is {last['gradient of G']:.2g}, and was {first['gradient of G']:.2g} at first",
        ("saturation", "gradient of G"),
        "objective='non-saturating', or penalties=['r1=1'] to keep D from being so sure",
    )


def collapsed(game: Any, readings: list[Reading]) -> Finding | None:
    """G makes nearly the same sample of every noise."""
    ratio = readings[-1]["diversity"]
    # Untrained generators, whose outputs are small, start at 0.2 to 0.7 on the bundled data, and
    # healthy ones grow from there to 1.
    if not ratio < 0.05:
        return None
    return Finding(
        "G collapses",
        f"its samples are {1 / max(ratio, 1e-9):.0f}x closer to each other than the data's",
        ("diversity",),
        "pack=2 to let D see samples in pairs, penalties=['r1=1'], or unroll=5",
    )


def exploded(game: Any, readings: list[Reading]) -> Finding | None:
    """A loss has left every scale that the objective or the data could give it."""
    last = readings[-1]
    column = max("loss of D", "loss of G", key=lambda name: abs(last[name]))
    # -log D(G(z)) = 100 would be a probability of e^-100. The Wasserstein loss of a critic with
    # slope 1 is a distance between fakes and reals; 10x that within the data leaves it room.
    limit = max(100.0, 10 * last["distance between reals"])
    if not abs(last[column]) > limit:
        return None
    return Finding(
        "the loss explodes",
        f"the {column} is beyond ±{limit:.0f} (now {last[column]:.3g}), and D's slope is "
        f"{last['slope of D']:.2g}",
        (column, "slope of D"),
        "a constraint on D (penalties=['gradient-penalty=10']), a smaller lr, or clip_grad_norm=1",
    )


def dead(game: Any, readings: list[Reading]) -> Finding | None:
    """Units of a ReLU that are 0 for all samples get no gradient and rarely come back."""
    layer = _largest(readings[-1], "dead units of ")
    # A few silent units are normal; with more than half, the layer is half as wide as it looks.
    if layer is None or not readings[-1][layer] > 0.5:
        return None
    return Finding(
        "units are dead",
        f"{readings[-1][layer]:.0%} of the units of {layer.removeprefix('dead units of ')} give 0 "
        "for every sample",
        (layer,),
        "LeakyReLU(0.2) in place of ReLU, a smaller lr, or batch norm before it",
    )


def drifted(game: Any, readings: list[Reading]) -> Finding | None:
    """Samples are made with batch norm's running statistics, which are not those of training."""
    layer = _largest(readings[-1], "drift of ")
    # At 1, evaluation mode moves an output as far as two samples' outputs are from each other.
    if layer is None or not readings[-1][layer] > 1:
        return None
    return Finding(
        "batch norm drifts",
        f"the {layer} is {readings[-1][layer]:.2g} standard deviations: sample(), in evaluation "
        "mode, shows another generator than the one that learns",
        (layer,),
        "momentum=0.1 in batch norm (its second argument is eps, not momentum), or a smaller lr",
    )


def blocked(game: Any, readings: list[Reading]) -> Finding | None:
    """The gradient is lost on its way back to the first layer."""
    last = readings[-1]
    for player in (p.symbol for p in game.players):
        layers = [name for name in last if name.startswith(f"gradient of {player}, ")]
        # Healthy networks stay within a factor of 30 from layer to layer.
        if layers and last[layers[0]] < 1e-3 * last[layers[-1]]:
            return Finding(
                "the gradient is lost between layers",
                f"the {layers[0]} is {last[layers[0]]:.2g}, the {layers[-1]} "
                f"{last[layers[-1]]:.2g}",
                (layers[0], layers[-1]),
                "LeakyReLU(0.2) in place of sigmoid or tanh inside, batch norm, or fewer layers",
            )
    return None


OF_TWO = (d_wins, g_wins, saturated, collapsed, exploded)  # they need logits, fakes and reals
OF_ALL = (dead, drifted, blocked)
SICKNESSES = (*OF_TWO, *OF_ALL)


def _is_probability(game: Any) -> bool:
    """Whether σ(logit) is a probability in this game: D's loss is a cross-entropy."""
    return isinstance(game.objective, Saturating) and not isinstance(game.objective, LeastSquares)


def _largest(reading: Reading, prefix: str) -> str | None:
    names = [name for name in reading if name.startswith(prefix)]
    return max(names, key=lambda name: reading[name], default=None)


# -------------------------------------------------------------------------------------- the doctor


@dataclass
class _Watch:
    """What is known of one sickness."""

    finding: Finding | None = None  # said, and not gone away since
    contrary: int = 0  # the last so many readings say otherwise


class Diagnosis(Callback):
    """Watch a game and say, once each, what goes wrong and what to try.

    Of a game other than ``Minimax`` it sees lost gradients, dead units and drifting batch norm; the
    rest needs a D whose logits it can read.

    A sickness is said when ``patience`` readings in a row show it, counts as gone when as many do
    not, and is said again only after that. The game is not changed by a bit: same seed, same
    weights, with and without.

    Parameters
    ----------
    real : Dataset, array or Tensor of real samples (N, …)
        ``n`` of them are drawn once, with random numbers of its own.
    every : int
        Steps between two readings. Each costs about one step: 2% at 50.
    patience : int
        4 readings are 200 steps: longer than the swings of a healthy game.
    n : int
        Samples per reading.
    path : path, optional
        A text file for the report, written when the game stops; a continued game's is added.
    say : callable, optional
        Is given each finding as text; by default it is printed, above a progress bar if need be.

    Attributes
    ----------
    findings : list of Finding
    readings : list of dict
        Everything measured: ``step``, the medians since the last reading of ``loss of D``, ``loss
        of G``, ``D(x)``, ``D(G(z))``, and what ``Probe.read`` names.
    """

    COLUMNS = {"d_loss": "loss of D", "g_loss": "loss of G", "d_real": "D(x)", "d_fake": "D(G(z))"}

    def __init__(
        self,
        real: Any,
        *,
        every: int = 50,
        patience: int = 4,
        n: int = 64,
        path: str | os.PathLike[str] | None = None,
        say: Callable[[str], Any] | None = None,
    ) -> None:
        if every < 1 or patience < 1 or n < 2 or len(real) < 2:
            raise ValueError(
                "expected every and patience of at least 1, n and the number of real samples at "
                f"least 2, got {every}, {patience}, {n} and {len(real)}"
            )
        chosen = random.default_rng(0, 3).permutation(len(real))[:n]
        samples = real[chosen]
        self.labels = None if (y := getattr(real, "labels", None)) is None else y[chosen]
        self.real = samples.array if isinstance(samples, Tensor) else samples
        self.every, self.patience = every, patience
        self.path = Path(path) if path is not None else None
        self.say = say or _print
        self.findings: list[Finding] = []
        self.readings: list[Reading] = []
        self._watches = {look: _Watch() for look in SICKNESSES}
        self._rows: list[dict[str, Any]] = []
        self._earlier = ""

    def on_start(self, game: Any, epochs: int) -> None:
        """Make the probe; keep what the file says already, of the game until now."""
        p = next(game.players[-1].network.parameters())
        y = None if self.labels is None else Tensor(asarray(self.labels, device=p.device))
        two = isinstance(game, Minimax)
        self._looks = SICKNESSES if two else OF_ALL
        self._columns = self.COLUMNS if two else {c: f"loss of {c[:-5]}" for c in game.columns}
        self._probe = Probe(game, Tensor(asarray(self.real, p.dtype, p.device)), y)
        if self.path is not None and self.path.is_file() and game.step and not self.readings:
            self._earlier = self.path.read_text() + "\n"

    def on_step(self, game: Any, row: dict[str, Any]) -> None:
        """Note the row; at the first step and at every so many, read and judge."""
        self._rows.append(row)
        if self.readings and game.step % self.every:
            return
        medians = {
            name: float(np.median([r[column] for r in self._rows]))
            for column, name in self._columns.items()
        }
        self._rows.clear()
        self.readings.append({"step": game.step, **medians, **self._probe.read()})
        if len(self.readings) > 1:  # the first is what the others are compared with
            for look in self._looks:
                self._consider(look(game, self.readings), self._watches[look], game.step)

    def _consider(self, found: Finding | None, watch: _Watch, step: int) -> None:
        """Open or close a finding once ``patience`` readings in a row agree on it."""
        watch.contrary = watch.contrary + 1 if (found is None) != (watch.finding is None) else 0
        if watch.contrary < self.patience:
            return
        watch.contrary = 0
        if found is not None:
            found.step, found.lasted = step, self.patience * self.every
            self.findings.append(found)
            self.say(str(found))
        elif watch.finding is not None:
            watch.finding.until = step
        watch.finding = found

    def on_stop(self, game: Any) -> None:
        """Write the report, also if the game ended in an error."""
        if self.path is not None and self.readings:
            text = self._earlier + self.report().text() + "\n"
            write_atomically(self.path, text.encode())

    def report(self) -> Table:
        """Every measure at first, at its lowest and highest, and now; the findings below."""
        names = dict.fromkeys(name for r in self.readings for name in r if name != "step")
        rows = []
        for name in names:
            values = [r[name] for r in self.readings if name in r]
            numbers = values[0], min(values), max(values), values[-1]
            columns = ("first", "lowest", "highest", "last")
            rows.append(
                {"measure": name} | {c: f"{v:.3g}" for c, v in zip(columns, numbers, strict=True)}
            )
        suspicious = {name for finding in self.findings for name in finding.evidence}
        steps = [int(r["step"]) for r in self.readings]
        return Table(
            rows,
            title="Diagnosis"
            + (f" of steps {steps[0]} to {steps[-1]}" if steps else ": no step was seen"),
            note="\n".join(map(str, self.findings)) or "Nothing to worry about was found.",
            marks={i: "bad" for i, row in enumerate(rows) if row["measure"] in suspicious},
        )


def _print(text: str) -> None:
    from tqdm.auto import tqdm

    tqdm.write(text)
