"""What keeps the discriminator from becoming too steep: terms of its loss, and hard limits.

Most look at the slope ∇D(x) of D with respect to its *input*, sample by sample. Their gradient with
respect to D's weights is a second derivative, which ``create_graph=True`` provides. Batch norm in D
ties the samples of a batch together, so that there is no slope at one sample: do without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import grad
from ..names import find_name
from ..ops import clamp, rand, randn_like, relu, sqrt
from ..tensor import Tensor

Discriminator = Callable[[Tensor], Tensor]

TINY = (
    1e-30  # makes the root differentiable at 0, and changes no norm above 1e-7 (in float32 1e-12)
)


class Penalty:
    """A term of D's loss, or a limit that every weight of D is held to after D's step.

    A subclass defines :meth:`loss`, or :meth:`project`, or both.

    Parameters
    ----------
    weight : float
        The factor of the term, at least 0.
    every : int
        Add the term to every such step of D only, that many times as strong: nearly the same
        effect for less work (Karras et al. 2020, section 3.1, with 16 for R1).
    """

    name = ""  # on the command line
    per_sample = False  # whether it needs D to judge each sample by itself

    def __init__(self, weight: float, every: int = 1) -> None:
        if not weight >= 0:
            raise ValueError(f"{type(self).__name__} needs a weight of at least 0, got {weight}")
        if every < 1:
            raise ValueError(f"{type(self).__name__} needs every >= 1, got {every}")
        self.weight, self.every = weight, every

    def loss(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor | None:
        """The term of D's loss, a scalar; None: there is none.

        ``real`` and ``fake`` (N, …) are samples as D sees them: noisy and packed, if so asked.
        """
        return None

    def project(self, weight: Tensor) -> Tensor:
        """The weight as the limit allows it, the very same tensor if there is no limit."""
        return weight

    def __str__(self) -> str:
        """As the command line takes it: ``r1=10``."""
        return f"{self.name}={self.weight:.12g}" if self.name else repr(self)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value:g}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


def input_gradients(discriminator: Discriminator, x: Tensor) -> Tensor:
    """∇D at each sample of x (N, …), as rows (N, features), differentiable in D's weights."""
    if not x.requires_grad:
        x = x.detach().requires_grad_()
    (slopes,) = grad(discriminator(x).sum(), x, create_graph=True)
    assert slopes is not None
    return slopes.reshape(len(x), -1)


def _norms(rows: Tensor) -> Tensor:
    """The Euclidean norm of each row, with gradient 0 where it is 0."""
    return sqrt((rows * rows).sum(1) + TINY)


# ----------------------------------------------------------------------- the slope near a target


class GradientPenalty(Penalty):
    """λ E[(‖∇D(x̂)‖ - t)²] with x̂ = ε x + (1 - ε) G(z), WGAN-GP (Gulrajani et al. 2017, eq. 3).

    Each sample has an ε ~ U(0, 1) and a norm of its own. Against the best critic the slope is 1
    almost everywhere between the two distributions (their proposition 1).

    Parameters
    ----------
    weight, target : float
        λ and t.
    """

    name = "gradient-penalty"
    per_sample = True

    def __init__(self, weight: float = 10.0, target: float = 1.0, every: int = 1) -> None:
        super().__init__(weight, every)
        self.target = target

    def loss(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """λ E[(‖∇D(x̂)‖ - t)²]."""
        norms = _norms(input_gradients(discriminator, self.points(real, fake)))
        return self.weight * (self.excess(norms) ** 2).mean()

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the slope is looked at: at random between each real and a fake."""
        epsilon = rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype, device=real.device)
        return epsilon * real + (1 - epsilon) * fake

    def excess(self, norms: Tensor) -> Tensor:
        """How far each norm is from where it should be."""
        return norms - self.target


class OneSidedPenalty(GradientPenalty):
    """λ E[max(0, ‖∇D(x̂)‖ - t)²]: a slope below the target is as good (Petzka et al. 2018)."""

    name = "one-sided"

    def excess(self, norms: Tensor) -> Tensor:
        return relu(norms - self.target)


class DRAGAN(GradientPenalty):
    """The gradient penalty around the data: x̂ = x + δ, δ ~ N(0, c² I) (Kodali et al. 2017).

    c is half the standard deviation of the batch.
    """

    name = "dragan"

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        spread = 0.5 * real.data.std().item()
        return real + spread * randn_like(real)


# --------------------------------------------------------------------------- the slope near zero


class R1(Penalty):
    """γ/2 E[‖∇D(x)‖²] over real samples alone (Mescheder et al. 2018, eq. 9).

    Where the fakes are like the data, D has nothing left to tell: its slope there should be 0.
    """

    name = "r1"
    per_sample = True

    def __init__(self, weight: float = 10.0, every: int = 1) -> None:
        super().__init__(weight, every)

    def loss(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """γ/2 E[‖∇D(x)‖²]."""
        slopes = input_gradients(discriminator, self.points(real, fake))
        return self.weight / 2 * (slopes * slopes).sum(1).mean()

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the slope is looked at: at the reals."""
        return real


class R2(R1):
    """γ/2 E[‖∇D(G(z))‖²] over fakes alone (Mescheder et al. 2018, eq. 10)."""

    name = "r2"

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake


# ---------------------------------------------------------------------------------- hard limits


class WeightClipping(Penalty):
    """Every weight of D is cut to [-c, c] after each step of D (Arjovsky et al. 2017, algorithm 1).

    The first way to bound a critic's slope, and a crude one: weights gather at ±c.

    Parameters
    ----------
    weight : float
        c, above 0.
    """

    name = "weight-clipping"

    def __init__(self, weight: float = 0.01) -> None:
        if not weight > 0:
            raise ValueError(f"weights are clipped to a positive limit, got {weight}")
        super().__init__(weight)

    def project(self, weight: Tensor) -> Tensor:
        return clamp(weight, -self.weight, self.weight)


# ------------------------------------------------------------------------------------- by name

PENALTIES: dict[str, Any] = {
    kind.name: kind for kind in (GradientPenalty, OneSidedPenalty, DRAGAN, R1, R2, WeightClipping)
}


def penalty(text: str) -> Penalty:
    """``"r1=10"`` as ``R1(10.0)``; ``"r1"`` with its usual weight. Names are in ``PENALTIES``."""
    name, equals, number = text.partition("=")
    kind = PENALTIES[find_name(name.strip(), PENALTIES, "penalty")]
    if not equals:
        return kind()
    try:
        weight = float(number)
    except ValueError:
        raise ValueError(
            f"a penalty is NAME or NAME=WEIGHT, like r1=10; {number!r} is no number"
        ) from None
    return kind(weight)
