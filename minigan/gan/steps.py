"""The two steps of a generative adversarial network: the algorithm, and what it is made of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ..autograd import no_grad
from ..nn import Module
from ..ops import sigmoid
from ..tensor import Tensor
from .game import Game
from .players import Player, frozen, own

NEEDED = {
    "real": "this game's generator needs real samples too: give step_generator(n, real)",
    "labels": "this game's networks take labels: give labels=, or to fit() a loader of pairs, "
    "DataLoader(dataset, 64, labels=True)",
}


class Steps(Game):
    """A generator and a discriminator that take turns; :class:`Minimax` adds the options."""

    generator: Module
    discriminator: Module
    objective: Any
    _seen: Any = None  # by D in its step
    conditional = False  # whether both networks take labels

    d_optimizer, g_optimizer = own(0, "optimizer"), own(1, "optimizer")
    d_updates = own(0, "updates")

    # ---------------------------------------------------------------------------- the two steps

    def step_discriminator(
        self, real: Tensor, z: Any = None, labels: Any = None
    ) -> dict[str, float]:
        """One update of D on a batch x of real samples and as many fakes.

        Returns ``d_loss``, without penalties, and the means of σ(logit), ``d_real`` for x and
        ``d_fake`` for G(z): probabilities where the losses are cross-entropies.
        """
        # 1. x, a batch of real samples, is given; sample z
        z = self.sample_noise(len(real)) if z is None else z
        # 2. G(z): a constant here, so nothing flows back into G
        with no_grad():
            fake = self.generate(z, labels)
        # 3. D(x) and D(G(z)), each in a pass of its own: batch norm must not mix them
        real_logits, fake_logits = self.judge_both(real, fake, labels)
        # 4. the loss: -log D(x) - log(1 - D(G(z))) in the minimax game
        loss = self.objective.discriminator_loss(real_logits, fake_logits)
        d_real, d_fake = probability(real_logits), probability(fake_logits)
        self.note(real, z, labels, d_loss=loss, d_real=d_real, d_fake=d_fake)
        # 5. update D
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        return self.row

    def step_generator(
        self, n: int, real: Tensor | None = None, z: Any = None, labels: Any = None
    ) -> dict[str, float]:
        """One update of G on n fakes. Returns ``g_loss``.

        ``real``, a batch of the data, is needed by some games: relativistic, unrolled, consensus.
        """
        # 1. sample z
        z = self.sample_noise(n) if z is None else z
        # 2. G(z)
        fake = self.generate(z, labels)
        # 3. D(G(z)): D judges but is not trained, so its weights need no gradient
        with self.opponent(real, fake, labels):
            logits = self.judge(fake, labels)
            # 4. the loss: -log D(G(z)), or log(1 - D(G(z))) in the minimax game
            loss = self.generator_loss(logits, real, labels)
            self.note(real, z, labels, g_loss=loss)
            # 5. update G
            self.g_optimizer.zero_grad()
            loss.backward()
        self.g_optimizer.step()
        return self.row

    def _move(self, player: Player, *parts: Tensor) -> dict[str, float]:
        real, more = self.deal_labels(*parts)
        if player is self.players[0]:
            return self.step_discriminator(real, *more)
        return self.step_generator(len(real), real, *more)

    def deal_labels(self, real: Tensor, *labels: Tensor) -> tuple[Tensor, tuple[Any, ...]]:
        """x, and what a conditional game's steps take after it: no noise, and the labels."""
        if not self.conditional:
            return real, ()
        return real, (None, self.needed(labels[0] if labels else None, "labels"))

    # ------------------------------------------------------------------------- what they consist of

    def generate(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """G(z), or G(z, y) in a conditional game."""
        given = (self.needed(labels, "labels"),) if self.conditional else ()
        return self.generator(z, *given)

    def logits(self, seen: Tensor, labels: Tensor | None = None) -> Tensor:
        """D's logits of what it sees, one for each row: D(x), or D(x, y) in a conditional game."""
        given = (self.needed(labels, "labels"),) if self.conditional else ()
        logits = self.discriminator(seen, *given)
        if logits.shape not in ((len(seen), 1), (len(seen),)):
            raise ValueError(
                f"expected one logit per sample from the discriminator, ({len(seen)}, 1), "
                f"got {logits.shape}"
            )
        return logits

    def judge(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """D's logits of the samples, one for each (for each pack)."""
        return self.logits(self.seen(samples), labels)

    def judge_both(
        self, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """D(x) and D(G(z)), each in a pass of its own: batch norm must not mix them."""
        real, fake = self.seen(real), self.seen(fake)
        self._seen = real, fake
        return self.logits(real, labels), self.logits(fake, labels)

    def seen(self, samples: Tensor) -> Tensor:
        """The samples as D sees them."""
        return samples

    def opponent(
        self, real: Tensor | None, fake: Tensor, labels: Tensor | None = None
    ) -> AbstractContextManager[None]:
        """D as it is, whose weights need no gradient in G's step."""
        return frozen(self.discriminator)

    def generator_loss(
        self, fake_logits: Tensor, real: Tensor | None, labels: Tensor | None = None
    ) -> Tensor:
        """G's loss, for which some objectives have D judge the reals as well."""
        if not getattr(self.objective, "compares", False):  # objects of users may lack it
            return self.objective.generator_loss(fake_logits)
        real_logits = self.judge(self.needed(real), labels)
        return self.objective.generator_loss(fake_logits, real_logits)

    def needed(self, batch: Tensor | None, what: str = "real") -> Tensor:
        """The batch, or an error that asks for it."""
        if batch is None:
            raise ValueError(NEEDED[what])
        return batch


def probability(logits: Tensor) -> Tensor:
    """The mean of σ(logit), a probability where the losses are cross-entropies."""
    with no_grad():
        return sigmoid(logits.detach()).mean()
