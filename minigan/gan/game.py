"""The minimax game: two networks, two optimisers, and two steps that alternate."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .. import hooks as replay
from .. import random
from ..array import asarray, module_of, np
from ..autograd import grad, no_grad
from ..fast import cuda
from ..fast.mpi import group
from ..hooks import scalars
from ..nn import Module
from ..nn.utils import clip_grad_norm_, evaluating
from ..ops import isfinite, sigmoid
from ..optim import Adam, Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..tensor import Tensor
from . import checks
from .callbacks import Callback, History
from .checks import Diverged
from .ema import EMA
from .fit import fit
from .objectives import Objective
from .penalties import Penalty
from .players import Players, learning
from .unrolled import unrolled


class Minimax(Players):
    """A generator G and a discriminator D that play against each other.

    ::

        game = mg.gan.Minimax(generator, discriminator)
        history = game.fit(DataLoader(mg.data.digits(), 64, shuffle=True), epochs=100)
        pictures = game.sample(64)

    Any objective goes with any penalties and any other option::

        Minimax(generator, critic, "wasserstein", penalties=["gradient-penalty=10"], d_steps=5)

    Parameters
    ----------
    generator : Module
        Takes noise (N, latent_dim) to samples in the shape and range of the data.
    discriminator : Module
        Takes samples to logits (N, 1) or (N,); no sigmoid at its end.
    objective : str or Objective
        One of ``OBJECTIVES``, or an object with ``discriminator_loss(real_logits, fake_logits)``
        and ``generator_loss(fake_logits)``.
    penalties : sequence of str or Penalty
        What limits D: ``"r1=10"`` or ``R1(10.0)``; the names are in ``PENALTIES``.
    latent_dim : int, optional
        The length of z ~ N(0, I); found from G's first dense layer if left out.
    lr, betas : float, pair of floats
        Adam's, for both networks (Radford et al. 2016: 2e-4 and 0.5, 0.999).
    d_lr : float, optional
        D's own step size (two time-scales, TTUR: Heusel et al. 2017).
    generator_optimizer, discriminator_optimizer : Optimizer, optional
        Optimisers of your own instead.
    scheduler : callable, optional
        Makes a schedule for an optimiser, e.g. ``lambda o: lr_scheduler.StepLR(o, 30)``; both
        optimisers get one, which takes a step after every epoch.
    d_steps : int
        Updates of D per update of G; k in Goodfellow et al. 2014, algorithm 1.
    real_label, fake_label : float
        D's targets: 0.9 and 0 is one-sided label smoothing, 0.9 and 0.1 two-sided.
    ema : float
        Decay of the moving average of G that :meth:`sample` uses; 0 samples G itself.
    pack : int
        D judges so many samples together, side by side in their channels, and so notices when they
        are all alike (PacGAN: Lin et al. 2018); D needs ``pack`` times the input channels.
    instance_noise : float
        The standard deviation of noise on all that D sees (Sønderby et al. 2017).
    noise_steps : int
        The updates of G in which that noise fades linearly to nothing; 0: it stays.
    clip_grad_norm : float
        The most that either network's gradient may measure, as one vector; 0: no limit.
    unroll : int
        G plays against the D of so many steps later (Metz et al. 2017).
    consensus : float
        γ, the weight of γ/2 (‖∇_θ L_G‖² + ‖∇_ψ L_D‖²) in the losses of both players (Mescheder et
        al. 2017, eq. 9): both are drawn to where neither wants to move.
    simultaneous : bool
        Whether both gradients are taken before either network moves; else they alternate.
    capture : bool
        On a GPU, record each step as a CUDA graph and replay it (:func:`minigan.cuda.graph`). A
        loss that is not finite is then noticed after the update, not before.
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        objective: str | Objective = "non-saturating",
        *,
        penalties: Sequence[str | Penalty] = (),
        latent_dim: int | None = None,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        d_lr: float | None = None,
        generator_optimizer: Any = None,
        discriminator_optimizer: Any = None,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        d_steps: int = 1,
        real_label: float = 1.0,
        fake_label: float = 0.0,
        ema: float = 0.0,
        pack: int = 1,
        instance_noise: float = 0.0,
        noise_steps: int = 0,
        clip_grad_norm: float = 0.0,
        unroll: int = 0,
        consensus: float = 0.0,
        simultaneous: bool = False,
        capture: bool = False,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            objective,
            penalties,
            latent_dim,
            (real_label, fake_label),
            pack,
            instance_noise,
            noise_steps,
            consensus,
        )
        self.d_steps, self.simultaneous = d_steps, simultaneous
        self.clip_grad_norm, self.unroll = clip_grad_norm, unroll
        checks.check_options(self)
        checks.check_discriminator(discriminator, self.objective, self.penalties)
        self.g_optimizer = generator_optimizer or Adam(generator.parameters(), lr, betas)
        self.d_optimizer = discriminator_optimizer or Adam(
            discriminator.parameters(), lr if d_lr is None else d_lr, betas
        )
        self.schedulers = [scheduler(o) for o in (self.g_optimizer, self.d_optimizer) if scheduler]
        self.ema = EMA(generator, ema) if ema else None
        self.batches_per_epoch: int | None = None  # known once fit() has seen the data
        if capture:
            self.capture()

    def capture(self) -> None:
        """Record each step as a CUDA graph at its third call, and replay it from then on.

        G's step is recorded where it is given real samples, as :meth:`fit` does. Called again, it
        begins anew.
        """
        if next(self.generator.parameters()).device == "cpu":
            warnings.warn("steps are recorded on a GPU, but this game is on the CPU", stacklevel=3)
        for step in ("step_discriminator", "step_generator", "step_simultaneously"):
            setattr(self, step, cuda.graph(getattr(type(self), step).__get__(self)))

    # ---------------------------------------------------------------------------- the two steps

    def step_discriminator(self, real: Tensor) -> dict[str, float]:
        """One update of D on a batch x of real samples and as many fakes.

        Returns ``d_loss``, without penalties, and the means of σ(logit), ``d_real`` for x and
        ``d_fake`` for G(z): probabilities where the losses are cross-entropies.
        """
        # 1. x, a batch of real samples, is given
        # 2. sample z and generate G(z): a constant here, so nothing flows back into G
        z = self.sample_noise(len(real))
        with no_grad():
            fake = self.generator(z)
        # 3. D(x) and D(G(z)), each in a pass of its own: batch norm must not mix them
        seen_real, seen_fake = self.seen(real), self.seen(fake)
        real_logits = self.judge_seen(seen_real)
        fake_logits = self.judge_seen(seen_fake)
        # 4. the loss: -log D(x) - log(1 - D(G(z))) in the minimax game; and the penalties
        loss = d_loss = self.objective.discriminator_loss(real_logits, fake_logits)
        loss = self.penalized(loss, seen_real, seen_fake, self.d_updates)
        row = self._read(
            {"discriminator": loss},
            d_loss=d_loss,
            d_real=_probability(real_logits),
            d_fake=_probability(fake_logits),
        )
        # 5. update D
        self.d_optimizer.zero_grad()
        loss.backward()
        self._adjust_gradients(self.discriminator, real, z)
        self.d_optimizer.step()
        self._project()
        replay.each_step(self._count_discriminator_step)
        return row

    def step_generator(self, n: int, real: Tensor | None = None) -> dict[str, float]:
        """One update of G on n fakes. Returns ``g_loss``.

        ``real``, a batch of the data, is needed by some games: relativistic, unrolled, consensus.
        """
        # 1. sample z
        z = self.sample_noise(n)
        # 2. G(z)
        fake = self.generator(z)
        with self._opponent(real, fake):
            # 3. D(G(z)): D judges but does not learn, so its weights need no gradient
            logits = self.judge(fake)
            # 4. the loss: -log D(G(z)), or log(1 - D(G(z))) in the minimax game
            loss = self.generator_loss(logits, real)
            row = self._read({"generator": loss}, g_loss=loss)
            # 5. update G
            self.g_optimizer.zero_grad()
            loss.backward()
        self._adjust_gradients(self.generator, real, z)
        self.g_optimizer.step()
        if self.ema is not None:
            self.ema.update()
        replay.each_step(self._count_generator_step)
        return row

    def step_simultaneously(self, real: Tensor) -> dict[str, float]:
        """One update of both, each from where the other was before. Returns all the above."""
        apart = self.losses_apart(real, self.sample_noise(len(real)), self.d_updates)
        play = self.with_consensus(apart)
        with no_grad():
            d_loss = self.objective.discriminator_loss(play.real_logits, play.fake_logits)
        row = self._read(
            {"discriminator": play.d_loss, "generator": play.g_loss},
            d_loss=d_loss,
            d_real=_probability(play.real_logits),
            d_fake=_probability(play.fake_logits),
            g_loss=apart.g_loss,
        )
        self.d_optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        with _frozen(self.generator):
            play.d_loss.backward()
        with _frozen(self.discriminator):
            play.g_loss.backward()
        for network, optimizer in (
            (self.discriminator, self.d_optimizer),
            (self.generator, self.g_optimizer),
        ):
            self._settle_gradients(network)
            optimizer.step()
        self._project()
        replay.each_step(self._count_discriminator_step)
        if self.ema is not None:
            self.ema.update()
        replay.each_step(self._count_generator_step)
        return row

    # --------------------------------------------------------------------------- their details

    def _opponent(self, real: Tensor | None, fake: Tensor) -> AbstractContextManager[None]:
        """D as it is, or, unrolled, as its own next steps on these samples would make it."""
        if not self.unroll:
            return _frozen(self.discriminator)
        seen_real, seen_fake = self.seen(self.needed(real)), self.seen(fake)
        updates = itertools.count(self.d_updates)

        def loss() -> Tensor:
            logits = self.judge_seen(seen_real), self.judge_seen(seen_fake)
            value = self.objective.discriminator_loss(*logits)
            return self.penalized(value, seen_real, seen_fake, next(updates))

        return unrolled(self.discriminator, self.d_optimizer, loss, self.unroll, self.projected)

    def _adjust_gradients(self, network: Module, real: Tensor | None, z: Tensor) -> None:
        """Add the gradient of the consensus term, and clip; both only if asked for."""
        if self.consensus:
            weights = learning(network)
            pull = self.consensus_term(self.losses_apart(self.needed(real), z))
            for p, g in zip(weights, grad(pull, weights, allow_unused=True), strict=True):
                if g is not None:
                    p.grad = g if p.grad is None else p.grad + g
        self._settle_gradients(network)

    def _settle_gradients(self, network: Module) -> None:
        """Average over the processes that train together, and clip; both only if asked for."""
        if self.clip_grad_norm:
            clip_grad_norm_(network.parameters(), self.clip_grad_norm)

    def _project(self) -> None:
        """Hold every weight of D to the penalties' hard limits."""
        if not self.penalties:
            return
        with no_grad():
            for p in learning(self.discriminator):
                limited = self.projected(p)
                if limited is not p:
                    p.array[...] = limited.array

    def _count_discriminator_step(self) -> None:
        self.d_updates += 1

    def _count_generator_step(self) -> None:
        self.step += 1

    def _read(self, losses: dict[str, Tensor], **values: Tensor) -> dict[str, float]:
        """The values as numbers, if the players' losses are finite: no weight has moved yet.

        All in one transfer, for which a GPU has to finish what it was given.
        """

        def checked(numbers: list[float]) -> dict[str, float]:
            for network, loss in zip(losses, numbers, strict=False):
                if not math.isfinite(loss):
                    raise Diverged(
                        f"the {network}'s loss became {loss} at step {self.step + 1} (epoch "
                        f"{self.epoch + 1}): try a smaller learning rate or a penalty, or check "
                        "the data for NaN and for values outside of its range"
                    )
            return dict(zip(values, numbers[len(losses) :], strict=True))

        parts = [part.array.reshape(()) for part in (*losses.values(), *values.values())]
        return replay.read(parts, checked)

    # ---------------------------------------------------------------------------------- a run

    def fit(
        self, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback] = ()
    ) -> History:
        """Play until ``epochs`` passes over the data have been made in total.

        Parameters
        ----------
        loader : DataLoader or iterable of Tensors
            Batches of real samples; a ``DataLoader``'s order is a function of seed and epoch, so
            a game restored from a checkpoint continues as if it had never stopped.
        epochs : int
            The total: a restored game that has played 10 of 30 plays 20 more.
        callbacks : sequence of Callback

        Returns
        -------
        History
            One row per update of G: step, epoch, d_loss, g_loss, d_real, d_fake.
        """
        checks.check_range(self.generator, getattr(loader, "dataset", None))
        return fit(self, loader, epochs, callbacks)

    def sample(self, n: int, noise: Tensor | None = None, batch_size: int = 256) -> Tensor:
        """n samples of G (of its moving average, if there is one), in evaluation mode.

        ``noise`` (n, latent_dim) gives the z to use. No state changes but the random numbers'.
        """
        network = self.ema.module if self.ema is not None else self.generator
        noise = self.sample_noise(n) if noise is None else noise
        if not len(noise) == n >= 1:
            raise ValueError(f"expected noise for {n} samples, at least one, got {noise.shape}")
        with no_grad(), evaluating(network):
            parts = [network(noise[i : i + batch_size]) for i in range(0, n, batch_size)]
        return Tensor(module_of(parts[0].array).concatenate([p.array for p in parts]))

    def fixed_noise(self, n: int, seed: int) -> Tensor:
        """n noise vectors that depend on the seed alone and leave the game's random numbers be."""
        p = next(self.generator.parameters())
        z = random.default_rng(seed, 1).standard_normal((n, self.latent_dim), dtype=np.float32)
        return Tensor(asarray(z, p.dtype, p.device))

    # -------------------------------------------------------------------------------- its state

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, random numbers included."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "ema": self.ema.state_dict() if self.ema is not None else None,
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            "random": random.random_state(),
            "epoch": self.epoch,
            "step": self.step,
            "d_updates": self.d_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken, bit for bit.

        Raises
        ------
        ValueError
            If the state is of other networks; the message lists what differs.
        """
        if (state["ema"] is None) != (self.ema is None):
            raise ValueError("the state and this game differ in whether they keep an EMA of G")
        schedules = state.get("schedulers", [])  # files of version 0.1.0 have none
        if len(schedules) != len(self.schedulers):
            raise ValueError("the state and this game differ in whether they have a scheduler")
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        for scheduler, schedule in zip(self.schedulers, schedules, strict=True):
            scheduler.load_state_dict(schedule)
        random.set_random_state(state["random"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.d_updates = state["d_updates"]

    def average_statistics(self) -> None:
        """Replace floating-point buffers by their means over all ranks.

        Without synchronised batch norm every rank has running statistics of its own.
        """
        networks = [self.generator, self.discriminator]
        networks += [self.ema.module] if self.ema is not None else []
        group().mean(b.array for n in networks for b in n.buffers() if b.dtype.kind == "f")

    def check_finite(self) -> None:
        """Raise :class:`Diverged` if a weight of either network is NaN or infinite."""
        states = {
            f"{path} of the {name}": state
            for name, network in (
                ("generator", self.generator),
                ("discriminator", self.discriminator),
            )
            for path, state in network.state_dict().items()
        }
        finite = scalars(*(isfinite(state).array.all() for state in states.values()))
        if not all(finite):
            raise Diverged(
                f"{list(states)[finite.index(False)]} became NaN or infinite by step {self.step} "
                f"(epoch {self.epoch}): try a smaller learning rate"
            )


@contextmanager
def _frozen(network: Module) -> Iterator[None]:
    """No gradient for the network's weights inside: for D that is 7% of a DCGAN step saved."""
    weights = learning(network)
    for p in weights:
        p.requires_grad = False
    try:
        yield
    finally:
        for p in weights:
            p.requires_grad = True


def _probability(logits: Tensor) -> Tensor:
    with no_grad():
        return sigmoid(logits.detach()).mean()
