"""The minimax game: two networks, two optimisers, and two steps that alternate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..array import module_of
from ..autograd import no_grad
from ..nn import Module
from ..nn.utils import evaluating
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..tensor import Tensor
from . import checks
from .callbacks import Callback, History
from .objectives import Objective
from .penalties import Penalty, penalty
from .players import Player, own
from .rules import Rules
from .steps import probability


class Minimax(Rules):
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
        Takes noise (N, latent_dim) to samples in the shape and range of the data. If both networks
        take labels (N,) as a second argument, the game is conditional (Mirza and Osindero 2014).
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
        conditional = checks.is_conditional(generator, discriminator)
        self.pack, self.instance_noise, self.noise_steps = pack, instance_noise, noise_steps
        self.unroll, self.consensus, self.clip_grad_norm = unroll, consensus, clip_grad_norm
        self.d_steps, self.conditional = d_steps, conditional
        checks.check_options(vars(self), simultaneous)
        self.objective: Any = checks.as_objective(objective, real_label, fake_label)
        self.compares = getattr(self.objective, "compares", False)  # objects of users may lack it
        self.penalties = [penalty(p) if isinstance(p, str) else p for p in penalties]
        checks.check_discriminator(discriminator, self.objective, self.penalties)
        self.generator, self.discriminator = generator, discriminator
        shared: dict[str, Any] = {"betas": betas, "scheduler": scheduler}
        shared["clip_grad_norm"] = clip_grad_norm
        g = Player("generator", generator, None, generator_optimizer, lr=lr, ema=ema, **shared)
        d = Player("discriminator", discriminator, None, discriminator_optimizer, **shared,
                   lr=lr if d_lr is None else d_lr, project=self.projected)  # fmt: skip
        g.symbol, d.symbol, g.every = "G", "D", d_steps
        d.before, g.before = [self._penalize, self._pull], [self._pull]
        super().__init__([d, g], latent_dim or checks.latent_dim(generator), simultaneous)
        self.columns = ("d_loss", "g_loss", "d_real", "d_fake")
        if capture:
            self.capture()

    def step_simultaneously(
        self, real: Tensor, z: Tensor | None = None, labels: Tensor | None = None
    ) -> dict[str, float]:
        """One update of both, each from where the other was before. Returns all the above."""
        z = self.sample_noise(len(real)) if z is None else z
        apart = self.losses_apart(real, z, labels, self.d_updates)
        play = self.with_consensus(apart)
        with no_grad():
            d_loss = self.objective.discriminator_loss(play.real_logits, play.fake_logits)
        losses = {"discriminator": play.d_loss, "generator": play.g_loss}
        row = self.read(
            losses,
            d_loss=d_loss,
            d_real=probability(play.real_logits),
            d_fake=probability(play.fake_logits),
            g_loss=apart.g_loss,
        )
        self.descend(losses)
        return row

    def _move_at_once(self, *parts: Tensor) -> dict[str, float]:
        real, more = self.deal_labels(*parts)
        return self.step_simultaneously(real, *more)

    # ------------------------------------------------------------------------------ what it is

    ema = own(1, "ema")

    @property
    def schedulers(self) -> list[LRScheduler]:
        """G's schedule and D's, if they have any."""
        return [p.scheduler for p in reversed(self.players) if p.scheduler is not None]

    def capture(self) -> None:
        """Record each step as a CUDA graph at its third call, and replay it from then on.

        G's step is recorded where it is given real samples, as :meth:`fit` does. Called again, it
        begins anew.
        """
        for step in ("step_discriminator", "step_generator", "step_simultaneously"):
            setattr(self, step, self.captured(getattr(type(self), step).__get__(self)))

    def fit(
        self, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback] = ()
    ) -> History:
        """As :meth:`Game.fit`; says so if G can not reach the data's values."""
        checks.check_range(self.generator, getattr(loader, "dataset", None))
        return super().fit(loader, epochs, callbacks)

    def sample(
        self,
        n: int,
        noise: Tensor | None = None,
        batch_size: int = 256,
        *,
        labels: Tensor | None = None,
    ) -> Tensor:
        """n samples of G (of its moving average, if there is one), in evaluation mode.

        ``noise`` (n, latent_dim) gives the z to use; a conditional game needs ``labels`` (n,). No
        state changes but the random numbers'.
        """
        network = self.ema.module if self.ema is not None else self.generator
        noise = self.sample_noise(n) if noise is None else noise
        if not len(noise) == n >= 1:
            raise ValueError(f"expected noise for {n} samples, at least one, got {noise.shape}")
        given = [noise]
        if self.conditional:
            given.append(self.needed(labels, "labels"))
            if len(given[1]) != n:
                raise ValueError(f"expected a label for each of {n} samples, got {given[1].shape}")
        with no_grad(), evaluating(network):
            starts = range(0, n, batch_size)
            parts = [network(*(x[i : i + batch_size] for x in given)) for i in starts]
        return Tensor(module_of(parts[0].array).concatenate([p.array for p in parts]))

    def describe(self, row: dict[str, Any]) -> str:
        return (
            f"loss D {row['d_loss']:.3f} G {row['g_loss']:.3f}, "
            f"D(x) {row['d_real']:.2f}, D(G(z)) {row['d_fake']:.2f}"
        )

    # -------------------------------------------------------------------------------- its state

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, random numbers included."""
        whole = super().state_dict()
        g, d = whole["players"]["generator"], whole["players"]["discriminator"]
        return {
            "generator": g["network"],
            "discriminator": d["network"],
            "ema": g["ema"],
            "g_optimizer": g["optimizer"],
            "d_optimizer": d["optimizer"],
            "schedulers": [p["scheduler"] for p in (g, d) if p["scheduler"] is not None],
            "random": whole["random"],
            "epoch": self.epoch,
            "step": g["updates"],
            "d_updates": d["updates"],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken, bit for bit.

        Raises
        ------
        ValueError
            If the state is of other networks; the message lists what differs.
        """
        schedules = [*state.get("schedulers", []), None, None]  # version 0.1.0 has none
        players = {
            name: {
                "network": state[name],
                "optimizer": state[f"{name[0]}_optimizer"],
                "scheduler": schedules[i],
                "ema": state["ema"] if name == "generator" else None,
                "updates": state[count],
            }
            for i, (name, count) in enumerate(
                {"generator": "step", "discriminator": "d_updates"}.items()
            )
        }
        super().load_state_dict({**state, "players": players})
