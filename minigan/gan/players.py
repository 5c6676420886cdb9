"""The two networks and what each of them wants: from samples and noise to both losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import hooks as replay
from ..autograd import grad
from ..nn import Module
from ..ops import randn, randn_like, stack
from ..tensor import Tensor
from . import checks
from .objectives import objective as named_objective
from .penalties import Penalty
from .penalties import penalty as named_penalty


class Play(NamedTuple):
    """One look at the game: both losses, with a graph to the weights of both networks.

    Attributes
    ----------
    d_loss, g_loss : Tensor, ()
        All that each player minimises, penalties included.
    real_logits, fake_logits : Tensor
        D's.
    fakes : Tensor
        G's.
    """

    d_loss: Tensor
    g_loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    fakes: Tensor


class Players:
    """G, D, and all that their losses depend on; :class:`Minimax` tells how they move.

    The parameters are described there.
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        objective: Any,
        penalties: Sequence[str | Penalty],
        latent_dim: int | None,
        labels: tuple[float, float],
        pack: int,
        instance_noise: float,
        noise_steps: int,
        consensus: float,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        if isinstance(objective, str):
            objective = named_objective(objective, *labels)
        elif labels != (1.0, 0.0):
            raise ValueError(
                "real_label and fake_label are for objectives given by name: give the labels to "
                f"the objective itself, like NonSaturating{labels}"
            )
        self.objective = objective
        self.compares = getattr(objective, "compares", False)  # objects of users may lack it
        self.penalties = [named_penalty(p) if isinstance(p, str) else p for p in penalties]
        self.latent_dim = latent_dim or checks.latent_dim(generator)
        self.pack = pack
        self.instance_noise, self.noise_steps = instance_noise, noise_steps
        self.consensus = consensus
        self.epoch = 0  # finished passes over the data
        self.step = 0  # updates of G
        self.d_updates = 0

    def sample_noise(self, n: int) -> Tensor:
        """z ~ N(0, I), (n, latent_dim), from the library's one seeded generator."""
        p = next(self.generator.parameters())
        return randn(n, self.latent_dim, dtype=p.dtype, device=p.device)

    def losses(self, real: Tensor, z: Tensor) -> Play:
        """Both players' losses on real samples and on the fakes of noise z (N, latent_dim).

        Their graph reaches the weights of both networks: what the theory of games differentiates.
        Every penalty counts once, also one that training adds only every so often.
        """
        return self.with_consensus(self.losses_apart(real, z))

    def with_consensus(self, play: Play) -> Play:
        """The same with the consensus term, the only one that the players share."""
        if not self.consensus:
            return play
        pull = self.consensus_term(play)
        return play._replace(d_loss=play.d_loss + pull, g_loss=play.g_loss + pull)

    def losses_apart(self, real: Tensor, z: Tensor, update: int | None = None) -> Play:
        """The losses without the consensus term; ``update`` as :meth:`penalized` takes it."""
        fakes = self.generator(z)
        seen_real, seen_fake = self.seen(real), self.seen(fakes)
        logits = self.judge_seen(seen_real), self.judge_seen(seen_fake)
        d_loss = self.objective.discriminator_loss(*logits)
        d_loss = self.penalized(d_loss, seen_real, seen_fake, update)
        g_loss = self.objective.generator_loss(*(logits[::-1] if self.compares else logits[1:]))
        return Play(d_loss, g_loss, *logits, fakes)

    # ------------------------------------------------------------------------- what D gets to see

    def seen(self, samples: Tensor) -> Tensor:
        """The samples (N, C, …) as D sees them: noisy, and packed to (N / pack, pack · C, …).

        Samples that do not fill a pack are left out.
        """
        fade = max(0.0, 1 - self.step / self.noise_steps) if self.noise_steps else 1.0
        if fade < 1:
            replay.not_in_capture("the instance noise fades")
        if self.instance_noise * fade:
            samples = samples + self.instance_noise * fade * randn_like(samples)
        if self.pack == 1:
            return samples
        rows = len(samples) // self.pack
        if not rows:
            raise ValueError(f"{len(samples)} samples do not fill a pack of {self.pack}")
        channels, *rest = samples.shape[1:]
        return samples[: rows * self.pack].reshape(rows, self.pack * channels, *rest)

    def judge(self, samples: Tensor) -> Tensor:
        """D's logits of the samples, one for each (for each pack)."""
        return self.judge_seen(self.seen(samples))

    def judge_seen(self, seen: Tensor) -> Tensor:
        """D's logits of what it sees, one for each row."""
        logits = self.discriminator(seen)
        if logits.shape not in ((len(seen), 1), (len(seen),)):
            raise ValueError(
                f"expected one logit per sample from the discriminator, ({len(seen)}, 1), "
                f"got {logits.shape}"
            )
        return logits

    # -------------------------------------------------------------------- the parts of the losses

    def penalized(
        self, loss: Tensor, seen_real: Tensor, seen_fake: Tensor, update: int | None
    ) -> Tensor:
        """D's loss with the penalties' terms.

        At D's ``update`` number so and so, one with every=16 comes every 16th time, 16-fold; None:
        each comes once.
        """
        for penalty in self.penalties:
            times = 1 if update is None else penalty.every
            if times > 1:
                replay.not_in_capture(f"{penalty} comes only every so often")
            if update is not None and update % times:
                continue
            term = penalty.loss(self.discriminator, seen_real, seen_fake)
            if term is not None:
                loss = loss + (term if times == 1 else times * term)
        return loss

    def generator_loss(self, fake_logits: Tensor, real: Tensor | None) -> Tensor:
        """G's loss, for which some objectives have D judge the reals as well."""
        if not self.compares:
            return self.objective.generator_loss(fake_logits)
        return self.objective.generator_loss(fake_logits, self.judge(self.needed(real)))

    def consensus_term(self, play: Play) -> Tensor:
        """γ/2 times the squared length of both players' gradients, taken as one vector."""
        slopes = [g for _, g in self.slopes(play, create_graph=True) if g is not None]
        return self.consensus / 2 * stack([(g * g).sum() for g in slopes]).sum()

    def slopes(self, play: Play, create_graph: bool) -> list[tuple[Tensor, Tensor | None]]:
        """Every weight with the gradient of its own player's loss, G's first; None: no part in it.

        The theory of games looks at all of them as one vector.
        """
        found: list[tuple[Tensor, Tensor | None]] = []
        for loss, network in ((play.g_loss, self.generator), (play.d_loss, self.discriminator)):
            weights = learning(network)
            gradients = grad(loss, weights, create_graph=create_graph, allow_unused=True)
            found += zip(weights, gradients, strict=True)
        return found

    def needed(self, real: Tensor | None) -> Tensor:
        """The real samples, or an error that asks for them."""
        if real is None:
            raise ValueError(
                "this game's generator needs real samples too: give step_generator(n, real)"
            )
        return real

    def projected(self, weight: Tensor) -> Tensor:
        """A weight of D within the penalties' hard limits; itself if there are none."""
        for penalty in self.penalties:
            weight = penalty.project(weight)
        return weight


def learning(network: Module) -> list[Tensor]:
    """The network's parameters that are not frozen."""
    return [p for p in network.parameters() if p.requires_grad]
