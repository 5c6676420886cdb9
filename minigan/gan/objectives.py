"""What the two players minimise, from the discriminator's logits.

With D(x) = σ(logit), the value of the game is (Goodfellow et al. 2014, eq. 1)

    V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))],

D maximises it and G minimises it. Losses are minimised, so D's carries minus signs; forgetting
them is the most common mistake in print. Later games replace the logarithms. In all of them p is
the density of the data, q that of G's samples, and what D gives, without a sigmoid, is the logit.
"""

from __future__ import annotations

import math

from ..nn import functional as F
from ..nn.loss import binary_cross_entropy_with_logits
from ..ops import full, relu
from ..tensor import Tensor


class Objective:
    """Both players' losses; a subclass defines them, each a mean over the batch.

    Attributes
    ----------
    compares : bool
        Whether ``generator_loss`` also takes the logits of real samples.
    needs_constraint : bool
        Whether the loss of D has no lower bound unless its slope is limited.
    boundary : float
        The logit at which D is undecided between real and fake; NaN if a logit says nothing by
        itself, because only differences between logits count.
    """

    compares = False
    needs_constraint = False
    boundary = 0.0

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """L_D, a scalar, from the logits of real samples and of fakes."""
        raise NotImplementedError(f"{type(self).__name__} does not define discriminator_loss()")

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """L_G, a scalar, from the logits of fakes (with ``compares``, and those of reals)."""
        raise NotImplementedError(f"{type(self).__name__} does not define generator_loss()")


# ------------------------------------------------------------------------- games with labels


class Saturating(Objective):
    """The game as it is written: both players share one value, with opposite signs.

    L_D = -E[log D(x)] - E[log(1 - D(G(z)))],   L_G = E[log(1 - D(G(z)))].

    The best D for a fixed G is p / (p + q); against it V = -log 4 + 2 JSD(p, q) (Goodfellow et al.
    2014, section 4.1). L_G *saturates*: where D is sure of a fake, its gradient with respect to
    the logit is D(G(z)), near 0, and G learns nothing just when it is worst.

    Parameters
    ----------
    real_label, fake_label : float
        D's targets. 0.9 and 0.0 is one-sided label smoothing (Salimans et al. 2016, section 3.4),
        0.9 and 0.1 two-sided. G always aims at 1.
    """

    def __init__(self, real_label: float = 1.0, fake_label: float = 0.0) -> None:
        if not 0 <= fake_label < real_label <= 1:
            raise ValueError(
                f"labels need 0 <= fake_label < real_label <= 1, got {fake_label} and {real_label}"
            )
        self.real_label, self.fake_label = real_label, fake_label

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-E[log D(x)] - E[log(1 - D(G(z)))], with smoothed labels if so asked."""
        return _bce(real_logits, self.real_label) + _bce(fake_logits, self.fake_label)

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """E[log(1 - D(G(z)))]."""
        return F.logsigmoid(-fake_logits).mean()


class NonSaturating(Saturating):
    """G maximises log D(G(z)) instead: the same fixed point, and gradients where it needs them.

    L_D as in the minimax game,   L_G = -E[log D(G(z))]   (Goodfellow et al. 2014, section 3).

    Where D is sure of a fake, the gradient with respect to the logit is near -1. Against the best
    D, p / (p + q), its gradient is that of KL(q, p) - 2 JSD(p, q) (Arjovsky and Bottou 2017,
    theorem 2.5).
    """

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """-E[log D(G(z))]."""
        return _bce(fake_logits, 1.0)


class LeastSquares(Saturating):
    """Squared distances from the labels, on the bare logits (Mao et al. 2017, eq. 2 and 9).

    L_D = ½ E[(D(x) - b)²] + ½ E[(D(G(z)) - a)²],   L_G = ½ E[(D(G(z)) - 1)²],

    with b = 1 for real and a = 0 for fake. The best D for a fixed G is (b p + a q) / (p + q), so
    p / (p + q) with these labels. Fakes that are judged right but lie far from the boundary are
    still pulled towards it. With b = 1, a = -1 and G's target 0 in place of 1, L_G + ½ E[D(x)²]
    would be half the Pearson divergence χ²(p + q, 2q); the labels here are the paper's other
    choice, with the same optimum p = q.
    """

    def __init__(self, real_label: float = 1.0, fake_label: float = 0.0) -> None:
        super().__init__(real_label, fake_label)
        self.boundary = (real_label + fake_label) / 2

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """½ E[(D(x) - b)²] + ½ E[(D(G(z)) - a)²]."""
        return _half_square(real_logits, self.real_label) + _half_square(
            fake_logits, self.fake_label
        )

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """½ E[(D(G(z)) - 1)²]."""
        return _half_square(fake_logits, 1.0)


def _bce(logits: Tensor, label: float) -> Tensor:
    target = full(logits.shape, label, dtype=logits.dtype, device=logits.device)
    return binary_cross_entropy_with_logits(logits, target)


def _half_square(logits: Tensor, label: float) -> Tensor:
    return 0.5 * ((logits - label) ** 2).mean()


# ---------------------------------------------------------------------- games without labels


class Hinge(Objective):
    """D is done with samples beyond a margin (Lim and Ye 2017; Miyato et al. 2018, eq. 16).

    L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))],   L_G = -E[D(G(z))].

    The best D for a fixed G is the sign of p - q, at -1 or 1 everywhere; against it L_D is
    2 - 2 TV(p, q), and E[D(x)] + L_G is 2 TV(p, q), with TV = ½ ∫ |p - q| the total variation.
    """

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """-E[D(G(z))]."""
        return -fake_logits.mean()


class Wasserstein(Objective):
    """D, now a critic, separates the means as far as its slope allows (Arjovsky et al. 2017).

    L_D = E[D(G(z))] - E[D(x)],   L_G = -E[D(G(z))].

    Among all D with slope at most 1, the best one's -L_D is the earth mover's distance W₁(p, q)
    (their eq. 2), whose gradient for G does not vanish where p and q have no common support.
    Nothing here limits the slope: that is for a penalty, weight clipping or spectral normalisation.
    """

    needs_constraint = True
    boundary = math.nan

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[D(G(z))] - E[D(x)]."""
        return fake_logits.mean() - real_logits.mean()

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """-E[D(G(z))]."""
        return -fake_logits.mean()


class RelativisticAverage(Objective):
    """D tells which is more real than the others' average (Jolicoeur-Martineau 2018).

    With r = D(x) - E[D(G(z))] and f = D(G(z)) - E[D(x)],

    L_D = -E[log σ(r)] - E[log(1 - σ(f))],   L_G = -E[log(1 - σ(r))] - E[log σ(f)].

    So the reals have a part in G's loss too: what is more real than the average fake, D should no
    longer tell. Against the best D, log 4 - L_D is a divergence of p and q, 0 where they are equal
    (Jolicoeur-Martineau 2020). That D has no closed form; adding a number to it changes nothing.
    """

    compares = True
    boundary = math.nan

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-E[log σ(r)] - E[log(1 - σ(f))]."""
        return _bce(real_logits - fake_logits.mean(), 1.0) + _bce(
            fake_logits - real_logits.mean(), 0.0
        )

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """-E[log(1 - σ(r))] - E[log σ(f)]: D's loss with the two sides exchanged."""
        if real_logits is None:
            raise ValueError("the relativistic generator's loss needs the reals' logits too")
        return self.discriminator_loss(fake_logits, real_logits)


# ------------------------------------------------------------------------------------- by name

OBJECTIVES: dict[str, type[Objective]] = {
    "minimax": Saturating,
    "non-saturating": NonSaturating,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": RelativisticAverage,
}
