"""A run of the game: epochs over the data, the two steps in turn, and the callbacks beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence, Sized
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..array import quiet
from ..tensor import Tensor
from .callbacks import Callback, History

if TYPE_CHECKING:
    from .game import Minimax


def fit(
    game: Minimax, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback]
) -> History:
    """``Minimax.fit``, where the parameters are described."""
    history = next((c for c in callbacks if isinstance(c, History)), None)
    if history is None:
        history = History()
        callbacks = (history, *callbacks)
    if isinstance(loader, Sized):
        game.batches_per_epoch = len(loader)
    game.generator.train()
    game.discriminator.train()
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


def _stop(callback: Callback, game: Minimax) -> None:
    stopped_by = sys.exc_info()[1]
    try:
        callback.on_stop(game)
    except OSError:
        if stopped_by is None:
            raise  # else the first error is the one to tell: a full disk stops every callback


def _play_epoch(game: Minimax, batches: Iterable[Any], callbacks: Sequence[Callback]) -> None:
    before = game.d_updates
    for batch in batches:
        real = batch[0] if isinstance(batch, (tuple, list)) else batch
        if not isinstance(real, Tensor):
            raise TypeError(
                f"expected batches of Tensors, got {type(real).__name__}: give "
                "DataLoader(dataset, batch_size=64, shuffle=True)"
            )
        steps = _steps(game, real)
        if steps is not None:
            row = {"step": game.step, "epoch": game.epoch + 1, **steps}
            for callback in callbacks:
                callback.on_step(game, row)
    if game.d_updates == before:
        raise ValueError(
            f"the loader gave no batch in epoch {game.epoch + 1}: give a DataLoader or a list, "
            "not an iterator that ends"
        )
    game.epoch += 1
    for scheduler in game.schedulers:
        scheduler.step()


def _steps(game: Minimax, real: Tensor) -> dict[str, float] | None:
    """D's step and, when it is G's turn, G's; what they return, or None while D is not done."""
    if game.simultaneous:
        return game.step_simultaneously(real)
    row = game.step_discriminator(real)
    if game.d_updates % game.d_steps:
        return None
    return {**row, **game.step_generator(len(real), real)}


def _batches(loader: Iterable[Any], epoch: int) -> Iterable[Any]:
    return loader.batches(epoch) if hasattr(loader, "batches") else loader
