"""What a game is between two moves: its players, how far it has come, and how that is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .. import hooks, random
from ..array import asarray, np
from ..autograd import grad
from ..nn import Module
from ..ops import isfinite, randn
from ..tensor import Tensor
from .checks import Diverged
from .players import Player, frozen, own, trainable

PARTS = ("network", "optimizer", "scheduler", "ema")  # of a player, each with a state of its own


class Table(NamedTuple):
    """What is dealt for a move.

    Attributes
    ----------
    batch : Tensor, or tuple of Tensors
        What the loader gave.
    z : Tensor or None
        Noise, (N, latent_dim), drawn anew for every move, if the game has a ``latent_dim``.
    """

    batch: Any
    z: Tensor | None = None

    @property
    def real(self) -> Tensor:
        """The batch, or the first part of it."""
        return self.batch[0] if isinstance(self.batch, (tuple, list)) else self.batch

    @property
    def labels(self) -> Tensor | None:
        """The second part of the batch, if it has one."""
        return self.batch[1] if isinstance(self.batch, (tuple, list)) else None


class State:
    """The players and their progress; :class:`Game` tells how they move.

    Attributes
    ----------
    players : list of Player
        In the order of their moves; ``game["generator"]`` finds one by name.
    epoch, step : int
        Finished passes over the data, and updates of the last player.
    """

    _dealt: tuple[Any, ...]
    _noted: dict[str, Tensor]
    _loss: Tensor | None
    step = own(-1, "updates")

    def __init__(self, players: Iterable[Player], latent_dim: int | None = None) -> None:
        self.players = list(players)
        self.latent_dim: Any = latent_dim  # None: there is no noise
        self.epoch = 0
        self.batches_per_epoch: int | None = None  # known once fit() has seen the data
        names = [p.name for p in self.players]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a game needs players of different names, got {names}")
        self.columns = tuple(f"{name}_loss" for name in names)  # of a row of the history

    def __getitem__(self, name: str) -> Player:
        for player in self.players:
            if player.name == name:
                return player
        raise KeyError(f"no player {name!r}: there are {', '.join(p.name for p in self.players)}")

    def networks(self) -> dict[str, Module]:
        """Each player's network, by the player's name."""
        return {player.name: player.network for player in self.players}

    def sample_noise(self, n: int) -> Tensor:
        """z ~ N(0, I), (n, latent_dim), from the library's one seeded generator."""
        p = next(self.players[-1].network.parameters())
        return randn(n, self.latent_dim, dtype=p.dtype, device=p.device)

    def deal(self, batch: Any) -> Table:
        """The batch, and noise for as many samples."""
        table = Table(batch)
        return Table(batch, self.sample_noise(len(table.real))) if self.latent_dim else table

    def fixed_noise(self, n: int, seed: int) -> Tensor:
        """n noise vectors that depend on the seed alone and leave the game's random numbers be."""
        p = next(self.players[-1].network.parameters())
        z = random.default_rng(seed, 1).standard_normal((n, self.latent_dim), dtype=np.float32)
        return Tensor(asarray(z, p.dtype, p.device))

    def play(self, batch: Any) -> dict[str, float] | None:
        """Every player's move on a batch, as far as it is their turn; :class:`Game` defines it.

        Returns the losses once the last player has moved, else None.
        """
        raise NotImplementedError

    def sample(self, n: int, noise: Tensor | None = None, *, labels: Any = None) -> Tensor:
        """n samples; only a subclass knows which player makes them, and of what."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say how it samples: define sample(n, noise, labels)"
        )

    def describe(self, row: dict[str, Any]) -> str:
        """A row in short, for a progress bar."""
        return ", ".join(f"{column} {row[column]:.3f}" for column in self.columns)

    def losses_of(self, table: Table) -> dict[str, Tensor]:
        """Each player's loss, by name, with a graph to all weights: what theory differentiates."""
        return {p.name: p.loss(table) for p in self.players if p.loss is not None}

    def descend(self, losses: dict[str, Tensor]) -> None:
        """Move all players at once, each down its loss in ``losses``."""
        for name in losses:
            self[name].optimizer.zero_grad()
        for name, loss in losses.items():
            with frozen(*(p.network for p in self.players if p.name != name)):
                loss.backward()
        for player in self.players:
            player.optimizer.step()

    def slopes(
        self, losses: dict[str, Tensor], create_graph: bool
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Every weight with the gradient of its own player's loss; None: it has no part in it.

        The theory of games looks at all of them as one vector.
        """
        found: list[tuple[Tensor, Tensor | None]] = []
        for name, loss in losses.items():
            weights = trainable(self[name].network)
            gradients = grad(loss, weights, create_graph=create_graph, allow_unused=True)
            found += zip(weights, gradients, strict=True)
        return found

    def captured(self, move: Callable[..., Any]) -> Callable[..., Any]:
        """The move as it is recorded; a warning on the CPU."""
        if hooks.capture is None:
            raise RuntimeError("nothing here records steps: import minigan.cuda first")
        if next(self.players[-1].network.parameters()).device == "cpu":
            warnings.warn("steps are recorded on a GPU, but this game is on the CPU", stacklevel=4)
        return hooks.capture(move)

    # -------------------------------------------------------------------------------- checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, random numbers included."""
        return {
            "players": {player.name: _kept(player) for player in self.players},
            "random": random.random_state(),
            "epoch": self.epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken, bit for bit.

        Raises
        ------
        ValueError
            If the state is of other players or networks; the message lists what differs.
        """
        if set(state["players"]) != set(self.networks()):
            raise ValueError(
                f"this game has the players {', '.join(self.networks())}, the state "
                f"{', '.join(state['players'])}"
            )
        for player in self.players:
            kept = state["players"][player.name]
            for part, words in (("ema", "keep an EMA"), ("scheduler", "have a scheduler")):
                if (kept[part] is None) != (getattr(player, part) is None):
                    raise ValueError(
                        f"the state and this game differ in whether they {words} of the "
                        f"{player.name}"
                    )
        for player in reversed(self.players):
            kept = state["players"][player.name]
            for part in PARTS:
                if (mine := getattr(player, part)) is not None:
                    mine.load_state_dict(kept[part])
            player.updates = kept["updates"]
        random.set_random_state(state["random"])
        self.epoch = state["epoch"]

    def average_statistics(self) -> None:
        """Replace floating-point buffers by their means over all ranks.

        Without synchronised batch norm every rank has running statistics of its own.
        """
        networks = [p.network for p in self.players]
        networks += [p.ema.module for p in self.players if p.ema is not None]
        hooks.mean_over_ranks(b.array for n in networks for b in n.buffers() if b.dtype.kind == "f")

    def check_finite(self) -> None:
        """Raise :class:`Diverged` if a weight of any network is NaN or infinite."""
        states = {
            f"{path} of the {name}": state
            for name, network in self.networks().items()
            for path, state in network.state_dict().items()
        }
        finite = hooks.scalars(*(isfinite(state).array.all() for state in states.values()))
        if not all(finite):
            raise Diverged(
                f"{list(states)[finite.index(False)]} became NaN or infinite by step {self.step} "
                f"(epoch {self.epoch}): try a smaller learning rate"
            )


def _kept(player: Player) -> dict[str, Any]:
    """All of a player that continuing exactly needs."""
    parts = {part: getattr(player, part) for part in PARTS}
    states = {part: mine and mine.state_dict() for part, mine in parts.items()}
    return states | {"updates": player.updates}
