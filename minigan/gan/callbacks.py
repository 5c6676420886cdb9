"""What happens beside the game: history, samples, checkpoints, a progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..saving import save_tree, write_atomically
from ..tensor import Tensor
from .state import State


class Callback:
    """Told by ``Game.fit`` what happens; every method does nothing until overridden."""

    def on_start(self, game: State, epochs: int) -> None:
        """Before the first step; the game will play until ``epochs`` in total."""

    def on_step(self, game: State, row: dict[str, Any]) -> None:
        """After every update of the last player, with the row that goes into the history."""

    def on_epoch(self, game: State, last: bool) -> None:
        """After every pass over the data; ``game.epoch`` counts it already."""

    def on_stop(self, game: State) -> None:
        """At the end, also if that is an error; the last callback first."""


class History(Callback):
    """The numbers of every step, in memory and, if a path is given, in a CSV file.

    Attributes
    ----------
    rows : list of dict
        ``step, epoch`` and the game's ``columns``, of ``Minimax`` ``d_loss, g_loss, d_real,
        d_fake``; ``history["d_loss"]`` is a column.
    """

    COLUMNS = ("step", "epoch", "d_loss", "g_loss", "d_real", "d_fake")

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.columns: tuple[str, ...] = self.COLUMNS
        self.rows: list[dict[str, Any]] = []
        self._file: Any = None

    def __getitem__(self, column: str) -> list[Any]:
        return [row[column] for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def on_start(self, game: State, epochs: int) -> None:
        """Open the file: new, or cut back to the step that the game was restored to."""
        self.columns = ("step", "epoch", *game.columns)
        if self.path is None:
            return
        lines = self.path.read_text().splitlines()[: game.step + 1] if game.step else []
        header = ",".join(self.columns)
        try:
            self.rows = [self._parse(line) for line in lines[1:]]
        except ValueError:
            self.rows = []
        if game.step and (len(self.rows) != game.step or lines[0] != header):
            raise ValueError(
                f"{self.path} does not hold the {game.step} steps that the checkpoint has played"
            )
        write_atomically(self.path, "".join(f"{line}\n" for line in lines or [header]).encode())
        self._file = open(self.path, "a")  # noqa: SIM115  (open as long as the game lasts)

    def on_step(self, game: State, row: dict[str, Any]) -> None:
        """Add the row."""
        self.rows.append(row)
        if self._file is not None:
            values = (row[c] for c in self.columns)
            text = (str(v) if isinstance(v, int) else f"{v:.6g}" for v in values)
            self._file.write(",".join(text) + "\n")

    def on_epoch(self, game: State, last: bool) -> None:
        """Bring the file up to date, so that no checkpoint is ahead of it."""
        if self._file is not None:
            self._file.flush()

    def on_stop(self, game: State) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _parse(self, line: str) -> dict[str, Any]:
        step, epoch, *rest = line.split(",")
        return dict(zip(self.columns, [int(step), int(epoch), *map(float, rest)], strict=True))


class Checkpoints(Callback):
    """Save the game's whole state every few epochs and at the end.

    ``Game.fit`` has checked it by then: a game with NaN in it leaves the last file alone.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path, self.every = Path(path), every

    def on_epoch(self, game: State, last: bool) -> None:
        """Save if it is time."""
        if last or game.epoch % self.every == 0:
            save_tree(game.state_dict(), self.path)


class Samples(Callback):
    """Show what G makes of the same noise, every few epochs and at the end.

    Parameters
    ----------
    show : callable ``show(samples, epoch, last)``
        Gets the samples as a Tensor.
    every, n, seed : int
        Epochs between two calls, the number of samples, and the seed of their noise.
    labels : Tensor (n,), optional
        What a conditional game makes.
    """

    def __init__(
        self,
        show: Callable[[Tensor, int, bool], Any],
        every: int = 1,
        n: int = 64,
        seed: int = 0,
        labels: Tensor | None = None,
    ) -> None:
        self.show, self.every, self.n, self.seed = show, every, n, seed
        self.labels = labels

    def on_epoch(self, game: State, last: bool) -> None:
        """Sample and show if it is time."""
        if last or game.epoch % self.every == 0:
            noise = game.fixed_noise(self.n, self.seed)
            self.show(game.sample(self.n, noise, labels=self.labels), game.epoch, last)


class Progress(Callback):
    """A progress bar with the losses, D(x) and D(G(z))."""

    def on_start(self, game: State, epochs: int) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        batches = game.batches_per_epoch
        self._epochs = epochs
        self._bar = tqdm(
            total=epochs * batches // game.players[-1].every if batches else None,
            initial=game.step,
            unit="step",
            mininterval=0.2,
            dynamic_ncols=True,
        )

    def on_step(self, game: State, row: dict[str, Any]) -> None:
        """Advance, and show the step's numbers when the bar is drawn next."""
        self._bar.set_description_str(f"epoch {row['epoch']}/{self._epochs}", refresh=False)
        self._bar.set_postfix_str(game.describe(row), refresh=False)
        self._bar.update()

    def on_stop(self, game: State) -> None:
        """Close the bar."""
        self._bar.close()
