"""The exercises of chapter 2, core concepts and their connections."""

from __future__ import annotations

import math

from .exercise import Exercise


def _sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t))


def _radius_after(theta: float, psi: float, h: float) -> float:
    return math.hypot(theta, psi) * math.hypot(1, h * _sigmoid(psi * theta))


EXERCISES = {
    "2.1": Exercise(
        lambda p, q, m: p / (p + m * q),
        {
            "That is the balanced case. How many fakes are there now for each real sample?": (
                lambda p, q, m: p / (p + q)
            ),
            "The real samples have not become more: it is the fakes that count m times.": (
                lambda p, q, m: m * p / (m * p + q)
            ),
            "The more fakes, the lower D. But it is not divided by m: where q is 0 all are real, "
            "and D is 1.": lambda p, q, m: p / (p + q) / m,
            "That is the probability of being fake.": lambda p, q, m: m * q / (p + m * q),
        },
        at=[(0.5, 0.2, 5.0), (0.1, 0.4, 2.0), (0.3, 0.3, 0.5)],
    ),
    "2.2": Exercise(
        lambda a, b, c, d: (d - b) / (a - b - c + d),
        {
            "That is the inspector's mixture, which makes the forger indifferent between his "
            "columns. Compare the two rows instead.": lambda a, b, c, d: (d - c) / (a - b - c + d),
            "That is the probability of the second column.": (
                lambda a, b, c, d: (a - c) / (a - b - c + d)
            ),
            "Right for matching pennies, but it must depend on the winnings.": (
                lambda a, b, c, d: 0.5
            ),
            "Check a sign: with the winnings 1, -1, -1, 1 it should give ½.": (
                lambda a, b, c, d: (b - d) / (a - b - c + d)
            ),
        },
        at=[(1.0, -1.0, -1.0, 1.0), (2.0, -1.0, -3.0, 1.0), (3.0, -2.0, 0.0, 1.0)],
    ),
    "2.3": Exercise(
        "ACE",
        {
            "(B): G's samples are taken for real half of the time, no more. What is -log ½?": (
                "ABCE"
            ),
            "(D): a judge who always says ½ does not notice what he is shown. Put D = ½ into V.": (
                "ACDE"
            ),
            "(E): how does V depend on G's weights when D says ½ to everything?": "AC",
            "(C): L_D has two terms, and each of them is -log ½.": "AE",
            "Two of these contradict each other: if V rises at once as G is moved, its gradient "
            "need not be 0. Put D = ½ into V.": "ACD",
        },
    ),
    "2.4": Exercise(
        _radius_after,
        {
            "That would be a step along the circle. A straight step leaves it.": (
                lambda theta, psi, h: math.hypot(theta, psi)
            ),
            "This is the square of the distance.": (
                lambda theta, psi, h: _radius_after(theta, psi, h) ** 2
            ),
            "σ is ½ only at the equilibrium. Here it is σ(ψθ).": (
                lambda theta, psi, h: math.hypot(theta, psi) * math.hypot(1, h / 2)
            ),
            "Is the step's length σ(ψθ) h, or that times the radius?": (
                lambda theta, psi, h: math.hypot(theta, psi, h * _sigmoid(psi * theta))
            ),
            "The step is perpendicular to the radius, so that the lengths don't simply add.": (
                lambda theta, psi, h: math.hypot(theta, psi) * (1 + h * _sigmoid(psi * theta))
            ),
        },
        at=[(1.0, -1.0, 0.2), (0.5, 2.0, 1.0), (-1.5, 0.3, 0.5)],
    ),
}
