"""A game of any number of players: it deals, they move, and what they lost is written down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from .. import hooks
from ..tensor import Tensor
from . import checks, fit
from .callbacks import Callback, History
from .checks import Diverged
from .players import Player, frozen
from .state import State


class Game(State):
    """Players who move in turn, each down its own loss, while the others' weights are frozen.

    ::

        def reconstruction(table):
            return ((decoder(encoder(table.real)) - table.real) ** 2).mean()

        game = mg.gan.Game([Player("critic", critic, critics_loss),
                            Player("encoder", encoder, reconstruction),
                            Player("decoder", decoder, decoders_loss)], latent_dim=8)
        history = game.fit(loader, epochs=10)

    Parameters
    ----------
    players : sequence of Player
        In the order of their moves. The first moves at every batch.
    latent_dim : int, optional
        The length of the noise z ~ N(0, I) that is dealt; left out, there is none.
    simultaneous : bool
        Whether all gradients are taken before anyone moves; else they alternate.
    capture : bool
        On a GPU, record each move as a CUDA graph and replay it (:func:`minigan.cuda.graph`). A
        loss that is not finite is then noticed after the update, not before.
    """

    def __init__(
        self,
        players: Sequence[Player],
        latent_dim: int | None = None,
        simultaneous: bool = False,
        capture: bool = False,
    ) -> None:
        super().__init__(players, latent_dim)
        checks.check_turns([p.every for p in self.players], simultaneous)
        self.simultaneous = simultaneous
        self.row: Any = {}  # the losses of the last move, as numbers
        self._dealt, self._noted, self._loss = (), {}, None  # of the move that is being made
        self._moves: dict[str, Callable[..., Any]] = {
            p.name: partial(self._move, p) for p in self.players
        }
        for player in self.players:
            player.before.append(self._read_noted)
        if capture:
            self.capture()

    def capture(self) -> None:
        """Record each move as a CUDA graph at its third call, and replay it from then on.

        Called again, it begins anew.
        """
        self._moves = {p.name: self.captured(partial(self._move, p)) for p in self.players}

    # ---------------------------------------------------------------------------------- the moves

    def play(self, batch: Any) -> dict[str, float] | None:
        """Every player's move on a batch, as far as it is their turn.

        Returns the losses once the last player has moved, else None.
        """
        parts = batch if isinstance(batch, (tuple, list)) else (batch,)
        if self.simultaneous:
            return self._move_at_once(*parts)
        row: dict[str, float] = {}
        for player in self.players:
            if player is self.players[0] or self.players[0].updates % player.every == 0:
                row |= self._moves[player.name](*parts)
        return row if self.players[0].updates % self.players[-1].every == 0 else None

    def _move(self, player: Player, *parts: Tensor) -> dict[str, float]:
        table = self.deal(parts if len(parts) > 1 else parts[0])
        assert player.loss is not None
        with frozen(*(p.network for p in self.players if p is not player)):
            loss = player.loss(table)
            self.note(**{f"{player.name}_loss": loss})
            player.optimizer.zero_grad()
            loss.backward()
        player.optimizer.step()
        return self.row

    def _move_at_once(self, *parts: Tensor) -> dict[str, float]:
        losses = self.losses_of(self.deal(parts if len(parts) > 1 else parts[0]))
        row = self.read(losses, **{f"{name}_loss": loss for name, loss in losses.items()})
        self.descend(losses)
        return row

    # --------------------------------------------------------------------------- what they lost

    def note(self, *dealt: Any, **values: Tensor) -> None:
        """Put down what a move was dealt, its loss, and what else is to be in its row.

        They are read just before the optimiser's step, where the loss has to be finite.
        """
        self._dealt, self._noted, self._loss = dealt, values, next(iter(values.values()))

    def _read_noted(self, player: Player) -> None:
        if self._loss is not None:
            values, loss = self._noted, self._loss
            self._dealt, self._noted, self._loss = (), {}, None
            self.row = self.read({player.name: loss}, **values)

    def read(self, losses: dict[str, Tensor], **values: Tensor) -> dict[str, float]:
        """The values as numbers, if the players' losses are finite: no weight has moved yet.

        All in one transfer, for which a GPU has to finish what it was given.
        """

        def checked(numbers: list[float]) -> dict[str, float]:
            for name, loss in zip(losses, numbers, strict=False):
                if not math.isfinite(loss):
                    raise Diverged(
                        f"the {name}'s loss became {loss} at step {self.step + 1} (epoch "
                        f"{self.epoch + 1}): try a smaller learning rate or a penalty, or check "
                        "the data for NaN and for values outside of its range"
                    )
            return dict(zip(values, numbers[len(losses) :], strict=True))

        parts = [part.array.reshape(()) for part in (*losses.values(), *values.values())]
        return hooks.read(parts, checked)

    # ---------------------------------------------------------------------------------- a run

    def fit(
        self, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback] = ()
    ) -> History:
        """Play until ``epochs`` passes over the data have been made in total.

        Parameters
        ----------
        loader : DataLoader or iterable of Tensors, or of tuples of Tensors
            Batches of real samples; a ``DataLoader``'s order is a function of seed and epoch, so
            a game restored from a checkpoint continues as if it had never stopped.
        epochs : int
            The total: a restored game that has played 10 of 30 plays 20 more.
        callbacks : sequence of Callback

        Returns
        -------
        History
            One row per update of the last player: step, epoch, and the losses (of ``Minimax``:
            d_loss, g_loss, d_real, d_fake).
        """
        return fit.fit(self, loader, epochs, callbacks)
