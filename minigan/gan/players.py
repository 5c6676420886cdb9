"""A player: weights, an optimiser, and what it wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import hooks
from ..autograd import no_grad
from ..nn import Module, ModuleList
from ..nn.utils import clip_grad_norm_
from ..optim import Adam, Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..tensor import Tensor
from .ema import EMA


class Player:
    """Who moves in a game: some weights, their optimiser, and the loss that they descend.

    What else happens in a move hangs on the optimiser's step. Before it: what ``before`` lists, the
    average over the ranks, the limit on the gradient. After it: the hard limits, the moving
    average, the count.

    Parameters
    ----------
    name : str
    network : Module, or several
        Several are kept as one ``ModuleList``: both generators of a CycleGAN are one player.
    loss : callable ``loss(table)``
        A scalar Tensor from the :class:`Table`; it calls networks of any players.
    optimizer : Optimizer, optional
        Left out, Adam with ``lr`` and ``betas``.
    scheduler : callable, optional
        Makes a schedule for the optimiser, which takes a step after every epoch.
    project : callable, optional
        From a weight to the weight within its hard limits; itself if it lies there.
    clip_grad_norm : float
        The most that the gradient may measure, as one vector; 0: no limit.
    ema : float
        Decay of a moving average of the weights, kept in ``player.ema``; 0: none.
    every : int
        The player moves at every so many moves of the first one.

    Attributes
    ----------
    updates : int
        The steps that its optimiser has taken.
    before : list of callables ``hook(player)``
        Called first before each of these steps.
    """

    def __init__(
        self,
        name: str,
        network: Module | Iterable[Module],
        loss: Callable[[Any], Tensor] | None = None,
        optimizer: Any = None,
        *,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        project: Callable[[Tensor], Tensor] | None = None,
        clip_grad_norm: float = 0.0,
        ema: float = 0.0,
        every: int = 1,
    ) -> None:
        self.name, self.symbol = name, name
        self.network = network if isinstance(network, Module) else ModuleList(network)
        self.loss, self.project, self.every = loss, project, every
        self.clip_grad_norm, self.updates = clip_grad_norm, 0
        self.before: list[Callable[[Player], Any]] = []
        self._handles: list[Any] = []
        self.optimizer = optimizer or Adam(self.network.parameters(), lr, betas)
        self.scheduler = scheduler(self.optimizer) if scheduler else None
        self.ema = EMA(self.network, ema) if ema else None

    @property
    def optimizer(self) -> Any:
        """Its optimiser; another one takes over the player's hooks."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, new: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self._optimizer, self._handles = new, []
        if isinstance(new, Optimizer):
            self._handles.append(new.register_step_pre_hook(self._before_step))
            self._handles.append(new.register_step_post_hook(self._after_step))

    def _before_step(self, *_: Any) -> None:
        for hook in self.before:
            hook(self)
        for beside in hooks.before_update:
            beside(self.optimizer)
        if self.clip_grad_norm:
            clip_grad_norm_(self.network.parameters(), self.clip_grad_norm)

    def _after_step(self, *_: Any) -> None:
        if self.project is not None:
            with no_grad():
                for p in trainable(self.network):
                    limited = self.project(p)
                    if limited is not p:
                        p.array[...] = limited.array
        hooks.each_step(self._count)
        if self.ema is not None:
            self.ema.update()

    def _count(self) -> None:
        self.updates += 1


def own(index: int, name: str) -> Any:
    """What the game's player number ``index`` calls ``name``, as an attribute of the game."""
    return property(
        lambda game: getattr(game.players[index], name),
        lambda game, value: setattr(game.players[index], name, value),
    )


def trainable(network: Module) -> list[Tensor]:
    """The network's parameters that are not frozen."""
    return [p for p in network.parameters() if p.requires_grad]


@contextmanager
def frozen(*networks: Module) -> Iterator[None]:
    """No gradient for the networks' weights inside: for D that is 7% of a DCGAN step saved."""
    weights = [p for network in networks for p in trainable(network)]
    for p in weights:
        p.requires_grad = False
    try:
        yield
    finally:
        for p in weights:
            p.requires_grad = True
