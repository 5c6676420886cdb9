"""Measuring a game from outside: one extra pass on fixed samples, which changes nothing in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from .. import hooks, random
from ..array import Array, asarray, module_of, np, to_host
from ..autograd import grad
from ..gan import Game, Minimax, Table
from ..gan.penalties import input_gradients
from ..nn import BatchNorm1d, BatchNorm2d, Module, ReLU
from ..tensor import Tensor

SATURATED = 1e-3  # |∂L_G/∂logit| below which a fake teaches nothing: D(G(z)) < 0.001 in minimax


@contextmanager
def untouched(game: Game) -> Iterator[None]:
    """What is computed inside leaves no trace: buffers and random numbers are put back.

    Passes in training mode move batch norm's statistics and spectral norm's vectors; dropout and
    noise draw random numbers. (Gradients are no concern: ``autograd.grad`` leaves ``.grad`` alone.)
    """
    state = random.random_state()
    networks = game.networks().values()
    buffers = [(b, b.array.copy()) for network in networks for b in network.buffers()]
    try:
        with hooks.alone():
            yield
    finally:
        for buffer, data in buffers:
            buffer.array[...] = data
        random.set_random_state(state)


class Probe:
    """Measures a game on the same real samples and the same noise every time.

    Parameters
    ----------
    game : Game
    real : Tensor
        (N, …), with N at least 2.
    labels : Tensor (N,), optional
        Theirs, for a game that takes them.
    """

    def __init__(self, game: Game, real: Tensor, labels: Tensor | None = None) -> None:
        self.game, self.real, self.labels = game, real, labels
        self.noise = game.fixed_noise(len(real), seed=0) if game.latent_dim else None
        self.spread = mean_distance(real.array)
        mix = random.default_rng(0, 2).random((len(real), *[1] * (real.ndim - 1)))
        self.mix = Tensor(asarray(mix, real.dtype, real.device))

    def read(self) -> dict[str, float]:
        """The game's vital signs, by name; those above the line are the game of two's alone.

        ========================== =================================================================
        accuracy on reals, fakes   share that D puts on the right side of the objective's boundary,
                                   or of the middle between both means, if it has none
        saturation                 share of fakes with \\|∂L_G/∂logit\\| < 10⁻³, L_G taken as a sum:
                                   G learns nothing from them
        slope of D, steepest …     median and maximum of ‖∇D(x)‖ at random points between reals and
                                   fakes: a lower bound of D's Lipschitz constant
        distance between reals     the mean over all pairs
        diversity                  the mean distance between two fakes over that between two reals:
                                   it sees a collapse to a point, not a missing mode
        -------------------------- -----------------------------------------------------------------
        gradient of G, of D        the norm of the gradient of L_G, of L_D with respect to the
                                   player's parameters; and by layer: "gradient of G, 0 Linear"
        drift of G, 1 BatchNorm1d  how far the layer's output in evaluation mode is from that in
                                   training mode: root mean square, in standard deviations; 64
                                   samples give 0.15 by chance; not of D, which never samples
        dead units of D, 2 ReLU    share of units (channels) that are 0 for all samples and places
        ========================== =================================================================
        """
        game = self.game
        drift: dict[str, float] = {}
        alive: dict[str, Array] = {}

        def before_norm(name: str, module: Any, inputs: Any) -> None:
            if module.training and module.running_mean is not None:
                drift[f"drift of {name}"] = _drift(inputs[0].array, module)

        def after_relu(name: str, module: Module, inputs: Any, output: Tensor) -> None:
            key, now = f"dead units of {name}", _any_positive(output.array)
            alive[key] = alive[key] | now if key in alive else now

        norms = (BatchNorm1d, BatchNorm2d)
        symbols = [p.symbol for p in game.players]
        watches: list[Any] = [
            (s, "forward_pre_hook", norms, before_norm) for s in symbols if s != "D"
        ]
        watches += [(s, "forward_hook", ReLU, after_relu) for s in symbols]
        signs: dict[str, float] = {}
        with untouched(game):
            with _hooked(game, watches):
                losses, play = self._look()
            if play is not None:
                signs = self._signs_of_two(play)
            for name, loss in losses.items():
                signs |= _gradient_norms(game[name].symbol, game[name].network, loss)
        return {
            **signs,
            **drift,
            **{name: 1 - units.mean().item() for name, units in alive.items()},
        }

    def _look(self) -> tuple[dict[str, Tensor], Any]:
        """Each player's loss, G's first, and in the game of two what they looked at."""
        if not isinstance(self.game, Minimax):
            batch = self.real if self.labels is None else (self.real, self.labels)
            return self.game.losses_of(Table(batch, self.noise)), None
        assert self.noise is not None
        play = self.game.losses(self.real, self.noise, self.labels)
        return {"generator": play.g_loss, "discriminator": play.d_loss}, play

    def _signs_of_two(self, play: Any) -> dict[str, float]:
        game: Any = self.game
        (push,) = grad(play.g_loss, play.fake_logits)
        assert push is not None
        fakes = play.fakes.detach()
        between = fakes + self.mix * (self.real - fakes)
        judge = partial(game.judge, labels=self.labels)
        steepness = np.linalg.norm(to_host(input_gradients(judge, between).array), axis=1)
        push = push.array * len(push)  # L_G is a mean: a fake's own part shrinks with the batch
        real_logits, fake_logits = play.real_logits.array, play.fake_logits.array
        boundary = getattr(game.objective, "boundary", math.nan)
        if math.isnan(boundary):  # only differences between logits count
            boundary = (real_logits.mean() + fake_logits.mean()).item() / 2
        return {
            "accuracy on reals": (real_logits > boundary).mean().item(),
            "accuracy on fakes": (fake_logits < boundary).mean().item(),
            "saturation": (abs(push) < SATURATED).mean().item(),
            "slope of D": float(np.median(steepness)),
            "steepest slope of D": float(steepness.max()),
            "distance between reals": self.spread,
            "diversity": mean_distance(fakes.array) / self.spread if self.spread else math.nan,
        }


def mean_distance(samples: Array) -> float:
    """The mean Euclidean distance between two of the samples (N, …), N at least 2."""
    xp = module_of(samples)
    x = samples.reshape(len(samples), -1).astype("float64")
    x = x - x.mean(axis=0)  # else the squares cancel where all samples are nearly the same
    square = (x * x).sum(axis=1)
    distance = xp.sqrt(xp.maximum(square[:, None] + square - 2 * x @ x.T, 0))
    xp.fill_diagonal(distance, 0)
    return distance.sum().item() / (len(x) * (len(x) - 1))


def _gradient_norms(player: str, network: Module, loss: Tensor) -> dict[str, float]:
    """The norm of the loss's gradient, whole and layer by layer."""
    layers = {
        name: weights
        for name, module in _labelled(player, network)
        if (weights := [p for p in module.parameters(recurse=False) if p.requires_grad])
    }
    found = iter(grad(loss, [p for own in layers.values() for p in own], allow_unused=True))
    squares = {
        name: sum(0.0 if (g := next(found)) is None else (g.array**2).sum().item() for _ in own)
        for name, own in layers.items()
    }
    whole = {f"gradient of {player}": sum(squares.values()) ** 0.5}
    return whole | {f"gradient of {name}": square**0.5 for name, square in squares.items()}


def _drift(x: Array, norm: Any) -> float:
    """√mean_c (σ_b/σ_r - 1)² + ((μ_b - μ_r)/σ_r)², of the batch x and of the running statistics."""
    xp, axes = module_of(x), (0, *range(2, x.ndim))
    sigma = xp.sqrt(norm.running_var.array + norm.eps)
    scale = xp.sqrt(x.var(axis=axes) + norm.eps) / sigma - 1
    shift = (x.mean(axis=axes) - norm.running_mean.array) / sigma
    return (scale**2 + shift**2).mean().item() ** 0.5


def _any_positive(output: Array) -> Array:
    return (output > 0).any(axis=(0, *range(2, output.ndim)))


def _labelled(player: str, network: Module) -> Iterator[tuple[str, Module]]:
    """Every module with a name for people: "G, 0 Linear"."""
    for path, module in network.named_modules():
        yield f"{player}, {path} {type(module).__name__}".replace("  ", " "), module


@contextmanager
def _hooked(game: Game, hooks: list[Any]) -> Iterator[None]:
    """Call ``hook(name, module, …)`` at every layer of its kind, inside."""
    networks = {p.symbol: p.network for p in game.players}
    with ExitStack() as stack:
        for player, when, kind, hook in hooks:
            for name, module in _labelled(player, networks[player]):
                if isinstance(module, kind):
                    handle = getattr(module, f"register_{when}")(partial(hook, name))
                    stack.callback(handle.remove)
        yield
