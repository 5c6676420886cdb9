"""A run of a game: epochs over the data, the moves on each batch, and the callbacks beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence, Sized
from contextlib import ExitStack
from typing import Any

from ..array import quiet
from ..tensor import Tensor
from .callbacks import Callback, History
from .state import State


def fit(game: State, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback]) -> History:
    """``Game.fit``, where the parameters are described."""
    history = next((c for c in callbacks if isinstance(c, History)), None)
    if history is None:
        history = History()
        callbacks = (history, *callbacks)
    if isinstance(loader, Sized):
        game.batches_per_epoch = len(loader)
    for player in game.players:
        player.network.train()
    with ExitStack() as stack:
        stack.enter_context(quiet())  # NaN and infinity are Diverged's to report
        for callback in callbacks:
            callback.on_start(game, epochs)
            stack.callback(_stop, callback, game)
        while game.epoch < epochs:
            _play_epoch(game, _batches(loader, game.epoch), callbacks)
            game.average_statistics()
            game.check_finite()
            for callback in callbacks:
                callback.on_epoch(game, last=game.epoch >= epochs)
    return history


def _stop(callback: Callback, game: State) -> None:
    stopped_by = sys.exc_info()[1]
    try:
        callback.on_stop(game)
    except OSError:
        if stopped_by is None:
            raise  # else the first error is the one to tell: a full disk stops every callback


def _play_epoch(game: State, batches: Iterable[Any], callbacks: Sequence[Callback]) -> None:
    batch = None
    for batch in batches:
        first = batch[0] if isinstance(batch, (tuple, list)) else batch
        if not isinstance(first, Tensor):
            raise TypeError(
                f"expected batches of Tensors, got {type(first).__name__}: give "
                "DataLoader(dataset, batch_size=64, shuffle=True)"
            )
        losses = game.play(batch)
        if losses is not None:
            row = {"step": game.step, "epoch": game.epoch + 1, **losses}
            for callback in callbacks:
                callback.on_step(game, row)
    if batch is None:
        raise ValueError(
            f"the loader gave no batch in epoch {game.epoch + 1}: give a DataLoader or a list, "
            "not an iterator that ends"
        )
    game.epoch += 1
    for player in game.players:
        if player.scheduler is not None:
            player.scheduler.step()


def _batches(loader: Iterable[Any], epoch: int) -> Iterable[Any]:
    return loader.batches(epoch) if hasattr(loader, "batches") else loader
