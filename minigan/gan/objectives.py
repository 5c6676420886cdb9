"""What the two players minimise, from the discriminator's logits.

With D(x) = σ(logit), the value of the game is (Goodfellow et al. 2014, eq. 1)

    V(D, G) = E_x[log D(x)] + E_z[log(1 - D(G(z)))],

D maximises it and G minimises it. Losses are minimised, so D's carries minus signs; forgetting
them is the most common mistake in print.
"""

from __future__ import annotations

from ..names import find_name
from ..nn import functional as F
from ..nn.loss import binary_cross_entropy_with_logits
from ..ops import full
from ..tensor import Tensor


class Saturating:
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

    Where D is sure of a fake, the gradient with respect to the logit is near -1.
    """

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """-E[log D(G(z))]."""
        return _bce(fake_logits, 1.0)


def _bce(logits: Tensor, label: float) -> Tensor:
    target = full(logits.shape, label, dtype=logits.dtype, device=logits.device)
    return binary_cross_entropy_with_logits(logits, target)


OBJECTIVES: dict[str, type[Saturating]] = {"minimax": Saturating, "non-saturating": NonSaturating}


def objective(name: str, **labels: float) -> Saturating:
    """The objective of that name: one of ``OBJECTIVES``."""
    return OBJECTIVES[find_name(name, OBJECTIVES, "objective")](**labels)
