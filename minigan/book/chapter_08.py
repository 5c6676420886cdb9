"""The exercises of chapter 8, trends and challenges."""

from __future__ import annotations

import math

from .exercise import Exercise

EXERCISES = {
    "8.1": Exercise(
        lambda K, k, m: 1 - (k / K) ** m,
        {
            "Right for one sample at a time. How likely is it that all m samples of a pack of real "
            "data fall into modes that G makes?": lambda K, k, m: 1 - k / K,
            "That is the probability that a pack of real data could be G's. The advantage is how "
            "often it could not.": lambda K, k, m: (k / K) ** m,
            "The samples of a pack are independent: probabilities multiply. Yours can exceed 1.": (
                lambda K, k, m: m * (1 - k / K)
            ),
            "The ½ is used up: there is as much surplus of P over Q as of Q over P.": (
                lambda K, k, m: (1 - (k / K) ** m) / 2
            ),
        },
        at=[(8, 2, 1), (8, 2, 2), (25, 20, 4), (10, 10, 3)],
    ),
    "8.2": Exercise(
        lambda gamma, h: math.sqrt(1 - h * gamma + h**2 / 4),
        {
            "Right without the penalty. With it the eigenvalues have a real part, -γ/2.": (
                lambda gamma, h: math.sqrt(1 + h**2 / 4)
            ),
            "This is the square. The factor is the absolute value of a complex number.": (
                lambda gamma, h: 1 - h * gamma + h**2 / 4
            ),
            "That is the real part of 1 + hλ. What does the imaginary part add to the absolute "
            "value?": lambda gamma, h: 1 - h * gamma / 2,
            "The penalty should make it smaller. Which sign has the real part of λ?": (
                lambda gamma, h: math.sqrt(1 + h * gamma + h**2 / 4)
            ),
        },
        at=[(0.3, 0.2), (1.0, 0.2), (0.5, 1.0), (0.0, 0.2)],
    ),
    "8.3": Exercise(
        lambda L, s: s ** (L + 1) / 4**L,
        {
            "Count the matrices: one before each of the L activations, and the output layer.": (
                lambda L, s: (s / 4) ** L
            ),
            "Count the activations: the output layer gives a logit and has none.": (
                lambda L, s: (s / 4) ** (L + 1)
            ),
            "The activations multiply the gradient too. By how much at most?": (
                lambda L, s: s ** (L + 1)
            ),
            "Each of the L activations takes its part, not only one.": (
                lambda L, s: s ** (L + 1) / 4
            ),
        },
        at=[(1, 1.0), (2, 3.0), (3, 2.0), (10, 1.0)],
    ),
    "8.4": Exercise(
        ("r1", "objective", "d_lr up", "gradient-penalty"),
        {
            "In run 1 the loss may not be changed, and in run 2 the slope of D is small already: "
            "what is left to change there?": ("objective", "r1", "d_lr up", "gradient-penalty"),
            "Run 3 has no trouble with slopes: D is right as often as a coin, so it cannot follow. "
            "And what does run 4 lack?": ("r1", "objective", "gradient-penalty", "d_lr up"),
            "In run 1 D is sure of everything already. Would a faster D help?": (
                "d_lr up",
                "objective",
                "r1",
                "gradient-penalty",
            ),
        },
    ),
    "8.5": Exercise(
        lambda T, limit: max(0, math.ceil(math.log2(T / limit))),
        {
            "After so many rounds there are still too many steps: rounds are whole, so round up.": (
                lambda T, limit: max(0, math.floor(math.log2(T / limit)))
            ),
            "You halve until a single step is left. How many steps are allowed?": (
                lambda T, limit: math.ceil(math.log2(T))
            ),
            "If T is below the limit already, yours is negative.": (
                lambda T, limit: math.ceil(math.log2(T / limit))
            ),
            "A round halves the steps; yours takes one step away in each.": (
                lambda T, limit: max(0, T - limit)
            ),
        },
        at=[(50, 1), (8192, 4), (50, 2), (1000, 4), (4, 8)],
    ),
}
