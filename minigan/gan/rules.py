"""What the options of the game of two make of its losses: what D sees, what limits it, what pulls.

None of it stands in the two steps: it hangs on the optimisers' hooks, or on what D is shown.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from .. import hooks
from ..autograd import grad
from ..ops import randn_like, stack
from ..tensor import Tensor
from .penalties import Penalty
from .players import Player, trainable
from .state import Table
from .steps import Steps
from .unrolled import unrolled


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


class Rules(Steps):
    """What the options do; :class:`Minimax` describes them."""

    penalties: list[Penalty]
    pack: int
    instance_noise: float
    noise_steps: int
    unroll: int
    consensus: float
    compares = False

    # ------------------------------------------------------------------------- what D gets to see

    def seen(self, samples: Tensor) -> Tensor:
        """The samples (N, C, …) as D sees them: noisy, and packed to (N / pack, pack · C, …).

        Samples that do not fill a pack are left out.
        """
        if self.instance_noise:
            fade = max(0.0, 1 - self.step / self.noise_steps) if self.noise_steps else 1.0
            if fade < 1:
                hooks.not_in_capture("the instance noise fades")
            if fade:
                samples = samples + self.instance_noise * fade * randn_like(samples)
        if self.pack == 1:
            return samples
        rows = len(samples) // self.pack
        if not rows:
            raise ValueError(f"{len(samples)} samples do not fill a pack of {self.pack}")
        channels, *rest = samples.shape[1:]
        return samples[: rows * self.pack].reshape(rows, self.pack * channels, *rest)

    # ------------------------------------------------------------------------------ what limits D

    def penalized(
        self,
        loss: Tensor,
        seen_real: Tensor,
        seen_fake: Tensor,
        update: int | None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """D's loss with the penalties' terms.

        At D's ``update`` number so and so, one with every=16 comes every 16th time, 16-fold; None:
        each comes once.
        """
        for penalty in self.penalties:
            times = 1 if update is None else penalty.every
            if times > 1:
                hooks.not_in_capture("a penalty comes only every so often")
            if update is not None and update % times:
                continue
            judge = partial(self.logits, labels=labels) if self.conditional else self.discriminator
            term = penalty.loss(judge, seen_real, seen_fake)
            if term is not None:
                loss = loss + (term if times == 1 else times * term)
        return loss

    def _penalize(self, player: Player) -> None:
        """Before D's step: add the gradient of the penalties' terms."""
        if self._loss is not None and self._seen is not None and self.penalties:
            (real, fake), labels = self._seen, self._dealt[2]
            total = self.penalized(self._loss.detach(), real, fake, self.d_updates, labels)
            if total.requires_grad:
                total.backward()
            self._loss = total
        self._seen = None

    def projected(self, weight: Tensor) -> Tensor:
        """A weight of D within the penalties' hard limits; itself if there are none."""
        for penalty in self.penalties:
            weight = penalty.project(weight)
        return weight

    # ----------------------------------------------------------------- what both players look at

    def losses(self, real: Tensor, z: Tensor, labels: Tensor | None = None) -> Play:
        """Both players' losses on real samples and on the fakes of noise z (N, latent_dim).

        Their graph reaches the weights of both networks: what the theory of games differentiates.
        Every penalty counts once, also one that training adds only every so often.
        """
        return self.with_consensus(self.losses_apart(real, z, labels))

    def losses_of(self, table: Table) -> dict[str, Tensor]:
        """G's and D's loss, by name."""
        assert table.z is not None
        play = self.losses(table.real, table.z, table.labels if self.conditional else None)
        return {"generator": play.g_loss, "discriminator": play.d_loss}

    def losses_apart(
        self, real: Tensor, z: Tensor, labels: Tensor | None = None, update: int | None = None
    ) -> Play:
        """The losses without the consensus term; ``update`` as :meth:`penalized` takes it."""
        fakes = self.generate(z, labels)
        seen = self.seen(real), self.seen(fakes)
        logits = self.logits(seen[0], labels), self.logits(seen[1], labels)
        d_loss = self.objective.discriminator_loss(*logits)
        d_loss = self.penalized(d_loss, *seen, update, labels)
        g_loss = self.objective.generator_loss(*(logits[::-1] if self.compares else logits[1:]))
        return Play(d_loss, g_loss, *logits, fakes)

    def with_consensus(self, play: Play) -> Play:
        """The same with the consensus term, the only one that the players share."""
        if not self.consensus:
            return play
        pull = self.consensus_term(play)
        return play._replace(d_loss=play.d_loss + pull, g_loss=play.g_loss + pull)

    def consensus_term(self, play: Play) -> Tensor:
        """γ/2 times the squared length of both players' gradients, taken as one vector."""
        losses = {"generator": play.g_loss, "discriminator": play.d_loss}
        slopes = [g for _, g in self.slopes(losses, create_graph=True) if g is not None]
        return self.consensus / 2 * stack([(g * g).sum() for g in slopes]).sum()

    def _pull(self, player: Player) -> None:
        """Before a step: add the gradient of the consensus term, if it is asked for."""
        if not self.consensus or self._loss is None:
            return
        real, z, labels = self._dealt
        weights = trainable(player.network)
        pull = self.consensus_term(self.losses_apart(self.needed(real), z, labels))
        for p, g in zip(weights, grad(pull, weights, allow_unused=True), strict=True):
            if g is not None:
                p.grad = g if p.grad is None else p.grad + g

    def opponent(
        self, real: Tensor | None, fake: Tensor, labels: Tensor | None = None
    ) -> AbstractContextManager[None]:
        """D as it is, or, unrolled, as its own next steps on these samples would make it."""
        if not self.unroll:
            return super().opponent(real, fake, labels)
        seen = self.seen(self.needed(real)), self.seen(fake)
        updates = itertools.count(self.d_updates)

        def loss() -> Tensor:
            logits = self.logits(seen[0], labels), self.logits(seen[1], labels)
            value = self.objective.discriminator_loss(*logits)
            return self.penalized(value, *seen, next(updates), labels)

        return unrolled(self.discriminator, self.d_optimizer, loss, self.unroll, self.projected)
